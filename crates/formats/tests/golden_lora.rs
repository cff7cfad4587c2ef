//! LoRA files of every layout: which modules they change, their names, aliases and hashes.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use wayword_formats::lora::{self, Adapter, AdapterKind, Factor, Target};
use wayword_formats::{Array, Component};
use wayword_testing::{Report, Topic, files, topic};

fn key_map(topic: &Topic) -> Option<Value> {
    topic.json("sd15_key_map.json", |j| j["cases"][0]["a1111_layer_name"].is_string())
}

#[test]
fn golden_lora_names() {
    let Some(topic) = topic("lora") else { return };
    let mut report = Report::new("golden_lora_names");
    let Some(map) = key_map(&topic) else {
        report.skip("no map of names");
        return report.finish();
    };
    for case in map["cases"].as_array().unwrap() {
        let name = |key: &str| case[key].as_str().unwrap();
        let target = Target::find(name("kohya")).unwrap_or_else(|e| panic!("{case}: {e}"));
        assert_eq!(target.diffusers(), name("diffusers"));
        assert_eq!(target.kohya(), name("kohya"));
        let ldm = name("ldm");
        let mut others = vec![name("diffusers").to_owned(), ldm.to_owned()];
        if let Some(rest) = ldm.strip_prefix("model.diffusion_model.") {
            others.push(format!("lora_unet_{}", rest.replace('.', "_")));
            others.push(format!("diffusion_model.{rest}"));
            others.push(format!("base_model.model.{}", target.module));
        } else {
            others.push(name("kohya").replace("lora_te_", "lora_te1_"));
        }
        for other in others {
            assert_eq!(Target::find(&other).as_ref(), Ok(&target), "{other}");
        }
        report.ran();
    }
    report.finish();
}

/// The tags' names, as far as `<lora:NAME…>` goes.
fn names(tags: &str) -> Vec<&str> {
    let tag = |t: &'_ str| -> Option<usize> { t.find([':', '>']) };
    ["<lora:", "<lyco:"]
        .iter()
        .flat_map(|p| tags.split(p).skip(1))
        .filter_map(|rest| Some(&rest[..tag(rest)?]))
        .collect()
}

#[test]
fn golden_lora_files() {
    let Some(topic) = topic("lora") else { return };
    let mut report = Report::new("golden_lora_files");
    let cases = topic.json("cases.json", |j| j["cases"][0]["tags"].is_string());
    let (Some(cases), Some(map)) = (cases, key_map(&topic)) else {
        report.skip("no cases or no map of names");
        return report.finish();
    };
    let a1111: BTreeMap<&str, &str> = map["cases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| (c["kohya"].as_str().unwrap(), c["a1111_layer_name"].as_str().unwrap()))
        .collect();
    let folder = lora::folder(&topic.dir.join("files")).unwrap();
    for case in cases["cases"].as_array().unwrap() {
        let tags = case["tags"].as_str().unwrap();
        let comments = case["comments"].to_string();
        for name in names(tags) {
            let found = folder.find(name);
            if comments.contains(&format!("not found: {name}")) {
                assert!(found.is_none(), "{name} was found");
                report.ran();
            }
            let Some(file) = found else { continue };
            let hashes = case["infotext_params"]["Lora hashes"].as_str().unwrap_or_default();
            if let Some(hash) =
                hashes.split(", ").find_map(|h| h.strip_prefix(&format!("{name}: ")))
            {
                assert_eq!(file.short_hash().unwrap(), hash, "{name}");
            }
            let loaded = case["loaded"].as_array().unwrap();
            let Some(loaded) = loaded.iter().find(|l| l["name"] == name) else { continue };
            let layers = loaded["layers"].as_u64().unwrap();
            let file = lora::read(&file.path).unwrap_or_else(|e| panic!("{e}"));
            if layers > 0 {
                assert_eq!(file.adapters.len() as u64, layers, "{name}: {:?}", file.unknown);
            }
            // Of a single file with non-zero multipliers we know which layers it changes.
            let weights = |l: &Value| l["te"] != 0.0 && l["unet"] != 0.0;
            let single = case["loaded"].as_array().unwrap().len() == 1 && weights(loaded);
            let changed: BTreeSet<&str> = case["changed_names"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|n| n.as_str()?.split('.').next())
                .collect();
            // Long lists are cut.
            let whole = case["changed_names"].as_array().map(|n| n.len() as u64);
            let whole = whole.is_some() && whole == case["changed"].as_u64();
            if single
                && whole
                && !changed.is_empty()
                && case["layer_errors"] == serde_json::json!({})
            {
                let ours: BTreeSet<&str> =
                    file.adapters.iter().map(|a| a1111[a.target.kohya().as_str()]).collect();
                assert_eq!(ours, changed, "{name}");
            }
            report.ran();
        }
    }
    report.finish();
}

/// All arrays of an adapter.
fn arrays(a: &Adapter) -> Vec<&Array> {
    fn factor(f: &Factor) -> Vec<&Array> {
        match f {
            Factor::Full(a) => vec![a],
            Factor::Product(a, b) => vec![a, b],
        }
    }
    match &a.kind {
        AdapterKind::Lora { up, down, mid } => [up, down].into_iter().chain(mid).collect(),
        AdapterKind::Loha { w1_a, w1_b, w2_a, w2_b, cores } => {
            let cores = cores.iter().flat_map(|(a, b)| [a, b]);
            [w1_a, w1_b, w2_a, w2_b].into_iter().chain(cores).collect()
        }
        AdapterKind::Lokr { w1, w2, t2 } => {
            factor(w1).into_iter().chain(factor(w2)).chain(t2).collect()
        }
        AdapterKind::Ia3 { weight, .. } | AdapterKind::Norm { weight } => vec![weight],
        AdapterKind::Full { diff } => vec![diff],
        AdapterKind::Glora { a1, a2, b1, b2, .. } => vec![a1, a2, b1, b2],
        AdapterKind::Oft { blocks, rescale, .. } => [blocks].into_iter().chain(rescale).collect(),
    }
}

#[test]
fn golden_lora_layouts_mean_the_same() {
    let Some(topic) = topic("lora") else { return };
    let mut report = Report::new("golden_lora_layouts_mean_the_same");
    for twin in files(&topic.dir.join("files"), "safetensors") {
        let stem = twin.file_stem().unwrap().to_string_lossy().into_owned();
        // A file in another layout and its twin under kohya's keys.
        let Some((name, _)) = stem.split_once("__same_in_kohya_names") else { continue };
        let path = twin.with_file_name(format!("{name}.safetensors"));
        if !path.is_file() {
            report.skip("a twin without its file");
            continue;
        }
        let (ours, theirs) = (lora::read(&path).unwrap(), lora::read(&twin).unwrap());
        assert!(ours.unknown.is_empty() && theirs.unknown.is_empty(), "{name}");
        assert_eq!(ours.adapters.len(), theirs.adapters.len(), "{name}");
        for (a, b) in ours.adapters.iter().zip(&theirs.adapters) {
            assert_eq!((&a.target, a.alpha, a.scale), (&b.target, b.alpha, b.scale), "{name}");
            for (a, b) in arrays(a).into_iter().zip(arrays(b)) {
                assert_eq!((a.shape(), a.bytes()), (b.shape(), b.bytes()), "{name}");
            }
        }
        report.ran();
    }
    report.finish();
}

#[test]
fn golden_lora_nothing_is_dropped_silently() {
    let Some(topic) = topic("lora") else { return };
    let mut report = Report::new("golden_lora_nothing_is_dropped_silently");
    for path in files(&topic.dir.join("files"), "safetensors") {
        let Ok(file) = wayword_formats::SafeTensors::open(&path) else {
            let error = lora::read(&path).unwrap_err().to_string();
            assert!(error.contains("truncated: header says"), "{error}");
            report.ran();
            continue;
        };
        match lora::from_safetensors(&file) {
            Ok(found) => {
                let used: usize = found
                    .adapters
                    .iter()
                    .map(|a| {
                        let extra = [
                            a.alpha.is_some(),
                            a.scale.is_some(),
                            a.bias.is_some(),
                            a.bias_diff.is_some(),
                            a.dora_scale.is_some(),
                            matches!(a.kind, AdapterKind::Ia3 { .. }),
                        ];
                        arrays(a).len() + extra.iter().filter(|e| **e).count()
                    })
                    .sum();
                let all = used + found.embeddings.len() + found.unknown.len();
                assert_eq!(all, file.names().len(), "{}: {:?}", path.display(), found.unknown);
                for u in &found.unknown {
                    assert!(file.contains(&u.key) && !u.reason.is_empty(), "{u:?}");
                }
                let text = found.adapters.iter().any(|a| a.target.component == Component::Text);
                println!(
                    "{}: {} adapters ({}), text encoder {text}, {} embeddings, unknown {:?}",
                    path.file_name().unwrap().to_string_lossy(),
                    found.adapters.len(),
                    found.adapters.first().map_or("none", |a| a.kind.name()),
                    found.embeddings.len(),
                    found.unknown,
                );
            }
            Err(fault) => assert!(fault.hint().is_some(), "{}: {fault}", path.display()),
        }
        report.ran();
    }
    report.finish();
}

/// Files whose modules are numbered: the shapes of the modules that the numbers stand for. The
/// repository holds such files only where their license allows; the unit tests make their own.
#[test]
fn numbered_modules_fit_their_shapes() {
    let Some(topic) = topic("lora") else { return };
    let Some(map) = key_map(&topic) else { return };
    let shapes: BTreeMap<&str, (u64, u64)> = map["cases"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|c| {
            let side = |i: usize| c["weight"][i].as_u64();
            Some((c["kohya"].as_str()?, (side(0)?, side(1)?)))
        })
        .collect();
    let tree = topic.dir.parent().unwrap();
    let places = [tree.join("assets"), tree.with_file_name("assets")];
    for path in places.iter().flat_map(|p| files(&p.join("lora/cloneofsimo"), "safetensors")) {
        let file = lora::read(&path).unwrap();
        assert!(file.unknown.is_empty(), "{:?}", file.unknown);
        for a in &file.adapters {
            let AdapterKind::Lora { up, down, .. } = &a.kind else { panic!("not a LoRA") };
            let ours = (up.shape()[0] as u64, down.shape()[1] as u64);
            assert_eq!(ours, shapes[a.target.kohya().as_str()], "{}", a.target);
        }
        assert_eq!(file.adapters.len(), 192, "{}", path.display());
        println!("{}: {} embeddings", path.display(), file.embeddings.len());
    }
}
