//! From a prompt's tags to LoRAs and what there is to say about them.
use super::folder::LoraMatch;
use super::tags::{self, LoraTag};
use super::{Loras, Network};
use crate::{Base, Embeddings, Error, Result};
use std::sync::Arc;
use wayword_interface::Warning;
use wayword_prompt::{PromptError, PromptPlan, Quirks};

/// The LoRAs of a prompt in its order, the words that they bring, and warnings.
#[derive(Debug, Clone)]
pub(crate) struct Chosen {
    pub(crate) networks: Vec<Network>,
    /// The job's words and those that the networks bring.
    pub(crate) words: Arc<Embeddings>,
    pub(crate) warnings: Vec<Warning>,
}

/// Finds what a prompt asks for.
///
/// # Errors
/// At a tag with an argument that is no number, and where a file that was found cannot be used.
/// With A1111's quirks the first drops all LoRAs and the second that one, with a warning.
pub(crate) fn choose(
    base: &Base,
    loras: Option<&Loras>,
    prompt: &PromptPlan,
    words: &Arc<Embeddings>,
    quirks: Quirks,
) -> Result<Chosen> {
    let (networks, words) = (Vec::new(), Arc::clone(words));
    let mut out = Chosen { networks, words, warnings: Vec::new() };
    let wanted = tags::read_all(&prompt.prompt, &prompt.extra_networks);
    let wanted = match (wanted, quirks) {
        (Ok(wanted), _) if wanted.is_empty() => return Ok(out),
        (Ok(wanted), _) => wanted,
        (Err(error), Quirks::Sane) => return Err(error.into()),
        (Err(error), Quirks::A1111) => {
            out.warnings.push(Warning::new(format!("no LoRA is applied: {error}")));
            return Ok(out);
        }
    };
    let none = Loras::default();
    for wanted in wanted {
        match find(base, loras, loras.unwrap_or(&none), prompt, &wanted, quirks, &mut out.warnings)
        {
            Ok(Some(network)) => out.networks.push(network),
            Ok(None) => {}
            Err(error) if quirks == Quirks::Sane => return Err(error),
            Err(error) => {
                out.warnings.push(Warning::new(error.to_string()).with_hint_if(error.hint()))
            }
        }
    }
    repeated(&mut out.networks, quirks);
    bundled(&mut out);
    Ok(out)
}

/// One tag's LoRA; `None`, said in a warning, where no file has the name.
fn find(
    base: &Base,
    given: Option<&Loras>,
    loras: &Loras,
    prompt: &PromptPlan,
    wanted: &LoraTag,
    quirks: Quirks,
    warnings: &mut Vec<Warning>,
) -> Result<Option<Network>> {
    let name = &wanted.name;
    let found = loras.find(name);
    let file = match &found {
        LoraMatch::File(file) => *file,
        LoraMatch::Broken(_) => {
            let (reason, hint) = (loras.reason(name, &found), loras.hint(name));
            return Err(Error::Lora { name: name.clone(), reason, hint });
        }
        // Nobody told where LoRAs are: that is no slip in the prompt.
        LoraMatch::Nothing if given.is_none() && quirks == Quirks::Sane => {
            let error = PromptError::new(
                format!("LoRA `{name}`: no LoRA folder was given"),
                &prompt.prompt,
                wanted.span.clone(),
            );
            return Err(error.hint("pass their folder with {any.loras} DIR").into());
        }
        LoraMatch::Ambiguous(_) | LoraMatch::Nothing => {
            let text = format!("LoRA `{name}`: {}; it is ignored", loras.reason(name, &found));
            warnings.push(Warning::new(text).with_hint_if(loras.hint(name)));
            return Ok(None);
        }
    };
    for error in loras.skipped().filter(|e| e.path.file_stem() == file.path.file_stem()) {
        warnings.push(Warning::new(error.to_string()).with_hint_if(error.hint()));
    }
    warnings.extend(wanted.remarks().map(Warning::new));
    let loaded = loras.load(file)?;
    #[expect(clippy::cast_possible_truncation, reason = "torch multiplies in f32")]
    let (text, unet) = (wanted.text as f32, wanted.unet as f32);
    let network = Network { ranks: wanted.ranks, quirks, ..Network::new(name, loaded, text, unet) };
    warnings.extend(network.remarks(base)?);
    Ok(Some(network))
}

/// A LoRA that is named twice: its multipliers add up. In the web UI both tags mean one object, so
/// the last ones are applied twice.
fn repeated(networks: &mut Vec<Network>, quirks: Quirks) {
    if quirks == Quirks::A1111 {
        for i in 0..networks.len() {
            let last = networks.iter().rfind(|n| n.name == networks[i].name).cloned();
            if let Some(last) = last {
                networks[i] = last;
            }
        }
        return;
    }
    let mut out: Vec<Network> = Vec::new();
    for network in networks.drain(..) {
        let same =
            |n: &&mut Network| Arc::ptr_eq(&n.loaded, &network.loaded) && n.ranks == network.ranks;
        match out.iter_mut().find(same) {
            Some(first) => {
                first.text += network.text;
                first.unet += network.unet;
            }
            None => out.push(network),
        }
    }
    *networks = out;
}

/// Registers the words that networks bring, unless the job has words of these names.
fn bundled(out: &mut Chosen) {
    let brings = |n: &Network| !n.loaded.lora.embeddings.is_empty();
    if !out.networks.iter().any(brings) {
        return;
    }
    let mut words = Embeddings::clone(&out.words);
    for network in &out.networks {
        for (name, word) in &network.loaded.lora.embeddings {
            if words.loaded().iter().any(|w| w.name == *name) {
                let text = format!(
                    "LoRA `{}` brings the word `{name}`, but one of that name already exists, which is used",
                    network.name
                );
                if out.words.loaded().iter().any(|w| w.name == *name) {
                    out.warnings.push(Warning::new(text));
                }
                continue;
            }
            if let Err(error) = words.add(name, word.vectors.clone(), None) {
                let text = format!("LoRA `{}`: {error}", network.name);
                out.warnings.push(Warning::new(text).with_hint_if(error.hint()));
            }
        }
    }
    out.words = Arc::new(words);
}
