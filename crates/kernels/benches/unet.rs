//! Kernels on the shapes of Stable Diffusion 1.5's UNet at 512 pixels:
//! `cargo bench -p wayword-kernels`.
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use half::bf16;
use wayword_kernels::{
    Cpu, Grid, Isa, Products, Values, View, ViewMut, WeightSizes, attention, conv3x3, geglu,
    group_norm, linear,
};

fn main() {
    divan::main();
}

fn cpu() -> (Cpu, Products) {
    let isa = Isa::detect();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let products = if isa.bf16_products() { Products::Bf16 } else { Products::F32 };
    (Cpu::new(isa, threads), products)
}

fn numbers(count: usize) -> Vec<f32> {
    (0..count).map(|i| ((i * 7919) % 1000) as f32 / 500.0 - 1.0).collect()
}

fn halves(count: usize) -> Vec<bf16> {
    numbers(count).into_iter().map(bf16::from_f32).collect()
}

/// Rows, inputs, outputs.
const LINEAR: &[(usize, usize, usize)] =
    &[(4096, 320, 320), (4096, 320, 2560), (4096, 1280, 320), (1024, 640, 640), (256, 5120, 1280)];

#[divan::bench(args = LINEAR)]
fn linear_forward(bench: Bencher<'_, '_>, (rows, k, n): (usize, usize, usize)) {
    let (cpu, products) = cpu();
    let w = linear::Weight::new(
        &cpu,
        Values::F32(&numbers(n * k)),
        WeightSizes { outputs: n, inputs: k },
        None,
        products,
    );
    let (x, mut y) = (halves(rows * k), halves(rows * n));
    bench.counter(ItemsCount::new(2 * rows * k * n)).bench_local(|| {
        let y = ViewMut::Bf16(&mut y);
        linear::forward(&cpu, View::Bf16(black_box(&x)), rows, &w, None, y);
    });
}

#[divan::bench(args = LINEAR)]
fn linear_backward(bench: Bencher<'_, '_>, (rows, k, n): (usize, usize, usize)) {
    let (cpu, products) = cpu();
    let w = linear::Weight::new(
        &cpu,
        Values::F32(&numbers(n * k)),
        WeightSizes { outputs: n, inputs: k },
        None,
        products,
    );
    let (dy, mut dx) = (halves(rows * n), halves(rows * k));
    bench.counter(ItemsCount::new(2 * rows * k * n)).bench_local(|| {
        let dx = ViewMut::Bf16(&mut dx);
        linear::backward(&cpu, View::Bf16(black_box(&dy)), rows, &w, dx);
    });
}

/// Side of the picture, inputs, outputs.
const CONV: &[(usize, usize, usize)] =
    &[(64, 320, 320), (64, 960, 320), (32, 640, 640), (16, 1280, 1280), (8, 2560, 1280)];

fn conv_shape(side: usize) -> conv3x3::ConvSizes {
    let size = Grid { height: side, width: side };
    conv3x3::ConvSizes { batch: 1, from: size, to: size, stride: 1, pad: 1 }
}

#[divan::bench(args = CONV)]
fn conv_forward(bench: Bencher<'_, '_>, (side, k, n): (usize, usize, usize)) {
    let (cpu, products) = cpu();
    let w = conv3x3::Weight::new(
        &cpu,
        Values::F32(&numbers(9 * n * k)),
        WeightSizes { outputs: n, inputs: k },
        None,
        products,
    );
    let (x, mut y) = (halves(side * side * k), halves(side * side * n));
    bench.counter(ItemsCount::new(18 * side * side * k * n)).bench_local(|| {
        let y = ViewMut::Bf16(&mut y);
        conv3x3::forward(&cpu, View::Bf16(black_box(&x)), conv_shape(side), &w, None, y);
    });
}

#[divan::bench(args = CONV)]
fn conv_backward(bench: Bencher<'_, '_>, (side, k, n): (usize, usize, usize)) {
    let (cpu, products) = cpu();
    let w = conv3x3::Weight::new(
        &cpu,
        Values::F32(&numbers(9 * n * k)),
        WeightSizes { outputs: n, inputs: k },
        None,
        products,
    );
    let (dy, mut dx) = (halves(side * side * n), halves(side * side * k));
    bench.counter(ItemsCount::new(18 * side * side * k * n)).bench_local(|| {
        let dx = ViewMut::Bf16(&mut dx);
        conv3x3::backward(&cpu, View::Bf16(black_box(&dy)), conv_shape(side), &w, dx);
    });
}

/// Queries, keys, width of each of 8 heads.
const ATTENTION: &[(usize, usize, usize)] =
    &[(4096, 4096, 40), (4096, 77, 40), (1024, 1024, 80), (256, 256, 160)];

fn attention_shape((queries, keys, width): (usize, usize, usize)) -> attention::AttentionSizes {
    attention::AttentionSizes { batch: 1, queries, keys, heads: 8, width, causal: false }
}

#[divan::bench(args = ATTENTION)]
fn attention_forward(bench: Bencher<'_, '_>, sizes: (usize, usize, usize)) {
    let (cpu, products) = cpu();
    let s = attention_shape(sizes);
    let (q, k) = (halves(8 * s.queries * s.width), halves(8 * s.keys * s.width));
    let (mut y, mut lse) = (q.clone(), vec![0.0; 8 * s.queries]);
    let flops = 4 * 8 * s.queries * s.keys * s.width;
    bench.counter(ItemsCount::new(flops)).bench_local(|| {
        let x = attention::Inputs { q: View::Bf16(&q), k: View::Bf16(&k), v: View::Bf16(&k) };
        attention::forward(&cpu, black_box(x), s, products, ViewMut::Bf16(&mut y), &mut lse);
    });
}

#[divan::bench(args = ATTENTION)]
fn attention_backward(bench: Bencher<'_, '_>, sizes: (usize, usize, usize)) {
    let (cpu, products) = cpu();
    let s = attention_shape(sizes);
    let (q, k) = (halves(8 * s.queries * s.width), halves(8 * s.keys * s.width));
    let (mut y, mut lse) = (q.clone(), vec![0.0; 8 * s.queries]);
    let (mut dq, mut dk, mut dv) = (q.clone(), k.clone(), k.clone());
    let x = attention::Inputs { q: View::Bf16(&q), k: View::Bf16(&k), v: View::Bf16(&k) };
    attention::forward(&cpu, x, s, products, ViewMut::Bf16(&mut y), &mut lse);
    let flops = 10 * 8 * s.queries * s.keys * s.width;
    bench.counter(ItemsCount::new(flops)).bench_local(|| {
        let out = attention::Outcome { y: View::Bf16(&y), lse: &lse, dy: View::Bf16(&q) };
        let gradients = [&mut dq, &mut dk, &mut dv].map(|g| Some(ViewMut::Bf16(g)));
        attention::backward(&cpu, black_box(x), out, s, products, gradients);
    });
}

/// Tokens, channels.
const ROWS: &[(usize, usize)] = &[(4096, 320), (4096, 960), (1024, 640), (256, 1280)];

#[divan::bench(args = ROWS)]
fn group_norm_silu(bench: Bencher<'_, '_>, (tokens, channels): (usize, usize)) {
    let (cpu, _) = cpu();
    let s = group_norm::NormSizes { batch: 1, tokens, channels, groups: 32, eps: 1e-5, silu: true };
    let (x, mut y) = (halves(tokens * channels), halves(tokens * channels));
    let (scale, shift) = (numbers(channels), numbers(channels));
    bench.counter(ItemsCount::new(tokens * channels)).bench_local(|| {
        group_norm::forward(&cpu, black_box(&x[..]), s, &scale, &shift, &mut y[..]);
    });
}

#[divan::bench(args = ROWS)]
fn geglu_forward(bench: Bencher<'_, '_>, (tokens, channels): (usize, usize)) {
    let (cpu, _) = cpu();
    let (x, mut y) = (halves(tokens * 8 * channels), halves(tokens * 4 * channels));
    bench.counter(ItemsCount::new(tokens * 4 * channels)).bench_local(|| {
        geglu::forward(&cpu, black_box(&x[..]), 4 * channels, &mut y[..]);
    });
}
