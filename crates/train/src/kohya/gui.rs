//! The GUI's saved fields as the options that it would send to the script.
use super::{Result, Translation, said};
use wayword_formats::endings;
use wayword_formats::kohya::{self, Entry, Value};
use wayword_interface::Diagnostic;

/// Fields that have another name in the script.
const RENAMED: &[(&str, &str)] = &[
    ("optimizer", "optimizer_type"),
    ("max_resolution", "resolution"),
    ("title", "metadata_title"),
    ("author", "metadata_author"),
    ("description", "metadata_description"),
    ("license", "metadata_license"),
    ("tags", "metadata_tags"),
];

/// Fields that are shown and saved but never sent.
const NOT_SENT: &str = "training_comment max_grad_norm stop_text_encoder_training weighted_captions \
    fp8_base fp8_base_unet full_bf16 highvram masked_loss debiased_estimation_loss \
    caption_dropout_rate blocks_to_swap show_timesteps";

/// Fields of the GUI that are no options of a run.
const OF_THE_GUI: &str = "model_list no_token_padding noise_offset_type use_shell save_as_bool";

/// Numbers that the GUI drops at 0 though 0 is not the script's default.
const ZERO_IS_LOST: &[(&str, &str)] = &[
    ("learning_rate", "2e-6"),
    ("prior_loss_weight", "1.0"),
    ("multires_noise_discount", "0.3"),
    ("huber_c", "0.1"),
    ("huber_scale", "1.0"),
    ("lr_scheduler_power", "1"),
    ("lr_scheduler_num_cycles", "1"),
    ("min_bucket_reso", "256"),
    ("max_bucket_reso", "1024"),
];

struct Fields<'a>(&'a [Entry]);

impl Fields<'_> {
    fn text(&self, key: &str) -> Option<String> {
        let entry = self.0.iter().find(|entry| entry.key == key)?;
        match &entry.value {
            Value::Text(text) => Some(text.clone()),
            Value::Null => None,
            other => Some(other.to_string()),
        }
    }

    fn number(&self, key: &str) -> f64 {
        self.text(key).and_then(|text| text.trim().parse().ok()).unwrap_or(0.0)
    }
}

/// The options that are sent.
pub(super) fn sent(entries: &[Entry], out: &mut Translation) -> Result<Vec<Entry>> {
    let fields = Fields(entries);
    let (mut sent, mut appended) = (Vec::new(), Vec::new());
    for entry in entries {
        let key = entry.key.as_str();
        if empty(&entry.value) {
            continue;
        }
        if NOT_SENT.split_whitespace().any(|k| k == key) {
            if !zero(&entry.value) {
                out.ignore(&said(entry), "the GUI never sends it");
            }
            continue;
        }
        if zero(&entry.value) {
            if let Some((_, default)) = ZERO_IS_LOST.iter().find(|(k, _)| *k == key) {
                let text = format!("{key} = 0 never left the GUI: kohya trained with {default}");
                out.warn(text, Some("give 0 beside the file if it is meant"));
            }
            continue;
        }
        match key {
            "template" => {
                let text = entry.value.to_string().to_lowercase();
                for (word, key) in
                    [("object", "use_object_template"), ("style", "use_style_template")]
                {
                    if text.starts_with(word) {
                        sent.push(Entry { key: key.into(), value: Value::Bool(true) });
                    }
                }
            }
            "optimizer_args" | "lr_scheduler_args" => {
                let text = entry.value.to_string().replace('"', "");
                let list = text.split_whitespace().map(str::to_owned).collect();
                sent.push(Entry { key: key.into(), value: Value::List(list) });
            }
            // Here a zero is the GUI's own sign for "not used".
            "lr_warmup" if fields.number("lr_warmup_steps") > 0.0 => {
                out.ignore(&said(entry), "lr_warmup_steps wins");
            }
            "lr_warmup" => {
                let value = Value::Text(format!("{}%", entry.value));
                sent.push(Entry { key: "lr_warmup_steps".into(), value });
            }
            "epoch" => epoch(entry, &fields, &mut sent, out),
            "additional_parameters" => appended.extend(more(&entry.value.to_string())?),
            _ if OF_THE_GUI.split_whitespace().any(|k| k == key) => {
                out.ignore(&said(entry), "of the GUI, not of the training");
            }
            _ => {
                let renamed = RENAMED.iter().find(|(from, _)| *from == key);
                let key = renamed.map_or(key, |(_, to)| *to).to_owned();
                sent.push(Entry { key, value: entry.value.clone() });
            }
        }
    }
    // The GUI's field is empty: it sends Epoch as the number of cycles.
    let cycles = "lr_scheduler_num_cycles";
    let empty_cycles = fields.text(cycles).is_none_or(|text| text.trim().is_empty());
    if empty_cycles && fields.number("epoch") > 0.0 {
        let value = Value::Text(fields.text("epoch").unwrap_or_default());
        sent.push(Entry { key: cycles.into(), value });
    }
    // On the command line, so they win over the file of the run.
    sent.extend(appended);
    Ok(sent)
}

/// The field `epoch` counts only where no steps are given.
fn epoch(entry: &Entry, fields: &Fields<'_>, sent: &mut Vec<Entry>, out: &mut Translation) {
    if fields.number("max_train_epochs") > 0.0 {
        out.ignore(&said(entry), "max_train_epochs wins");
    } else if fields.number("max_train_steps") > 0.0 {
        out.ignore(&said(entry), "max_train_steps wins: the GUI's field `Epoch` has no effect");
        let restarts = fields.text("lr_scheduler").is_some_and(|s| s == "cosine_with_restarts");
        if fields.number("epoch") > 1.0 && !restarts {
            let steps = fields.text("max_train_steps").unwrap_or_default();
            let text = format!(
                "epoch = {} had no effect in kohya's trainer: it trained max_train_steps = {steps}",
                entry.value
            );
            out.note(text, "for epochs, give {train.epochs}; it wins over the file's steps");
        }
    } else if fields.text("dataset_config").is_some_and(|file| !file.trim().is_empty()) {
        out.ignore(
            &said(entry),
            "with a dataset_config the GUI sends no length: kohya's 1600 steps",
        );
    } else if let Some(steps) = counted(fields) {
        let value = Value::Text(steps.to_string());
        sent.push(Entry { key: "max_train_steps".into(), value });
    } else {
        sent.push(Entry { key: "max_train_epochs".into(), value: entry.value.clone() });
    }
}

/// The steps that the GUI counts where none are given, from pictures and repeats alone; `None` where
/// the folder is not there.
fn counted(fields: &Fields<'_>) -> Option<u64> {
    let mut samples = 0;
    for folder in std::fs::read_dir(fields.text("train_data_dir")?).ok()? {
        let folder = folder.ok()?;
        let name = folder.file_name().to_string_lossy().into_owned();
        let Some((repeats, class)) = name.split_once('_') else { continue };
        let plain = !class.is_empty() && repeats.bytes().all(|b| b.is_ascii_digit());
        let (true, Ok(repeats)) = (plain && folder.path().is_dir(), repeats.parse::<u64>()) else {
            continue;
        };
        let files = std::fs::read_dir(folder.path()).ok()?.flatten();
        // Those that the GUI counts.
        let counted = files.filter(|f| endings::has(&f.path(), &["jpg", "jpeg", "png", "webp"]));
        samples += repeats * counted.count() as u64;
    }
    let whole = |key: &str| (fields.number(key) as u64).max(1);
    let regular = fields.text("reg_data_dir").is_some_and(|folder| !folder.trim().is_empty());
    let seen = samples * whole("epoch") * if regular { 2 } else { 1 };
    let steps = seen.div_ceil(whole("train_batch_size") * whole("gradient_accumulation_steps"));
    (steps > 0).then_some(steps)
}

/// `additional_parameters` is appended to the command as it stands.
fn more(text: &str) -> Result<Vec<Entry>> {
    let parsed = kohya::parse(text.as_bytes());
    let parsed = parsed.map_err(|e| Diagnostic::new(format!("additional_parameters: {e}")))?;
    Ok(parsed.entries)
}

fn empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Text(text) => text.trim().is_empty() || text == "None",
        Value::List(list) => list.is_empty(),
        Value::Bool(true) => false,
    }
}

fn zero(value: &Value) -> bool {
    matches!(value, Value::Text(text) if text.trim().parse() == Ok(0.0))
}
