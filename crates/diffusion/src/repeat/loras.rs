//! The LoRAs of a picture's text by their hashes: files have other names on other machines.
use super::files_of;
use crate::adapters::Loras;
use crate::{DrawSettings, Result};
use std::collections::BTreeMap;
use wayword_formats::infotext::Infotext;
use wayword_interface::Warning;
use wayword_prompt::extra_networks::extract;

/// Renames the LoRAs of prompts to what they are called here, as the web UI does when it reads a
/// picture: where a tag's name has a hash in the text and another file here has that hash.
///
/// # Errors
/// If a file's hash cannot be computed.
pub fn rename_loras(
    text: &Infotext,
    loras: &Loras,
    settings: &mut DrawSettings,
) -> Result<Vec<Warning>> {
    let hashes: BTreeMap<&str, &str> = files_of(text, "Lora hashes").collect();
    let mut here: BTreeMap<&str, Option<String>> = BTreeMap::new();
    for (name, hash) in &hashes {
        here.insert(name, loras.called(name, hash)?);
    }
    let hires = settings.hires.as_mut().map(|hires| &mut hires.prompts);
    let mut warnings = Vec::new();
    for prompt in std::iter::once(&mut settings.prompts).chain(hires).flatten() {
        let (_, tags) = extract(prompt);
        for tag in tags.iter().rev().filter(|tag| tag.is_lora()) {
            let name = tag.name();
            // Lists of hashes leave these characters out of names.
            let Some(Some(own)) = here.get(name.replace([':', ','], "").as_str()) else { continue };
            let at = tag.span.start + 1 + tag.kind.len() + 1;
            if prompt.get(at..at + name.len()) != Some(name) {
                continue;
            }
            let warning =
                Warning::new(format!("the LoRA `{name}` was found under the name `{own}`"));
            if !warnings.contains(&warning) {
                warnings.push(warning);
            }
            prompt.replace_range(at..at + name.len(), own);
        }
    }
    Ok(warnings)
}
