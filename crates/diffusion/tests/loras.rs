//! LoRAs on a base: put on exactly, taken off exactly, without a second copy of the model, in both
//! precisions.
#![allow(clippy::unwrap_used, reason = "a test may fail")]
mod common;

use std::path::PathBuf;
use std::time::Instant;
use wayword_diffusion::{
    AdapterGuard, Base, BaseOptions, DrawPlan, DrawSettings, Loras, Network, draw,
};
use wayword_formats::lora::Target;
use wayword_formats::{Array, SafeTensors, safetensors};
use wayword_interface::{Quiet, Stop};
use wayword_tensor::{CpuOptions, Device, Grid, Precision, Shape, Tensor, cpu};

fn demo() -> PathBuf {
    wayword_testing::repository().join("demo")
}

fn device(precision: Precision) -> Device {
    cpu(CpuOptions { precision, ..CpuOptions::default() })
}

fn base(precision: Precision) -> Base {
    let options = BaseOptions::new(demo().join("wayword-mini.safetensors"), &device(precision));
    Base::load(&options, &Quiet).unwrap()
}

fn networks(weights: &[(&str, f32)]) -> Vec<Network> {
    let loras = Loras::open(&[demo().join("loras")], &Quiet).unwrap();
    weights.iter().map(|(name, w)| loras.network(name, *w, *w).unwrap()).collect()
}

/// Hidden states of a text and the UNet's prediction for a fixed latent: what the weights do.
fn outputs(model: &AdapterGuard<'_>) -> Vec<f32> {
    let base = model.base();
    let ids: Vec<u32> = base.tokenizer.chunks("photo of a woman", 1).concat();
    let states = model.text().encode(&model.text().embed(&ids, 1, None).unwrap(), 1).unwrap();
    let grid = Grid::new(8, 8);
    let x: Vec<f32> = (0..256).map(|i| ((i * 37 % 101) as f32 - 50.0) / 30.0).collect();
    let x = Tensor::from_host(base.device(), Shape::new(1, 64, 4), &x).unwrap();
    let mut out = model.unet().forward(&x, grid, &[500.0], &states).unwrap().to_host().unwrap();
    out.extend(states.to_host().unwrap());
    out
}

/// Values of a module's weight.
fn elements(base: &Base, target: &Target) -> usize {
    base.weight_with(target, &[]).unwrap().map_or(0, |(weight, _)| weight.len())
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

#[test]
fn deactivating_restores_every_bit_and_no_copy_is_held() {
    for precision in [Precision::F32, Precision::Bf16] {
        let base = base(precision);
        let active = |networks: &[Network]| bits(&outputs(&base.activate(networks).unwrap()));
        let before = active(&[]);
        let held = base.device().memory().held;
        let (one, two) = (
            networks(&[("pascoe-lora", 0.8)]),
            networks(&[("tamsyn-lora", -0.5), ("mirabo-lora", 1.0)]),
        );
        let start = Instant::now();
        drop(base.activate(&one).unwrap());
        println!("{precision:?}: a LoRA of 128 modules activated in {:?}", start.elapsed());
        let first = active(&one);
        assert_ne!(first, before);
        let worn = base.device().memory().held;
        // In f32 what is changed is kept as f32, also where the file and so the base has f16.
        let wider = match precision {
            Precision::F32 => {
                one[0].loaded.lora.adapters.iter().map(|a| elements(&base, &a.target) * 2).sum()
            }
            Precision::Bf16 => 0,
        };
        assert!(
            worn <= held + wider + held / 100,
            "{precision:?}: {worn} bytes with a LoRA, {held} without"
        );
        // From one to others and back: what came between leaves no trace.
        assert_ne!(active(&two), first);
        assert_eq!(active(&one), first, "{precision:?}");
        assert_eq!(active(&[]), before, "{precision:?}");
        assert_eq!(base.device().memory().held, held, "{precision:?}");
        // What does not change is not made again.
        drop(base.activate(&one).unwrap());
        let swapped = base.swapped_modules();
        drop(base.activate(&one).unwrap());
        // Another job has read the same file for itself.
        drop(base.activate(&networks(&[("pascoe-lora", 0.8)])).unwrap());
        assert_eq!(base.swapped_modules(), swapped, "equal adapters swap nothing");
    }
}

/// The difference is added in f32 and rounded once: as if a checkpoint of f32 had been merged.
#[test]
fn activating_is_merging_in_f32() {
    let plain = base(Precision::F32);
    let worn = networks(&[("pascoe-lora", 0.7), ("tamsyn-lora", 0.3)]);
    let file = SafeTensors::open(&demo().join("wayword-mini.safetensors")).unwrap();
    let mut tensors = Vec::new();
    for name in file.names() {
        let array = file.get(name).unwrap();
        let target = name.strip_suffix(".weight").and_then(|module| Target::find(module).ok());
        let merged = target.and_then(|t| plain.weight_with(&t, &worn).unwrap());
        let merged =
            merged.map(|(weight, _)| Array::from_f32(array.shape().to_vec(), &weight).unwrap());
        tensors.push((name.to_owned(), merged.unwrap_or(array)));
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("merged.safetensors");
    safetensors::write(&path, &tensors, file.metadata()).unwrap();
    for precision in [Precision::F32, Precision::Bf16] {
        let merged = Base::load(&BaseOptions::new(&path, &device(precision)), &Quiet).unwrap();
        let ours = base(precision);
        let (ours, merged) = (ours.activate(&worn).unwrap(), merged.activate(&[]).unwrap());
        assert_eq!(bits(&outputs(&ours)), bits(&outputs(&merged)), "{precision:?}");
    }
}

/// A LoRA of the bundled model under numbers, as cloneofsimo's files have them, with a word: it is
/// put on as the same tensors under kohya's keys are, and the word draws as an embedding of its own.
#[test]
fn a_numbered_file_is_worn_as_its_named_twin() {
    use wayword_formats::{Component, Dtype};
    let dir = tempfile::tempdir().unwrap();
    let twin = SafeTensors::open(&demo().join("loras/pascoe-lora.safetensors")).unwrap();
    let mut blocks: Vec<String> = Vec::new();
    for (side, first, count) in [("down", 0, 2), ("up", 1, 3)] {
        let of = |i: usize| {
            (0..count).map(move |j| format!("{side}_blocks_{}_attentions_{j}", i + first))
        };
        blocks.extend((0..3).flat_map(of));
    }
    blocks.push("mid_block_attentions_0".into());
    let (mut numbered, mut named) = (Vec::new(), Vec::new());
    for block in blocks {
        for layer in ["attn1", "attn2"] {
            for part in ["to_q", "to_k", "to_v", "to_out_0"] {
                let i = numbered.len() / 2;
                let module = format!("lora_unet_{block}_transformer_blocks_0_{layer}_{part}");
                for end in ["up", "down"] {
                    let key = format!("{module}.lora_{end}.weight");
                    let array = twin.get(&key).unwrap_or_else(|| panic!("{key}"));
                    numbered.push((format!("unet:{i}:{end}"), array.clone()));
                    named.push((key, array));
                }
            }
        }
    }
    assert_eq!(named.len(), 256);
    let word = SafeTensors::open(&demo().join("words/pascoe-ti.safetensors")).unwrap();
    let word = word.get("emb_params").unwrap().to_f32().unwrap();
    numbered.push(("<s1>".into(), Array::from_f32_as(Dtype::F32, vec![128], &word).unwrap()));
    let none = std::collections::BTreeMap::new();
    safetensors::write(&dir.path().join("numbered.safetensors"), &numbered, &none).unwrap();
    safetensors::write(&dir.path().join("named.safetensors"), &named, &none).unwrap();
    let loras = std::sync::Arc::new(Loras::open(&[dir.path().to_owned()], &Quiet).unwrap());
    let base = base(Precision::F32);
    let worn = |name: &str| [loras.network(name, 0.7, 0.7).unwrap()];
    let (ours, truth) = (worn("numbered"), worn("named"));
    let mut modules = 0;
    for adapter in &truth[0].loaded.lora.adapters {
        let weight = |network| base.weight_with(&adapter.target, network).unwrap().unwrap().0;
        assert_eq!(bits(&weight(&ours)), bits(&weight(&truth)), "{}", adapter.target);
        assert_eq!(adapter.target.component, Component::Unet);
        modules += 1;
    }
    assert_eq!((modules, ours[0].loaded.lora.adapters.len()), (128, 128));
    let picture = |prompt: &str, words: Option<wayword_diffusion::Embeddings>| {
        let settings = DrawSettings {
            steps: 4,
            cfg: 4.0,
            seed: 3,
            loras: Some(std::sync::Arc::clone(&loras)),
            embeddings: words.map(std::sync::Arc::new),
            ..DrawSettings::new(&base, prompt)
        };
        let plan = DrawPlan::new(&base, settings).unwrap();
        draw(&base, &plan, &Quiet, &Stop::default()).unwrap()[0].rgb.clone()
    };
    let words = [demo().join("words")];
    let mut loaded = wayword_diffusion::Embeddings::new(&base);
    loaded.load(&words, &Quiet).unwrap();
    let words = loaded;
    let brought = picture("photo of <s1> <lora:numbered:0.7>", None);
    assert!(brought == picture("photo of pascoe-ti <lora:named:0.7>", Some(words)));
    assert!(brought != picture("photo of a man <lora:named:0.7>", None));
}

#[test]
fn values_that_are_not_finite_are_told_with_the_file() {
    let module = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q";
    let array = |shape: [usize; 2]| Array::from_f32(shape.to_vec(), &[f32::NAN; 64]).unwrap();
    let named = |end: &str, shape| (format!("{module}.{end}.weight"), array(shape));
    let tensors = [named("lora_up", [64, 1]), named("lora_down", [1, 64])];
    let dir = tempfile::tempdir().unwrap();
    safetensors::write(&dir.path().join("odd.safetensors"), &tensors, &Default::default()).unwrap();
    let loras = Loras::open(&[dir.path().to_owned()], &Quiet).unwrap();
    let error = base(Precision::F32);
    let error = error.activate(&[loras.network("odd", 1.0, 1.0).unwrap()]).unwrap_err();
    assert!(error.to_string().contains("`odd`") && error.to_string().contains(module), "{error}");
}

#[test]
fn another_familys_file_is_refused_though_most_of_it_fits() {
    let attention = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn";
    let mut tensors = Vec::new();
    for (layer, inputs) in [("1_to_q", 64), ("1_to_k", 64), ("1_to_v", 64), ("2_to_k", 1024)] {
        for (end, shape) in [("lora_up", [64, 1]), ("lora_down", [1, inputs])] {
            let array = Array::from_f32(shape.to_vec(), &vec![0.1; shape[0] * shape[1]]).unwrap();
            tensors.push((format!("{attention}{layer}.{end}.weight"), array));
        }
    }
    let dir = tempfile::tempdir().unwrap();
    safetensors::write(&dir.path().join("two.safetensors"), &tensors, &Default::default()).unwrap();
    let loras = Loras::open(&[dir.path().to_owned()], &Quiet).unwrap();
    let error = loras.network("two", 1.0, 1.0).unwrap().matched(&base(Precision::F32)).unwrap_err();
    assert!(error.to_string().contains("it is for Stable Diffusion 2.x"), "{error}");
}

fn rms(values: impl Iterator<Item = f32>) -> f64 {
    let (sum, n) = values.fold((0.0, 0), |(sum, n), v| (sum + f64::from(v).powi(2), n + 1));
    (sum / f64::from(n)).sqrt()
}

fn distance(a: &[f32], b: &[f32]) -> f64 {
    rms(a.iter().zip(b).map(|(a, b)| a - b))
}

/// Pictures in bf16 are as near to those in f32 with LoRAs as without, weak ones included.
#[test]
fn bf16_loses_no_more_with_a_lora() {
    let bases = [base(Precision::F32), base(Precision::Bf16)];
    let picture = |base: &Base, tag: &str, seed| {
        let loras = Loras::open(&[demo().join("loras")], &Quiet).unwrap();
        let settings = DrawSettings {
            seed,
            steps: 8,
            cfg: 4.0,
            loras: Some(loras.into()),
            ..DrawSettings::new(base, format!("photo of a woman {tag}"))
        };
        let plan = DrawPlan::new(base, settings).unwrap();
        let drawn = draw(base, &plan, &Quiet, &Stop::default()).unwrap();
        drawn[0].rgb.iter().map(|v| f32::from(*v)).collect::<Vec<_>>()
    };
    let lost = |tag: &str| {
        let of = |seed| distance(&picture(&bases[0], tag, seed), &picture(&bases[1], tag, seed));
        let mut all: Vec<f64> = (1..=3).map(of).collect();
        all.sort_by(f64::total_cmp);
        all[1]
    };
    // A picture may turn out otherwise by a hair's breadth, with a LoRA or without: that is
    // reported, and what each call of the UNet loses is judged.
    let (without, with) = (lost(""), lost("<lora:tamsyn-lora:0.8>"));
    println!("pictures, levels of 255, median: {without:.2} without, {with:.2} with a LoRA");
    let unet = |weights: &[(&str, f32)]| {
        let worn = networks(weights);
        let [exact, rounded] = bases.each_ref().map(|base| outputs(&base.activate(&worn).unwrap()));
        distance(&exact, &rounded) / rms(exact.iter().copied())
    };
    let without = unet(&[]);
    for weights in [[("tamsyn-lora", 0.1)], [("tamsyn-lora", 0.8)], [("pascoe-lora", 1.0)]] {
        let with = unet(&weights);
        println!("{weights:?}: {with:.2e} with, {without:.2e} without");
        assert!(with <= 1.1 * without, "{with} with {weights:?}, {without} without");
    }

    // A weak LoRA does in bf16 what it does in f32.
    let plain = bases.each_ref().map(|base| outputs(&base.activate(&[]).unwrap()));
    let weak = networks(&[("tamsyn-lora", 0.1)]);
    let worn = bases.each_ref().map(|base| outputs(&base.activate(&weak).unwrap()));
    let effect = |i: usize| worn[i].iter().zip(&plain[i]).map(|(a, b)| a - b).collect::<Vec<_>>();
    let (exact, rounded) = (effect(0), effect(1));
    let dot: f64 = exact.iter().zip(&rounded).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
    let size = rms(exact.iter().copied()) * rms(rounded.iter().copied()) * exact.len() as f64;
    println!("a weak LoRA's effect in bf16 and f32: cosine {:.3}", dot / size);
    assert!(dot / size > 0.9, "cosine {}", dot / size);
}

/// The most memory held, what is held now, and of that the process' own and of files.
const KINDS: [&str; 4] = ["VmHWM:", "VmRSS:", "RssAnon:", "RssFile:"];

/// A line of what the system says of this process' memory: `VmHWM:` is the most it held.
fn megabytes(key: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
    line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap_or(0) / 1024
}

/// Processor seconds of all threads so far, where the system counts a hundred ticks a second.
fn processor() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = rest.split_whitespace().skip(11).take(2).filter_map(|n| n.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}

/// A rank-64 LoRA on all attention and feed-forward layers of the full model's UNet and text encoder.
fn full_size_lora(seed: usize, path: &std::path::Path) {
    use wayword_diffusion::synthetic::Dimensions;
    use wayword_formats::{Component, Dtype};
    let mut tensors = Vec::new();
    for component in [Component::Unet, Component::Text] {
        for (name, shape) in Dimensions::sd15().shapes(component) {
            let Some(module) = name.strip_suffix(".weight") else { continue };
            let inside = ["transformer_blocks", "self_attn", "mlp", "proj_in", "proj_out"];
            let [out, inputs, ..] = shape[..] else { continue };
            if !inside.iter().any(|part| module.contains(part)) {
                continue;
            }
            let target = Target { component, module: module.to_owned() };
            let values = |n: usize| -> Vec<f32> {
                (0..n).map(|i| (((i + seed) * 7919 % 1009) as f32 - 504.0) * 2e-5).collect()
            };
            let add = |end: &str, shape: [usize; 2]| {
                let array =
                    Array::from_f32_as(Dtype::F16, shape.to_vec(), &values(shape[0] * shape[1]));
                (format!("{}.{end}.weight", target.kohya()), array.unwrap())
            };
            tensors.push(add("lora_up", [out, 64]));
            tensors.push(add("lora_down", [64, inputs]));
        }
    }
    safetensors::write(path, &tensors, &std::collections::BTreeMap::new()).unwrap();
}

/// Memory and time of three rank-64 LoRAs on a model of the full size: by hand, as it takes
/// minutes, 3 GB and a file of 2 GB. `WAYWORD_LORAS=0` measures the same without LoRAs, for the
/// comparison; `WAYWORD_BASE` names a checkpoint to use instead of one that is made.
#[test]
#[ignore = "minutes, 3 GB and a file of 2 GB: the full size, by hand"]
fn three_loras_on_the_full_size() {
    let count = std::env::var("WAYWORD_LORAS").map_or(3, |n| n.parse::<usize>().unwrap());
    let dir = tempfile::tempdir().unwrap();
    for i in 0..3 {
        full_size_lora(i, &dir.path().join(format!("l{i}.safetensors")));
    }
    let path = std::env::var_os("WAYWORD_BASE").map_or_else(
        || {
            let path = dir.path().join("base.safetensors");
            let dimensions = wayword_diffusion::synthetic::Dimensions::sd15();
            wayword_diffusion::synthetic::write(&path, &dimensions).unwrap();
            path
        },
        PathBuf::from,
    );
    let base = Base::load(&BaseOptions::new(path, &device(Precision::Bf16)), &Quiet).unwrap();
    let _ = base.sha256().unwrap();
    let loras = Loras::open(&[dir.path().to_owned()], &Quiet).unwrap();
    let network = |i: usize| loras.network(&format!("l{i}"), 0.5, 0.5).unwrap();
    let worn: Vec<Network> = (0..count).map(network).collect();
    let held = base.device().memory().held;
    println!("loaded: {:?} MB (most, now, own, mapped)", KINDS.map(megabytes));
    let (start, spent) = (Instant::now(), processor());
    let model = base.activate(&worn).unwrap();
    let on = (start.elapsed().as_secs_f64(), processor() - spent);
    let with = base.device().memory().held;
    let after = KINDS.map(megabytes);
    let ids: Vec<u32> = base.tokenizer.chunks("photo of a woman", 1).concat();
    let states = model
        .text()
        .encode(&model.text().embed(&ids, 1, None).unwrap(), 1)
        .unwrap()
        .to_host()
        .unwrap();
    let grid = Grid::new(64, 64);
    let x = Tensor::from_host(base.device(), Shape::new(2, 4096, 4), &vec![0.3; 32768]).unwrap();
    let context =
        Tensor::from_host(base.device(), Shape::new(2, 77, 768), &states.repeat(2)).unwrap();
    let _ = model.unet().forward(&x, grid, &[500.0, 500.0], &context).unwrap().to_host().unwrap();
    println!("a step was drawn: {:?} MB", KINDS.map(megabytes));
    drop(model);
    let (start, spent) = (Instant::now(), processor());
    drop(base.activate(&[]).unwrap());
    let off = (start.elapsed().as_secs_f64(), processor() - spent);
    println!(
        "{count} LoRAs: on in {:.1} s ({:.1} of the processor's), off in {:.1} s ({:.1}); weights {} MB, with LoRAs {} MB; put on: {after:?} MB (most, \
         now, own, mapped); most at the end {} MB",
        on.0,
        on.1,
        off.0,
        off.1,
        held >> 20,
        with >> 20,
        megabytes("VmHWM:")
    );
}
