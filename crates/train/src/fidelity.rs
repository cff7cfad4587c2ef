//! Prompt fidelity without drawing: whether other words of a prompt still guide as they did.
//!
//! The direction of ` wearing a crown` is what it changes in the prediction: that of
//! `a photo of NAME wearing a crown` less that of `a photo of NAME`, at fixed noisy pictures. It is
//! taken once with the vectors that NAME began with and once with the candidate's, and compared by
//! the cosine. A word that has swallowed its pictures' surroundings turns or drowns these directions.
use crate::embedding::Lexicon;
use crate::plan::TrainPlan;
use crate::training_loop::micro_batch::{self, MicroBatch};
use crate::verdict::cosine;
use crate::{Error, Result};
use wayword_diffusion::AdapterGuard;
use wayword_diffusion::tokenizer::VOCABULARY;

/// Other words, behind `a photo of NAME`.
pub(crate) const OTHER_WORDS: [&str; 4] =
    [" at the beach", " wearing a crown", " in the snow", " wearing a red shirt"];

/// Where fidelity is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Probes {
    /// Noisy images.
    pub(crate) images: usize,
    /// Prompts with other words, at each of them.
    pub(crate) prompts: usize,
}

impl Probes {
    /// What tells short runs and steps apart (docs/quality.md).
    pub(crate) const USUAL: Self = Self { images: 2, prompts: 4 };

    /// Forwards of one sample for one measurement.
    pub(crate) const fn forwards(self) -> usize {
        self.images * (1 + self.prompts)
    }
}

/// Directions of other words, and where they are measured.
pub(crate) struct Directions {
    probes: Vec<MicroBatch>,
    /// With the vectors of the start, probe by probe and prompt by prompt.
    reference: Vec<Vec<f32>>,
}

impl Directions {
    /// Measures the reference. Its images are the noisiest samples of `set`, whose timesteps rise.
    pub(crate) fn new(
        model: &AdapterGuard<'_>,
        plan: &TrainPlan,
        start: &[f32],
        set: &[MicroBatch],
        where_measured: Probes,
    ) -> Result<Self> {
        let lexicon = Lexicon::new(&plan.embeddings, VOCABULARY as u32, plan.kohya_numbers);
        let Probes { images, prompts } = where_measured;
        let words = &OTHER_WORDS[..prompts.min(OTHER_WORDS.len())];
        let token = plan.token();
        let texts = std::iter::once("").chain(words.iter().copied());
        let ids: Vec<u32> = texts
            .flat_map(|words| {
                let text = format!("a photo of {token}{words}");
                lexicon.windows(&model.base().tokenizer, &text, plan.windows)
            })
            .collect();
        let probe = |sample: &MicroBatch| {
            let count = 1 + words.len();
            MicroBatch {
                noisy: sample.noisy.repeat(count),
                target: Vec::new(),
                timesteps: sample.timesteps.repeat(count),
                ids: ids.clone(),
                windows: plan.windows,
                weights: Vec::new(),
                ..sample.clone()
            }
        };
        // Not the very noisiest: nearly nothing is seen there yet.
        let noisy = set.iter().rev().step_by(2).skip(usize::from(images > 1)).take(images);
        let probes: Vec<MicroBatch> = noisy.map(probe).collect();
        let mut directions = Self { probes, reference: Vec::new() };
        directions.reference = directions.measure(model, start)?;
        Ok(directions)
    }

    /// Forwards of one comparison.
    pub(crate) fn forwards(&self) -> usize {
        self.probes.iter().map(|probe| probe.timesteps.len()).sum()
    }

    /// The mean cosine between directions with these vectors and those of the start.
    pub(crate) fn compare(&self, model: &AdapterGuard<'_>, vectors: &[f32]) -> Result<f64> {
        let found = self.measure(model, vectors)?;
        let sum: f64 = found.iter().zip(&self.reference).map(|(a, b)| cosine(a, b)).sum();
        let mean = sum / found.len().max(1) as f64;
        if mean.is_finite() {
            Ok(mean)
        } else {
            Err(Error::data("the model's prediction has numbers that are not finite"))
        }
    }

    fn measure(&self, model: &AdapterGuard<'_>, vectors: &[f32]) -> Result<Vec<Vec<f32>>> {
        let mut out = Vec::new();
        for probe in &self.probes {
            let predicted = micro_batch::predict(model, vectors, probe)?;
            let size = predicted.len() / probe.timesteps.len();
            let (plain, others) = predicted.split_at(size);
            let less = |other: &[f32]| other.iter().zip(plain).map(|(o, p)| o - p).collect();
            out.extend(others.chunks_exact(size).map(less));
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::cosine;

    #[test]
    fn directions_are_compared_by_their_angle() {
        assert!((cosine(&[1.0, 2.0], &[2.0, 4.0]) - 1.0).abs() < 1e-12);
        assert_eq!(cosine(&[1.0, 0.0], &[0.0, 1.0]), 0.0);
        assert_eq!(cosine(&[0.0, 0.0], &[0.0, 1.0]), 0.0);
    }
}
