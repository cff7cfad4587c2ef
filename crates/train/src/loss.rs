//! What a training step minimizes: the kind of difference, and how much each sample and place counts.
//!
//! Per element: l2 `d²`, l1 `|d|`, huber `2c (sqrt(d²+c²) - c)`, smooth_l1 `2 (sqrt(d²+c²) - c)`; then
//! the mask, the mean over a sample, the sample's weight, the mean over the batch. All weights are
//! factors, so a sample's loss is one number times its mean, and the device needs nothing else.
mod mask;

pub use mask::to_latent;

use crate::noise_options::{RoundedSchedule, STEPS};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use wayword_tensor::LossKind;

/// The kind of difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Difference {
    /// Squares.
    #[default]
    L2,
    /// Absolute values.
    L1,
    /// Squares near 0 and absolute values far from it, of the squares' size.
    Huber,
    /// The same, of the absolute values' size.
    #[serde(rename = "smooth_l1")]
    SmoothL1,
}

impl Difference {
    /// The kind of kohya's name.
    ///
    /// # Errors
    /// If there is no such kind.
    pub fn parse(name: &str) -> Result<Self> {
        Ok(match name {
            "l2" => Self::L2,
            "l1" => Self::L1,
            "huber" => Self::Huber,
            "smooth_l1" => Self::SmoothL1,
            _ => return Err(Error::option("train.loss", "l2, l1, huber or smooth_l1", name)),
        })
    }
}

/// How the threshold `c` follows the noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HuberSchedule {
    /// `(1-hc) / (1+sigma)² + hc`, without the scale.
    #[default]
    Snr,
    /// `hc^(t/1000) * scale`.
    Exponential,
    /// `hc * scale`.
    Constant,
}

impl HuberSchedule {
    /// The schedule of kohya's name.
    ///
    /// # Errors
    /// If there is no such schedule.
    pub fn parse(name: &str) -> Result<Self> {
        Ok(match name {
            "snr" => Self::Snr,
            "exponential" => Self::Exponential,
            "constant" => Self::Constant,
            _ => {
                return Err(Error::option(
                    "train.huber_schedule",
                    "snr, exponential or constant",
                    name,
                ));
            }
        })
    }
}

/// Options of the loss. The default is the mean square, every sample alike.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LossOptions {
    /// The kind of difference.
    pub kind: Difference,
    /// How the huber threshold follows the noise.
    pub huber_schedule: HuberSchedule,
    /// The huber threshold.
    pub huber_c: f64,
    /// Its factor.
    pub huber_scale: f64,
    /// Weight by `min(SNR, this) / SNR` (Hang et al. 2023); `None` or 0 is off.
    pub min_snr_gamma: Option<f64>,
    /// Weight a velocity's loss like a noise's: `S / (S+1)`.
    pub scale_v_pred_loss_like_noise_pred: bool,
    /// Add this part of the velocity's loss to a noise's: `1 + k (S+1)/S`; `None` or 0 is off.
    pub v_pred_like_loss: Option<f64>,
    /// Weight by `1/sqrt(S)`, with velocities `1/(S+1)`.
    pub debiased_estimation: bool,
    /// The model predicts velocities.
    pub v_prediction: bool,
}

impl Default for LossOptions {
    fn default() -> Self {
        Self {
            kind: Difference::L2,
            huber_schedule: HuberSchedule::Snr,
            huber_c: 0.1,
            huber_scale: 1.0,
            min_snr_gamma: None,
            scale_v_pred_loss_like_noise_pred: false,
            v_pred_like_loss: None,
            debiased_estimation: false,
            v_prediction: false,
        }
    }
}

impl LossOptions {
    /// Checks that the options fit together.
    ///
    /// # Errors
    /// If an option is for the other kind of prediction, or a number is out of range.
    pub fn check(&self) -> Result<()> {
        if self.scale_v_pred_loss_like_noise_pred && !self.v_prediction {
            return Err(Error::option(
                "train.scale_v_pred_loss_like_noise_pred",
                "a model that predicts velocities ({train.prediction} v)",
                "one that predicts noise",
            ));
        }
        if self.v_pred_like_loss.is_some_and(|k| k != 0.0) && self.v_prediction {
            return Err(Error::option(
                "train.v_pred_like_loss",
                "a model that predicts noise",
                "one that predicts velocities",
            ));
        }
        for (option, value) in [
            ("{train.huber_c}", self.huber_c),
            ("{train.huber_scale}", self.huber_scale),
            ("{train.min_snr_gamma}", self.min_snr_gamma.unwrap_or(1.0)),
        ] {
            let needed = option == "{train.min_snr_gamma}" && value == 0.0;
            if !value.is_finite() || value < 0.0 || (value == 0.0 && !needed) {
                return Err(Error::option(option, "a number above 0", value.to_string()));
            }
        }
        Ok(())
    }
}

/// The loss of every timestep.
#[derive(Debug, Clone, PartialEq)]
pub struct LossTable {
    kind: Difference,
    thresholds: Vec<f32>,
    weights: Vec<f32>,
}

impl LossTable {
    /// Works out thresholds and weights of all steps. Weights use the levels before rescaling for
    /// zero terminal SNR, thresholds those after, as kohya does.
    #[must_use]
    pub fn new(options: &LossOptions, levels: &RoundedSchedule) -> Self {
        Self {
            kind: options.kind,
            thresholds: (0..STEPS)
                .map(|t| threshold(options, levels.schedule.alphas[t], t))
                .collect(),
            weights: levels.snr.iter().map(|snr| weight(options, *snr)).collect(),
        }
    }

    /// The factor of a sample's loss at step `t`.
    #[must_use]
    pub fn weight(&self, t: usize) -> f32 {
        self.weights[t]
    }

    /// The huber threshold at step `t`.
    #[must_use]
    pub fn threshold(&self, t: usize) -> f32 {
        self.thresholds[t]
    }

    /// The kind as the device takes it, with one threshold a sample.
    #[must_use]
    pub fn kind(&self, timesteps: &[usize]) -> LossKind {
        let thresholds = || timesteps.iter().map(|t| self.threshold(*t)).collect();
        match self.kind {
            Difference::L2 => LossKind::L2,
            Difference::L1 => LossKind::L1,
            Difference::Huber => LossKind::Huber(thresholds()),
            Difference::SmoothL1 => LossKind::SmoothL1(thresholds()),
        }
    }

    /// The weight of every place as the device takes it, `[batch, height * width]`: the mask, times
    /// the weight of the step, times the sample's own (prior loss weight; 1 for training images).
    ///
    /// Masks are as large as latents, `[height * width]` from 0 to 1; `None` counts every place in
    /// full. The mask is not normalized, as in kohya.
    ///
    /// # Panics
    /// If the lists differ in length, or a mask has another size.
    #[must_use]
    pub fn weights(
        &self,
        timesteps: &[usize],
        sample_weights: &[f32],
        masks: &[Option<&[f32]>],
        places: usize,
    ) -> Vec<f32> {
        let samples = timesteps.len();
        assert!(sample_weights.len() == samples && masks.len() == samples, "one entry per sample");
        let mut out = Vec::with_capacity(places * samples);
        for ((t, sample_weight), mask) in timesteps.iter().zip(sample_weights).zip(masks) {
            let weight = sample_weight * self.weight(*t);
            match mask {
                None => out.extend(std::iter::repeat_n(weight, places)),
                Some(mask) => {
                    assert_eq!(mask.len(), places, "a mask is as large as its latents");
                    out.extend(mask.iter().map(|m| m * weight));
                }
            }
        }
        out
    }
}

fn threshold(options: &LossOptions, alpha: f32, t: usize) -> f32 {
    let (c, scale) = (options.huber_c, options.huber_scale);
    match options.huber_schedule {
        HuberSchedule::Snr => {
            let sigma = ((1.0 - alpha) / alpha).sqrt();
            (1.0 - c as f32) / (1.0 + sigma).powi(2) + c as f32
        }
        HuberSchedule::Exponential => ((t as f64 * c.ln() / STEPS as f64).exp() * scale) as f32,
        HuberSchedule::Constant => (c * scale) as f32,
    }
}

fn weight(options: &LossOptions, snr: f32) -> f32 {
    let mut weight = 1.0;
    let v = options.v_prediction;
    let s = snr.min(1000.0);
    if let Some(gamma) = options.min_snr_gamma.filter(|g| *g != 0.0) {
        weight *= snr.min(gamma as f32) / if v { snr + 1.0 } else { snr };
    }
    if options.scale_v_pred_loss_like_noise_pred {
        weight *= s / (s + 1.0);
    }
    if let Some(k) = options.v_pred_like_loss.filter(|k| *k != 0.0) {
        weight *= 1.0 + k as f32 * ((s + 1.0) / s);
    }
    if options.debiased_estimation {
        weight *= if v { 1.0 / (s + 1.0) } else { 1.0 / s.sqrt() };
    }
    weight
}

/// One sample's mean loss and its gradient on the host: the reference for the device's.
///
/// `prediction`, `target` and `weights` have one entry per element; `c` is the huber threshold.
#[must_use]
pub fn loss_and_gradient(
    kind: Difference,
    c: f32,
    prediction: &[f32],
    target: &[f32],
    weights: &[f32],
) -> (f64, Vec<f32>) {
    let (n, c) = (prediction.len() as f64, f64::from(c));
    let mut sum = 0.0;
    let mut element = |((p, t), w): ((&f32, &f32), &f32)| {
        let d = f64::from(p - t);
        let root = (d * d + c * c).sqrt();
        let (value, slope) = match kind {
            Difference::L2 => (d * d, 2.0 * d),
            Difference::L1 => (d.abs(), if d == 0.0 { 0.0 } else { d.signum() }),
            Difference::Huber => (2.0 * c * (root - c), 2.0 * c * d / root),
            Difference::SmoothL1 => (2.0 * (root - c), 2.0 * d / root),
        };
        sum += value * f64::from(*w);
        (slope * f64::from(*w) / n) as f32
    };
    let elements = prediction.iter().zip(target).zip(weights);
    let gradient = elements.map(&mut element).collect();
    (sum / n, gradient)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gradients_are_slopes() {
        let (p, t, w) = ([0.3f32, -1.2, 0.05], [0.1f32, 0.4, 0.0], [1.0f32, 0.5, 2.0]);
        for kind in [Difference::L2, Difference::L1, Difference::Huber, Difference::SmoothL1] {
            let (_, gradient) = loss_and_gradient(kind, 0.2, &p, &t, &w);
            for i in 0..3 {
                let at = |h: f32| {
                    let mut q = p;
                    q[i] += h;
                    loss_and_gradient(kind, 0.2, &q, &t, &w).0
                };
                let slope = (at(1e-3) - at(-1e-3)) / 2e-3;
                assert!((slope - f64::from(gradient[i])).abs() < 1e-4, "{kind:?} {i}");
            }
        }
    }

    #[test]
    fn masks_and_weights_multiply() {
        let table = LossTable::new(
            &LossOptions::default(),
            &RoundedSchedule::new(false, Default::default()),
        );
        let mask = [0.0, 0.5];
        let found = table.weights(&[3, 7], &[1.0, 0.5], &[Some(&mask), None], 2);
        assert_eq!(found, [0.0, 0.5, 0.5, 0.5]);
        assert_eq!(table.kind(&[3]), LossKind::L2);
    }

    #[test]
    fn options_for_the_other_prediction_are_refused() {
        let v = LossOptions { v_prediction: true, ..LossOptions::default() };
        assert!(LossOptions { v_pred_like_loss: Some(0.5), ..v }.check().is_err());
        let scale = LossOptions { scale_v_pred_loss_like_noise_pred: true, ..v };
        assert!(scale.check().is_ok());
        assert!(LossOptions { v_prediction: false, ..scale }.check().is_err());
    }
}
