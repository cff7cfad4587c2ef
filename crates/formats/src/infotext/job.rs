//! The settings of one picture in A1111's order.

use super::Infotext;

/// What was drawn. Numbers come as text, because A1111 prints them as they were given: its page
/// says `7`, its API `7.0`.
#[derive(Debug, Clone, Default)]
pub struct DrawnSettings {
    /// The picture's own prompt, wildcards drawn, `<lora:…>` tags in place.
    pub prompt: String,
    /// Its negative prompt.
    pub negative: String,
    /// Sampling steps.
    pub steps: u32,
    /// The sampler's label.
    pub sampler: String,
    /// The schedule's label, as resolved.
    pub schedule: Option<String>,
    /// The guidance scale.
    pub cfg: String,
    /// The picture's seed.
    pub seed: u64,
    /// The face restorer.
    pub face_restoration: Option<String>,
    /// Width and height in pixels.
    pub size: (u32, u32),
    /// The model file's hash, ten digits.
    pub model_hash: Option<String>,
    /// The model file's name without its ending.
    pub model: Option<String>,
    /// The VAE file's hash, ten digits.
    pub vae_hash: Option<String>,
    /// The VAE file's name.
    pub vae: Option<String>,
    /// The variation's seed and strength.
    pub variation: Option<(u64, String)>,
    /// The size whose noise is imitated.
    pub seed_resize: Option<(u32, u32)>,
    /// How much a picture is changed.
    pub denoising: Option<String>,
    /// How many of the text encoder's last layers are left out, from 1.
    pub clip_skip: u32,
    /// What is added to the seed after the first noise; see [`records_ensd`].
    pub ensd: Option<i64>,
    /// The source of noise, where it is not A1111's default `GPU`.
    pub rng: Option<String>,
    /// Whether the picture's edges meet.
    pub tiling: bool,
    /// Everything else, in order. A key of the above replaces that value in its place.
    pub extra: Vec<(String, String)>,
    /// The program and its version.
    pub version: Option<String>,
}

impl DrawnSettings {
    /// The text of the picture.
    #[must_use]
    pub fn infotext(&self) -> Infotext {
        let text = |t: &Option<String>| t.clone();
        let by = |(w, h): (u32, u32)| format!("{w}x{h}");
        // Also keys without a value hold their place, for an extra value that fills it.
        let fixed: [(&str, Option<String>); 26] = [
            ("Steps", Some(self.steps.to_string())),
            ("Sampler", Some(self.sampler.clone())),
            ("Schedule type", text(&self.schedule)),
            ("CFG scale", Some(self.cfg.clone())),
            ("Image CFG scale", None),
            ("Seed", Some(self.seed.to_string())),
            ("Face restoration", text(&self.face_restoration)),
            ("Size", Some(by(self.size))),
            ("Model hash", text(&self.model_hash)),
            ("Model", text(&self.model)),
            ("FP8 weight", None),
            ("Cache FP16 weight for LoRA", None),
            ("VAE hash", text(&self.vae_hash)),
            ("VAE", text(&self.vae)),
            ("Variation seed", self.variation.as_ref().map(|(seed, _)| seed.to_string())),
            ("Variation seed strength", self.variation.as_ref().map(|(_, s)| s.clone())),
            ("Seed resize from", self.seed_resize.map(by)),
            ("Denoising strength", text(&self.denoising)),
            ("Conditional mask weight", None),
            ("Clip skip", (self.clip_skip > 1).then(|| self.clip_skip.to_string())),
            ("ENSD", self.ensd.filter(|n| *n != 0).map(|n| n.to_string())),
            ("Token merging ratio", None),
            ("Token merging ratio hr", None),
            ("Init image hash", None),
            ("RNG", text(&self.rng)),
            ("Tiling", self.tiling.then(|| "True".into())),
        ];
        let mut all: Vec<(String, Option<String>)> =
            fixed.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
        let version = self.version.clone().map(|v| ("Version".to_owned(), v));
        for (key, value) in self.extra.iter().cloned().chain(version) {
            match all.iter_mut().find(|(k, _)| *k == key) {
                Some(slot) => slot.1 = Some(value),
                None => all.push((key, Some(value))),
            }
        }
        Infotext {
            prompt: self.prompt.clone(),
            negative: self.negative.clone(),
            pairs: all.into_iter().filter_map(|(k, v)| Some((k, v?))).collect(),
        }
    }
}

/// Whether A1111 records ENSD for a sampler: those that add noise of their own, unless eta is 0.
#[must_use]
pub fn records_ensd(sampler: &str, eta: Option<f64>) -> bool {
    matches!(sampler, "Euler a" | "DPM2 a" | "DPM++ 2S a" | "DPM fast" | "DPM adaptive")
        && eta != Some(0.0)
}
