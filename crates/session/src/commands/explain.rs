//! `wayword explain`: how a prompt is read, without a model.
mod read;
mod show;
mod words;

use super::checks;
use super::texts::wildcards;
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
    wildcards: Option<Wildcards>,
    language: Language,
    seed: u64,
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
    let reader = Reader {
        tokenizer: Tokenizer::new(),
        words: words::Words::open(
            options.base.as_deref(),
            &options.places.embeddings,
            &context.core.folders().embeddings,
        )?,
        loras: Loras::open(&options.places.loras, &quiet)?,
        wildcards: if options.places.wildcards.is_empty() {
            None
        } else {
            Some(wildcards(&options.places.wildcards, quirks)?)
        },
        language: Language { quirks, emphasis: Emphasis::default() },
        seed: options.seed,
        steps: u32::try_from(options.steps).unwrap_or(u32::MAX),
    };
    let mut left_out = reader.words.left_out.clone();
    left_out.extend(reader.loras.skipped().map(ToString::to_string));
    if let Some(wildcards) = &reader.wildcards {
        left_out.extend(wildcards.notes.iter().cloned());
    }
    let negative = options.negative.as_deref();
    Ok(Explained {
        prompt: reader.side(&options.prompt, false)?,
        negative: negative.map(|text| reader.side(text, true)).transpose()?,
        left_out,
    })
}

impl Reader {
    /// One prompt, wildcards filled in.
    fn side(&self, text: &str, negative: bool) -> Result<read::Side, Failure> {
        // As in drawing, braces need no folder.
        let none = Wildcards::default();
        let Some(wildcards) = self.wildcards.as_ref().or(text.contains('{').then_some(&none))
        else {
            return read::side(self, text, None, negative);
        };
        let mode = Mode::Random { seeds: vec![self.seed] };
        let expanded = expand(text, wildcards, &mode, self.language.quirks).map_err(prompt)?;
        let filled = expanded.prompts.into_iter().next().unwrap_or_default();
        let mut side = read::side(self, &filled, Some(text), negative)?;
        side.notes.extend(expanded.notes);
        Ok(side)
    }
}

/// A mistake in a prompt.
fn prompt(error: PromptError) -> Failure {
    Failure::from(wayword_diffusion::Error::from(error))
}
