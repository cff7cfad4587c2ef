//! `wayword explain`: how a prompt is read, without a model.
mod read;
mod show;
mod words;

use super::checks;
use super::texts::{unfilled, wildcards};
use crate::Failure;
use crate::request::Explain as Options;
use crate::session::Context;
use serde::Serialize;
use wayword_diffusion::Loras;
use wayword_diffusion::tokenizer::Tokenizer;
use wayword_prompt::wildcards::{Mode, Wildcards, expand};
use wayword_prompt::{Emphasis, Language, PromptError, Quirks};

/// Everything that is told.
#[derive(Debug, Serialize)]
pub struct Explained {
    /// The prompt.
    pub prompt: read::Side,
    #[serde(skip_serializing_if = "Option::is_none")]
    /// The negative prompt.
    pub negative: Option<read::Side>,
    /// Files of the folders that were left out, and why.
    pub left_out: Vec<String>,
}

impl Explained {
    /// All of it as lines for people.
    #[must_use]
    pub fn to_lines(&self) -> Vec<String> {
        show::lines(self)
    }
}

/// What prompts are read with.
struct Reader {
    tokenizer: Tokenizer,
    words: words::Words,
    loras: Loras,
    language: Language,
    steps: u32,
}

/// Runs the command.
///
/// # Errors
/// If the prompt cannot be read, or a folder or file that was named.
pub(crate) fn run(options: &Options, context: &Context<'_>) -> Result<Explained, Failure> {
    checks::places_exist(&options.places)?;
    let quirks = if options.a1111_quirks { Quirks::A1111 } else { Quirks::Sane };
    let quiet = wayword_interface::Quiet;
    let wildcards = if options.places.wildcards.is_empty() {
        None
    } else {
        Some(wildcards(&options.places.wildcards, quirks)?)
    };
    let fill = |text: &String| Filled::of(text, wildcards.as_ref(), options.seed, quirks);
    let prompt = fill(&options.prompt)?;
    let negative = options.negative.as_ref().map(fill).transpose()?;
    let texts: Vec<&str> =
        [Some(&prompt), negative.as_ref()].into_iter().flatten().map(|f| f.text.as_str()).collect();
    let reader = Reader {
        tokenizer: Tokenizer::new(),
        words: words::Words::open(
            options.base.as_deref(),
            &options.places.embeddings,
            &context.core.folders().embeddings,
            &texts,
        )?,
        loras: Loras::open(&options.places.loras, &quiet)?,
        language: Language { quirks, emphasis: Emphasis::default() },
        steps: u32::try_from(options.steps).unwrap_or(u32::MAX),
    };
    let mut left_out = reader.words.left_out.clone();
    left_out.extend(reader.loras.skipped().map(ToString::to_string));
    if let Some(wildcards) = &wildcards {
        left_out.extend(wildcards.notes.iter().cloned());
    }
    Ok(Explained {
        prompt: read::side(&reader, prompt, false)?,
        negative: negative.map(|filled| read::side(&reader, filled, true)).transpose()?,
        left_out,
    })
}

/// A prompt with its wildcards filled in.
struct Filled {
    written: String,
    text: String,
    notes: Vec<String>,
}

impl Filled {
    fn of(
        written: &str,
        wildcards: Option<&Wildcards>,
        seed: u64,
        quirks: Quirks,
    ) -> Result<Self, Failure> {
        // As in drawing, braces need no folder.
        let none = Wildcards::default();
        let written = written.to_owned();
        let mut notes: Vec<String> =
            unfilled(&written).filter(|_| wildcards.is_none()).into_iter().collect();
        let Some(wildcards) = wildcards.or(written.contains('{').then_some(&none)) else {
            return Ok(Self { text: written.clone(), written, notes });
        };
        let mode = Mode::Random { seeds: vec![seed] };
        let expanded = expand(&written, wildcards, &mode, quirks).map_err(prompt)?;
        let text = expanded.prompts.into_iter().next().unwrap_or_default();
        notes.extend(expanded.notes);
        Ok(Self { text, written, notes })
    }
}

/// A mistake in a prompt.
fn prompt(error: PromptError) -> Failure {
    Failure::from(wayword_diffusion::Error::from(error))
}
