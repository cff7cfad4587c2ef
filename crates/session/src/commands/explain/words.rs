//! The words that a prompt may call: names and how many vectors, whatever their width.
use crate::Failure;
use crate::commands::inspect;
use std::path::{Path, PathBuf};
use wayword_diffusion::Embeddings;
use wayword_diffusion::embeddings::may_call;
use wayword_diffusion::tokenizer::Tokenizer;
use wayword_formats::embedding;

/// Words without their values: a row of one number stands for each vector, as only the number of
/// rows counts here and bases of any width may be meant.
pub(super) struct Words {
    pub(super) embeddings: Embeddings,
    /// Files that are not used, and why.
    pub(super) left_out: Vec<String>,
}

impl Words {
    /// Those of folders and files that fit a base, or any where none is named. Of `shared` folders
    /// only files that one of `texts` may call are read; what cannot be used there is nothing to
    /// speak of.
    pub(super) fn open(
        base: Option<&Path>,
        places: &[PathBuf],
        shared: &[PathBuf],
        texts: &[&str],
    ) -> Result<Self, Failure> {
        let is_called = may_call(texts.iter().copied());
        let width = base.map(inspect::token_width).transpose()?;
        let mut words =
            Self { embeddings: Embeddings::for_width(1, &Tokenizer::new()), left_out: Vec::new() };
        for place in places {
            if place.is_file() {
                let word = embedding::read(place)?;
                if let Some(width) = width {
                    word.fits(width).map_err(|fault| Failure::from(fault.at(place)))?;
                }
                words.add(&word.trigger(place), word.count, place.clone())?;
                continue;
            }
            let is_shared = shared.contains(place);
            let found =
                embedding::scan_called(place, width, &|name| !is_shared || is_called(name))?;
            words.embeddings.know(found.unread);
            if !is_shared {
                let reasons = found.skipped.iter().map(|skipped| skipped.reason.to_string());
                words.left_out.extend(reasons);
            }
            for word in found.loaded {
                words.add(&word.name, word.embedding.count, word.path)?;
            }
        }
        Ok(words)
    }

    fn add(&mut self, name: &str, rows: usize, path: PathBuf) -> Result<(), Failure> {
        if let Some(first) = self.embeddings.loaded().iter().find(|word| word.name == name) {
            let first = first.path.clone().unwrap_or_default();
            let (path, first) = (path.display(), first.display());
            self.left_out.push(format!("{path}: left out, the word `{name}` is that of {first}"));
            return Ok(());
        }
        Ok(self.embeddings.add(name, vec![0.0; rows], Some(path))?)
    }
}
