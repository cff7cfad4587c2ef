//! Layers of options, their files, and what is refused in them.
use super::*;
use crate::plan::TrainOptions;
use std::path::PathBuf;
use wayword_interface::options::{OptionSpec, Scope};

fn settings(layer: Layer) -> Result<Train, Diagnostic> {
    layer.read()
}

/// The names of options that a file may have.
fn keys() -> Vec<&'static str> {
    let specs: Vec<&OptionSpec> = Train::specs();
    specs.iter().filter(|s| s.scope == Scope::Everywhere).map(|s| s.name).collect()
}

fn refused(text: &str) -> String {
    let error = parse(text, "wayword.toml").unwrap_err();
    format!("{error} | {}", error.hint.clone().unwrap_or_default())
}

#[test]
fn every_preset_is_a_layer() {
    for (name, _) in PRESETS {
        let layer = preset(name).unwrap();
        settings(layer).unwrap();
    }
    let person = settings(preset("person").unwrap()).unwrap().options;
    assert_eq!((person.steps, person.batch, person.save_every), (None, 1, 200));
    assert!(preset("persn").unwrap_err().to_string().contains("person, object or style"));
}

#[test]
fn a_wrong_key_is_named_with_its_line() {
    let text = refused("name = \"a\"\n\nlearnin_rate = 1\n");
    assert!(text.starts_with("wayword.toml, line 3: `learnin_rate`"), "{text}");
    let text = refused("name = \"a\"\nbacth = 2\n");
    assert!(text.contains("line 2") && text.contains("did you mean `batch`?"), "{text}");
    let text = refused("# c\nbatch = \"two\"\n");
    assert!(text.starts_with("wayword.toml, line 2: `batch`: "), "{text}");
    assert!(refused("a = = 1").contains("line 1"));
    assert!(refused("steps = 1\nepochs = 1").contains("both"));
}

#[test]
fn values_are_taken_as_people_write_them() {
    let text = "lr = 5e-3\nwarmup = 100\nresolution = \"512,768\"\nimages = \"img\"\nmax_grad_norm = 1\nclip-skip = 2.0\n";
    let train = settings(parse(text, "t").unwrap()).unwrap().options;
    assert_eq!(train.learning_rate.as_deref().and_then(|lr| lr.parse().ok()), Some(5e-3));
    assert_eq!((train.warmup.as_str(), train.clip_skip), ("100", Some(2)));
    assert_eq!(train.resolution, Some((512, 768)));
    assert_eq!(train.images, [PathBuf::from("img")]);
    let text = "resolution = 512\nthreads = 3\nbase = \"x.ckpt\"\n";
    let all = settings(parse(text, "t").unwrap()).unwrap();
    assert_eq!((all.options.resolution, all.machine.threads), (Some((512, 512)), Some(3)));
    assert_eq!(all.base.base, Some(PathBuf::from("x.ckpt")));
}

#[test]
fn later_layers_win() {
    let layer = |text: &str| parse(text, "t").unwrap();
    let all = merge([layer("steps = 5\nbatch = 2\nclip-skip = 2"), layer("epochs = 3\nbatch = 4")]);
    let train = settings(all).unwrap().options;
    assert_eq!(
        (train.steps, train.epochs, train.batch, train.clip_skip),
        (None, Some(3), 4, Some(2))
    );
}

#[test]
fn what_is_written_is_read_again() {
    let text = "name = \"a b\"\nlr = \"5e-3:10, 1e-4\"\nimages = [\"C:\\\\x\", \"y\"]\nseed = 7\noptimizer-args = [\"betas=0.9,0.99\"]\nmin-snr-gamma = 5\nsave-format = \"pt\"\nvae = \"v.pt\"\nprecision = \"bf16\"\nkohya-numbers = true\nresolution = [64, 128]\n";
    let first = settings(parse(text, "t").unwrap()).unwrap();
    let written = write(&first).unwrap();
    let again = settings(parse(&written, "written").unwrap()).unwrap();
    assert_eq!(first, again, "{written}");
    for key in keys() {
        let stands = |line: &str| line.trim_start_matches("# ").starts_with(&format!("{key} ="));
        assert!(written.lines().any(stands), "{key} is missing:\n{written}");
    }
    let nothing = settings(Layer::default()).unwrap();
    assert_eq!(nothing.options, TrainOptions::default());
    assert_eq!(settings(parse(&write(&nothing).unwrap(), "w").unwrap()).unwrap(), nothing);
}

#[test]
fn wrong_kinds_are_told_in_words() {
    let refused = |text: &str| parse(text, "t").unwrap_err().to_string();
    assert!(refused("steps = \"a\"").ends_with("expected a whole number from 1, found `a`"));
    assert!(refused("huber-c = \"a\"").ends_with("expected a number, found `a`"));
    assert!(refused("flip-aug = 3").ends_with("expected true or false, found `3`"));
}
