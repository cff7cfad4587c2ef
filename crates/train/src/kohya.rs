//! From kohya's options to ours: what is translated, what is ignored and why, and known traps.
//!
//! The files are read by [`wayword_formats::kohya`]; here their keys get a meaning. What kohya's
//! trainer takes where nothing is said is taken too, and said.
mod gui;
mod table;
mod traps;

use crate::request::Train;
use serde_json::{Value as Ours, json};
use table::{Meaning, OFF_AT_ZERO, known, meaning};
use wayword_formats::kohya::{Entry, Form, KohyaOptions, Value};
use wayword_interface::options::{
    Layer, OptionSpec, Options as _, Origin, entry as toml_entry, nearest,
};
use wayword_interface::{Diagnostic, Warning};

/// A result with a diagnostic.
type Result<T> = std::result::Result<T, Diagnostic>;

/// A file of kohya's options in ours.
#[derive(Debug, Clone, Default)]
pub struct Translation {
    /// Our options, as a layer of [`crate::config`].
    pub layer: Layer,
    /// Their `key = value` and ours.
    pub translated: Vec<(String, String)>,
    /// Options that the file leaves out and kohya's trainer has another default for.
    pub assumed: Vec<(String, String)>,
    /// Their `key = value` and why it has no effect here.
    pub ignored: Vec<(String, String)>,
    /// What nobody knows, with the nearest known key.
    pub unknown: Vec<(String, Option<String>)>,
    /// Known traps that these options walk into.
    pub warnings: Vec<Warning>,
    /// What is good to know about options that are as kohya's GUI sets them; nothing is wrong.
    pub notes: Vec<String>,
}

/// Translates a file of options.
///
/// # Errors
/// If a value cannot be what its option needs.
pub fn translate(options: &KohyaOptions) -> Result<Translation> {
    other_models(options)?;
    let mut out = Translation::default();
    let mut script = match options.form {
        Form::GuiJson => gui::sent(&options.entries, &mut out)?,
        Form::Toml | Form::CommandLine => options.entries.clone(),
    };
    if options.form == Form::CommandLine {
        script.iter_mut().for_each(|entry| entry.key = full_name(&entry.key));
    }
    for entry in &options.launcher {
        out.ignore(&said(entry), "of the launcher, not of the training");
    }
    for word in &options.stray {
        out.ignore(word, "belongs to no option");
    }
    let given = Given(last_of_each(script));
    for entry in &given.0 {
        translate_entry(entry, &given, &mut out)?;
    }
    assume(&given, &mut out)?;
    traps::find(options.form, &given, &mut out);
    Ok(out)
}

/// What an option of kohya's trainer is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counterpart {
    /// The option of this name.
    Option(&'static str),
    /// Nothing, and why; a text that may name fields.
    Nothing(&'static str),
}

/// What an option of kohya's trainer is here, where that is one thing. Options whose value has
/// another form here, such as `sample_prompts`' files, have the form of ours.
#[must_use]
pub fn counterpart(key: &str) -> Option<Counterpart> {
    let simple = |(theirs, ours): &(&str, &'static str)| (*theirs == key).then_some(*ours);
    match meaning(key)? {
        Meaning::Text(ours) | Meaning::List(ours) | Meaning::Switch(ours) => {
            Some(Counterpart::Option(ours))
        }
        Meaning::Special => table::RENAMED.iter().find_map(simple).map(Counterpart::Option),
        Meaning::No(why) => Some(Counterpart::Nothing(why)),
    }
}

/// All options of kohya's trainer.
pub fn names() -> impl Iterator<Item = &'static str> {
    known()
}

/// Families of models that kohya's other scripts train, by the beginnings of their names.
const FAMILIES: &[(&str, &str)] = &[
    ("sdxl", "SDXL"),
    ("sd3", "Stable Diffusion 3"),
    ("flux", "Flux"),
    ("lumina", "Lumina"),
    ("hunyuan", "Hunyuan"),
    ("anima", "Anima"),
];

/// Options of another family's script, or that say so themselves, are refused.
fn other_models(options: &KohyaOptions) -> Result<()> {
    let script = options.script.as_deref().unwrap_or_default();
    let name = script.rsplit(['/', '\\']).next().unwrap_or_default();
    let by_name = FAMILIES.iter().find(|(begin, _)| name.starts_with(begin));
    let says = |entry: &Entry| entry.key == "sdxl" && entry.value == Value::Bool(true);
    let (what, family) = match by_name {
        Some((_, family)) => (name, *family),
        None if options.entries.iter().any(says) => ("sdxl = true", "SDXL"),
        None => return Ok(()),
    };
    Err(Diagnostic::new(format!("{what} is for {family}; only Stable Diffusion 1.x is trained"))
        .with_field("train.kohya")
        .with_hint("use options of a training of Stable Diffusion 1.x"))
}

/// Options as the script gets them.
pub(crate) struct Given(Vec<Entry>);

impl Given {
    fn text(&self, key: &str) -> Option<String> {
        let entry = self.0.iter().find(|entry| entry.key == key)?;
        match &entry.value {
            Value::Null => None,
            Value::List(list) => list.first().cloned(),
            other => Some(other.to_string()).filter(|text| text != "\"\""),
        }
    }

    fn number(&self, key: &str) -> Option<f64> {
        self.text(key)?.trim().parse().ok()
    }

    fn on(&self, key: &str) -> bool {
        let off = ["false", "0", "none", "no", "null"];
        self.text(key).is_some_and(|text| !off.contains(&text.to_lowercase().as_str()))
    }

    fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|entry| entry.key.as_str())
    }
}

impl Translation {
    fn ignore(&mut self, what: &str, why: &str) {
        self.ignored.push((what.to_owned(), why.to_owned()));
    }

    fn note(&mut self, text: impl Into<String>, hint: &str) {
        self.notes.push(format!("{}; {hint}", text.into()));
    }

    fn warn(&mut self, text: impl Into<String>, hint: Option<&str>) {
        self.warnings.push(Warning::new(text).with_hint_if(hint.map(str::to_owned)));
    }

    /// Puts an option of ours, in the kind that it has; what it became, as TOML writes it.
    fn put(&mut self, name: &str, value: &Ours, theirs: &str) -> Result<String> {
        let specs: Vec<&OptionSpec> = Train::specs();
        self.layer.set(Train::REQUEST, &specs, name, value, Origin::Foreign(theirs.to_owned()))?;
        let value = self.layer.get(name).unwrap_or(value);
        Ok(toml_entry(name, value).unwrap_or_else(|_| format!("{name} = {value}")))
    }
}

fn said(entry: &Entry) -> String {
    let secret = ["wandb_api_key", "huggingface_token"].contains(&entry.key.as_str());
    if secret { format!("{} = ...", entry.key) } else { format!("{} = {}", entry.key, entry.value) }
}

/// The option that is given last counts, as in the trainer.
fn last_of_each(entries: Vec<Entry>) -> Vec<Entry> {
    let mut unique: Vec<Entry> = Vec::with_capacity(entries.len());
    for entry in entries {
        match unique.iter_mut().find(|other| other.key == entry.key) {
            Some(other) => other.value = entry.value,
            None => unique.push(entry),
        }
    }
    unique
}

/// The trainer's command line takes the beginning of a name, and `-` for `_` it does not.
fn full_name(key: &str) -> String {
    if meaning(key).is_some() {
        return key.to_owned();
    }
    let mut longer = known().filter(|name| name.starts_with(key));
    match (longer.next(), longer.next()) {
        (Some(name), None) => name.to_owned(),
        _ => key.to_owned(),
    }
}

fn translate_entry(entry: &Entry, given: &Given, out: &mut Translation) -> Result<()> {
    let key = entry.key.as_str();
    let Some(meaning) = meaning(key) else {
        let names: Vec<&str> = known().collect();
        out.unknown.push((said(entry), nearest(key, &names)));
        return Ok(());
    };
    let empty = match &entry.value {
        Value::Null | Value::Bool(false) => true,
        Value::Text(text) => text.trim().is_empty(),
        Value::List(list) => list.is_empty(),
        Value::Bool(true) => false,
    };
    if empty {
        return Ok(());
    }
    match meaning {
        Meaning::No(why) => {
            out.ignore(&said(entry), why);
            Ok(())
        }
        Meaning::Text(ours) => {
            if OFF_AT_ZERO.contains(&key) && given.number(key) == Some(0.0) {
                out.ignore(&said(entry), "0 switches it off, which is the default");
                return Ok(());
            }
            let value = first(entry, out);
            target(entry, ours, &value.into(), out)
        }
        Meaning::List(ours) => {
            let list = match &entry.value {
                Value::List(list) => list.clone(),
                other => vec![other.to_string()],
            };
            target(entry, ours, &list.into(), out)
        }
        Meaning::Switch(ours) => {
            if let Value::Text(stray) = &entry.value
                && !["true", "false"].contains(&stray.to_lowercase().as_str())
            {
                out.ignore(stray, "belongs to no option");
            } else if !given.on(key) {
                return Ok(());
            }
            target(entry, ours, &true.into(), out)
        }
        Meaning::Special => special(entry, given, out),
    }
}

/// The one value of an option; command lines may leave strays behind it.
fn first(entry: &Entry, out: &mut Translation) -> String {
    match &entry.value {
        Value::List(list) => {
            // A size may be a list, everything else is one value.
            if entry.key == "resolution" {
                return list.join(",");
            }
            for stray in &list[1..] {
                out.ignore(stray, "belongs to no option");
            }
            list[0].clone()
        }
        Value::Text(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Puts a value under our name.
fn target(entry: &Entry, ours: &str, value: &Ours, out: &mut Translation) -> Result<()> {
    let theirs = said(entry);
    let shown = out.put(ours, value, &theirs)?;
    out.translated.push((theirs, shown));
    Ok(())
}

/// Keys whose effect depends on others.
fn special(entry: &Entry, given: &Given, out: &mut Translation) -> Result<()> {
    let value = first(entry, out);
    match entry.key.as_str() {
        "max_train_steps" if given.number("max_train_epochs").is_some_and(|n| n > 0.0) => {
            out.ignore(&said(entry), "max_train_epochs wins");
            Ok(())
        }
        "max_train_steps" => target(entry, "steps", &json!(value), out),
        "max_train_epochs" => target(entry, "epochs", &json!(value), out),
        "use_object_template" => target(entry, "template", &json!("object"), out),
        "use_style_template" if given.on("use_object_template") => {
            out.ignore(&said(entry), "use_object_template wins");
            Ok(())
        }
        "use_style_template" => target(entry, "template", &json!("style"), out),
        "init_word" if given.text("weights").is_some() => {
            out.ignore(&said(entry), "the file of weights is where the word starts");
            Ok(())
        }
        "init_word" | "weights" => target(entry, "init", &json!(value), out),
        "pretrained_model_name_or_path" => {
            let name = value.to_lowercase();
            let hub = ["stable-diffusion-v1-5", "stable-diffusion-v1-4"];
            if name.split('/').count() == 2 && hub.iter().any(|known| name.ends_with(known)) {
                out.ignore(&said(entry), "nothing is downloaded: where --base is not given, the model folders of this machine are searched for it");
                return Ok(());
            }
            target(entry, "base", &json!(value), out)
        }
        "v_parameterization" => target(entry, "prediction", &json!("v"), out),
        "mixed_precision" if value.starts_with("fp8") => {
            out.ignore(&said(entry), "weights are never made less exact");
            Ok(())
        }
        "mixed_precision" => target(entry, "mixed_precision", &json!(value), out),
        "use_8bit_adam" | "use_lion_optimizer" if given.on("optimizer_type") => {
            out.ignore(&said(entry), "optimizer_type wins; kohya's trainer takes only one");
            Ok(())
        }
        "use_8bit_adam" => target(entry, "optimizer", &json!("AdamW8bit"), out),
        "use_lion_optimizer" => target(entry, "optimizer", &json!("Lion"), out),
        "sample_every_n_steps"
            if given.number("sample_every_n_epochs").is_some_and(|n| n > 0.0) =>
        {
            out.ignore(&said(entry), "sample_every_n_epochs wins");
            Ok(())
        }
        "sample_every_n_steps" => target(entry, "sample_every", &json!(value), out),
        // Kohya keeps what 1 step keeps; here 0 keeps all.
        "save_last_n_steps" => {
            let steps = if given.number("save_last_n_steps") == Some(0.0) { "1" } else { &*value };
            target(entry, "keep_last_steps", &json!(steps), out)
        }
        "save_last_n_epochs" if given.number("save_last_n_epochs") == Some(0.0) => {
            out.ignore(
                &said(entry),
                "kohya's trainer removes each file as it is written; all stay",
            );
            Ok(())
        }
        "save_last_n_epochs" => target(entry, "keep_last_epochs", &json!(value), out),
        "train_data_dir" if given.on("dataset_config") => {
            out.ignore(&said(entry), "dataset_config names the images");
            Ok(())
        }
        _ => target(entry, "images", &json!(value), out),
    }
}

/// What kohya's trainer does where nothing is said, as far as ours does something else.
fn assume(given: &Given, out: &mut Translation) -> Result<()> {
    let mut assume = |what: &str, name: &str, value: Ours| -> Result<()> {
        let shown = out.put(name, &value, what)?;
        out.assumed.push((what.to_owned(), shown));
        Ok(())
    };
    assume("one rate for all timesteps", "recipe", json!("classic"))?;
    if !given.on("max_train_steps") && !given.on("max_train_epochs") {
        assume("no max_train_steps: kohya's 1600", "steps", json!(1600))?;
    }
    if !given.on("learning_rate") {
        assume("no learning_rate: kohya's 2e-6", "learning_rate", json!("2e-6"))?;
    }
    let leads = ["lr_scheduler", "lr_scheduler_type"].iter().any(|key| given.on(key));
    if !leads {
        assume("no lr_scheduler: kohya's", "scheduler", json!("constant"))?;
    }
    if !given.on("use_object_template") && !given.on("use_style_template") {
        assume("no template: captions are used", "template", json!("none"))?;
    }
    if !given.on("save_every_n_steps") {
        assume("no save_every_n_steps: no files on the way", "save_every", json!(0))?;
    }
    let named = given.text("output_name").is_some_and(|name| !name.trim().is_empty());
    if let Some(token) = given.text("token_string").filter(|_| !named) {
        assume("no output_name: the token's", "name", json!(token))?;
    }
    let when = ["sample_every_n_steps", "sample_every_n_epochs", "sample_at_first"];
    let previews = when.iter().any(|key| given.on(key));
    let plain = [
        ("no steps of previews: kohya's", "sample_steps", json!(30)),
        ("no scale of previews: kohya's", "sample_cfg", json!(7.5)),
        ("no sample_sampler: kohya's", "sample_sampler", json!("ddim")),
    ];
    for (what, key, value) in plain {
        if key == "sample_sampler" && given.on("sample_sampler") {
            continue;
        }
        let shown = out.put(key, &value, what)?;
        if previews {
            out.assumed.push((what.to_owned(), shown));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
