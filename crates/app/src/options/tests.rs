//! Each option of each request: one value as a flag, in TOML and in JSON is the same request.
use super::*;
use std::collections::BTreeSet;
use wayword_interface::options::{Layer, OptionKind, OptionSpec, Options, Scope, entry, schema};

#[test]
fn clap_finds_no_contradiction() {
    program().debug_assert();
}

#[test]
fn every_flag_has_help() {
    for command in program().get_subcommands() {
        for argument in command.get_arguments() {
            let name = format!("{} {}", command.get_name(), argument.get_id());
            let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
            assert!(!help.is_empty() && !help.contains(".}"), "{name}: {help}");
            assert!(!help.contains("{train.") && !help.contains("{any."), "{name}: {help}");
        }
    }
}

/// A text that fits, and is not the default.
fn sample(spec: &OptionSpec, kind: &OptionKind) -> String {
    match kind {
        OptionKind::Switch => "true".into(),
        OptionKind::Integer(..) => (7 * spec.multiple_of).max(spec.min as u64).to_string(),
        OptionKind::Number if spec.min > 0.75 => (spec.min + 0.25).to_string(),
        OptionKind::Number => "0.75".into(),
        OptionKind::Seed => "7".into(),
        OptionKind::Text if spec.value_name == "STEP" => "400".into(),
        OptionKind::Text | OptionKind::Path => "a/b".into(),
        OptionKind::Choice(choices) => choices[choices.len() - 1].name.into(),
        OptionKind::Size => "128,64".into(),
        OptionKind::Sides => "8,0".into(),
        OptionKind::Numbers(count) => vec!["0.25"; *count].join(","),
        OptionKind::List(kind) => sample(spec, kind),
        OptionKind::Tables(_) => unreachable!("tables are no flags"),
    }
}

fn flags_toml_and_json_agree<R: Options + PartialEq + std::fmt::Debug>() {
    let specs = build::flags::<R>();
    assert_eq!(specs.iter().map(|s| s.name).collect::<BTreeSet<_>>().len(), specs.len());
    for spec in specs {
        let name = format!("{}.{}", R::REQUEST, spec.name);
        let text = sample(spec, &spec.kind);
        let mut words = vec!["wayword".to_owned()];
        if !spec.positional {
            words.push(format!("--{}", spec.flag()));
        }
        if !matches!(spec.kind, OptionKind::Switch) {
            words.push(text.clone());
        }
        let alone = R::specs().into_iter().fold(Clap::new("wayword"), |command, other| {
            let there = build::flags::<R>().iter().any(|spec| spec.name == other.name);
            let wanted = there && (!other.positional || other.name == spec.name);
            if wanted { command.arg(build::arg(other)) } else { command }
        });
        let matches = alone.try_get_matches_from(words).unwrap_or_else(|e| panic!("{name}: {e}"));
        let typed: R = build::typed(R::REQUEST, &R::specs(), &matches).unwrap().read().unwrap();
        assert_ne!(typed, R::default(), "{name}");
        let value = spec.fit(&text.into()).unwrap();
        let json = serde_json::json!({ spec.name: value });
        assert_eq!(serde_json::from_value::<R>(json).unwrap(), typed, "{name}");
        let toml = Layer::toml::<R>(&entry(spec.name, &value).unwrap(), "t");
        if spec.scope == Scope::Everywhere {
            assert_eq!(toml.unwrap().read::<R>().unwrap(), typed, "{name}");
        } else {
            toml.unwrap_err();
        }
        // All that a request holds is read again.
        let all = serde_json::to_value(&typed).unwrap();
        assert_eq!(serde_json::from_value::<R>(all).unwrap(), typed, "{name}");
    }
}

fn the_schema_fits<R: Options>() {
    let schema = schema::<R>();
    let properties = schema["properties"].as_object().unwrap();
    let mut names = R::specs();
    names.retain(|spec| spec.scope != Scope::Terminal);
    assert_eq!(properties.len(), names.len(), "{}", R::REQUEST);
    for (name, value) in R::default().values() {
        let Some(property) = properties.get(&name) else { continue };
        let kind = match &value {
            serde_json::Value::Bool(_) => "boolean",
            serde_json::Value::Number(n) if n.is_f64() => "number",
            serde_json::Value::Number(_) => "integer",
            serde_json::Value::String(_) => "string",
            serde_json::Value::Array(_) => "array",
            _ => "object",
        };
        assert_eq!(property["type"], kind, "{}.{name}", R::REQUEST);
        if let Some(default) = property.get("default") {
            assert_eq!(*default, value, "{}.{name}", R::REQUEST);
        }
        if let (Some(number), Some(least)) = (value.as_f64(), property["minimum"].as_f64()) {
            assert!(number >= least, "{}.{name}", R::REQUEST);
        }
        if let (Some(text), Some(all)) = (value.as_str(), property["oneOf"].as_array()) {
            assert!(all.iter().any(|one| one["const"] == text), "{}.{name}", R::REQUEST);
        }
    }
}

macro_rules! each_request {
    ($check:ident) => {
        $check::<Prepare>();
        $check::<Train>();
        $check::<Rerun>();
        $check::<Draw>();
        $check::<Grid>();
        $check::<Explain>();
        $check::<Demo>();
        $check::<Likeness>();
        $check::<Inspect>();
        $check::<Convert>();
        $check::<Bench>();
        $check::<Devices>();
        $check::<Serve>();
    };
}

#[test]
fn a_value_is_the_same_as_flag_toml_and_json() {
    each_request!(flags_toml_and_json_agree);
}

#[test]
fn the_schema_of_each_request_fits_its_default() {
    each_request!(the_schema_fits);
}
