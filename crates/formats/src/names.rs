//! The names of a Stable Diffusion 1.x model's tensors: CompVis' (LDM) and diffusers'.
//!
//! Both describe the same modules. A [`Table`] lists them side by side, so that translation is a
//! bijection by construction, for as many blocks as the keys at hand have. Within this program the
//! diffusers names count, each under its [`Component`].

mod text;
mod unet;
mod vae;

use std::collections::BTreeMap;

/// A part of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Component {
    /// The noise predictor.
    Unet,
    /// The coder between pixels and latents.
    Vae,
    /// The CLIP text encoder.
    Text,
}

impl Component {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Unet, Self::Vae, Self::Text];

    /// What people call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unet => "UNet",
            Self::Vae => "VAE",
            Self::Text => "text encoder",
        }
    }

    /// Its folder in a diffusers model.
    #[must_use]
    pub const fn folder(self) -> &'static str {
        match self {
            Self::Unet => "unet",
            Self::Vae => "vae",
            Self::Text => "text_encoder",
        }
    }

    /// What stands before its keys in a single file, the usual first.
    #[must_use]
    pub const fn prefixes(self) -> &'static [&'static str] {
        match self {
            Self::Unet => &["model.diffusion_model.", "diffusion_model.", "unet."],
            Self::Vae => &["first_stage_model.", "vae."],
            Self::Text => &[
                "cond_stage_model.transformer.",
                "text_encoders.clip_l.transformer.",
                "clip_l.transformer.",
                "clip_l.",
                "text_encoder.",
            ],
        }
    }

    /// The component of a key and the rest of the key: by its prefix, else by its first words.
    #[must_use]
    pub fn of(key: &str) -> Option<(Self, &str)> {
        let by_prefix = |c: Self| c.prefixes().iter().find_map(|p| key.strip_prefix(p));
        if let Some(found) = Self::ALL.into_iter().find_map(|c| Some((c, by_prefix(c)?))) {
            return Some(found);
        }
        let begins = |words: &[&str]| words.iter().any(|w| key.starts_with(w));
        let component = if begins(unet::BEGINNINGS) {
            Self::Unet
        } else if begins(vae::BEGINNINGS) {
            Self::Vae
        } else if begins(text::BEGINNINGS) {
            Self::Text
        } else {
            return None;
        };
        Some((component, key))
    }

    /// The table that fits these keys (of this component, without prefix, of either naming).
    #[must_use]
    pub fn table<'k>(self, keys: impl Iterator<Item = &'k str> + Clone) -> Table {
        match self {
            Self::Unet => unet::table(keys),
            Self::Vae => vae::table(keys),
            Self::Text => text::table(keys),
        }
    }
}

/// Modules under their two names; whatever follows a module's name is the same in both.
#[derive(Debug, Default)]
pub struct Table {
    to_diffusers: BTreeMap<String, String>,
    to_ldm: BTreeMap<String, String>,
    /// Further names of a module, of old files: to the diffusers name only.
    aliases: BTreeMap<String, String>,
}

impl Table {
    /// The diffusers name of a key of either naming; `None` if it is no key of this model.
    #[must_use]
    pub fn diffusers(&self, key: &str) -> Option<String> {
        let known = || rename(&self.to_ldm, key).map(|_| key.to_owned());
        rename(&self.to_diffusers, key).or_else(|| rename(&self.aliases, key)).or_else(known)
    }

    /// The LDM name of a diffusers key, without the component's prefix.
    #[must_use]
    pub fn ldm(&self, key: &str) -> Option<String> {
        rename(&self.to_ldm, key)
    }

    fn pair(&mut self, ldm: impl Into<String>, diffusers: impl Into<String>) {
        let (ldm, diffusers) = (ldm.into(), diffusers.into());
        self.to_ldm.insert(diffusers.clone(), ldm.clone());
        self.to_diffusers.insert(ldm, diffusers);
    }

    /// Parts of a module, each under its two names.
    fn pairs(&mut self, ldm: &str, diffusers: &str, parts: &[(&str, &str)]) {
        for (a, b) in parts {
            self.pair(format!("{ldm}.{a}"), format!("{diffusers}.{b}"));
        }
    }

    fn alias(&mut self, old: impl Into<String>, diffusers: impl Into<String>) {
        self.aliases.insert(old.into(), diffusers.into());
    }
}

/// Replaces the longest beginning of `key`, up to a dot, that is a name of the map.
fn rename(map: &BTreeMap<String, String>, key: &str) -> Option<String> {
    let dots = key.match_indices('.').map(|(at, _)| at).rev();
    dots.map(|at| key.split_at(at))
        .find_map(|(module, rest)| map.get(module).map(|to| format!("{to}{rest}")))
}

/// One more than the largest number that stands where the pattern has `#`, at the keys' start;
/// 0 if there is none.
fn count<'k>(keys: impl Iterator<Item = &'k str>, before: &str) -> usize {
    let number = |key: &str| key.strip_prefix(before)?.split('.').next()?.parse::<usize>().ok();
    // A number beyond any model's size would only make the table long.
    keys.filter_map(number).filter(|n| *n < 100).max().map_or(0, |n| n + 1)
}

#[cfg(test)]
mod tests;
