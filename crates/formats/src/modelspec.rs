//! The `modelspec.*` metadata that kohya's scripts write into an embedding's safetensors header.

use std::collections::BTreeMap;

/// What a trained embedding says about itself.
#[derive(Debug, Clone, Default)]
pub struct ModelSpec {
    /// Its title: kohya takes the output name where the user gave none.
    pub title: String,
    /// Width and height of training, in pixels.
    pub resolution: (u32, u32),
    /// The start of the run, `YYYY-MM-DDTHH:MM:SS`.
    pub date: String,
    /// Whether the base predicts v instead of the noise.
    pub v_prediction: bool,
    /// The program and its version, `NAME/VERSION`.
    pub program: String,
    /// Who made it.
    pub author: Option<String>,
    /// What it is.
    pub description: Option<String>,
    /// Its licence.
    pub license: Option<String>,
    /// Tags, comma-separated.
    pub tags: Option<String>,
    /// How to use it.
    pub usage_hint: Option<String>,
    /// The word that calls it.
    pub trigger_phrase: Option<String>,
    /// A small picture, as a `data:` URL.
    pub thumbnail: Option<String>,
    /// What it was merged from.
    pub merged_from: Option<String>,
    /// How prompts are prepared for it.
    pub preprocessor: Option<String>,
    /// Whether it is for negative prompts.
    pub is_negative_embedding: Option<String>,
    /// Lowest and highest timestep trained on; where one is given, the other is 0 or 1000.
    pub timesteps: (Option<u32>, Option<u32>),
    /// The clip skip trained with.
    pub clip_skip: Option<u32>,
}

impl ModelSpec {
    /// The metadata of a safetensors header. Missing values have no key.
    #[must_use]
    pub fn metadata(&self) -> BTreeMap<String, String> {
        let (w, h) = self.resolution;
        let prediction = if self.v_prediction { "v" } else { "epsilon" };
        let range = match self.timesteps {
            (None, None) => None,
            (low, high) => Some(format!("{},{}", low.unwrap_or(0), high.unwrap_or(1000))),
        };
        let text = |t: &str| Some(t.to_owned());
        let all = [
            ("sai_model_spec", text("1.0.1")),
            ("architecture", text("stable-diffusion-v1/textual-inversion")),
            ("implementation", text("https://github.com/Stability-AI/generative-models")),
            ("title", text(&self.title)),
            ("resolution", Some(format!("{w}x{h}"))),
            ("date", text(&self.date)),
            ("prediction_type", text(prediction)),
            ("implementation_version", text(&self.program)),
            ("author", self.author.clone()),
            ("description", self.description.clone()),
            ("license", self.license.clone()),
            ("tags", self.tags.clone()),
            ("usage_hint", self.usage_hint.clone()),
            ("trigger_phrase", self.trigger_phrase.clone()),
            ("thumbnail", self.thumbnail.clone()),
            ("merged_from", self.merged_from.clone()),
            ("preprocessor", self.preprocessor.clone()),
            ("is_negative_embedding", self.is_negative_embedding.clone()),
            ("timestep_range", range),
            ("encoder_layer", self.clip_skip.map(|n| n.to_string())),
        ];
        all.into_iter().filter_map(|(k, v)| Some((format!("modelspec.{k}"), v?))).collect()
    }
}
