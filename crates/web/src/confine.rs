//! A request from a stranger: its paths kept in the opened folders, its numbers bounded.
use crate::answer::{Answer, Refusal};
use crate::state::App;
use serde_json::Value;
use std::path::Path;
use wayword_interface::options::{OptionKind, OptionSpec, Values};
use wayword_session::Request;

/// Options that name files in which more options stand; those could name any path.
const FILES_OF_OPTIONS: [&str; 6] =
    ["config", "save_config", "kohya", "dataset_config", "in_json", "prompts"];
/// Options that are written to.
const WRITTEN: [&str; 5] = ["out", "output", "latent_cache", "resume", "run"];
/// Options that may be a file's name, or a checkpoint's hash, instead of its path.
const CHECKPOINTS: [&str; 3] = ["base", "travel", "vae"];
/// Texts that are a file if there is one of this name.
const MAYBE_FILES: [&str; 5] = ["init", "template", "sample_prompts", "metadata_thumbnail", "lora"];
/// Pixels of a picture.
const MOST_PIXELS: u64 = 2048 * 2048;
/// The greatest value of options whose work or memory grows with them.
const MOST: [(&str, u64); 6] = [
    ("batch", 64),
    ("count", 1000),
    ("threads", 1024),
    ("hires_steps", 1000),
    ("accumulate", 4096),
    ("vectors", 75),
];

/// A request from JSON: `{"command": "draw", "prompt": "…"}`. What it leaves out of base and
/// folders is the server's.
///
/// # Errors
/// If it is no request, a path leads out of the opened folders, or a number is beyond bounds.
pub(crate) fn request(app: &App, mut values: Values) -> Answer<Request> {
    let command = match values.get("command") {
        Some(Value::String(command)) => command.clone(),
        // The library says what is wrong.
        _ => return Ok(Request::from_json(values)?),
    };
    let Some(specs) = Request::specs(&command) else { return Ok(Request::from_json(values)?) };
    for (key, value) in &mut values {
        if let Some(spec) = specs.iter().find(|spec| spec.is_called(key)) {
            option(app, &command, spec, value)
                .map_err(|refusal| refusal.field(format!("{command}.{}", spec.name)))?;
        }
    }
    let given = |values: &Values, name: &str| values.get(name).is_some_and(|v| !v.is_null());
    let takes = |name: &str| specs.iter().any(|spec| spec.name == name);
    if takes("base")
        && !given(&values, "base")
        && !given(&values, "resume")
        && command != "inspect"
        && let Some(base) = app.base()
    {
        values.insert("base".into(), base.display().to_string().into());
    }
    if takes("out") && !given(&values, "out") && !given(&values, "resume") {
        let out = app.opened.out.join(match command.as_str() {
            "draw" => "pictures".into(),
            "grid" => format!("grids/{}", crate::state::now_ms()),
            "demo" => "demo".into(),
            // A name of digits alone would be a number of repeats.
            "prepare" => format!("prepared/photos-{}", crate::state::now_ms()),
            _ => "embeddings".to_owned(),
        });
        values.insert("out".into(), out.display().to_string().into());
    }
    Ok(Request::from_json(values)?)
}

/// Checks one option and makes its paths absolute.
fn option(app: &App, command: &str, spec: &OptionSpec, value: &mut Value) -> Answer<()> {
    if value.is_null() {
        return Ok(());
    }
    if FILES_OF_OPTIONS.contains(&spec.name) {
        return Err(Refusal::outside("files of options are not read by the server")
            .hint("send the options themselves"));
    }
    bounded(command, spec, value)?;
    match spec.kind {
        OptionKind::Path | OptionKind::List(OptionKind::Path) => {
            each(value, &mut |text| path(app, spec.name, text))
        }
        OptionKind::Text | OptionKind::List(OptionKind::Text)
            if MAYBE_FILES.contains(&spec.name) =>
        {
            each(value, &mut |text| maybe_file(app, spec.name, text))
        }
        OptionKind::Text if command == "grid" && ["x", "y", "z"].contains(&spec.name) => {
            each(value, &mut |text| axis(app, text))
        }
        OptionKind::List(OptionKind::Tables(specs)) => {
            let specs = specs();
            let tables = value.as_array_mut().into_iter().flatten();
            for (key, value) in tables.filter_map(Value::as_object_mut).flatten() {
                if let Some(spec) = specs.iter().find(|spec| spec.is_called(key)) {
                    option(app, command, spec, value)?;
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Applies a check to a text, or to all of a list; numbers are read as texts, as options do.
fn each(value: &mut Value, check: &mut dyn FnMut(&str) -> Answer<Option<String>>) -> Answer<()> {
    match value {
        Value::Array(list) => list.iter_mut().try_for_each(|one| each(one, check)),
        Value::String(text) => {
            if let Some(new) = check(text)? {
                *text = new;
            }
            Ok(())
        }
        // Options read these as texts, too.
        Value::Number(_) | Value::Bool(_) => {
            if let Some(new) = check(&value.to_string())? {
                *value = new.into();
            }
            Ok(())
        }
        // The library refuses the others.
        _ => Ok(()),
    }
}

/// A path, absolute.
fn path(app: &App, name: &str, text: &str) -> Answer<Option<String>> {
    let found = if WRITTEN.contains(&name) {
        app.opened.write(text)?
    } else if CHECKPOINTS.contains(&name) {
        return checkpoint(app, text);
    } else {
        app.opened.read(text)?
    };
    Ok(Some(found.display().to_string()))
}

/// A checkpoint: a path in the opened folders, or a name for the library to look up.
fn checkpoint(app: &App, text: &str) -> Answer<Option<String>> {
    let is_name = !text.contains(['/', '\\']) && !Path::new(text).exists();
    if is_name && !app.opened.out.join(text).exists() {
        return Ok(None);
    }
    Ok(Some(app.opened.read(text)?.display().to_string()))
}

/// A text that may be a file's path.
fn maybe_file(app: &App, name: &str, text: &str) -> Answer<Option<String>> {
    let (start, weight) = match text.rsplit_once(':') {
        Some((start, weight)) if name == "lora" && weight.parse::<f64>().is_ok() => {
            (start, Some(weight))
        }
        _ => (text, None),
    };
    if name == "metadata_thumbnail" && start.starts_with("data:") {
        return Ok(None);
    }
    let exists = Path::new(start).exists();
    let must = exists || (name != "sample_prompts" && start.contains(['/', '\\']));
    if !must {
        return Ok(None);
    }
    let found = app.opened.read(start)?.display().to_string();
    Ok(Some(weight.map_or_else(|| found.clone(), |weight| format!("{found}:{weight}"))))
}

/// A grid's axis; those of files hold paths.
fn axis(app: &App, text: &str) -> Answer<Option<String>> {
    let Some((name, values)) = text.split_once(':') else { return Ok(None) };
    let name = name.trim().to_lowercase();
    if !["base", "embedding", "checkpoint", "model"].iter().any(|known| name.starts_with(known)) {
        return Ok(None);
    }
    for value in values.split(',').map(|value| value.trim().trim_matches('"')) {
        if value.contains(['/', '\\']) || Path::new(value).exists() {
            app.opened.read(value)?;
        }
    }
    Ok(None)
}

/// Numbers that would take all memory or days.
fn bounded(command: &str, spec: &OptionSpec, value: &Value) -> Answer<()> {
    let number = || value.as_u64().or_else(|| value.as_str().and_then(|text| text.parse().ok()));
    let drawing = ["draw", "grid"].contains(&command);
    let most = match spec.name {
        "steps" if drawing => Some(1000),
        "seed" => None,
        name => MOST.iter().find(|(known, _)| *known == name).map(|(_, most)| *most),
    };
    if let (Some(most), Some(found)) = (most, number())
        && found > most
    {
        return Err(Refusal::unfit(format!("expected at most {most}, found {found}")));
    }
    if ["size", "resolution", "hires_size"].contains(&spec.name)
        && let Ok(Value::Array(sides)) = spec.fit(value)
        && let [Some(width), Some(height)] =
            [0, 1].map(|side| sides.get(side).and_then(Value::as_u64))
        && width * height > MOST_PIXELS
    {
        return Err(Refusal::unfit(format!(
            "expected at most {MOST_PIXELS} pixels, found {width} x {height}"
        )));
    }
    if spec.name == "hires_scale"
        && value.as_f64().is_some_and(|scale| !(0.1..=4.0).contains(&scale))
    {
        return Err(Refusal::unfit(format!("expected 0.1 to 4, found {value}")));
    }
    Ok(())
}
