//! The JSON schema of a request, from which a form can be made.
use super::{Need, OptionKind, OptionSpec, Options, Scope, Values, paragraphs};
use crate::render_fields;
use serde_json::{Value, json};

/// The schema (draft 2020-12) of a request. `x-group` is an option's heading, `x-flag` its flag on
/// the command line, `x-rare` that few need it.
#[must_use]
pub fn schema<R: Options>() -> Value {
    let mut specs = R::specs();
    specs.retain(|spec| spec.scope != Scope::Terminal);
    let mut schema = object(&specs);
    let about = paragraphs(R::ABOUT);
    let (title, rest) = about.split_once("\n\n").unwrap_or((&about, ""));
    let head = [
        ("$schema", json!("https://json-schema.org/draft/2020-12/schema")),
        ("title", json!(R::REQUEST)),
        ("description", json!(format!("{title}\n\n{rest}").trim())),
    ];
    for (key, value) in head {
        schema[key] = value;
    }
    schema
}

fn object(specs: &[&'static OptionSpec]) -> Value {
    let properties: Values = specs.iter().map(|s| (s.name.to_owned(), property(s))).collect();
    let required: Vec<&str> =
        specs.iter().filter(|s| s.need == Need::Always).map(|s| s.name).collect();
    let mut schema =
        json!({ "type": "object", "additionalProperties": false, "properties": properties });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

fn property(spec: &OptionSpec) -> Value {
    let mut property = of_kind(&spec.kind, spec.min, spec.max);
    if spec.multiple_of > 1 {
        property["multipleOf"] = json!(spec.multiple_of);
    }
    property["title"] = json!(spec.name.replace('_', " "));
    // A form shows options by their own names.
    let name = |path: &str| path.rsplit('.').next().map(|name| format!("`{name}`"));
    property["description"] = json!(render_fields(&spec.help_text(), &name));
    let default = (spec.default)();
    if !default.is_null() && spec.need != Need::Always {
        property["default"] = default;
    }
    if !spec.group.is_empty() {
        property["x-group"] = json!(spec.group);
    }
    property["x-flag"] =
        if spec.positional { json!(spec.value_name) } else { json!(format!("--{}", spec.flag())) };
    if spec.rare {
        property["x-rare"] = json!(true);
    }
    property
}

fn of_kind(kind: &OptionKind, min: f64, max: f64) -> Value {
    let number = |mut schema: Value| {
        for (key, bound) in [("minimum", min), ("maximum", max)] {
            if bound.is_finite() {
                let whole = bound.fract() == 0.0;
                schema[key] = if whole { json!(bound as i64) } else { json!(bound) };
            }
        }
        schema
    };
    let list = |items: Value, count: usize| json!({ "type": "array", "items": items, "minItems": count, "maxItems": count });
    match kind {
        OptionKind::Switch => json!({ "type": "boolean" }),
        OptionKind::Integer(least, _) => {
            let mut schema = json!({ "type": "integer" });
            if *least == 0 {
                schema["minimum"] = json!(0);
            }
            number(schema)
        }
        OptionKind::Number => number(json!({ "type": "number" })),
        OptionKind::Seed => json!({ "type": "integer", "minimum": -1 }),
        OptionKind::Text => json!({ "type": "string" }),
        OptionKind::Path => json!({ "type": "string", "format": "path" }),
        OptionKind::Choice(choices) => {
            let each = choices.iter();
            let each = each.map(|c| json!({ "const": c.name, "description": paragraphs(c.help) }));
            json!({ "type": "string", "oneOf": each.collect::<Vec<_>>() })
        }
        OptionKind::Size => {
            let side =
                json!({ "type": "integer", "minimum": 64, "maximum": 8192, "multipleOf": 8 });
            list(side, 2)
        }
        OptionKind::Sides => {
            list(json!({ "type": "integer", "minimum": 0, "maximum": 8192, "multipleOf": 8 }), 2)
        }
        OptionKind::Numbers(count) => list(json!({ "type": "number" }), *count),
        OptionKind::List(kind) => json!({ "type": "array", "items": of_kind(kind, min, max) }),
        OptionKind::Tables(specs) => object(&specs()),
    }
}
