//! What a prompt's tags ask for, told without a base.
use super::folder::LoraMatch;
use super::tags::{self, LoraTag};
use super::{Loaded, Loras};
use crate::Result;
use std::sync::Arc;
use wayword_prompt::PromptPlan;

/// A tag of a prompt and the file that it means.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The tag.
    pub tag: LoraTag,
    /// The file, read; else why there is none.
    pub file: std::result::Result<Arc<Loaded>, String>,
    /// What to write instead, where there is none.
    pub hint: Option<String>,
}

impl Loras {
    /// The LoRAs that a prompt asks for, in its order, found or not.
    ///
    /// # Errors
    /// At a tag with an argument that is no number.
    pub fn asked(&self, prompt: &PromptPlan) -> Result<Vec<Asked>> {
        let tags = tags::read_all(&prompt.prompt, &prompt.extra_networks)?;
        let found = tags.into_iter().map(|tag| {
            let (file, hint) = match &self.find(&tag.name) {
                LoraMatch::File(file) => match self.load(file) {
                    Ok(loaded) => (Ok(loaded), None),
                    Err(error) => (Err(error.to_string()), error.hint()),
                },
                other => (Err(self.reason(&tag.name, other)), self.hint(&tag.name)),
            };
            Asked { tag, file, hint }
        });
        Ok(found.collect())
    }
}
