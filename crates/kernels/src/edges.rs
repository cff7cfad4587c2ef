//! Every kernel on slices that end where unreadable memory begins, on every instruction set: a
//! read or write past an end ends the test's process. What is computed is checked by the tests of
//! the crate above; here only that nothing but the slices matters.
use crate::guard::Guarded;
use crate::*;
use half::bf16;

fn numbers(count: usize) -> impl Iterator<Item = f32> {
    (0..count).map(|i| ((i * 37) % 101) as f32 / 50.0 - 1.0)
}

fn guarded<T: Element>(count: usize) -> Guarded<T> {
    Guarded::new(numbers(count).map(T::put))
}

/// The processor's levels, and the products that each can have.
pub(crate) fn ways() -> Vec<(Cpu, Products)> {
    let detected = Isa::detect();
    let mut found = Vec::new();
    for level in [Level::Portable, Level::Avx2, Level::Avx512] {
        if detected.cap(level).level() == level {
            found.push((Cpu::new(detected.cap(level), 2), Products::F32));
        } else {
            say(&format!("skipped: no {level:?}"));
        }
    }
    for level in [Level::Avx512Bf16, Level::Amx] {
        if detected.cap(level).level() == level {
            found.push((Cpu::new(detected.cap(level), 2), Products::Bf16));
        } else {
            say(&format!("skipped: no {level:?}"));
        }
    }
    // The driver of the tile unit with its model, beside vectors and beside plain loops.
    for level in [Level::Portable, Level::Amx] {
        found.push((Cpu::new(detected.cap(level).modeled(), 2), Products::Bf16));
    }
    found
}

/// Prints what ran, and what did not.
#[expect(clippy::print_stdout, reason = "a test's report of what ran")]
pub(crate) fn say(what: &str) {
    println!("{what}");
}

fn finite(values: &[f32]) {
    assert!(values.iter().all(|v| v.is_finite()));
}

#[test]
fn linear_layers() {
    for (cpu, products) in ways() {
        for (rows, k, n) in [(1, 1, 1), (3, 7, 33), (13, 34, 5), (25, 96, 64), (9, 2100, 3)] {
            let values: Guarded<f32> = guarded(n * k);
            let halves: Guarded<half::f16> = guarded(n * k);
            for values in [Values::F32(&values), Values::F16(&halves)] {
                let bias = Some(numbers(n).collect());
                let w = linear::Weight::new(
                    &cpu,
                    values,
                    WeightSizes { outputs: n, inputs: k },
                    bias,
                    products,
                );
                let (x, x16): (Guarded<f32>, Guarded<bf16>) =
                    (guarded(rows * k), guarded(rows * k));
                let (mut y, mut y16): (Guarded<f32>, Guarded<bf16>) =
                    (guarded(rows * n), guarded(rows * n));
                let residual: Guarded<bf16> = guarded(rows * n);
                let r = Some(View::Bf16(&residual));
                linear::forward(&cpu, View::F32(&x), rows, &w, r, ViewMut::F32(&mut y));
                linear::forward(&cpu, View::Bf16(&x16), rows, &w, None, ViewMut::Bf16(&mut y16));
                finite(&y);
                let (mut dx, mut dx16) = (guarded::<f32>(rows * k), guarded::<bf16>(rows * k));
                linear::backward(&cpu, View::F32(&y), rows, &w, ViewMut::F32(&mut dx));
                linear::backward(&cpu, View::Bf16(&y16), rows, &w, ViewMut::Bf16(&mut dx16));
                finite(&dx);
            }
        }
    }
}

#[test]
fn convolutions() {
    for (cpu, products) in ways() {
        for (side, k, n) in [
            ((1, 1), 1, 1),
            ((3, 5), 4, 33),
            ((8, 7), 33, 8),
            ((2, 9), 64, 3),
            ((11, 13), 16, 33),
            ((15, 17), 48, 40),
            ((29, 31), 16, 32),
        ] {
            for (stride, pad) in [(1, 1), (2, 1), (2, 0)] {
                let out = |d: usize| if pad == 1 { (d - 1) / stride + 1 } else { d / 2 };
                let from = Grid { height: side.0, width: side.1 };
                let to = Grid { height: out(side.0), width: out(side.1) };
                if to.pixels() == 0 {
                    continue;
                }
                let s = conv3x3::ConvSizes { batch: 2, from, to, stride, pad };
                let values: Guarded<f32> = guarded(9 * n * k);
                let w = conv3x3::Weight::new(
                    &cpu,
                    Values::F32(&values),
                    WeightSizes { outputs: n, inputs: k },
                    None,
                    products,
                );
                let x: Guarded<bf16> = guarded(2 * from.pixels() * k);
                let mut y: Guarded<f32> = guarded(2 * to.pixels() * n);
                conv3x3::forward(&cpu, View::Bf16(&x), s, &w, None, ViewMut::F32(&mut y));
                finite(&y);
                let mut dx: Guarded<f32> = guarded(x.len());
                conv3x3::backward(&cpu, View::F32(&y), s, &w, ViewMut::F32(&mut dx));
                finite(&dx);
            }
        }
    }
}

#[test]
fn attention_both_ways() {
    for (cpu, products) in ways() {
        for (queries, keys, heads, width, causal) in [
            (1, 1, 1, 1, false),
            (33, 7, 2, 5, false),
            (97, 97, 1, 8, true),
            (65, 193, 2, 40, false),
            (7, 65, 1, 88, false),
            (62, 17, 1, 20, false),
        ] {
            let s = attention::AttentionSizes { batch: 2, queries, keys, heads, width, causal };
            let (asking, answering) = (2 * queries * heads * width, 2 * keys * heads * width);
            let (q, k, v) =
                (guarded::<f32>(asking), guarded::<bf16>(answering), guarded(answering));
            let x = attention::Inputs { q: View::F32(&q), k: View::Bf16(&k), v: View::F32(&v) };
            let (mut y, mut lse) = (guarded::<f32>(asking), guarded::<f32>(2 * heads * queries));
            attention::forward(&cpu, x, s, products, ViewMut::F32(&mut y), &mut lse);
            finite(&y);
            finite(&lse);
            let (mut dq, mut dk) = (guarded::<f32>(asking), guarded::<f32>(answering));
            let mut dv: Guarded<bf16> = guarded(answering);
            let out = attention::Outcome { y: View::F32(&y), lse: &lse, dy: View::F32(&q) };
            let to = [ViewMut::F32(&mut dq), ViewMut::F32(&mut dk), ViewMut::Bf16(&mut dv)];
            attention::backward(&cpu, x, out, s, products, to.map(Some));
            finite(&dq);
            finite(&dk);
        }
    }
}

#[test]
fn norms_and_activations() {
    for (cpu, _) in ways() {
        for (tokens, channels, groups) in [(1, 1, 1), (5, 33, 3), (70, 34, 2)] {
            let count = tokens * channels;
            let (scale, shift) = (guarded::<f32>(channels), guarded::<f32>(channels));
            let (x, dy) = (guarded::<bf16>(count), guarded::<f32>(count));
            let (mut y, mut y16) = (guarded::<f32>(count), guarded::<bf16>(count));
            for silu in [false, true] {
                let s =
                    group_norm::NormSizes { batch: 1, tokens, channels, groups, eps: 1e-5, silu };
                group_norm::forward(&cpu, &x[..], s, &scale, &shift, &mut y[..]);
                finite(&y);
                group_norm::backward(&cpu, &x[..], &dy[..], s, &scale, &shift, &mut y16[..]);
            }
            layer_norm::forward(&cpu, &x[..], 1e-5, &scale, &shift, &mut y16[..]);
            layer_norm::backward(&cpu, &x[..], &dy[..], 1e-5, &scale, &mut y[..]);
            finite(&y);
            elementwise::swish(&cpu, &x[..], 1.702, &mut y[..]);
            elementwise::swish_backward(&cpu, &x[..], &dy[..], 1.702, &mut y16[..]);
            elementwise::add(&cpu, &x[..], &dy[..], &mut y[..]);
            elementwise::scale(&cpu, &x[..], 0.5, &mut y16[..]);
            elementwise::add_channels(&cpu, &x[..], &scale[..], tokens, channels, &mut y[..]);
            let mut total: Guarded<f32> = guarded(channels);
            elementwise::sum_tokens(&cpu, &x[..], tokens, channels, &mut total);
            let (pair, mut dpair) = (guarded::<bf16>(2 * count), guarded::<f32>(2 * count));
            geglu::forward(&cpu, &pair[..], channels, &mut y[..]);
            geglu::backward(&cpu, &pair[..], &dy[..], channels, &mut dpair[..]);
            finite(&dpair);
            rows::concat(&cpu, &x[..], &dy[..], channels, channels, &mut dpair[..]);
            rows::split(&cpu, &dpair[..], channels, channels, &mut y[..], &mut y16[..]);
            finite(&y);
        }
    }
}

#[test]
fn rows_and_tables() {
    for (cpu, _) in ways() {
        for (count, channels) in [(1, 1), (5, 33), (70, 3)] {
            let (x, x16) = (guarded::<f32>(count * channels), guarded::<bf16>(count * channels));
            let table: Guarded<half::f16> = guarded(count * channels);
            // The last row too, and one twice.
            let last = (count - 1) as u32;
            let ids: Guarded<u32> = Guarded::new([last, 0, last]);
            let mut y: Guarded<f32> = guarded(3 * channels);
            rows::gather(&cpu, &x16[..], channels, &ids, &mut y);
            finite(&y);
            let mut dx: Guarded<f32> = guarded(count * channels);
            rows::scatter(&y[..], channels, &ids, &mut dx);
            finite(&dx);
            let behind: Guarded<u32> = Guarded::new([last, last + count as u32, 0]);
            rows::lookup(&table[..], &x[..], channels, &behind, &mut y);
            finite(&y);
        }
    }
}

#[test]
fn pictures_of_another_size() {
    for (cpu, _) in ways() {
        for (from, to) in [((1, 1), (1, 1)), ((1, 2), (3, 5)), ((5, 3), (10, 6)), ((4, 7), (5, 9))]
        {
            let grid = |(height, width)| Grid { height, width };
            let (from, to) = (grid(from), grid(to));
            for channels in [1, 3, 33] {
                let x: Guarded<bf16> = guarded(2 * from.pixels() * channels);
                let mut y: Guarded<bf16> = guarded(2 * to.pixels() * channels);
                resize::forward(&cpu, &x[..], channels, from, to, &mut y[..]);
                let mut dx: Guarded<f32> = guarded(x.len());
                resize::backward(&cpu, &y[..], channels, from, to, &mut dx);
                finite(&dx);
            }
        }
    }
}

#[test]
fn losses() {
    for (tokens, channels) in [(1, 1), (5, 4), (17, 3)] {
        let count = 2 * tokens * channels;
        let (prediction, target) = (guarded::<bf16>(count), guarded::<f32>(count));
        let (weight, c) = (guarded::<f32>(2 * tokens), guarded::<f32>(2));
        let kinds = [
            loss::LossFunction::L2,
            loss::LossFunction::L1,
            loss::LossFunction::Huber(&c),
            loss::LossFunction::SmoothL1(&c),
        ];
        for kind in kinds {
            let value = loss::forward(&prediction[..], &target[..], &weight[..], tokens, kind);
            assert!(value.is_finite());
            let mut dp: Guarded<f32> = guarded(count);
            loss::backward(&prediction[..], &target[..], &weight[..], tokens, kind, 1.0, &mut dp);
            finite(&dp);
        }
    }
}
