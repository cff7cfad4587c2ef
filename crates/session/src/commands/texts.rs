//! Prompts with wildcards and variants to the prompts of pictures.
use crate::Failure;
use crate::request::Places;
use std::path::PathBuf;
use wayword_diffusion::DrawSettings;
use wayword_prompt::Quirks;
use wayword_prompt::wildcards::{Expanded, Mode, Wildcards, expand, read_folder};

/// Pictures that every possibility may come to without --count.
const MOST: usize = 1000;

/// The wildcards of all folders, with what should be said of their files.
pub(crate) fn wildcards(folders: &[PathBuf], quirks: Quirks) -> Result<Wildcards, Failure> {
    let mut merged = Wildcards::default();
    for folder in folders {
        let found = read_folder(folder, quirks);
        merged.extend(found.map_err(|e| Failure::io("cannot read the folder", folder, &e))?);
    }
    Ok(merged)
}

/// The wildcards of a command.
pub(super) struct Texts {
    wildcards: Wildcards,
    given: bool,
    /// Whether every possibility is drawn.
    pub(super) combinatorial: bool,
    /// The most pictures of all possibilities, if somebody said so.
    pub(super) limit: Option<usize>,
    /// Texts that are no templates, whatever is in them.
    pub(super) literal: Vec<String>,
    quirks: Quirks,
    notes: Vec<String>,
}

impl Texts {
    /// Reads the folders.
    pub(super) fn new(places: &Places, quirks: Quirks) -> Result<Texts, Failure> {
        let mut wildcards = wildcards(&places.wildcards, quirks)?;
        let notes = std::mem::take(&mut wildcards.notes);
        Ok(Texts {
            wildcards,
            given: !places.wildcards.is_empty(),
            combinatorial: false,
            limit: None,
            literal: Vec::new(),
            quirks,
            notes,
        })
    }

    /// What a user should hear of, once.
    pub(super) fn notes(&mut self) -> Vec<String> {
        let mut notes = std::mem::take(&mut self.notes);
        notes.dedup();
        notes
    }

    /// Puts the prompts of all pictures, and where every possibility is wanted their number, into
    /// settings.
    pub(super) fn fill(
        &mut self,
        s: &mut DrawSettings,
        prompt: &str,
        negative: &str,
    ) -> Result<(), Failure> {
        let combinatorial = self.combinatorial;
        if combinatorial {
            self.every(s, prompt, negative)?;
        }
        // Variations of one seed have one prompt.
        let on = |i: usize| if s.variation.is_some() { 0 } else { i as u64 };
        let seeds: Vec<u64> = (0..s.count).map(|i| s.seed.wrapping_add(on(i))).collect();
        let mut filled = |text: &str| -> Result<Vec<String>, Failure> {
            let mut texts = self.expanded(text, &Mode::Random { seeds: seeds.clone() })?;
            if texts.windows(2).all(|pair| pair[0] == pair[1]) {
                texts.truncate(1);
            }
            Ok(texts)
        };
        if let Some(hires) = &mut s.hires {
            for texts in [&mut hires.prompts, &mut hires.negatives] {
                if let [text] = &texts[..] {
                    *texts = filled(text)?;
                }
            }
        }
        for detail in &mut s.detail {
            for texts in [&mut detail.prompts, &mut detail.negatives] {
                if let [text] = &texts[..] {
                    *texts = filled(text)?;
                }
            }
        }
        if !combinatorial {
            (s.prompts, s.negatives) = (filled(prompt)?, filled(negative)?);
        }
        Ok(())
    }

    /// Every possibility of the prompt with every one of the negative prompt.
    fn every(&mut self, s: &mut DrawSettings, prompt: &str, negative: &str) -> Result<(), Failure> {
        let most = self.limit.unwrap_or(MOST + 1);
        let mode = Mode::Combinatorial { limit: most, seed: s.seed };
        let prompts = self.expanded(prompt, &mode)?;
        let negatives = self.expanded(negative, &mode)?;
        let possible = prompts.len() * negatives.len();
        if self.limit.is_none() && possible > MOST {
            return Err(Failure::user(format!("the prompt has more than {MOST} possibilities"))
                .hint("say how many of them are drawn: {draw.count} 50"));
        }
        let both = prompts.iter().flat_map(|p| negatives.iter().map(move |n| (p, n)));
        (s.prompts, s.negatives) = both.take(most).map(|(p, n)| (p.clone(), n.clone())).unzip();
        s.count = s.prompts.len();
        Ok(())
    }

    fn expanded(&mut self, text: &str, mode: &Mode) -> Result<Vec<String>, Failure> {
        // Only with wildcards, or where braces ask for it, is a prompt a template.
        let template = self.given || text.contains('{');
        if !self.given
            && let Some(note) = unfilled(text)
        {
            self.notes.push(note);
        }
        if !template || self.literal.iter().any(|literal| literal == text) {
            return Ok(vec![text.to_owned()]);
        }
        match expand(text, &self.wildcards, mode, self.quirks) {
            Ok(Expanded { prompts, notes, .. }) if !prompts.is_empty() => {
                self.notes.extend(notes);
                Ok(prompts)
            }
            Ok(_) => Ok(vec![text.to_owned()]),
            Err(error) if self.quirks == Quirks::A1111 => {
                self.notes.push(format!("drawn as it stands: {error}"));
                Ok(vec![text.to_owned()])
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// What is said of the first wildcard that a text calls, as in `a __hat__`, where there is no folder.
pub(super) fn unfilled(text: &str) -> Option<String> {
    let name = wildcard(text)?;
    Some(format!("`__{name}__` is read as text: name the folder of wildcards by {{any.wildcards}}"))
}

fn wildcard(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("__")?;
    let (name, _) = rest.split_once("__")?;
    let fits = |c: char| c.is_alphanumeric() || "-_/*".contains(c);
    (!name.is_empty() && name.chars().all(fits)).then_some(name)
}
