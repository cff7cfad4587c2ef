//! Both directions over the whole model's key list, and the odd names of old files.
use super::*;
use std::collections::BTreeSet;
use wayword_testing::{Report, topic};

fn component(name: &str) -> Component {
    Component::ALL.into_iter().find(|c| c.folder() == name).unwrap()
}

#[test]
fn golden_full_size_names() {
    let Some(topic) = topic("full-size") else { return };
    let mut report = Report::new("golden_full_size_names");
    let Some(keys) = topic.json("keys.json", |v| v.get("tensors").is_some()) else {
        println!("ran 0, skipped 1: no key list");
        return;
    };
    let rows: Vec<(&str, Component, &str)> = keys["tensors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| {
            let text = |i: usize| t[i].as_str().unwrap();
            (text(0), component(text(2)), text(3))
        })
        .collect();
    for c in Component::ALL {
        let mine: Vec<_> = rows.iter().filter(|r| r.1 == c).collect();
        let ldm: Vec<&str> = mine.iter().map(|r| Component::of(r.0).unwrap().1).collect();
        let diffusers: Vec<&str> = mine.iter().map(|r| r.2).collect();
        // Read from the keys of either naming, the tables translate both ways.
        for keys in [&ldm, &diffusers] {
            let table = c.table(keys.iter().copied());
            for (l, d) in ldm.iter().zip(&diffusers) {
                assert_eq!(table.diffusers(l).as_deref(), Some(*d));
                assert_eq!(table.diffusers(d).as_deref(), Some(*d));
                assert_eq!(table.ldm(d).as_deref(), Some(*l));
                report.ran();
            }
        }
        assert_eq!(ldm.iter().collect::<BTreeSet<_>>().len(), ldm.len());
        assert!(mine.iter().all(|r| Component::of(r.0).unwrap().0 == c));
    }
    report.finish();
}

#[test]
fn old_names() {
    let keys = ["encoder.layers.0.mlp.fc1.weight", "embeddings.token_embedding.weight"];
    let table = Component::Text.table(keys.into_iter());
    let new = table.diffusers(keys[0]).unwrap();
    assert_eq!(new, "text_model.encoder.layers.0.mlp.fc1.weight");
    let keys = ["decoder.mid_block.attentions.0.proj_attn.bias"];
    let table = Component::Vae.table(keys.into_iter());
    assert_eq!(table.diffusers(keys[0]).unwrap(), "decoder.mid_block.attentions.0.to_out.0.bias");
    assert_eq!(Component::of("loss.logvar"), None);
    assert_eq!(Component::of("model_ema.diffusion_modeltime_embed0weight"), None);
}
