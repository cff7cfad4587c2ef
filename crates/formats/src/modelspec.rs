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
    /// What its maker says of it, by keys without `modelspec.`: `author`, `description`, `license`,
    /// `tags` (comma-separated), `usage_hint`, `trigger_phrase` (the word that calls it), `thumbnail`
    /// (a `data:` URL), `merged_from`, `preprocessor`, `is_negative_embedding`.
    pub texts: BTreeMap<String, String>,
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
            ("timestep_range", range),
            ("encoder_layer", self.clip_skip.map(|n| n.to_string())),
        ];
        let all = all.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
        let texts = self.texts.iter().map(|(key, text)| (key.clone(), text.clone()));
        all.chain(texts).map(|(key, value)| (format!("modelspec.{key}"), value)).collect()
    }
}
