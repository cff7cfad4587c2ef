//! What a user may ask for: the options of the command line and of files, before they are checked.
use crate::checkpoint::{SaveFormat, SavePrecision};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use wayword_prompt::template::{OBJECT, STYLE, Templates};

/// Where captions come from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum TemplateChoice {
    /// Sentences such as `a photo of a NAME`.
    #[default]
    Object,
    /// Sentences such as `a painting in the style of NAME`.
    Style,
    /// Caption files, else the folder's class words.
    None,
    /// A file with one sentence a line, `[name]` and `[filewords]` in it.
    File(PathBuf),
}

impl From<String> for TemplateChoice {
    fn from(text: String) -> Self {
        match text.as_str() {
            "object" => Self::Object,
            "style" => Self::Style,
            "none" => Self::None,
            _ => Self::File(text.into()),
        }
    }
}

impl From<TemplateChoice> for String {
    fn from(choice: TemplateChoice) -> Self {
        match choice {
            TemplateChoice::Object => "object".into(),
            TemplateChoice::Style => "style".into(),
            TemplateChoice::None => "none".into(),
            TemplateChoice::File(path) => path.display().to_string(),
        }
    }
}

impl TemplateChoice {
    /// The sentences, `{}` or `[name]` for the word; `None` where captions come from files.
    ///
    /// # Errors
    /// If a template file cannot be read or has a mistake.
    pub fn sentences(&self) -> Result<Option<Vec<String>>> {
        let list = |lines: &[&str]| Some(lines.iter().map(|line| (*line).to_owned()).collect());
        Ok(match self {
            Self::Object => list(&OBJECT),
            Self::Style => list(&STYLE),
            Self::None => None,
            Self::File(path) => Some(read_sentences(path)?),
        })
    }
}

fn read_sentences(path: &Path) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(path).map_err(|source| {
        if source.kind() == std::io::ErrorKind::NotFound {
            let found = format!("`{}`, which is no file either", path.display());
            return Error::option("--template", "object, style, none or a template file", found);
        }
        Error::File { path: path.into(), source }
    })?;
    Templates::parse(&text).map_err(|e| {
        let error = Error::data(format!("{}: {}", path.display(), e.message));
        match &e.hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    })?;
    let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
    Ok(lines.filter(|line| !line.is_empty()).map(str::to_owned).collect())
}

/// Everything that can be asked for; what is `None` is decided by [`super::TrainPlan::check`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
#[expect(missing_docs, reason = "the names are the flags; their help says what they do")]
pub struct TrainOptions {
    pub images: Vec<PathBuf>,
    pub name: Option<String>,
    pub token: Option<String>,
    pub init: Option<String>,
    pub vectors: Option<usize>,
    pub template: TemplateChoice,
    pub caption_ext: Option<String>,
    pub resolution: Option<(u32, u32)>,
    pub batch: usize,
    pub accumulate: usize,
    pub steps: Option<usize>,
    pub epochs: Option<usize>,
    pub lr: Option<String>,
    pub scheduler: String,
    pub warmup: String,
    pub optimizer: String,
    pub optimizer_args: Vec<String>,
    pub weight_decay: Option<f64>,
    pub max_grad_norm: f64,
    pub clip_skip: usize,
    pub max_token_length: usize,
    pub seed: Option<u64>,
    pub out: PathBuf,
    pub save_every: usize,
    pub save_every_epochs: usize,
    pub keep_last_steps: usize,
    pub keep_last_epochs: usize,
    pub save_format: SaveFormat,
    pub save_precision: SavePrecision,
    pub kohya_numbers: bool,
}

impl Default for TrainOptions {
    fn default() -> Self {
        Self {
            images: Vec::new(),
            name: None,
            token: None,
            init: None,
            vectors: None,
            template: TemplateChoice::Object,
            caption_ext: None,
            resolution: None,
            batch: 1,
            accumulate: 1,
            steps: None,
            epochs: None,
            lr: None,
            scheduler: "constant".into(),
            warmup: "0".into(),
            optimizer: "AdamW".into(),
            optimizer_args: Vec::new(),
            weight_decay: None,
            max_grad_norm: 1.0,
            clip_skip: 1,
            max_token_length: 75,
            seed: None,
            out: PathBuf::from("."),
            save_every: 200,
            save_every_epochs: 0,
            keep_last_steps: 0,
            keep_last_epochs: 0,
            save_format: SaveFormat::Safetensors,
            save_precision: SavePrecision::Float,
            kohya_numbers: false,
        }
    }
}
