//! A tile unit in plain Rust, bit for bit what the instructions do: for tests on every machine.
//!
//! TDPBF16PS (Intel's manual, volume 2): for each sum, the products of the even members of the
//! pairs are added up in one f32, those of the odd members in another, one fused multiplication
//! and addition after the other; both are added, then the old sum. Everything rounds to nearest,
//! ties to even; values that are denormal are read and written as zeros of their sign.
use super::unit::{DEPTH, SIDE, TileProduct, TileUnit};
use crate::Element;
use half::bf16;

/// The model.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Model;

/// Sums of a tile.
type Sums = [[f32; SIDE]; SIDE];

fn flushed(x: f32) -> f32 {
    if x.is_subnormal() { 0.0_f32.copysign(x) } else { x }
}

/// One tile: 16 rows, which begin at `rows`, `stride` bytes apart, of 64 bytes.
///
/// # Safety
/// They can be read.
unsafe fn load<T: Copy, const N: usize>(rows: *const T, stride: usize) -> [[T; N]; SIDE] {
    // SAFETY: the caller's contract; a tile's row has 64 bytes.
    std::array::from_fn(|i| unsafe {
        rows.cast::<u8>().add(i * stride).cast::<[T; N]>().read_unaligned()
    })
}

/// The instruction.
fn dot(sums: &mut Sums, a: &[[bf16; DEPTH]; SIDE], b: &[[bf16; DEPTH]; SIDE]) {
    for (sums, a) in sums.iter_mut().zip(a) {
        for (n, sum) in sums.iter_mut().enumerate() {
            let mut halves = [0.0_f32; 2];
            for (k, b) in b.iter().enumerate() {
                for (odd, half) in halves.iter_mut().enumerate() {
                    let (a, b) = (flushed(a[2 * k + odd].get()), flushed(b[2 * n + odd].get()));
                    *half = flushed(a.mul_add(b, *half));
                }
            }
            *sum = flushed(flushed(*sum) + flushed(halves[0] + halves[1]));
        }
    }
}

impl TileUnit for Model {
    unsafe fn multiply(self, p: &TileProduct) {
        assert!(p.count > 0 && p.blocks > 0, "a product of something");
        let (rows, columns) = (1 + usize::from(p.two_rows), 1 + usize::from(p.two_columns));
        for row in 0..rows {
            for column in 0..columns {
                // SAFETY: the caller's contract.
                unsafe {
                    let c = p.c.cast::<u8>().add(row * SIDE * p.c_stride + column * 64);
                    let mut sums: Sums =
                        if p.add { load(c.cast::<f32>(), p.c_stride) } else { [[0.0; SIDE]; SIDE] };
                    for i in 0..p.count {
                        let segment = &*p.segments.add(i);
                        for block in 0..p.blocks {
                            let a = p.a[row].add(segment.offset).cast::<u8>();
                            let a = a.add(block * p.a_step).cast::<bf16>();
                            let b = p.b.add(segment.panel).cast::<u8>();
                            let b = b.add(column * p.b_second + block * p.b_step).cast::<bf16>();
                            dot(&mut sums, &load(a, p.a_stride), &load(b, p.b_stride));
                        }
                    }
                    for (i, sums) in sums.iter().enumerate() {
                        c.add(i * p.c_stride).cast::<[f32; SIDE]>().write_unaligned(*sums);
                    }
                }
            }
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::guard::Guarded;
    use crate::tile::unit::HERE;

    /// Bits of all kinds: denormals, infinities, and what is not a number too, where `wild`.
    fn values(count: usize, seed: u32, wild: bool) -> Vec<bf16> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) as u16
        };
        (0..count)
            .map(|_| {
                let bits = next();
                // Otherwise signs and mantissas, with exponents from 2^-12 to 2^3.
                bf16::from_bits(if wild { bits } else { bits & 0x87ff | 0x3800 })
            })
            .collect()
    }

    fn product(
        unit: impl TileUnit,
        two: [bool; 2],
        wild: bool,
        seed: u32,
        [add, once]: [bool; 2],
    ) -> Vec<u32> {
        let blocks = 3;
        let a: Guarded<bf16> = Guarded::new(values(2 * SIDE * blocks * DEPTH, seed, wild));
        let b: Guarded<bf16> = Guarded::new(values(blocks * SIDE * 64, seed + 1, wild));
        let old = values(2 * SIDE * 32, seed + 2, wild);
        let mut c: Guarded<f32> = Guarded::new(old.iter().map(|v| v.get()));
        let row = blocks * DEPTH;
        let p = TileProduct {
            a: [a.as_ptr(), a[SIDE * row..].as_ptr()],
            a_stride: 2 * row,
            a_step: 64,
            b: b.as_ptr(),
            b_second: 64,
            b_stride: 128,
            b_step: 128 * SIDE,
            segments: &HERE,
            count: 1,
            blocks,
            c: c.as_mut_ptr(),
            c_stride: 128,
            add,
            two_rows: two[0],
            two_columns: two[1],
            once,
            // Into memory that cannot be read, too.
            ahead: a.as_ptr(),
            ahead_lines: 100,
        };
        // SAFETY: two tiles of rows and of columns in each slice.
        unsafe { unit.multiply(&p) };
        // What is not a number has one meaning, whatever its bits.
        c.iter().map(|v| if v.is_nan() { 0x7fc0_0000 } else { v.to_bits() }).collect()
    }

    #[test]
    fn the_instruction_and_its_model_agree_bit_for_bit() {
        #[cfg(target_arch = "x86_64")]
        if let Some(unit) = crate::Isa::detect().amx() {
            let mut compared = 0;
            for two in [[false, false], [false, true], [true, false], [true, true]] {
                for wild in [false, true] {
                    for seed in 0..50 {
                        for add in [[false, false], [true, false], [false, true], [true, true]] {
                            let (got, right) = (
                                product(unit, two, wild, 3 * seed, add),
                                product(Model, two, wild, 3 * seed, add),
                            );
                            assert_eq!(got, right, "{two:?}, wild {wild}, {seed}, {add:?}");
                            compared += 1;
                        }
                    }
                }
            }
            crate::amx::release();
            crate::edges::say(&format!("compared {compared} products of AMX with the model"));
            return;
        }
        crate::edges::say("skipped: no AMX");
    }

    #[test]
    fn the_model_sums_even_and_odd_members_apart() {
        // 2^24 + 1 + 1 is 2^24 if one 1 comes after the other, and 2^24 + 2 if both are one sum.
        let (mut a, mut b) = ([[bf16::ZERO; DEPTH]; SIDE], [[bf16::ZERO; DEPTH]; SIDE]);
        for (k, value) in [(0, 4096.0), (1, 1.0), (3, 1.0)] {
            a[0][k] = <bf16 as Element>::put(value);
            b[k / 2][k % 2] = a[0][k];
        }
        let mut sums = [[0.0; SIDE]; SIDE];
        dot(&mut sums, &a, &b);
        assert_eq!(sums[0][0], 16_777_218.0);
        // A denormal counts as zero.
        a[0][0] = bf16::from_bits(1);
        b[0][0] = <bf16 as Element>::put(1e38);
        let mut sums = [[0.0; SIDE]; SIDE];
        dot(&mut sums, &a, &b);
        assert_eq!(sums[0][0], 2.0);
    }
}
