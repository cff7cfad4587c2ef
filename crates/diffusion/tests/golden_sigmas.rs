//! Noise levels, steps and names against A1111's (golden topic `sigmas`).
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may fail and says what ran")]
use serde_json::Value;
use wayword_diffusion::sigmas::{
    SAMPLERS, Schedule, ScheduleOptions, SigmaTable, alphas_cumprod, ddim_timesteps, img2img_steps,
    resolve, zero_terminal_snr,
};
use wayword_testing::{Report, Tensors, Topic, topic};

fn relative(ours: &[f32], expected: &[f32]) -> f64 {
    if ours.len() != expected.len() {
        return f64::INFINITY;
    }
    let worst = ours.iter().zip(expected).map(|(a, b)| {
        let (a, b) = (f64::from(*a), f64::from(*b));
        if a == b { 0.0 } else { (a - b).abs() / b.abs() }
    });
    worst.fold(0.0, f64::max)
}

fn files(test: &str) -> Option<(Topic, Value, Tensors)> {
    let topic = topic("sigmas")?;
    let json = topic.json("sigmas.json", |j| j.get("samplers").is_some());
    let (Some(json), Some(tensors)) = (json, topic.tensors("sigmas.safetensors")) else {
        println!("{test}: ran 0, skipped 1: no file sigmas.json or sigmas.safetensors");
        return None;
    };
    Some((topic, json, tensors))
}

/// Options of a variant of the JSON file.
fn options_of(variant: &Value) -> ScheduleOptions {
    let options = &variant["options"];
    let number = |key: &str| options.get(key).and_then(Value::as_f64);
    let flag = |key: &str| options.get(key).and_then(Value::as_bool).unwrap_or(false);
    ScheduleOptions {
        rho: number("rho"),
        sigma_min: number("sigma_min"),
        sigma_max: number("sigma_max"),
        old_karras: flag("use_old_karras_scheduler_sigmas"),
        discard_next_to_last: flag("always_discard_next_to_last_sigma"),
        beta: number("beta_dist_alpha").zip(number("beta_dist_beta")),
    }
}

#[test]
fn golden_sigmas_schedules() {
    let Some((_, json, tensors)) = files("golden_sigmas_schedules") else { return };
    let mut report = Report::new("golden_sigmas_schedules");
    let (table, lcm) = (SigmaTable::sd(), SigmaTable::sd().lcm());
    let none = Vec::new();
    let variants = json["option_variants"].as_array().unwrap_or(&none);
    for name in tensors.names() {
        let Some((label, rest)) = name.split_once(".n") else { continue };
        let (count, tag) = rest.split_once('.').unwrap_or((rest, ""));
        let Ok(count) = count.parse::<usize>() else { continue };
        let mut options = ScheduleOptions::default();
        if !tag.is_empty() {
            let key = format!("{label}.n*.{tag}");
            let Some(variant) = variants.iter().find(|v| v["key"] == key.as_str()) else {
                report.skip("a variant without options");
                continue;
            };
            options = options_of(variant);
        }
        let (schedule, table) = if let Some(sampler) = label.strip_prefix("sampler ") {
            let info = SAMPLERS.iter().find(|s| s.name == sampler).unwrap();
            options.discard_next_to_last |= info.discard_next_to_last;
            (info.schedule, if sampler == "LCM" { &lcm } else { &table })
        } else if let Some(label) = label.strip_prefix("LCM ") {
            (Schedule::from_name(label).unwrap(), &lcm)
        } else {
            (Schedule::from_name(label).unwrap(), &table)
        };
        let ours = schedule.sigmas(count, table, &options);
        let limit = if schedule == Schedule::Beta { 1e-5 } else { 2e-6 };
        report.within(name, "levels", relative(&ours, &tensors.at(name).f32()), limit);
        report.ran();
    }
    report.finish();
}

#[test]
fn golden_sigmas_model_tables() {
    let Some((_, _, tensors)) = files("golden_sigmas_model_tables") else { return };
    let mut report = Report::new("golden_sigmas_model_tables");
    let table = SigmaTable::sd();
    let ours = [
        ("model.alphas_cumprod", alphas_cumprod()),
        ("model.alphas_cumprod.downcast_fp16", table.downcast().alphas().to_vec()),
        ("model.alphas_cumprod.zero_terminal_snr", zero_terminal_snr(table.alphas())),
        ("model.sigmas", table.sigmas().to_vec()),
        ("model.log_sigmas", table.log_sigmas().to_vec()),
        ("LCM.table", table.lcm().sigmas().to_vec()),
    ];
    for (name, values) in ours {
        match tensors.get(name) {
            Some(expected) => {
                // The levels' logarithms pass through zero: there the limit is absolute.
                let expected_values = expected.f32();
                let difference = if name.ends_with("log_sigmas") {
                    wayword_testing::max_abs(&values, &expected_values)
                } else if name.contains("zero_terminal") {
                    // Some of torch's roots are one unit in the last place off, and shifting the
                    // last one to zero magnifies that: the limit holds before the shift.
                    let pairs = values.iter().zip(&expected_values).zip(table.alphas());
                    pairs.fold(0.0f64, |worst, ((a, b), alpha)| {
                        worst.max(f64::from((a.sqrt() - b.sqrt()).abs() / alpha.sqrt()))
                    })
                } else {
                    relative(&values, &expected_values)
                };
                report.within(name, "table", difference, 2e-6);
                report.ran();
            }
            None => report.skip("a table that the file lacks"),
        }
    }
    for (name, from, to) in [("t_to_sigma", "t", "sigma"), ("sigma_to_t", "sigma", "t")] {
        let (Some(x), Some(y)) =
            (tensors.get(&format!("{name}.{from}")), tensors.get(&format!("{name}.{to}")))
        else {
            report.skip("a table that the file lacks");
            continue;
        };
        let map = |v: f32| if from == "t" { table.t_to_sigma(v) } else { table.sigma_to_t(v) };
        let ours: Vec<f32> = x.f32().into_iter().map(map).collect();
        // A step is found from a difference of logarithms, so near 0 it has an absolute error.
        let worst = ours.iter().zip(y.f32()).map(|(a, b)| {
            f64::from((a - b).abs())
                / f64::from(if from == "t" { b.abs() } else { b.abs().max(1.0) })
        });
        report.within(name, name, worst.fold(0.0, f64::max), 2e-6);
        report.ran();
    }
    report.finish();
}

#[test]
fn golden_sigmas_steps_and_names() {
    let Some((_, json, _)) = files("golden_sigmas_steps_and_names") else { return };
    let mut report = Report::new("golden_sigmas_steps_and_names");
    if let Some(lists) = json["ddim_timesteps_by_steps"].as_object() {
        for (steps, expected) in lists {
            let ours: Vec<u64> =
                ddim_timesteps(steps.parse().unwrap()).iter().map(|t| *t as u64).collect();
            let expected: Vec<u64> =
                expected.as_array().unwrap().iter().map(|v| v.as_u64().unwrap()).collect();
            assert_eq!(ours, expected, "{steps} steps");
            report.ran();
        }
    }
    for case in json["img2img_steps"].as_array().into_iter().flatten() {
        let asked = case["steps_argument"].as_u64().filter(|n| *n > 0);
        let exact =
            case["fix_steps_option"].as_bool().unwrap() || !case["steps_argument"].is_null();
        let steps = asked.unwrap_or_else(|| case["p_steps"].as_u64().unwrap()) as usize;
        let ours = img2img_steps(steps, case["denoise"].as_f64().unwrap(), exact);
        let expected = &case["result_steps_tenc"];
        assert_eq!(Some(ours.steps as u64), expected[0].as_u64(), "{case}");
        assert_eq!(Some(ours.t_enc as u64), expected[1].as_u64(), "{case}");
        report.ran();
    }
    for case in json["sampler_name_resolution"].as_array().into_iter().flatten() {
        let sampler = case["sampler"].as_str().unwrap_or_default();
        let (info, schedule) = resolve(sampler, case["schedule"].as_str(), true).unwrap();
        assert_eq!(Some(info.name), case["result"][0].as_str(), "{case}");
        assert_eq!(Some(schedule.label()), case["result"][1].as_str(), "{case}");
        report.ran();
    }
    for case in json["samplers"].as_array().into_iter().flatten() {
        let info = SAMPLERS.iter().find(|s| case["name"] == s.name).expect("a known sampler");
        let flag = |key: &str| case["options"].get(key).and_then(Value::as_bool).unwrap_or(false);
        assert_eq!(info.second_order, flag("second_order"), "{case}");
        assert_eq!(info.brownian, flag("brownian_noise"), "{case}");
        assert_eq!(info.uses_ensd, flag("uses_ensd"), "{case}");
        assert_eq!(info.discard_next_to_last, flag("discard_next_to_last_sigma"), "{case}");
        report.ran();
    }
    report.finish();
}
