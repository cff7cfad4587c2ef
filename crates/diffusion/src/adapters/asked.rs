//! What a prompt's tags ask for, told without a base.
use super::folder::LoraMatch;
use super::{Loaded, Loras, tags};
use crate::Result;
use std::ops::Range;
use std::sync::Arc;
use wayword_prompt::PromptPlan;

/// A tag of a prompt and the file that it means.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The name as written.
    pub name: String,
    /// Multiplier of the text encoder's modules.
    pub text: f64,
    /// Multiplier of the UNet's modules.
    pub unet: f64,
    /// How many ranks count; `None` all.
    pub ranks: Option<usize>,
    /// Named arguments that mean nothing.
    pub unknown: Vec<String>,
    /// Where the tag stands in the prompt, in bytes.
    pub span: Range<usize>,
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
        let tags = prompt.extra_networks.iter().filter(|tag| tag.is_lora());
        let one = |tag| -> Result<Asked> {
            let wanted = tags::read(&prompt.prompt, tag)?;
            let found = self.find(&wanted.name);
            let (file, hint) = match &found {
                LoraMatch::File(file) => match self.load(file) {
                    Ok(loaded) => (Ok(loaded), None),
                    Err(error) => (Err(error.to_string()), error.hint()),
                },
                other => (Err(self.reason(&wanted.name, other)), self.hint(&wanted.name)),
            };
            Ok(Asked {
                name: wanted.name,
                text: wanted.text,
                unet: wanted.unet,
                ranks: wanted.ranks,
                unknown: wanted.unknown,
                span: wanted.span,
                file,
                hint,
            })
        };
        tags.map(one).collect()
    }
}
