//! Settings that other programs write in forms of their own, turned into A1111's.
//!
//! | program | where | form |
//! |---|---|---|
//! | NovelAI | `Description`, `Comment` | JSON |
//! | InvokeAI | `invokeai_metadata`, `sd-metadata`, `Dream` | JSON; a command line |
//! | SwarmUI | `parameters`, comment | JSON under `sui_image_params` |
//! | Fooocus | `parameters`, comment | JSON with `fooocus_scheme` |
//! | Draw Things | XMP's comment | JSON with `c` and `uc` |
//! | Easy Diffusion | one chunk per setting, or JSON | `num_inference_steps` |
//! | ComfyUI | `prompt`, or EXIF's `Make` or `Model` | a graph of nodes (`comfy`) |

mod comfy;

use super::Note;
use crate::infotext::{Infotext, number};
use serde_json::{Map, Value};

/// Keys that only Easy Diffusion writes: it has names of two kinds for all its settings.
const EASY: [&str; 2] = ["num_inference_steps", "Guidance Scale"];

/// A text in A1111's form with remarks, or why there is none.
type Outcome = Result<(String, Vec<String>), String>;

/// The program whose notes these are, and what they say; `None` where none is known.
pub(super) fn find(
    notes: &[Note],
    size: impl Fn() -> Option<(u32, u32)>,
) -> Option<(&'static str, Outcome)> {
    let get = |place: &str| notes.iter().find(|n| n.place == place).map(|n| n.text.as_str());
    if get("Software") == Some("NovelAI")
        && let (Some(prompt), Some(comment)) = (get("Description"), get("Comment"))
    {
        let text = novel_ai(prompt, comment, size());
        return Some(("NovelAI", text.map(|t| (t, Vec::new())).ok_or("they are damaged".into())));
    }
    if let Some(found) = comfy::find(notes) {
        return Some(("ComfyUI", found));
    }
    for place in ["invokeai_metadata", "sd-metadata", "invokeai_graph"] {
        if let Some(text) = get(place) {
            return Some(("InvokeAI", json(text).and_then(|json| flat("InvokeAI", &json, size()))));
        }
    }
    if let Some(text) = get("Dream") {
        return Some(("InvokeAI", dream(text)));
    }
    for note in notes {
        let Ok(Value::Object(json)) = serde_json::from_str::<Value>(&note.text) else { continue };
        if let Some(Value::Object(params)) = json.get("sui_image_params") {
            return Some(("SwarmUI", flat("SwarmUI", params, size())));
        }
        let program = if json.contains_key("c") && json.contains_key("uc") {
            "Draw Things"
        } else if EASY.iter().any(|key| json.contains_key(*key)) {
            "Easy Diffusion"
        } else if json.contains_key("fooocus_scheme") || json.contains_key("base_model") {
            "Fooocus"
        } else {
            continue;
        };
        return Some((program, flat(program, &json, size())));
    }
    if EASY.iter().any(|key| get(key).is_some()) {
        let pair = |n: &Note| (n.place.clone(), Value::from(n.text.as_str()));
        let json = notes.iter().map(pair).collect();
        return Some(("Easy Diffusion", flat("Easy Diffusion", &json, size())));
    }
    None
}

fn json(text: &str) -> Result<Map<String, Value>, String> {
    match serde_json::from_str(text) {
        Ok(Value::Object(map)) => Ok(map),
        _ => Err("they are damaged: not JSON".into()),
    }
}

/// Settings as one object with a key for each.
fn flat(program: &'static str, json: &Map<String, Value>, size: Option<(u32, u32)>) -> Outcome {
    // InvokeAI's second form has them one level below.
    let json = json.get("image").and_then(Value::as_object).unwrap_or(json);
    let plain =
        |(key, value): (&String, &Value)| (key.to_lowercase().replace(' ', "_"), value.clone());
    let json: &Map<String, Value> = &json.iter().map(plain).collect();
    let get = |names: &[&str]| names.iter().find_map(|n| json.get(*n)).and_then(text);
    let prompt = match json.get("prompt") {
        // InvokeAI's second form: a list of prompts with weights.
        Some(Value::Array(all)) => all.first().and_then(|p| text(p.get("prompt")?)),
        _ => get(&["prompt", "positive_prompt", "c"]),
    };
    let prompt = prompt.ok_or("they have no prompt")?;
    let negative = get(&["negative_prompt", "negativeprompt", "uc"]).unwrap_or_default();
    let mut out = Infotext { prompt, negative, pairs: Vec::new() };
    let steps = get(&["steps", "num_inference_steps"]).ok_or("they have no number of steps")?;
    out.set("Steps", steps);
    let sampler = get(&["sampler", "sampler_name", "scheduler"]);
    let schedule = json.get("sampler").or_else(|| json.get("sampler_name"));
    let schedule = schedule.and_then(|_| get(&["scheduler"]));
    let schedule = if program == "InvokeAI" {
        // Its `scheduler` has `_k` at the end for Karras' schedule and nothing for the plain one,
        // whatever is usual elsewhere.
        let plain = |name: &String| name.contains("dpm") && !name.ends_with("_k");
        get(&["scheduler"]).filter(plain).map(|_| "Uniform".to_owned())
    } else {
        schedule.filter(|s| !s.is_empty())
    };
    for (key, value) in [
        ("Sampler", sampler),
        ("Schedule type", schedule),
        ("CFG scale", get(&["cfg_scale", "cfgscale", "guidance_scale", "scale"])),
        ("Seed", get(&["seed"])),
    ] {
        if let Some(value) = value {
            out.set(key, value);
        }
    }
    let given = get(&["width"]).zip(get(&["height"])).map(|(w, h)| format!("{w}x{h}"));
    let given = given.or_else(|| get(&["size", "resolution"]).as_deref().and_then(by));
    if let Some(size) = given.or_else(|| size.map(|(w, h)| format!("{w}x{h}"))) {
        out.set("Size", size);
    }
    if let Some(skip) = clip_skip(program, json).filter(|n| *n > 1) {
        out.set("Clip skip", skip.to_string());
    }
    let model = json.get("model").and_then(|m| m.get("name").or(m.get("model_name")).or(Some(m)));
    let model = model
        .and_then(text)
        .or_else(|| get(&["base_model", "use_stable_diffusion_model", "stable_diffusion_model"]));
    if let Some(model) = model {
        let stem = model.rsplit(['/', '\\']).next().unwrap_or_default();
        out.set("Model", stem.strip_suffix(".safetensors").unwrap_or(stem));
    }
    let mut remarks = Vec::new();
    if program == "Draw Things" {
        remarks.push("Draw Things' noise is its own, so the same seed gives another image".into());
    } else if program == "InvokeAI" {
        out.set("RNG", "CPU");
    }
    if program == "Fooocus" {
        remarks.push("Fooocus draws with SDXL models and adds words to prompts".into());
    }
    if let Some(Value::Array(loras)) = json.get("loras")
        && !loras.is_empty()
    {
        remarks.push(format!("{} LoRAs are ignored", loras.len()));
    }
    Ok((out.to_string(), remarks))
}

/// A1111's number of the text encoder's layer, from the last, 1.
fn clip_skip(program: &str, json: &Map<String, Value>) -> Option<i64> {
    let number = |key| text(json.get(key)?)?.parse::<i64>().ok();
    match program {
        // Layers that are left out.
        "InvokeAI" => number("clip_skip").map(|n| n.saturating_add(1)),
        "SwarmUI" => number("clipstopatlayer").map(i64::saturating_neg),
        "Easy Diffusion" => match json.get("clip_skip")? {
            Value::Bool(is_skipped) => Some(1 + i64::from(*is_skipped)),
            other => text(other).map(|told| 1 + i64::from(told.eq_ignore_ascii_case("true"))),
        },
        _ => number("clip_skip"),
    }
}

/// A value as A1111 would print it.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(s) => Some(s.clone()),
        Value::Number(n) if n.is_f64() => Some(number(n.as_f64()?)),
        Value::Number(n) => Some(n.to_string()),
        _ => None,
    }
}

/// `(512, 768)`, `512×768` or `512x768` as `512x768`.
fn by(text: &str) -> Option<String> {
    let mut numbers = text.split(|c: char| !c.is_ascii_digit()).filter(|n| !n.is_empty());
    match (numbers.next(), numbers.next(), numbers.next()) {
        (Some(w), Some(h), None) => Some(format!("{w}x{h}")),
        _ => None,
    }
}

/// InvokeAI's first form: `"a prompt [negative]" -s 50 -S 123 -W512 -H 512 -C7.5 -A k_lms`.
fn dream(text: &str) -> Outcome {
    let damaged = || "they are damaged: not a command of InvokeAI 2".to_owned();
    let body = text.trim().strip_prefix('"').ok_or_else(damaged)?;
    let (prompt, rest) = body.rsplit_once('"').ok_or_else(damaged)?;
    let mut out = Infotext { prompt: prompt.to_owned(), ..Infotext::default() };
    if let Some((before, after)) = prompt.rsplit_once('[')
        && let Some(negative) = after.trim_end().strip_suffix(']')
    {
        out.prompt = before.trim().to_owned();
        out.negative = negative.to_owned();
    }
    let mut words = rest.split_whitespace();
    let (mut w, mut h) = (None, None);
    while let Some(word) = words.next() {
        let Some(name) = word.strip_prefix('-').and_then(|w| w.chars().next()) else { continue };
        let value = match &word[1 + name.len_utf8()..] {
            "" => words.next().unwrap_or_default(),
            joined => joined,
        };
        match name {
            's' => out.set("Steps", value),
            'S' => out.set("Seed", value),
            'C' => out.set("CFG scale", value),
            'A' => out.set("Sampler", value),
            'W' => w = Some(value),
            'H' => h = Some(value),
            _ => {}
        }
    }
    if let (Some(w), Some(h)) = (w, h) {
        out.set("Size", format!("{w}x{h}"));
    }
    out.set("RNG", "CPU");
    Ok((out.to_string(), Vec::new()))
}

fn novel_ai(prompt: &str, comment: &str, size: Option<(u32, u32)>) -> Option<String> {
    let json: Value = serde_json::from_str(comment).ok()?;
    let text = |key: &str| match &json[key] {
        Value::String(s) => s.clone(),
        other => other.to_string(),
    };
    let own = text("sampler");
    // A1111's names; what it has no name for keeps its own, and is not taken for another.
    let sampler = match own.as_str() {
        "k_euler" => "Euler",
        "k_euler_ancestral" => "Euler a",
        "k_lms" => "LMS",
        "k_heun" => "Heun",
        "k_dpm_2" => "DPM2",
        "k_dpm_2_ancestral" => "DPM2 a",
        "k_dpmpp_2s_ancestral" => "DPM++ 2S a",
        "k_dpmpp_2m" => "DPM++ 2M",
        "k_dpmpp_sde" => "DPM++ SDE",
        "ddim" => "DDIM",
        "plms" => "PLMS",
        own => own,
    };
    let schedule = match json["noise_schedule"].as_str() {
        None | Some("native") => String::new(),
        Some(schedule) => format!(" Schedule type: {schedule},"),
    };
    let (w, h) = size?;
    Some(format!(
        "{prompt}\nNegative prompt: {}\nSteps: {}, Sampler: {sampler},{schedule} CFG scale: {}, \
         Seed: {}, Size: {w}x{h}, Clip skip: 2, ENSD: 31337",
        text("uc"),
        text("steps"),
        text("scale"),
        text("seed"),
    ))
}
