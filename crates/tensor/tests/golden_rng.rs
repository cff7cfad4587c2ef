//! Random numbers against torch's and A1111's (golden topic `rng`).
#![allow(clippy::unwrap_used, reason = "a test may fail")]
use wayword_tensor::random::{HalfKind, PhiloxGenerator, TorchGenerator, TorchRelease};
use wayword_testing::{HostTensor, Report, Topic, max_abs, topic};

/// Splits `seed<S>.rest` into the seed (two's complement) and the rest.
fn seed_of(name: &str) -> Option<(u64, &str)> {
    let (seed, rest) = name.strip_prefix("seed")?.split_once('.')?;
    Some((seed.parse::<i128>().ok()? as u64, rest))
}

fn torch_files(topic: &Topic) -> impl Iterator<Item = (String, wayword_testing::Tensors)> {
    topic.files("safetensors").into_iter().map(|path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (name, wayword_testing::Tensors::read(&path))
    })
}

fn count(tensor: &HostTensor) -> usize {
    tensor.shape.iter().product()
}

#[test]
fn golden_rng_torch_randn() {
    let Some(topic) = topic("rng") else { return };
    let mut report = Report::new("golden_rng_torch_randn");
    let Some(tensors) = topic.tensors("torch_randn_f32.safetensors") else {
        println!("ran 0, skipped 1: no file torch_randn_f32.safetensors");
        return;
    };
    let mut sequences: Vec<(usize, usize, &str)> = Vec::new();
    for name in tensors.names() {
        if let Some((seed, _)) = seed_of(name) {
            let expected = tensors.at(name);
            let ours = TorchGenerator::new(seed).randn(count(expected));
            report.within(name, "randn", max_abs(&ours, &expected.f32()), 1e-6);
            report.ran();
        } else if let Some((k, j)) =
            name.strip_prefix("sequence").and_then(|n| n.split_once(".draw"))
        {
            sequences.push((k.parse().unwrap(), j.parse().unwrap(), name));
        } else {
            report.skip("a name of another form");
        }
    }
    sequences.sort_unstable();
    let mut generator = TorchGenerator::new(0);
    for (k, j, name) in sequences {
        if j == 0 {
            generator = TorchGenerator::new(1 + k as u64);
        }
        let expected = tensors.at(name);
        let ours = generator.randn(count(expected));
        report.within(name, "successive randn", max_abs(&ours, &expected.f32()), 1e-6);
        report.ran();
    }
    report.finish();
}

#[test]
fn golden_rng_torch_other() {
    let Some(topic) = topic("rng") else { return };
    let mut report = Report::new("golden_rng_torch_other");
    for (file, tensors) in torch_files(&topic) {
        let release = if file.contains("2_15") { TorchRelease::New } else { TorchRelease::Old };
        for name in tensors.names() {
            let Some((seed, rest)) = seed_of(name) else { continue };
            let Some((_, kind)) = rest.split_once('.') else { continue };
            let expected = tensors.at(name);
            let n = count(expected);
            let mut generator = TorchGenerator::new(seed);
            match kind {
                "f64" => {
                    let ours = generator.randn_f64(n);
                    let worst = ours.iter().zip(expected.f64()).map(|(a, b)| (a - b).abs());
                    report.within(name, "randn f64", worst.fold(0.0, f64::max), 1e-6);
                }
                "f16" | "bf16" => {
                    let half = if kind == "f16" { HalfKind::F16 } else { HalfKind::Bf16 };
                    let ours = generator.randn_half(n, half, release);
                    let limit = 1e-6;
                    report.within(name, kind, max_abs(&ours, &expected.f32()), limit);
                }
                _ if kind.contains("randint") => {
                    let high = kind.trim_start_matches("randint").split('_').next().unwrap();
                    assert_eq!(
                        generator.randint(0, high.parse().unwrap(), n),
                        expected.i64(),
                        "{name}"
                    );
                }
                _ if kind.contains("randperm") => {
                    let ours: Vec<i64> =
                        generator.randperm(n).into_iter().map(|v| v as i64).collect();
                    assert_eq!(ours, expected.i64(), "{name}");
                }
                _ if kind.contains("rand") => {
                    assert_eq!(generator.rand(n), expected.f32(), "{name}");
                }
                _ => {
                    report.skip(format!("unknown draw {kind}"));
                    continue;
                }
            }
            report.ran();
        }
    }
    report.finish();
}

#[test]
fn golden_rng_nv() {
    let Some(topic) = topic("rng") else { return };
    let mut report = Report::new("golden_rng_nv");
    let Some(tensors) = topic.tensors("nv_philox_f32.safetensors") else {
        println!("ran 0, skipped 1: no file nv_philox_f32.safetensors");
        return;
    };
    for name in tensors.names() {
        let parts = seed_of(name).and_then(|(seed, rest)| {
            let call = rest.strip_prefix("call")?.split('.').next()?.parse::<usize>().ok()?;
            Some((seed, call))
        });
        let Some((seed, call)) = parts else {
            report.skip("a name of another form");
            continue;
        };
        let mut generator = PhiloxGenerator::new(seed);
        for _ in 0..call {
            let _ = generator.randn(1);
        }
        let expected = tensors.at(name);
        let ours = generator.randn(count(expected));
        report.within(name, "nv randn", max_abs(&ours, &expected.f32()), 1e-6);
        report.ran();
    }
    report.finish();
}
