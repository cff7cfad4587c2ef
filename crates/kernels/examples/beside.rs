//! Seconds on the clock beside foreign load: `beside [threads] [repeats]`.
//!
//! Chains of layers, small as the demo model's and large as the full size's, on one thread and on
//! `threads`, with the machine to themselves and beside as many endless loops as it has cores.
//! Other threads must never make a chain more than a tenth slower than one thread is.
#![expect(clippy::print_stdout, reason = "an example's result")]
use half::bf16;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use wayword_kernels::{Cpu, Isa, Products, Values, View, ViewMut, WeightSizes, linear};

/// Rows, inputs, outputs of the layers of a chain, and how often it runs.
type Chain = (&'static str, &'static [(usize, usize, usize)], usize);

const CHAINS: &[Chain] = &[
    ("small", &[(256, 64, 64), (256, 64, 512), (256, 256, 64), (64, 96, 96), (16, 96, 768)], 1000),
    ("large", &[(4096, 320, 320), (1024, 640, 640), (256, 1280, 1280)], 20),
];

fn halves(count: usize) -> Vec<bf16> {
    (0..count).map(|i| bf16::from_f32(((i * 7919) % 1000) as f32 / 500.0 - 1.0)).collect()
}

/// Seconds of a chain on so many threads.
fn seconds((_, layers, times): Chain, threads: usize) -> f64 {
    let isa = Isa::detect();
    let products = if isa.bf16_products() { Products::Bf16 } else { Products::F32 };
    let cpu = Cpu::new(isa, threads);
    let layers: Vec<_> = layers
        .iter()
        .map(|&(rows, inputs, outputs)| {
            let values = halves(outputs * inputs);
            let sizes = WeightSizes { outputs, inputs };
            let w = linear::Weight::new(&cpu, Values::Bf16(&values), sizes, None, products);
            (rows, w, halves(rows * inputs), halves(rows * outputs))
        })
        .collect();
    let mut layers = layers;
    let start = Instant::now();
    for _ in 0..times {
        for (rows, w, x, y) in &mut layers {
            linear::forward(&cpu, View::Bf16(x), *rows, w, None, ViewMut::Bf16(y));
        }
    }
    start.elapsed().as_secs_f64()
}

fn main() {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let words: Vec<usize> = std::env::args().skip(1).filter_map(|w| w.parse().ok()).collect();
    let threads = words.first().copied().unwrap_or(cores);
    let repeats = words.get(1).copied().unwrap_or(5);
    for foreign in [0, cores] {
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..foreign {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        std::hint::black_box(());
                    }
                });
            }
            for chain in CHAINS {
                let (mut single, mut many) = (Vec::new(), Vec::new());
                for _ in 0..repeats {
                    single.push(seconds(*chain, 1));
                    many.push(seconds(*chain, threads));
                }
                let [single, many] = [single, many].map(|mut times| {
                    times.sort_by(f64::total_cmp);
                    times[times.len() / 2]
                });
                println!(
                    "{foreign} foreign, {}: {single:.3} s on 1 thread, {many:.3} s on {threads}, {:.2}",
                    chain.0,
                    many / single
                );
            }
            stop.store(true, Ordering::Relaxed);
        });
    }
}
