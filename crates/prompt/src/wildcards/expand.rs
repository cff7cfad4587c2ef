//! A template to the prompts of a job.
use super::command::Method;
use super::parse::parse;
use super::sample::{Context, World};
use super::store::Wildcards;
use crate::Quirks;
use crate::error::PromptError;

/// How a template is turned into prompts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// A prompt for each seed, drawn by chance.
    Random {
        /// The pictures' seeds.
        seeds: Vec<u64>,
    },
    /// Every possibility once.
    Combinatorial {
        /// How many prompts at most.
        limit: usize,
        /// The seed for parts marked `~`.
        seed: u64,
    },
}

/// The prompts of a job.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Expanded {
    /// One a picture.
    pub prompts: Vec<String>,
    /// What a user should hear of.
    pub notes: Vec<String>,
    /// Whether chance had a part in it.
    pub by_chance: bool,
}

/// Turns a template into prompts, drawing for each seed what sd-dynamic-prompts draws.
///
/// With [`Quirks::A1111`] weighted wildcards are drawn ten ahead and `${x=!…}` once for the whole
/// job, as there, so that a seed alone does not determine the later pictures; in the sane reading
/// each picture depends on its seed only (and, for `@`, on its number).
///
/// # Errors
/// A template or wildcard value that cannot be read, a variable that is not set, weights that add up
/// to nothing, wildcards without end; in the sane reading also an unknown wildcard. A1111 draws the
/// unexpanded template then.
pub fn expand(
    template: &str,
    wildcards: &Wildcards,
    mode: &Mode,
    quirks: Quirks,
) -> Result<Expanded, PromptError> {
    let (method, seed, count) = match mode {
        Mode::Random { seeds } => (Method::Random, 0, seeds.len()),
        Mode::Combinatorial { limit, seed } => (Method::Combinatorial, *seed, *limit),
    };
    if template.is_empty() {
        return empty(mode, quirks);
    }
    let mut world = World::new(template, wildcards, seed, quirks);
    let command = parse(template, quirks)?;
    let mut source = world.source(&command, &Context::new(method))?;
    let mut prompts = Vec::new();
    for i in 0..count {
        let prompt = match mode {
            Mode::Random { seeds } => {
                world.begin(seeds[i]);
                Some(world.must(&mut source)?)
            }
            Mode::Combinatorial { .. } => world.next(&mut source)?,
        };
        let Some(prompt) = prompt else { break };
        prompts.push(prompt);
    }
    let by_chance = world.random.drawn() > 0;
    Ok(Expanded { prompts, notes: world.notes.into_iter().collect(), by_chance })
}

/// The prompts of an empty template, which the peer has none of.
fn empty(mode: &Mode, quirks: Quirks) -> Result<Expanded, PromptError> {
    let count = match (mode, quirks) {
        (Mode::Random { .. }, Quirks::A1111) => {
            return Err(PromptError::new("template is empty", "", 0..0));
        }
        (Mode::Random { seeds }, Quirks::Sane) => seeds.len(),
        (Mode::Combinatorial { .. }, Quirks::A1111) => 0,
        (Mode::Combinatorial { limit, .. }, Quirks::Sane) => (*limit).min(1),
    };
    Ok(Expanded { prompts: vec![String::new(); count], ..Expanded::default() })
}
