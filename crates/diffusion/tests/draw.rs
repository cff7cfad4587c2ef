//! Drawing as a job: what a plan refuses, stopping, batches, and pictures that are not numbers.
#![allow(clippy::unwrap_used, reason = "a test may fail")]
mod common;

use std::sync::Mutex;
use wayword_diffusion::detail::DetailSettings;
use wayword_diffusion::hires::HiresSettings;
use wayword_diffusion::img2img::{ImageSettings, MaskSettings};
use wayword_diffusion::pictures::Pixels;
use wayword_diffusion::sigmas::SamplerKind;
use wayword_diffusion::unet::OddSizes;
use wayword_diffusion::{
    Base, BaseOptions, CpuOptions, DrawPlan, DrawSettings, Embeddings, Error, Event, Precision,
    Prediction, cpu, draw,
};
use wayword_formats::{Array, SafeTensors, safetensors};
use wayword_interface::{Quiet, Stop};
use wayword_prompt::Quirks;
use wayword_tensor::{Grid, Shape, Tensor};

fn settings(base: &Base) -> DrawSettings {
    DrawSettings { width: 64, height: 64, steps: 2, ..DrawSettings::new(base, "a cat") }
}

#[test]
fn plans_refuse_what_cannot_be() {
    let base = common::tiny();
    let good = || settings(&base);
    let words = Embeddings::for_width(768, &base.tokenizer);
    for (settings, word) in [
        (DrawSettings { width: 100, ..good() }, "any.size: 100,64"),
        (DrawSettings { steps: 0, ..good() }, "steps"),
        (DrawSettings { count: 0, ..good() }, "count"),
        (DrawSettings { cfg: f64::NAN, ..good() }, "cfg"),
        (DrawSettings { clip_skip: 5, ..good() }, "any.clip_skip: 5 is not between 1 and 4"),
        (
            DrawSettings { prompts: vec!["a".into(); 2], count: 3, ..good() },
            "draw.prompt: 2 prompts for 3 images",
        ),
        (DrawSettings { variation: Some((1, 1.5)), ..good() }, "any.subseed_strength"),
        (DrawSettings { prompts: vec!["a <lora:x:1>".into()], ..good() }, "LoRA"),
        (DrawSettings { prompts: vec!["a <foo:x>".into()], ..good() }, "foo"),
        (DrawSettings { embeddings: Some(words.into()), ..good() }, "expected vectors of 64"),
    ] {
        let error = DrawPlan::new(&base, settings).unwrap_err().to_string();
        assert!(error.contains(word), "{error:?} does not name {word:?}");
    }
}

#[test]
fn a_picture_does_not_depend_on_its_group() {
    let base = common::tiny();
    let run = |count, batch, seed| {
        let sampler = SamplerKind::EulerA;
        let settings = DrawSettings { count, batch, seed, sampler, ..settings(&base) };
        draw(&base, &DrawPlan::new(&base, settings).unwrap(), &Quiet, &Stop::default()).unwrap()
    };
    let (together, apart, alone) = (run(3, 3, 7), run(3, 2, 7), run(1, 1, 9));
    for i in 0..3 {
        let furthest = |a: &[u8], b: &[u8]| a.iter().zip(b).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(furthest(&together[i].rgb, &apart[i].rgb).unwrap() <= 1);
        assert_eq!(together[i].infotext, apart[i].infotext);
    }
    assert_eq!(alone[0].seed, together[2].seed);
    assert_eq!(alone[0].infotext, together[2].infotext);
}

#[test]
fn a_stop_is_heeded_between_blocks_and_levels() {
    let base = common::tiny();
    let device = base.device();
    let (stop, grid) = (Stop::default(), Grid::new(8, 8));
    let zeros = |tokens: usize, channels: usize| {
        let shape = Shape::new(1, tokens, channels);
        Tensor::from_host(device, shape, &vec![0.0; tokens * channels]).unwrap()
    };
    let guard = base.activate(&[]).unwrap();
    let unet = guard.unet();
    let text = unet.prepare(&zeros(77, base.info.token_width)).with_stop(&stop);
    let odd = OddSizes::default();
    let step = || unet.forward_prepared(&zeros(64, 4), grid, &[500.0], &text, odd);
    let decode = || base.vae.decode(&zeros(64, 4), grid, &stop);
    assert!(step().is_ok() && decode().is_ok());
    stop.request();
    assert!(matches!(step(), Err(Error::Stopped)));
    assert!(matches!(decode(), Err(Error::Stopped)));
}

#[test]
fn stopping_gives_what_is_done() {
    let base = common::tiny();
    let plan = DrawPlan::new(&base, DrawSettings { count: 3, ..settings(&base) }).unwrap();
    let stop = Stop::default();
    let seen = Mutex::new(Vec::new());
    let events = |event: Event| {
        if let Event::Picture { index, .. } = &event {
            seen.lock().unwrap().push(*index);
            stop.request();
        }
    };
    let pictures = draw(&base, &plan, &events, &stop).unwrap();
    assert_eq!(pictures.len(), 1);
    assert_eq!(*seen.lock().unwrap(), [0]);
}

#[test]
fn a_broken_vae_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let file = SafeTensors::open(&common::tiny_file()).unwrap();
    let broken = "first_stage_model.decoder.conv_out.bias";
    let tensors: Vec<(String, Array)> = file
        .names()
        .map(|name| {
            if name == broken {
                (name.to_owned(), Array::from_f32(vec![3], &[0.0, f32::NAN, 0.0]).unwrap())
            } else {
                (name.to_owned(), file.get(name).unwrap())
            }
        })
        .collect();
    let path = dir.path().join("broken.safetensors");
    safetensors::write(&path, &tensors, file.metadata()).unwrap();
    let base = common::load(&path, None);
    let plan = DrawPlan::new(&base, settings(&base)).unwrap();
    let error = draw(&base, &plan, &Quiet, &Stop::default()).unwrap_err();
    assert!(matches!(error, Error::NotANumber { .. }), "{error}");
    assert!(error.to_string().contains("VAE"), "{error}");
}

/// A VAE whose last weights are beyond bf16's greatest number: infinite there, finite in f32.
fn overflowing(dir: &std::path::Path) -> std::path::PathBuf {
    let file = SafeTensors::open(&common::tiny_file()).unwrap();
    let last = "first_stage_model.decoder.";
    let tensors: Vec<(String, Array)> = file
        .names()
        .map(|name| {
            let array = file.get(name).unwrap();
            let all = |value: f32| {
                let values = vec![value; array.shape().iter().product()];
                Array::from_f32(array.shape().to_vec(), &values).unwrap()
            };
            let array = match name.strip_prefix(last) {
                Some("norm_out.weight") => all(1e-39),
                Some("norm_out.bias" | "conv_out.bias") => all(0.0),
                Some("conv_out.weight") => all(3.4e38),
                _ => array,
            };
            (name.to_owned(), array)
        })
        .collect();
    let path = dir.join("overflowing.safetensors");
    safetensors::write(&path, &tensors, file.metadata()).unwrap();
    path
}

#[test]
fn a_vae_that_overflows_in_half_precision_is_used_in_f32() {
    let dir = tempfile::tempdir().unwrap();
    let path = overflowing(dir.path());
    let load = |precision| {
        let device = cpu(CpuOptions { precision, ..CpuOptions::default() });
        Base::load(&BaseOptions::new(&path, &device), &Quiet).unwrap()
    };
    let run = |base: &Base| {
        let warnings = Mutex::new(Vec::new());
        let events = |event: Event| {
            if let Event::Warned(warning) = event {
                warnings.lock().unwrap().push(warning.to_string());
            }
        };
        let plan = DrawPlan::new(base, settings(base)).unwrap();
        let pictures = draw(base, &plan, &events, &Stop::default()).unwrap();
        (pictures[0].rgb.clone(), warnings.into_inner().unwrap())
    };
    let (exact, half) = (load(Precision::F32), load(Precision::Bf16));
    assert!(run(&exact).1.is_empty());
    let (rgb, warnings) = run(&half);
    assert_eq!(rgb.len(), 64 * 64 * 3);
    if half.device().is_exact() {
        println!("this processor has no bf16 products");
    } else {
        assert!(warnings.iter().any(|w| w.contains("f32")), "{warnings:?}");
    }
}

#[test]
fn a_velocity_base_draws_with_every_kind_of_sampler() {
    let options = BaseOptions {
        prediction: Some(Prediction::V),
        ..BaseOptions::new(common::tiny_file(), &common::device())
    };
    let base = Base::load(&options, &Quiet).unwrap();
    let noise = common::tiny();
    for sampler in [SamplerKind::Euler, SamplerKind::Ddim, SamplerKind::UniPc] {
        let settings = DrawSettings { sampler, steps: 4, ..settings(&base) };
        let run = |base: &Base| {
            let plan = DrawPlan::new(base, settings.clone()).unwrap();
            draw(base, &plan, &Quiet, &Stop::default()).unwrap().remove(0).rgb
        };
        assert_ne!(run(&base), run(&noise), "{sampler:?}");
    }
}

#[test]
fn pictures_and_second_passes_are_checked() {
    let base = common::tiny();
    let good = || settings(&base);
    let image = || ImageSettings::new(Pixels::filled(64, 64, 3, 90));
    let mask = |width| Some(MaskSettings::new(Pixels::filled(width, 64, 1, 255)));
    let hires = |scale| Some(HiresSettings::new(scale));
    for (settings, word) in [
        (
            DrawSettings { image: Some(ImageSettings { denoise: 1.5, ..image() }), ..good() },
            "denoise",
        ),
        (
            DrawSettings { image: Some(ImageSettings { mask: mask(32), ..image() }), ..good() },
            "mask",
        ),
        (DrawSettings { image: Some(image()), hires: hires(2.0), ..good() }, "any.hires_scale"),
        (DrawSettings { hires: hires(0.0), ..good() }, "any.hires_scale"),
        (DrawSettings { hires: hires(f64::NAN), ..good() }, "any.hires_scale"),
        (DrawSettings { width: 8192, hires: hires(2.0), ..good() }, "cannot be drawn"),
    ] {
        let error = DrawPlan::new(&base, settings).unwrap_err().to_string();
        assert!(error.contains(word), "{error:?} does not name {word:?}");
    }
    // Nothing is changed where nothing shall be.
    for (denoise, sampler) in [(0.0, SamplerKind::Ddim), (0.01, SamplerKind::Plms)] {
        let image = Some(ImageSettings { denoise, ..image() });
        let plan = DrawPlan::new(&base, DrawSettings { image, sampler, ..good() }).unwrap();
        assert_eq!(draw(&base, &plan, &Quiet, &Stop::default()).unwrap().len(), 1);
    }
}

/// At guidance 1 the prediction without the prompt cancels; the web UI computes it all the same.
#[test]
fn at_guidance_1_one_sample_is_computed() {
    let (device, profile) = wayword_diffusion::profiling(&common::device());
    let base = Base::load(&BaseOptions::new(common::tiny_file(), &device), &Quiet).unwrap();
    let products = || -> u64 { profile.take().values().map(|spent| spent.flops).sum() };
    for sampler in [SamplerKind::Euler, SamplerKind::Ddim, SamplerKind::UniPc] {
        let run = |quirks, prompt: &str| {
            let settings = DrawSettings {
                cfg: 1.0,
                steps: 4,
                sampler,
                quirks,
                prompts: vec![prompt.into()],
                ..settings(&base)
            };
            let plan = DrawPlan::new(&base, settings).unwrap();
            let _ = products();
            let rgb = draw(&base, &plan, &Quiet, &Stop::default()).unwrap().remove(0).rgb;
            (rgb, products())
        };
        let (one, few) = run(Quirks::Sane, "a cat");
        let (both, many) = run(Quirks::A1111, "a cat");
        let most = one.iter().zip(&both).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        assert!(most <= 1, "{sampler:?}: {most} levels of 255 between one sample and two");
        assert!(few < many, "{sampler:?}: {few} and {many} FLOP");
        // Two parts need it.
        assert_eq!(run(Quirks::Sane, "a cat AND a dog").1, run(Quirks::A1111, "a cat AND a dog").1);
    }
}

/// Hidden states used to be uploaded, and keys and values computed, at every call of the UNet.
#[test]
fn the_text_is_prepared_once_for_all_steps() {
    let (device, profile) = wayword_diffusion::profiling(&common::device());
    let base = Base::load(&BaseOptions::new(common::tiny_file(), &device), &Quiet).unwrap();
    let linear = |steps: u32| -> u64 {
        let settings = DrawSettings { steps, sampler: SamplerKind::Euler, ..settings(&base) };
        let plan = DrawPlan::new(&base, settings).unwrap();
        let _ = profile.take();
        let _ = draw(&base, &plan, &Quiet, &Stop::default()).unwrap();
        profile.take()["linear"].calls
    };
    let each = (linear(6) - linear(2)) / 4;
    let model = base.activate(&[]).unwrap();
    let (x, context) = (
        wayword_tensor::Shape::new(1, 64, 4),
        wayword_tensor::Shape::new(1, 77, base.info.token_width),
    );
    let zeros = |shape: wayword_tensor::Shape| {
        let values = vec![0.1; shape.rows() * shape.channels];
        wayword_tensor::Tensor::from_host(&device, shape, &values).unwrap()
    };
    let (x, context) = (zeros(x), zeros(context));
    let grid = wayword_tensor::Grid::new(8, 8);
    let _ = profile.take();
    let plain = model.unet().forward(&x, grid, &[500.0], &context).unwrap().to_host().unwrap();
    let alone = profile.take()["linear"].calls;
    let prepared = model.unet().prepare(&context);
    let of_text = profile.take()["linear"].calls;
    assert!(
        of_text > 0 && alone == each + of_text,
        "{alone} calls alone, {each} a step, {of_text}"
    );
    let odd = wayword_diffusion::unet::OddSizes::default();
    let same = model
        .unet()
        .forward_prepared(&x, grid, &[500.0], &prepared, odd)
        .unwrap()
        .to_host()
        .unwrap();
    assert_eq!(plain, same);
}

#[test]
fn a_drawing_in_progress_shows_small_pictures() {
    let base = common::tiny();
    let previews = Mutex::new(Vec::new());
    let events = |event: Event| {
        if let Event::Preview { index, step, picture } = event {
            assert_eq!(picture.rgb.len(), picture.width * picture.height * 3);
            assert!(picture.width.max(picture.height) <= 128);
            previews.lock().unwrap().push((index, step, picture));
        }
    };
    let (count, batch) = (2, 2);
    let settings = DrawSettings { steps: 6, count, batch, ..settings(&base) };
    let draw = |settings: DrawSettings| {
        let plan = DrawPlan::new(&base, settings).unwrap();
        draw(&base, &plan, &events, &Stop::default()).unwrap()
    };
    let without = draw(settings.clone());
    assert!(previews.lock().unwrap().is_empty());
    let with = draw(DrawSettings { preview_every: Some(3), ..settings });
    let seen: Vec<_> = previews.lock().unwrap().iter().map(|p| (p.0, p.1)).collect();
    assert_eq!(seen, [(0, 3), (1, 3), (0, 6), (1, 6)]);
    let previews = previews.into_inner().unwrap();
    assert!(previews[0].2 != previews[2].2, "the picture forms");
    assert!(with.iter().zip(&without).all(|(a, b)| a.rgb == b.rgb), "they change no picture");
}

/// The forecast of a drawing is what it holds, up to the buffers that are always there.
#[test]
fn memory_is_counted_before_anything_is_loaded() {
    use wayword_diffusion::forecast::{BESIDE, SizedBase};
    let options = BaseOptions::new(common::tiny_file(), &common::device());
    let base = Base::load(&options, &Quiet).unwrap();
    let at = |side: u32, count: usize| {
        let (width, height) = (side, side);
        DrawSettings { width, height, count, batch: count, ..settings(&base) }
    };
    let sizes = SizedBase::load(&options).unwrap();
    let forecast = |s: &DrawSettings| sizes.memory(s, false).unwrap();
    let (small, large) = (forecast(&at(64, 1)), forecast(&at(256, 2)));
    assert!(small.weights > 0 && small.weights == large.weights);
    assert!(large.peak - BESIDE > 2 * (small.peak - BESIDE - small.weights));
    draw(&base, &DrawPlan::new(&base, at(256, 2)).unwrap(), &Quiet, &Stop::default()).unwrap();
    let held = base.device().memory().peak;
    assert!(large.peak >= held && large.peak - BESIDE < 2 * held, "{large:?} {held}");
    // Faces are drawn at their own size.
    let mut faces = DetailSettings::default();
    (faces.size.used, faces.size.value) = (true, (256, 256));
    let detailed = forecast(&DrawSettings { detail: vec![faces], ..at(64, 1) });
    assert!(detailed.peak > small.peak, "{detailed:?} {small:?}");
    // As much as an image of that size, but for what it begins with.
    assert!(detailed.peak.abs_diff(large.peak) < 1 << 20, "{detailed:?} {large:?}");
}

/// The time grows with the work: twice the steps or pictures, twice the time; a pass over a picture
/// takes the share that it draws.
#[test]
fn time_is_forecast_from_a_measured_speed() {
    use wayword_diffusion::forecast::{DrawSpeed, DrawWork, SizedBase};
    let options = BaseOptions::new(common::tiny_file(), &common::device());
    let base = Base::load(&options, &Quiet).unwrap();
    let sizes = SizedBase::load(&options).unwrap();
    let speed = DrawSpeed::of(&base, &sizes).unwrap();
    let seconds = |change: &dyn Fn(&mut DrawSettings)| {
        let mut settings = settings(&base);
        (settings.width, settings.height, settings.steps) = (128, 128, 10);
        change(&mut settings);
        let mut work = DrawWork::default();
        work.add(&DrawPlan::new(&base, settings).unwrap());
        speed.seconds(&work, &sizes).unwrap()
    };
    let one = seconds(&|_| ());
    assert!(one > 0.0 && one < 60.0, "{one}");
    let two = seconds(&|s| s.count = 2);
    assert!((two / one - 2.0).abs() < 1e-9, "{two} {one}");
    let vae = 2.0 * one - seconds(&|s| s.steps = 20);
    assert!(vae > 0.0 && vae < one, "{vae} {one}");
    let sampling = one - vae;
    let unguided = seconds(&|s| s.cfg = 1.0) - vae;
    assert!(unguided < sampling, "{unguided} {sampling}");
    let heun = seconds(&|s| s.sampler = SamplerKind::Heun) - vae;
    assert!((heun / sampling - 1.9).abs() < 1e-6, "{heun} {sampling}");
    let hires = seconds(&|s| {
        s.hires = Some(HiresSettings { denoise: 0.5, ..HiresSettings::new(2.0) });
    });
    assert!(hires > 2.0 * one, "{hires} {one}");
    // Measured once for a base.
    assert_eq!(DrawSpeed::of(&base, &sizes).unwrap(), speed);
}
