//! LoRA and its family against A1111's own extension (golden topic `lora`): changed weights, text
//! states, the UNet's word, what is said and written; and against LyCORIS' single layers.
#![expect(clippy::print_stdout, reason = "a test's report of what ran is printed")]
#![allow(clippy::unwrap_used, reason = "a test may fail")]
mod common;

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use wayword_diffusion::adapters::merged;
use wayword_diffusion::generate::GroupConditioning;
use wayword_diffusion::{AdapterGuard, Base, DrawPlan, DrawSettings, Loras, Network, draw};
use wayword_formats::infotext::Infotext;
use wayword_formats::lora::{self, AdapterKind, GloraLayout, Target};
use wayword_formats::{Array, Component, SafeTensors, safetensors};
use wayword_interface::{Quiet, Stop};
use wayword_prompt::Quirks;
use wayword_tensor::{Shape, Tensor};
use wayword_testing::{HostTensor, Report, Tensors, Topic, max_abs, topic};

/// The topic's cases, results and files, for one test.
struct Golden {
    topic: Topic,
    cases: Vec<Value>,
    expected: Tensors,
    loras: Arc<Loras>,
    base: Base,
}

/// The folders of a topic that hold safetensors files, other than the LyCORIS vectors.
fn folders(topic: &Topic) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(&topic.dir).unwrap().map(|e| e.unwrap().path());
    let mut all: Vec<PathBuf> = entries.filter(|p| p.is_dir() && !is_vectors(p)).collect();
    all.sort();
    all
}

/// Whether a folder holds single layers with their base weight.
fn is_vectors(folder: &std::path::Path) -> bool {
    wayword_testing::files(folder, "safetensors")
        .iter()
        .any(|p| SafeTensors::open(p).is_ok_and(|f| f.contains("test.base_weight")))
}

impl Golden {
    fn open(test: &str) -> Option<Self> {
        let topic = topic("lora")?;
        let json = topic.json("cases.json", |j| j["cases"][0].get("changed_names").is_some());
        let expected = topic.tensors("expected.safetensors");
        let Some((json, expected)) = json.zip(expected) else {
            println!("{test}: ran 0, skipped 1: no cases or expected tensors");
            return None;
        };
        let loras = Loras::open(&folders(&topic), &Quiet).unwrap();
        let cases = json["cases"].as_array().unwrap().clone();
        Some(Self { topic, cases, expected, loras: Arc::new(loras), base: common::tiny() })
    }

    fn plan(&self, case: &Value, quirks: Quirks) -> Result<DrawPlan, wayword_diffusion::Error> {
        let prompt = format!("{}{}", text(case, "prompt"), text(case, "tags"));
        let settings = DrawSettings {
            loras: Some(Arc::clone(&self.loras)),
            width: 64,
            height: 64,
            steps: 1,
            quirks,
            ..DrawSettings::new(&self.base, prompt)
        };
        DrawPlan::new(&self.base, settings)
    }

    /// The cases whose LoRAs are there; the others are skipped.
    fn with_files(&self, report: &mut Report) -> Vec<&Value> {
        let there = |case: &&Value| {
            let there = self.has_files(case);
            if !there {
                report.skip("no file of a LoRA");
            }
            there
        };
        self.cases.iter().filter(there).collect()
    }

    /// Whether the files that a case names are there, or are missing there, too.
    fn has_files(&self, case: &Value) -> bool {
        let known = |entry: &Value| {
            let name = text(entry, "name");
            self.loras.network(&name, 1.0, 1.0).is_ok()
        };
        case["loaded"].as_array().unwrap().iter().all(known)
    }

    /// The case whose weights are to be ours: this one, or, where A1111 knows none of the file's
    /// keys, one with the same tensors (and therefore the same hash) under keys that it knows.
    fn judge<'a>(&'a self, case: &'a Value) -> Option<&'a Value> {
        let knows = |c: &Value| c["loaded"].as_array().unwrap().iter().all(|l| l["layers"] != 0);
        if knows(case) {
            return Some(case);
        }
        let hashes = |c: &Value| -> Vec<String> {
            let line = c["infotext_params"]["Lora hashes"].as_str().unwrap_or_default();
            line.split(", ").filter_map(|e| Some(e.split_once(": ")?.1.to_owned())).collect()
        };
        let weights = |c: &Value| -> Vec<[String; 3]> {
            let loaded = c["loaded"].as_array().unwrap().iter();
            loaded.map(|l| ["te", "unet", "dyn"].map(|k| l[k].to_string())).collect()
        };
        self.cases.iter().find(|other| {
            knows(other) && hashes(other) == hashes(case) && weights(other) == weights(case)
        })
    }
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

/// A1111's layer as ours, and whether its bias is meant.
fn target(layer: &str) -> Option<(Target, bool)> {
    let (name, what) = layer.rsplit_once('.')?;
    let kohya = match name.strip_prefix("diffusion_model_") {
        Some(rest) => format!("lora_unet_{rest}"),
        None => format!("lora_te_{}", name.strip_prefix("transformer_")?),
    };
    Some((Target::find(&kohya).ok()?, what == "bias"))
}

/// What A1111 cannot do and we can: how many of a network's modules.
fn beyond(network: &Network) -> usize {
    let is_conv = |module: &str| {
        let last = module.rsplit('.').next().unwrap_or_default();
        last.starts_with("conv") || last == "proj_in" || last == "proj_out"
    };
    let adapters = network.loaded.lora.adapters.iter();
    adapters
        .filter(|a| match &a.kind {
            AdapterKind::Glora { layout, .. } => *layout == GloraLayout::New,
            AdapterKind::Ia3 { .. } => {
                a.target.component == Component::Unet && is_conv(&a.target.module)
            }
            _ => false,
        })
        .count()
}

/// Weights and biases that a list of networks changes, by target and whether it is the bias.
fn changed(base: &Base, networks: &[Network]) -> BTreeSet<(Target, bool)> {
    let targets: BTreeSet<Target> = networks
        .iter()
        .flat_map(|n| n.loaded.lora.adapters.iter().map(|a| a.target.clone()))
        .collect();
    let mut out = BTreeSet::new();
    for target in targets {
        let Some((weight, bias)) = base.weight_with(&target, &[]).unwrap() else { continue };
        let (new_weight, new_bias) = base.weight_with(&target, networks).unwrap().unwrap();
        if weight != new_weight {
            out.insert((target.clone(), false));
        }
        if bias != new_bias {
            out.insert((target, true));
        }
    }
    out
}

/// Largest difference in units of `max(1, |expected|)`.
fn difference(ours: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(ours.len(), expected.len());
    let one = |(a, b): (&f32, &f32)| f64::from((a - b).abs()) / f64::from(b.abs().max(1.0));
    ours.iter()
        .zip(expected)
        .map(one)
        .fold(0.0, |m, d| if d.is_nan() { f64::MAX } else { m.max(d) })
}

/// 1e-6, and 5e-6 where a norm or an inverse is in it.
fn limit(networks: &[Network]) -> f64 {
    let hard = networks
        .iter()
        .flat_map(|n| &n.loaded.lora.adapters)
        .any(|a| a.dora_scale.is_some() || matches!(a.kind, AdapterKind::Oft { .. }));
    if hard { 5e-6 } else { 1e-6 }
}

#[test]
fn golden_lora_weights() {
    let Some(golden) = Golden::open("golden_lora_weights") else { return };
    let mut report = Report::new("golden_lora_weights");
    for case in golden.with_files(&mut report) {
        let tags = text(case, "tags");
        let plan = golden.plan(case, Quirks::A1111).unwrap();
        let networks = plan.networks(0);
        let ours = changed(&golden.base, networks);
        let loaded = case["loaded"].as_array().unwrap();
        let errors: u64 =
            case["layer_errors"].as_object().unwrap().values().map(|v| v.as_u64().unwrap()).sum();
        let beyond: usize = networks.iter().map(beyond).sum();
        if networks.len() > loaded.len() {
            // A1111 drops a file with a module that it does not understand, and says nothing.
            assert!(!plan.remarks().is_empty(), "{tags}: nothing is said");
            assert!(!ours.is_empty(), "{tags}: nothing is changed");
            report.ran();
            continue;
        }
        if beyond > 0 {
            let misfits: usize = networks
                .iter()
                .map(|n| n.matched(&golden.base).unwrap())
                .map(|m| m.misfits.len())
                .sum();
            assert_eq!(misfits + beyond, errors as usize, "{tags}");
        }
        let Some(judge) = golden.judge(case) else {
            report.skip("no case with the same tensors under other keys");
            continue;
        };
        let count = judge["changed"].as_u64().unwrap() as usize + beyond;
        assert_eq!(ours.len(), count, "{tags}: {ours:?}");
        for name in judge["changed_names"].as_array().unwrap() {
            if let Some(layer) = target(name.as_str().unwrap()) {
                assert!(ours.contains(&layer), "{tags}: {name}");
            }
        }
        let start = format!("c{}.W.", judge["id"]);
        let names: Vec<String> =
            golden.expected.names().filter(|n| n.starts_with(&start)).map(str::to_owned).collect();
        for name in names {
            let (target, bias) = target(&name[start.len()..]).expect("a layer of the model");
            let (weight, other) = golden.base.weight_with(&target, networks).unwrap().unwrap();
            let ours = if bias { other.unwrap() } else { weight };
            let expected = golden.expected.at(&name).f32();
            let difference = difference(&ours, &expected);
            report.within(&format!("{tags} {name}"), "weight", difference, limit(networks));
        }
        report.ran();
    }
    report.finish();
}

/// The UNet's word on the golden latent for these states.
fn predicted(model: &AdapterGuard<'_>, x: &HostTensor, t: f32, states: &[f32]) -> Vec<f32> {
    let base = model.base();
    let (x, grid) = common::picture(base.device(), x);
    let width = base.info.token_width;
    let shape = Shape::new(1, states.len() / width, width);
    let context = Tensor::from_host(base.device(), shape, states).unwrap();
    common::channels_first(&model.unet().forward(&x, grid, &[t], &context).unwrap())
}

/// The largest difference in units of the largest expected value.
fn relative(ours: &[f32], expected: &[f32]) -> f64 {
    let most = expected.iter().fold(0.0f32, |m, v| m.max(v.abs()));
    max_abs(ours, expected) / f64::from(most)
}

#[test]
fn golden_lora_states_and_noise() {
    states_and_noise("golden_lora_states_and_noise", 1e-4);
}

/// The README's limit for every noise. PyTorch in f64 fails it in the same cases.
#[test]
#[ignore = "11 of 156 noises are up to 8e-5 off, as PyTorch's are; the limit is 2e-5"]
fn golden_lora_states_and_noise_within_the_stated_limit() {
    states_and_noise("golden_lora_states_and_noise_within_the_stated_limit", 2e-5);
}

/// `most` is what few noises may be off, where the peer's own rounding decides.
fn states_and_noise(test: &str, most: f64) {
    let Some(golden) = Golden::open(test) else { return };
    let mut report = Report::new(test);
    let base = &golden.base;
    let (x, t) = (golden.expected.at("x"), golden.expected.at("t").f32()[0]);
    let base_states = golden.expected.at("cond.base").f32();
    let bare = predicted(&base.activate(&[]).unwrap(), x, t, &base_states);
    let (mut beyond_limit, mut noises) = (0, 0);
    let mut bare_states: BTreeMap<String, Vec<f32>> = BTreeMap::new();
    for case in golden.with_files(&mut report) {
        let tags = text(case, "tags");
        let plan = golden.plan(case, Quirks::A1111).unwrap();
        let networks = plan.networks(0);
        let loaded = case["loaded"].as_array().unwrap();
        let beyond = networks.iter().any(|n| beyond(n) > 0) || networks.len() > loaded.len();
        let Some(judge) = golden.judge(case).filter(|_| !beyond) else {
            report.skip("A1111 leaves out modules that we apply");
            continue;
        };
        let model = base.activate(networks).unwrap();
        let texts = GroupConditioning::encode(&model, &plan, 0..1).unwrap();
        let own = &texts.positive[0].parts[0].entries[0].1;
        let expected = |what: &str| golden.expected.get(&format!("c{}.{what}", judge["id"]));
        if let Some(rows) = expected("cond") {
            let rows = rows.f32();
            report.within(&tags, "states", relative(&own[..rows.len()], &rows), 2e-5);
        }
        let eps = predicted(&model, x, t, &base_states);
        for (what, states) in [("eps_base_cond", &base_states), ("eps_own_cond", own)] {
            let Some(noise) = expected(what) else { continue };
            let ours = predicted(&model, x, t, states);
            let difference = relative(&ours, &noise.f32());
            noises += 1;
            // PyTorch in f64, given the file's own weights and states, misses the stated limit
            // where ours does, and by as much (golden/README.md, "Where the peer's own rounding
            // decides"): few cases may, and not far.
            if difference > 2e-5 {
                beyond_limit += 1;
                report.within(&tags, "eps that the peer's rounding decides", difference, most);
            } else {
                report.within(&tags, what, difference, 2e-5);
            }
        }
        drop(model);
        if networks.is_empty() {
            // After any number of others the weights are the file's again, bit for bit.
            assert_eq!(eps, bare, "{tags}");
            let first = bare_states.entry(text(case, "prompt")).or_insert_with(|| own.clone());
            assert_eq!(own, first, "{tags}");
        }
        report.ran();
    }
    println!("{test}: {beyond_limit} of {noises} noises beyond 2e-5");
    assert!(beyond_limit * 5 <= noises, "{beyond_limit} of {noises} noises are beyond 2e-5");
    report.finish();
}

#[test]
fn golden_lora_infotext_and_warnings() {
    let Some(golden) = Golden::open("golden_lora_infotext_and_warnings") else { return };
    let mut report = Report::new("golden_lora_infotext_and_warnings");
    for case in golden.with_files(&mut report) {
        let tags = text(case, "tags");
        let plan = golden.plan(case, Quirks::A1111).unwrap();
        let networks = plan.networks(0);
        let said: Vec<String> = plan.remarks().into_iter().map(|w| w.to_string()).collect();
        for comment in case["comments"].as_array().unwrap().iter().map(|c| c.as_str().unwrap()) {
            let (what, names) = comment.split_once(": ").unwrap();
            for name in names.split(", ") {
                let name = name.rsplit_once(" (").map_or(name, |(name, _)| name);
                let quoted = format!("`{name}`");
                let spoken = said.iter().any(|w| w.contains(&quoted));
                let better = networks.iter().any(|n| n.name == name && beyond(n) > 0);
                assert!(spoken || better, "{tags}: {what} {name}: {said:?}");
            }
        }
        if networks.len() == case["loaded"].as_array().unwrap().len() {
            let pictures = draw(&golden.base, &plan, &Quiet, &Stop::default()).unwrap();
            let infotext = Infotext::parse(&pictures[0].infotext);
            let hashes = infotext.pairs.iter().find(|(key, _)| key == "Lora hashes");
            let hashes = hashes.map(|(_, value)| value.as_str());
            assert_eq!(hashes, case["infotext_params"]["Lora hashes"].as_str(), "{tags}");
        }
        report.ran();
    }
    report.finish();
}

#[test]
fn golden_lora_vectors_of_lycoris() {
    let Some(topic) = topic("lora") else { return };
    let mut report = Report::new("golden_lora_vectors_of_lycoris");
    let dir = tempfile::tempdir().unwrap();
    let entries = std::fs::read_dir(&topic.dir).unwrap().map(|e| e.unwrap().path());
    let folders = entries.filter(|p| p.is_dir() && is_vectors(p));
    let files: Vec<PathBuf> =
        folders.flat_map(|f| wayword_testing::files(&f, "safetensors")).collect();
    for path in files {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        // The layer has no name of a model: it gets one.
        let file = SafeTensors::open(&path).unwrap();
        let named = |key: &str| Some(format!("lora_unet_conv_in.{}", key.split_once('.')?.1));
        let tensors: Vec<(String, Array)> = file
            .names()
            .filter(|key| !key.starts_with("test."))
            .map(|key| (named(key).unwrap(), file.get(key).unwrap()))
            .collect();
        let copy = dir.path().join(&name);
        safetensors::write(&copy, &tensors, &BTreeMap::new()).unwrap();
        let lora = lora::read(&copy).unwrap();
        let [adapter] = &lora.adapters[..] else { panic!("{name}: {:?}", lora.unknown) };
        let base = file.get("test.base_weight").unwrap();
        let shape = base.shape().to_vec();
        let hard = adapter.dora_scale.is_some() || matches!(adapter.kind, AdapterKind::Oft { .. });
        let limit = if hard { 5e-6 } else { 1e-6 };
        let whole = file.get("test.effective_weight_x1.0").unwrap().to_f32().unwrap();
        let prefix = "test.effective_weight_x";
        for key in file.names().filter(|key| key.starts_with(prefix)) {
            let multiplier: f32 = key[prefix.len()..].parse().unwrap();
            let ours = merged(adapter, &shape, &base, multiplier, Quirks::Sane).unwrap();
            // Between nothing and all of it A1111 goes straight, LyCORIS on ways of its own.
            let bends = adapter.dora_scale.is_some() || adapter.kind.name() == "BOFT";
            let expected: Vec<f32> = if bends {
                let w = base.to_f32().unwrap();
                w.iter().zip(&whole).map(|(w, e)| w + multiplier * (e - w)).collect()
            } else {
                file.get(key).unwrap().to_f32().unwrap()
            };
            report.within(&name, key, difference(&ours, &expected), limit);
        }
        report.ran();
    }
    report.finish();
}

#[test]
fn golden_lora_sane_reading() {
    let Some(golden) = Golden::open("golden_lora_sane_reading") else { return };
    let mut report = Report::new("golden_lora_sane_reading");
    for case in golden.with_files(&mut report) {
        let tags = text(case, "tags");
        let loaded = case["loaded"].as_array().unwrap();
        let named = wayword_prompt::extra_networks::extract(&tags).1;
        match golden.plan(case, Quirks::Sane) {
            // What A1111 drops without a word in the picture is an error, or is applied.
            Err(error) => {
                let dropped = loaded.len() < named.len();
                assert!(dropped, "{tags}: {error}");
            }
            Ok(plan) => {
                let networks = plan.networks(0);
                assert!(networks.len() + plan.remarks().len() >= named.len().min(1), "{tags}");
                // A name that is given twice counts with the sum of its weights.
                if networks.len() == 1 && named.len() == 2 && loaded.len() == 2 {
                    let sum: f32 = named
                        .iter()
                        .map(|tag| tag.items.get(1).map_or(1.0, |w| w.parse::<f32>().unwrap()))
                        .sum();
                    assert_eq!(networks[0].unet, sum, "{tags}");
                }
            }
        }
        report.ran();
    }
    assert!(golden.topic.dir.is_dir());
    report.finish();
}
