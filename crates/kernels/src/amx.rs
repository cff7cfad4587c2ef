//! The tile unit of Intel's AMX: found, permitted, configured, and used. All of its assembly.
//!
//! # Contract
//! An [`Amx`] exists only where the processor has `amx_tile` and `amx_bf16`, the system saves the
//! tiles' state (XCR0), and Linux permitted this process to use it. The permission holds for all
//! threads of the process, those that are started later included. A thread loads the
//! configuration (eight tiles of 16 rows of 64 bytes) with its first product and drops it by
//! [`release`], which the pool calls when a thread has no more work; until then the system saves
//! 8 KB more at each change of threads. Nothing else in this program uses the tiles, so what
//! stands in them between two calls does not matter.
use crate::Isa;
use crate::tile::{Segment, TileProduct, TileUnit};
use std::arch::asm;
use std::cell::Cell;
use std::mem::offset_of;

/// Proof that the tile unit may be used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Amx(());

impl Isa {
    pub(crate) fn amx(self) -> Option<Amx> {
        (self.level() >= crate::Level::Amx).then_some(Amx(()))
    }
}

/// Whether the processor has the tiles, the system saves them, and this process may use them.
pub(crate) fn permitted() -> bool {
    has_tiles() && ask()
}

fn has_tiles() -> bool {
    use std::arch::x86_64::{__cpuid, __cpuid_count};
    /// Leaf 1: the system has switched XGETBV on. Leaf 7: bf16 products, tiles.
    const OSXSAVE: u32 = 1 << 27;
    const AMX_BF16: u32 = 1 << 22;
    const AMX_TILE: u32 = 1 << 24;
    /// XCR0: the state of the configuration and of the tiles.
    const TILES: u64 = 3 << 17;
    if __cpuid(0).eax < 7 || __cpuid(1).ecx & OSXSAVE == 0 {
        return false;
    }
    let leaf = __cpuid_count(7, 0).edx;
    if leaf & AMX_BF16 == 0 || leaf & AMX_TILE == 0 {
        return false;
    }
    let (low, high): (u32, u32);
    // SAFETY: OSXSAVE says that the instruction exists; register 0 always does.
    unsafe {
        asm!("xgetbv", in("ecx") 0, out("eax") low, out("edx") high, options(nomem, nostack))
    };
    (u64::from(high) << 32 | u64::from(low)) & TILES == TILES
}

/// Asks Linux for the permission; asking again changes nothing.
#[cfg(target_os = "linux")]
fn ask() -> bool {
    const ARCH_PRCTL: i64 = 158;
    const ARCH_REQ_XCOMP_PERM: i64 = 0x1023;
    const XTILEDATA: i64 = 18;
    let result: i64;
    // SAFETY: the system call takes two numbers and touches no memory of ours.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") ARCH_PRCTL => result,
            in("rdi") ARCH_REQ_XCOMP_PERM,
            in("rsi") XTILEDATA,
            out("rcx") _,
            out("r11") _,
            options(nostack),
        );
    }
    result == 0
}

/// Other systems are not asked.
#[cfg(not(target_os = "linux"))]
fn ask() -> bool {
    false
}

thread_local! {
    static CONFIGURED: Cell<bool> = const { Cell::new(false) };
}

/// What LDTILECFG reads: palette 1, then each tile's bytes of a row and number of rows.
#[repr(C, align(64))]
struct Config([u8; 64]);

static CONFIG: Config = config();

const fn config() -> Config {
    let mut bytes = [0; 64];
    bytes[0] = 1;
    let mut tile = 0;
    while tile < 8 {
        bytes[16 + 2 * tile] = 64;
        bytes[48 + tile] = 16;
        tile += 1;
    }
    Config(bytes)
}

/// Configures this thread's tiles, if they are not.
#[inline]
fn configure(_: Amx) {
    if !CONFIGURED.get() {
        // SAFETY: an Amx exists only where the instruction does; the configuration is valid.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const CONFIG, options(nostack, readonly)) };
        CONFIGURED.set(true);
    }
}

/// Drops this thread's configuration, if there is one.
pub(crate) fn release() {
    if CONFIGURED.replace(false) {
        // SAFETY: the thread was configured, so the instruction exists.
        unsafe { asm!("tilerelease", options(nostack, nomem)) };
    }
}

/// A product of one or two tiles of rows and one or two tiles of columns. tmm0 to tmm3 are the
/// sums, tmm4 and tmm5 the rows, tmm6 and tmm7 the columns.
macro_rules! product {
    ($p:expr, [$($zero:literal)*], [$($load:literal)*], [$($step:literal)*], [$($store:literal)*]) => {
        asm!(
            "cmp byte ptr [{p} + {ADD}], 0",
            "je 2f",
            "mov {sa}, [{p} + {C_STRIDE}]",
            "mov {a0}, [{p} + {C}]",
            "mov {a1}, {sa}",
            "shl {a1}, 4",
            "add {a1}, {a0}",
            $($load,)*
            "jmp 3f",
            "2:",
            $($zero,)*
            "3:",
            "mov {sa}, [{p} + {A_STRIDE}]",
            "mov {sb}, [{p} + {B_STRIDE}]",
            "mov {s}, [{p} + {SEGMENTS}]",
            "mov {n}, [{p} + {COUNT}]",
            "mov {f}, [{p} + {AHEAD}]",
            // A segment.
            "4:",
            "mov {k}, [{s} + {OFFSET}]",
            "mov {a0}, [{p} + {A0}]",
            "lea {a0}, [{a0} + 2*{k}]",
            "mov {a1}, [{p} + {A1}]",
            "lea {a1}, [{a1} + 2*{k}]",
            "mov {k}, [{s} + {PANEL}]",
            "mov {b0}, [{p} + {B}]",
            "lea {b0}, [{b0} + 2*{k}]",
            "mov {b1}, [{p} + {B_SECOND}]",
            "add {b1}, {b0}",
            "mov {k}, [{p} + {BLOCKS}]",
            // A block of 32 values of each row.
            "5:",
            $($step,)*
            "mov {ahead}, [{p} + {AHEAD_LINES}]",
            "test {ahead}, {ahead}",
            "jz 7f",
            "6:",
            "prefetcht1 [{f}]",
            "add {f}, 64",
            "dec {ahead}",
            "jnz 6b",
            "7:",
            "add {a0}, [{p} + {A_STEP}]",
            "add {a1}, [{p} + {A_STEP}]",
            "add {b0}, [{p} + {B_STEP}]",
            "add {b1}, [{p} + {B_STEP}]",
            "dec {k}",
            "jnz 5b",
            "add {s}, {SEGMENT}",
            "dec {n}",
            "jnz 4b",
            "mov {sa}, [{p} + {C_STRIDE}]",
            "mov {a0}, [{p} + {C}]",
            "mov {a1}, {sa}",
            "shl {a1}, 4",
            "add {a1}, {a0}",
            $($store,)*
            p = in(reg) &raw const *$p,
            a0 = out(reg) _, a1 = out(reg) _, b0 = out(reg) _, b1 = out(reg) _,
            sa = out(reg) _, sb = out(reg) _, s = out(reg) _, n = out(reg) _, k = out(reg) _,
            f = out(reg) _, ahead = out(reg) _,
            A0 = const offset_of!(TileProduct, a),
            A1 = const offset_of!(TileProduct, a) + size_of::<usize>(),
            A_STRIDE = const offset_of!(TileProduct, a_stride),
            A_STEP = const offset_of!(TileProduct, a_step),
            B = const offset_of!(TileProduct, b),
            B_SECOND = const offset_of!(TileProduct, b_second),
            B_STRIDE = const offset_of!(TileProduct, b_stride),
            B_STEP = const offset_of!(TileProduct, b_step),
            SEGMENTS = const offset_of!(TileProduct, segments),
            COUNT = const offset_of!(TileProduct, count),
            BLOCKS = const offset_of!(TileProduct, blocks),
            C = const offset_of!(TileProduct, c),
            C_STRIDE = const offset_of!(TileProduct, c_stride),
            ADD = const offset_of!(TileProduct, add),
            AHEAD = const offset_of!(TileProduct, ahead),
            AHEAD_LINES = const offset_of!(TileProduct, ahead_lines),
            OFFSET = const offset_of!(Segment, offset),
            PANEL = const offset_of!(Segment, panel),
            SEGMENT = const size_of::<Segment>(),
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack),
        )
    };
}

impl TileUnit for Amx {
    #[inline]
    unsafe fn multiply(self, p: &TileProduct) {
        configure(self);
        // SAFETY: an Amx exists only where the instructions do, and the tiles are configured; the
        // addresses are the caller's contract, and there is at least one segment and one block.
        unsafe {
            match (p.two_rows, p.two_columns) {
                (true, true) if p.once => product!(
                    p,
                    ["tilezero tmm0" "tilezero tmm1" "tilezero tmm2" "tilezero tmm3"],
                    ["tileloadd tmm0, [{a0} + {sa}*1]" "tileloadd tmm1, [{a0} + {sa}*1 + 64]"
                     "tileloadd tmm2, [{a1} + {sa}*1]" "tileloadd tmm3, [{a1} + {sa}*1 + 64]"],
                    ["tileloaddt1 tmm4, [{a0} + {sa}*1]" "tileloadd tmm6, [{b0} + {sb}*1]"
                     "tdpbf16ps tmm0, tmm4, tmm6" "tileloadd tmm7, [{b1} + {sb}*1]"
                     "tdpbf16ps tmm1, tmm4, tmm7" "tileloaddt1 tmm5, [{a1} + {sa}*1]"
                     "tdpbf16ps tmm2, tmm5, tmm6" "tdpbf16ps tmm3, tmm5, tmm7"],
                    ["tilestored [{a0} + {sa}*1], tmm0" "tilestored [{a0} + {sa}*1 + 64], tmm1"
                     "tilestored [{a1} + {sa}*1], tmm2" "tilestored [{a1} + {sa}*1 + 64], tmm3"]
                ),
                (true, true) => product!(
                    p,
                    ["tilezero tmm0" "tilezero tmm1" "tilezero tmm2" "tilezero tmm3"],
                    ["tileloadd tmm0, [{a0} + {sa}*1]" "tileloadd tmm1, [{a0} + {sa}*1 + 64]"
                     "tileloadd tmm2, [{a1} + {sa}*1]" "tileloadd tmm3, [{a1} + {sa}*1 + 64]"],
                    ["tileloadd tmm4, [{a0} + {sa}*1]" "tileloadd tmm6, [{b0} + {sb}*1]"
                     "tdpbf16ps tmm0, tmm4, tmm6" "tileloadd tmm7, [{b1} + {sb}*1]"
                     "tdpbf16ps tmm1, tmm4, tmm7" "tileloadd tmm5, [{a1} + {sa}*1]"
                     "tdpbf16ps tmm2, tmm5, tmm6" "tdpbf16ps tmm3, tmm5, tmm7"],
                    ["tilestored [{a0} + {sa}*1], tmm0" "tilestored [{a0} + {sa}*1 + 64], tmm1"
                     "tilestored [{a1} + {sa}*1], tmm2" "tilestored [{a1} + {sa}*1 + 64], tmm3"]
                ),
                (true, false) => product!(
                    p,
                    ["tilezero tmm0" "tilezero tmm2"],
                    ["tileloadd tmm0, [{a0} + {sa}*1]" "tileloadd tmm2, [{a1} + {sa}*1]"],
                    ["tileloadd tmm4, [{a0} + {sa}*1]" "tileloadd tmm6, [{b0} + {sb}*1]"
                     "tdpbf16ps tmm0, tmm4, tmm6" "tileloadd tmm5, [{a1} + {sa}*1]"
                     "tdpbf16ps tmm2, tmm5, tmm6"],
                    ["tilestored [{a0} + {sa}*1], tmm0" "tilestored [{a1} + {sa}*1], tmm2"]
                ),
                (false, true) => product!(
                    p,
                    ["tilezero tmm0" "tilezero tmm1"],
                    ["tileloadd tmm0, [{a0} + {sa}*1]" "tileloadd tmm1, [{a0} + {sa}*1 + 64]"],
                    ["tileloadd tmm4, [{a0} + {sa}*1]" "tileloadd tmm6, [{b0} + {sb}*1]"
                     "tdpbf16ps tmm0, tmm4, tmm6" "tileloadd tmm7, [{b1} + {sb}*1]"
                     "tdpbf16ps tmm1, tmm4, tmm7"],
                    ["tilestored [{a0} + {sa}*1], tmm0" "tilestored [{a0} + {sa}*1 + 64], tmm1"]
                ),
                (false, false) => product!(
                    p,
                    ["tilezero tmm0"],
                    ["tileloadd tmm0, [{a0} + {sa}*1]"],
                    ["tileloadd tmm4, [{a0} + {sa}*1]" "tileloadd tmm6, [{b0} + {sb}*1]"
                     "tdpbf16ps tmm0, tmm4, tmm6"],
                    ["tilestored [{a0} + {sa}*1], tmm0"]
                ),
            }
        }
    }
}
