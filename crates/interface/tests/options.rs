//! Every kind of option from text, TOML and JSON; names, layers, errors and the schema.
#![allow(clippy::unwrap_used, reason = "a test")]
use serde_json::{Value, json};
use std::path::PathBuf;
use wayword_interface::options::{
    Layer, Options, Origin, Seed, Sides, Size, SpecNames, entry, from_json, schema, to_toml,
};
use wayword_interface::{Diagnostic, FieldNames as _, choices, options};

choices! {
    /// Where random numbers come from.
    pub enum Noise {
        /// torch's generator
        Cpu = "cpu",
        /// NVIDIA's generator
        Nv = "nv",
    }
}

options! {
    /// A table of its own.
    pub struct Word("try.word") {
        "" COMMON {
            /// Name
            name: String;
            /// Rate
            lr: Option<f64>;
        }
    }
}

options! {
    /// Options that several requests have.
    pub struct Shared("try") {
        "Machine" COMMON {
            /// Threads
            threads: Option<usize> => value_name: "N", min: 1.0;
        }
    }
}

options! {
    /// Try everything.
    ///
    /// Nothing happens.
    pub struct Try("try") {
        "" COMMON {
            + shared: Shared;
            /// What to try
            prompt: String => value_name: "PROMPT", positional: true, need: Need::Always;
        }
        "Training" COMMON {
            /// Steps to
            /// train
            steps: Option<usize> => value_name: "N", min: 1.0, conflicts: &["epochs"], silences: |_| &["epochs"];
            /// Passes
            epochs: Option<usize> => value_name: "N", min: 1.0, silences: |_| &["steps"];
            /// Batch size
            batch_size: usize = 1 => flag: "batch", value_name: "N", min: 1.0, max: 64.0;
            /// Rate, or a list of rates
            learning_rate: Option<String> => flag: "lr", silences: |v| if v == "list" { &["steps"] } else { &[] };
            /// Weight
            weight: f64 = 0.5 => min: 0.0, max: 1.0;
        }
        "Rest" RARE {
            /// Seed [default: -1]
            seed: Option<Seed>;
            /// Delta
            delta: Option<i64>;
            /// Size
            size: Option<Size>;
            /// Other size
            hires: Option<Sides> => requires: "size";
            /// Range
            range: Option<(f64, f64)>;
            /// Generator
            noise: Noise = Noise::Cpu;
            /// Switch
            quirks: bool => aliases: &["accidents"];
            /// Folders
            folders: Vec<PathBuf>;
            /// Tables
            words: Vec<Word> => aliases: &["word"];
        }
    }
}

fn text(key: &str, value: &str) -> Result<Layer, Diagnostic> {
    let mut layer = Layer::default();
    layer.set("try", &Try::specs(), key, &value.into(), Origin::Field)?;
    Ok(layer)
}

fn toml(text: &str) -> Result<Layer, Diagnostic> {
    Layer::toml::<Try>(text, "a.toml")
}

fn json(value: &Value) -> Result<Layer, Diagnostic> {
    Layer::json::<Try>(value.as_object().unwrap())
}

#[test]
fn text_toml_and_json_are_the_same_option() {
    for (key, typed, value) in [
        ("threads", "3", json!(3)),
        ("prompt", "a cat", json!("a cat")),
        ("steps", "7", json!(7)),
        ("batch-size", "2", json!(2)),
        ("batch", "2", json!(2)),
        ("lr", "0.005", json!(5e-3)),
        ("weight", "1", json!(1)),
        ("seed", "-1", json!(-1)),
        ("seed", "18446744073709551615", json!("18446744073709551615")),
        ("delta", "-31337", json!(-31337)),
        ("size", "512x768", json!([512, 768])),
        ("size", "64", json!(64)),
        ("hires", "768,0", json!([768, 0])),
        ("range", "0.3, 0.6", json!([0.3, 0.6])),
        ("noise", "NV", json!("nv")),
        ("accidents", "true", json!(true)),
        ("folders", "a/b", json!(["a/b"])),
    ] {
        let one: Try = text(key, typed).unwrap().read().unwrap();
        assert_ne!(one, Try::default(), "{key}");
        let written = entry(key, &value).unwrap();
        assert_eq!(toml(&written).unwrap().read::<Try>().unwrap(), one, "{written}");
        let object = json!({ key: value });
        assert_eq!(json(&object).unwrap().read::<Try>().unwrap(), one, "{object}");
        assert_eq!(serde_json::from_value::<Try>(object).unwrap(), one);
        // What it became is read again from each form.
        let again = to_toml::<Try>(&one.values()).unwrap();
        assert_eq!(toml(&again).unwrap().read::<Try>().unwrap_or_default(), one, "{again}");
        assert_eq!(serde_json::from_value::<Try>(value_of(&one)).unwrap(), one);
    }
    let two: Try =
        toml("[[word]]\nname = \"a\"\nlr = 1\n[[word]]\nname = \"b\"").unwrap().read().unwrap();
    assert_eq!(two.words[0], Word { name: "a".into(), lr: Some(1.0) });
    let again = to_toml::<Try>(&two.values()).unwrap();
    assert_eq!(toml(&again).unwrap().read::<Try>().unwrap(), two);
}

fn value_of(request: &Try) -> Value {
    serde_json::to_value(request).unwrap()
}

#[test]
fn errors_name_the_place_what_was_expected_and_what_was_found() {
    let says = |error: Diagnostic, message: &str, hint: Option<&str>| {
        assert_eq!((error.to_string().as_str(), error.hint.as_deref()), (message, hint));
    };
    says(
        toml("# c\nbatch = \"two\"").unwrap_err(),
        "a.toml, line 2: `batch`: expected a whole number from 1 to 64, found `two`",
        None,
    );
    says(
        toml("\n\nstesp = 1").unwrap_err(),
        "a.toml, line 3: `stesp` is not an option of `try`",
        Some("did you mean `steps`?"),
    );
    says(
        text("batch", "0").unwrap_err(),
        "try.batch_size: expected a whole number from 1 to 64, found `0`",
        None,
    );
    says(
        json(&json!({"weight": 2})).unwrap_err(),
        "try.weight: expected a number from 0 to 1, found `2`",
        None,
    );
    says(
        text("noise", "cpuu").unwrap_err(),
        "try.noise: expected cpu or nv, found `cpuu`",
        Some("did you mean `cpu`?"),
    );
    says(text("delta", "x").unwrap_err(), "try.delta: expected a whole number, found `x`", None);
    says(
        toml("steps = 1\nepochs = 2").unwrap_err(),
        "a.toml: both `steps` and `epochs`",
        Some("leave one of them out"),
    );
    assert!(toml("a = = 1").unwrap_err().message.starts_with("a.toml, line 1: "));
    assert!(toml("weight = nan").unwrap_err().message.contains("not finite"));
    assert!(
        text("weight", "inf").is_err()
            && text("size", "500,512").unwrap_err().message.contains("504,512")
    );
    let word = toml("[[word]]\nnam = \"a\"").unwrap_err();
    assert_eq!(word.hint.as_deref(), Some("did you mean `name`?"));
    assert!(serde_json::from_value::<Try>(json!({"odd": 1})).is_err());
    for missing in [
        json!({}),
        json!({"prompt": "a", "hires": [8, 0]}),
        json!({"prompt": "a", "steps": 1, "epochs": 1}),
    ] {
        assert!(from_json::<Try>(missing.as_object().unwrap()).is_err(), "{missing}");
    }
    assert_eq!(from_json::<Try>(json!({"prompt": "a"}).as_object().unwrap()).unwrap().prompt, "a");
}

#[test]
fn later_layers_win_and_silence() {
    let all = Layer::merge::<Try>([
        toml("steps = 5\nbatch = 2\ndelta = 2").unwrap(),
        toml("epochs = 3\nbatch = 4").unwrap(),
    ]);
    let read: Try = all.read().unwrap();
    assert_eq!((read.steps, read.epochs, read.batch_size, read.delta), (None, Some(3), 4, Some(2)));
    let all = Layer::merge::<Try>([toml("steps = 5").unwrap(), toml("lr = \"list\"").unwrap()]);
    assert_eq!(all.read::<Try>().unwrap().steps, None);
    let all = Layer::merge::<Try>([toml("lr = \"list\"").unwrap(), toml("steps = 5").unwrap()]);
    assert_eq!(all.read::<Try>().unwrap().steps, Some(5));
}

#[test]
fn a_windows_path_in_double_quotes_is_named() {
    let hint = |text: &str| toml(text).unwrap_err().hint;
    let text = "steps = 5\nprompt = \"C:\\Users\\me\"";
    assert!(hint(text).is_some_and(|hint| hint.contains("single quotes")), "{text}");
    assert_eq!(hint("steps = \n"), None);
}

#[test]
fn fields_have_the_command_lines_names() {
    let names = SpecNames::default().with::<Try>();
    assert_eq!(names.name("try.learning_rate").unwrap(), "--lr");
    assert_eq!(names.name("try.lr").unwrap(), "--lr");
    assert_eq!(names.name("any.batch_size").unwrap(), "--batch");
    assert_eq!(names.name("try.prompt").unwrap(), "PROMPT");
    assert!(names.name("try.odd").is_none() && names.name("other.lr").is_none());
}

#[test]
fn the_schema_has_every_option_once() {
    let schema = schema::<Try>();
    assert_eq!(schema["title"], "try");
    assert_eq!(schema["description"], "Try everything.\n\nNothing happens.");
    assert_eq!(schema["required"], json!(["prompt"]));
    let properties = schema["properties"].as_object().unwrap();
    let names: Vec<&str> = Try::specs().iter().map(|spec| spec.name).collect();
    assert_eq!(properties.keys().map(String::as_str).collect::<Vec<_>>(), names);
    assert_eq!(
        properties["batch_size"],
        json!({"type": "integer", "minimum": 1, "maximum": 64, "title": "batch size",
            "description": "Batch size", "default": 1, "x-group": "Training", "x-flag": "--batch"})
    );
    assert_eq!(
        properties["noise"]["oneOf"][1],
        json!({"const": "nv", "description": "NVIDIA's generator"})
    );
    assert_eq!(properties["words"]["items"]["properties"]["lr"]["type"], "number");
    assert_eq!(properties["seed"]["x-rare"], true);
    assert_eq!(properties["steps"]["description"], "Steps to train");
}
