//! The test of one operation: values, and gradients through the tape.
use wayword_tensor::{
    CpuOptions, Device, HostWeight, Layout, Level, Memory, Precision, Shape, Tape, Tensor, Values,
    Weight, cpu,
};

/// Numbers in [-1, 1) that depend on the seed only.
pub(crate) fn numbers(seed: u64, count: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..count)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            ((state >> 40) as f32 / f32::from_bits(0x4b00_0000)) - 1.0
        })
        .collect()
}

pub(crate) fn device(level: Level, precision: Precision, threads: usize) -> Device {
    cpu(CpuOptions { threads: Some(threads), precision, level: Some(level) })
}

/// Each way this processor can work, with the relative error that its products may have.
pub(crate) fn devices() -> Vec<(Device, f64)> {
    let levels = Level::ALL.iter().filter(|level| level.is_available());
    let each = |level: &Level| {
        [(Precision::F32, 2e-5), (Precision::Bf16, 2e-2)]
            .map(|(precision, error)| (device(*level, precision, 2), precision, error))
    };
    // A level without products of bf16 takes them in f32: that is the device before it.
    let real = levels.flat_map(each).filter(|(device, asked, _)| device.precision() == *asked);
    real.map(|(device, _, error)| (device, error)).collect()
}

#[test]
fn instruction_sets_that_these_tests_run_on() {
    for level in Level::ALL {
        let verdict = if level.is_available() { "ran" } else { "skipped: not in this processor" };
        println!("instruction set {level:?}: {verdict}");
    }
    let devices: Vec<String> = devices().iter().map(|(device, _)| device.name()).collect();
    println!("devices: {}", devices.join("; "));
    let names: std::collections::BTreeSet<&String> = devices.iter().collect();
    assert_eq!(names.len(), devices.len(), "two of the devices are the same: {devices:?}");
    let available = Level::ALL.iter().filter(|level| level.is_available()).count();
    assert!(devices.len() >= available);
    let best = cpu(CpuOptions { threads: Some(2), ..CpuOptions::default() });
    assert!(names.contains(&best.name()), "the best, {}, is not tested", best.name());
}

pub(crate) fn weight(
    device: &Device,
    shape: &[usize],
    values: &[f32],
    bias: Option<&[f32]>,
    layout: Layout,
) -> Weight {
    let bias = bias.map(Values::F32);
    let host = HostWeight { shape, values: Values::F32(values), bias };
    Weight::prepare(device, &host, layout).unwrap()
}

fn close(what: &str, got: &[f32], right: &[f64], tolerance: f64) {
    assert_eq!(got.len(), right.len(), "{what}");
    let most = right.iter().fold(0.1_f64, |a, b| a.max(b.abs()));
    for (i, (g, r)) in got.iter().zip(right).enumerate() {
        let off = (f64::from(*g) - r).abs();
        assert!(off <= tolerance * most, "{what}[{i}]: {g} is not {r} (largest {most})");
    }
}

/// Compares `f` with `plain` on these input shapes, forward and backward to every input.
pub(crate) fn check(
    name: &str,
    shapes: &[Shape],
    f: impl Fn(&Device, &[Tensor]) -> Tensor,
    plain: impl Fn(&[Vec<f64>]) -> Vec<f64>,
) {
    let inputs: Vec<Vec<f32>> =
        shapes.iter().enumerate().map(|(i, s)| numbers(7 + i as u64, s.elements())).collect();
    let wide: Vec<Vec<f64>> =
        inputs.iter().map(|x| x.iter().map(|v| f64::from(*v)).collect()).collect();
    let right = plain(&wide);
    let seed = numbers(99, right.len());
    let total = |x: &[Vec<f64>]| -> f64 {
        plain(x).iter().zip(&seed).map(|(y, s)| y * f64::from(*s)).sum()
    };
    for (device, tolerance) in devices() {
        let name = format!("{name} {shapes:?} on {}", device.name());
        let tape = Tape::new(Memory::Keep);
        let watched: Vec<Tensor> = shapes
            .iter()
            .zip(&inputs)
            .map(|(s, x)| tape.watch(&Tensor::from_host(&device, *s, x).unwrap()))
            .collect();
        let y = f(&device, &watched);
        close(&name, &y.to_host().unwrap(), &right, tolerance);
        let dy = Tensor::from_host(&device, y.shape(), &seed).unwrap();
        let gradients = tape.backward(&y, &dy);
        for (i, input) in watched.iter().enumerate() {
            let got = gradients.of(input).unwrap().to_host().unwrap();
            // Single entries, and one random direction that all entries take part in.
            let direction = numbers(5, got.len());
            let along: f64 =
                got.iter().zip(&direction).map(|(g, d)| f64::from(*g) * f64::from(*d)).sum();
            let h = 1e-5;
            let moved = |step: f64| {
                let mut x = wide.clone();
                x[i].iter_mut().zip(&direction).for_each(|(x, d)| *x += step * f64::from(*d));
                total(&x)
            };
            let slope = (moved(h) - moved(-h)) / (2.0 * h);
            let norm = got.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
            let what = format!("{name}: gradient {i}");
            assert!(
                (along - slope).abs() < tolerance * 4.0 * (norm + 0.1),
                "{what}: {along} {slope}"
            );
            let most = got.iter().fold(0.1_f64, |a, g| a.max(f64::from(g.abs())));
            for at in (0..got.len()).step_by(got.len().div_ceil(24)) {
                let one = |step: f64| {
                    let mut x = wide.clone();
                    x[i][at] += step;
                    total(&x)
                };
                let slope = (one(h) - one(-h)) / (2.0 * h);
                let off = (f64::from(got[at]) - slope).abs();
                assert!(off < tolerance * 2.0 * most, "{what}[{at}]: {} is not {slope}", got[at]);
            }
        }
    }
}
