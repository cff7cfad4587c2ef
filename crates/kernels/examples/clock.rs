//! Processor seconds of the kernels on the shapes of SD 1.5 at 512 pixels, on one thread:
//! `clock [filter] [repeats] [f32] [avx2|avx512|portable]`.
//!
//! A thread's own clock does not run while others have the processor, so two builds can be
//! compared on a machine that is not quiet. Each line has the least of some repeats of one call,
//! and its share of a training step (or of the VAE's encoder).
#![expect(clippy::print_stdout, reason = "an example's result")]
#![expect(unsafe_code, reason = "the system's clock of a thread")]
use half::bf16;
use wayword_kernels::{
    Cpu, Grid, Isa, Level, Products, Values, View, ViewMut, WeightSizes, attention, conv3x3, linear,
};

/// Rows, inputs, outputs, calls of a step.
const LINEAR: &[(usize, usize, usize, usize)] = &[
    (4096, 320, 320, 40),
    (4096, 320, 2560, 5),
    (4096, 1280, 320, 5),
    (4096, 960, 320, 1),
    (4096, 640, 320, 2),
    (1024, 640, 640, 40),
    (1024, 640, 5120, 5),
    (1024, 2560, 640, 5),
    (256, 1280, 1280, 40),
    (256, 1280, 10240, 5),
    (256, 5120, 1280, 5),
    (64, 1280, 1280, 8),
    (64, 1280, 10240, 1),
    (77, 768, 320, 10),
    (77, 768, 1280, 12),
    (1, 1280, 1280, 10),
];

/// The text encoder's.
const TEXT: &[(usize, usize, usize, usize)] =
    &[(154, 768, 768, 48), (154, 768, 3072, 12), (154, 3072, 768, 12)];

/// Side of the picture, inputs, outputs, calls of a step.
const CONV: &[(usize, usize, usize, usize)] = &[
    (64, 320, 320, 7),
    (64, 960, 320, 1),
    (64, 640, 320, 2),
    (64, 640, 640, 1),
    (32, 640, 640, 6),
    (32, 320, 640, 1),
    (32, 1920, 640, 1),
    (32, 1280, 640, 1),
    (32, 1280, 1280, 1),
    (16, 1280, 1280, 7),
    (16, 2560, 1280, 2),
    (8, 1280, 1280, 11),
    (8, 2560, 1280, 3),
];

/// The VAE encoder's.
const ENCODE: &[(usize, usize, usize, usize)] = &[
    (512, 128, 128, 4),
    (256, 128, 256, 1),
    (256, 256, 256, 3),
    (128, 256, 512, 1),
    (128, 512, 512, 3),
    (64, 512, 512, 8),
];

/// Queries, keys, width of each of 8 heads, calls.
const ATTENTION: &[(usize, usize, usize, usize)] = &[
    (4096, 4096, 40, 5),
    (4096, 77, 40, 5),
    (1024, 1024, 80, 5),
    (1024, 77, 80, 5),
    (256, 256, 160, 5),
];

/// The demo model's linear layers in a step of batch 4, its text encoder's first.
const DEMO_LINEAR: &[(usize, usize, usize, usize)] = &[
    (308, 128, 128, 16),
    (308, 128, 512, 4),
    (308, 512, 128, 4),
    (308, 128, 64, 12),
    (308, 128, 96, 20),
    (256, 64, 64, 40),
    (256, 64, 512, 5),
    (256, 256, 64, 5),
    (64, 96, 96, 40),
    (64, 96, 768, 5),
    (64, 384, 96, 5),
    (16, 96, 96, 40),
    (16, 96, 768, 5),
    (16, 384, 96, 5),
    (4, 64, 64, 8),
    (4, 256, 96, 22),
];

/// Its convolutions.
const DEMO_CONV: &[(usize, usize, usize, usize)] = &[
    (8, 64, 64, 7),
    (8, 128, 64, 3),
    (8, 96, 96, 1),
    (4, 96, 96, 8),
    (4, 192, 96, 3),
    (2, 96, 96, 8),
    (2, 192, 96, 3),
    (1, 64, 64, 10),
    (1, 128, 64, 3),
];

/// Its attention: queries, keys, heads, width, calls; the text encoder's is causal.
const DEMO_ATTENTION: &[(usize, usize, usize, usize, usize)] = &[
    (77, 77, 4, 32, 4),
    (64, 64, 8, 8, 5),
    (64, 77, 8, 8, 5),
    (16, 16, 8, 12, 5),
    (16, 77, 8, 12, 5),
    (4, 4, 8, 12, 5),
    (4, 77, 8, 12, 5),
    (1, 77, 8, 8, 1),
];

/// Seconds that this thread has had a processor (of the wall where the system cannot say).
#[cfg(target_os = "linux")]
fn now() -> f64 {
    #[repr(C)]
    struct Time {
        seconds: i64,
        nanoseconds: i64,
    }
    // In the C library that the standard library links already.
    unsafe extern "C" {
        fn clock_gettime(clock: i32, to: *mut Time) -> i32;
    }
    const THREAD: i32 = 3;
    let mut time = Time { seconds: 0, nanoseconds: 0 };
    // SAFETY: a valid place for one time, as 64-bit Linux lays it out.
    assert_eq!(unsafe { clock_gettime(THREAD, &raw mut time) }, 0);
    time.seconds as f64 + time.nanoseconds as f64 / 1e9
}

#[cfg(not(target_os = "linux"))]
fn now() -> f64 {
    use std::sync::LazyLock;
    static START: LazyLock<std::time::Instant> = LazyLock::new(std::time::Instant::now);
    START.elapsed().as_secs_f64()
}

struct Clock {
    filter: String,
    repeats: usize,
    total: f64,
}

impl Clock {
    fn time(&mut self, name: &str, calls: usize, flops: usize, f: &mut dyn FnMut()) {
        f();
        let mut least = f64::MAX;
        for _ in 0..self.repeats {
            let start = now();
            f();
            least = least.min(now() - start);
        }
        let share = least * calls as f64;
        self.total += share;
        let rate = flops as f64 / least / 1e9;
        println!("{name:36} {:9.4} ms {rate:6.0} GFLOP/s {share:9.5} s", least * 1e3);
    }

    fn wanted(&self, name: &str) -> bool {
        name.contains(&self.filter)
    }

    fn end(&mut self, what: &str) {
        if self.total > 0.0 {
            println!("{what:36} {:>33.5} s", self.total);
        }
        self.total = 0.0;
    }
}

fn halves(count: usize) -> Vec<bf16> {
    (0..count).map(|i| bf16::from_f32(((i * 7919) % 1000) as f32 / 500.0 - 1.0)).collect()
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let has = |word: &str| words.iter().any(|w| w == word);
    let level = match () {
        () if has("avx2") => Level::Avx2,
        () if has("avx512") => Level::Avx512,
        () if has("portable") => Level::Portable,
        () if has("avx512bf16") => Level::Avx512Bf16,
        () => Level::Amx,
    };
    let isa = Isa::detect().cap(level);
    let products = if isa.bf16_products() && !has("f32") { Products::Bf16 } else { Products::F32 };
    let cpu = Cpu::new(isa, 1);
    let options = ["f32", "avx2", "avx512", "avx512bf16", "portable"];
    let filter = words.iter().find(|w| !options.contains(&w.as_str()) && w.parse::<u32>().is_err());
    let repeats = words.iter().find_map(|w| w.parse().ok()).unwrap_or(5);
    let filter = filter.cloned().unwrap_or_default();
    let mut clock = Clock { filter, repeats, total: 0.0 };
    for (kind, shapes) in [("linear", LINEAR), ("text", TEXT), ("demo linear", DEMO_LINEAR)] {
        for backward in [false, true] {
            let way = if backward { "backward" } else { "forward" };
            for &(rows, k, n, calls) in shapes {
                let name = format!("{kind} {way} {rows} {k} {n}");
                if !clock.wanted(&name) {
                    continue;
                }
                let w = linear::Weight::new(
                    &cpu,
                    Values::Bf16(&halves(n * k)),
                    WeightSizes { outputs: n, inputs: k },
                    None,
                    products,
                );
                let (mut x, mut y) = (halves(rows * k), halves(rows * n));
                clock.time(&name, calls, 2 * rows * k * n, &mut || {
                    if backward {
                        linear::backward(&cpu, View::Bf16(&y), rows, &w, ViewMut::Bf16(&mut x));
                    } else {
                        let y = ViewMut::Bf16(&mut y);
                        linear::forward(&cpu, View::Bf16(&x), rows, &w, None, y);
                    }
                });
            }
            clock.end(&format!("{kind} {way}"));
        }
    }
    for (kind, shapes) in [("conv", CONV), ("encode", ENCODE), ("demo conv", DEMO_CONV)] {
        let batch = if kind == "demo conv" { 4 } else { 1 };
        for backward in [false, true] {
            let way = if backward { "backward" } else { "forward" };
            for &(side, k, n, calls) in shapes {
                let name = format!("{kind} {way} {side} {k} {n}");
                if !clock.wanted(&name) {
                    continue;
                }
                let values = halves(9 * n * k);
                let w = conv3x3::Weight::new(
                    &cpu,
                    Values::Bf16(&values),
                    WeightSizes { outputs: n, inputs: k },
                    None,
                    products,
                );
                let size = Grid { height: side, width: side };
                let s = conv3x3::ConvSizes { batch, from: size, to: size, stride: 1, pad: 1 };
                let (mut x, mut y) =
                    (halves(batch * side * side * k), halves(batch * side * side * n));
                clock.time(&name, calls, 18 * batch * side * side * k * n, &mut || {
                    if backward {
                        conv3x3::backward(&cpu, View::Bf16(&y), s, &w, ViewMut::Bf16(&mut x));
                    } else {
                        let y = ViewMut::Bf16(&mut y);
                        conv3x3::forward(&cpu, View::Bf16(&x), s, &w, None, y);
                    }
                });
            }
            clock.end(&format!("{kind} {way}"));
        }
    }
    for backward in [false, true] {
        let way = if backward { "backward" } else { "forward" };
        let large = ATTENTION.iter().map(|&(q, k, w, calls)| ("", 1, (q, k, 8, w, calls)));
        let small = DEMO_ATTENTION.iter().map(|shape| ("demo ", 4, *shape));
        for (kind, batch, (queries, keys, heads, width, calls)) in large.chain(small) {
            let name = format!("{kind}attention {way} {queries} {keys} {width}");
            if !clock.wanted(&name) {
                continue;
            }
            let causal = queries == 77;
            let s = attention::AttentionSizes { batch, queries, keys, heads, width, causal };
            let head_count = batch * heads;
            let (q, k) = (halves(head_count * queries * width), halves(head_count * keys * width));
            let (mut y, mut lse) = (q.clone(), vec![0.0; head_count * queries]);
            let x = attention::Inputs { q: View::Bf16(&q), k: View::Bf16(&k), v: View::Bf16(&k) };
            let flops = 4 * head_count * queries * keys * width;
            if backward {
                attention::forward(&cpu, x, s, products, ViewMut::Bf16(&mut y), &mut lse);
                let (mut dq, mut dk, mut dv) = (q.clone(), k.clone(), k.clone());
                clock.time(&name, calls, flops / 2 * 5, &mut || {
                    let out =
                        attention::Outcome { y: View::Bf16(&y), lse: &lse, dy: View::Bf16(&q) };
                    let to = [&mut dq, &mut dk, &mut dv].map(|g| Some(ViewMut::Bf16(g)));
                    attention::backward(&cpu, x, out, s, products, to);
                });
            } else {
                clock.time(&name, calls, flops, &mut || {
                    attention::forward(&cpu, x, s, products, ViewMut::Bf16(&mut y), &mut lse);
                });
            }
        }
        clock.end(&format!("attention {way}"));
    }
}
