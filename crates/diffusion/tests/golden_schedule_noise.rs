//! The noise schedule of training against sd-scripts' (golden topic `schedule`).
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may fail and says what ran")]
use wayword_diffusion::noise::{NoiseSchedule, Rounding};
use wayword_testing::{Report, Tensors, max_abs, topic};

/// Something made of a latent and a noise at a step.
type Quantity<'a> = dyn Fn(&[f32], &[f32], usize) -> Vec<f32> + 'a;

fn tensors(test: &str) -> Option<Tensors> {
    let topic = topic("schedule")?;
    let tensors = topic.tensors("tables.safetensors");
    if tensors.is_none() {
        println!("{test}: ran 0, skipped 1: no file tables.safetensors");
    }
    tensors
}

/// Largest difference relative to the expected value, or to `least` where that is smaller.
fn relative(ours: &[f32], expected: &[f32], least: f64) -> f64 {
    assert_eq!(ours.len(), expected.len());
    let pairs = ours.iter().zip(expected).map(|(a, b)| (f64::from(*a), f64::from(*b)));
    pairs.fold(0.0, |m, (a, b)| m.max((a - b).abs() / b.abs().max(least)))
}

#[test]
fn golden_schedule_noise_tables() {
    let Some(tensors) = tensors("golden_schedule_noise_tables") else { return };
    let mut report = Report::new("golden_schedule_noise_tables");
    let plain = NoiseSchedule::sd();
    let zero = plain.zero_terminal();
    // The zero-terminal levels are differences of roots: the limit is absolute there.
    let tables = [
        ("betas", plain.betas.clone(), 0.0),
        ("alphas_cumprod", plain.alphas.clone(), 0.0),
        ("all_snr", plain.snr(), 0.0),
        ("zero_snr.alphas_cumprod", zero.alphas.clone(), 1.0),
    ];
    for (name, ours, least) in tables {
        let Some(expected) = tensors.get(name) else {
            report.skip("a table that the file lacks");
            continue;
        };
        report.within(name, name, relative(&ours, &expected.f32(), least), 1e-6);
        report.ran();
    }
    if let Some(betas) = tensors.get("zero_snr.betas") {
        // Some of torch's roots are one unit in the last place off, and the last betas are ratios
        // of what is left of them after the shift: they are judged by the levels that they make.
        let mut product = 1.0f64;
        let levels = betas.f32().into_iter().map(|b| {
            product *= f64::from(1.0 - b);
            product as f32
        });
        let levels: Vec<f32> = levels.collect();
        report.within("zero_snr.betas", "levels", relative(&zero.alphas, &levels, 1.0), 1e-6);
        assert!(max_abs(&zero.betas, &betas.f32()) < 1e-5, "zero_snr.betas");
        report.ran();
    }
    for (name, rounding) in
        [("alphas_cumprod_f16", Rounding::F16), ("alphas_cumprod_bf16", Rounding::Bf16)]
    {
        let Some(expected) = tensors.get(name) else {
            report.skip("a table that the file lacks");
            continue;
        };
        let ours: Vec<f32> = plain.alphas.iter().map(|a| rounding.round(*a)).collect();
        assert_eq!(ours, expected.f32(), "{name}");
        report.ran();
    }
    report.finish();
}

#[test]
fn golden_schedule_noise_latents() {
    let Some(tensors) = tensors("golden_schedule_noise_latents") else { return };
    let mut report = Report::new("golden_schedule_noise_latents");
    let plain = NoiseSchedule::sd();
    let zero = plain.zero_terminal();
    let Some(steps) = tensors.get("add.t") else {
        println!("golden_schedule_noise_latents: ran 0, skipped 1: no tensor add.t");
        return;
    };
    let steps = steps.i64();
    for (kind, rounding) in
        [("f32", Rounding::F32), ("f16", Rounding::F16), ("bf16", Rounding::Bf16)]
    {
        let get = |name: &str| tensors.get(&format!("add.{kind}.{name}")).map(|t| t.f32());
        let (Some(latents), Some(noise)) = (get("latents"), get("noise")) else {
            report.skip("a format that the file lacks");
            continue;
        };
        let each = latents.len() / steps.len();
        let all = |f: &Quantity<'_>| -> Vec<f32> {
            let pairs = latents.chunks_exact(each).zip(noise.chunks_exact(each));
            pairs.zip(&steps).flat_map(|((z, n), t)| f(z, n, *t as usize)).collect()
        };
        let quantities = [
            ("noisy", all(&|z, n, t| plain.add_noise(z, n, t, rounding, false))),
            ("noisy_zero_snr", all(&|z, n, t| zero.add_noise(z, n, t, rounding, false))),
            ("velocity", all(&|z, n, t| plain.velocity(z, n, t, rounding, false))),
        ];
        for (name, ours) in quantities {
            let Some(expected) = get(name) else {
                report.skip("a quantity that the file lacks");
                continue;
            };
            report.within(kind, name, max_abs(&ours, &expected), 1e-6);
            report.ran();
        }
    }
    report.finish();
}
