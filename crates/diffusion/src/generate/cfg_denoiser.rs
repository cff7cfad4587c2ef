//! The UNet as samplers call it: with the prompts of the step, and classifier-free guidance (Ho and
//! Salimans 2022).
//!
//! Guidance works on clean latents for samplers on sigmas and on noise for those on timesteps, as in
//! the web UI. Each call of the model counts for schedules in prompts. The text stays on the device:
//! hidden states are uploaded, and the keys and values of the cross-attentions computed, once for
//! each text that the steps use.
use super::{Conditioning, GroupConditioning};
use crate::conditioning::pad_parts;
use crate::plan::DrawPlan;
use crate::samplers::{Denoiser, Predicted, Predictor, guide, lcm_denoised};
use crate::sigmas::SigmaTable;
use crate::unet::{OddSizes, PreparedContext};
use crate::{AdapterGuard, Error, Prediction, Result, pixels};
use std::rc::Rc;
use wayword_interface::Stop;
use wayword_prompt::Quirks;
use wayword_tensor::{Grid, Shape, Tensor};

/// Texts that are kept on the device: `[a|b]` goes back and forth between a few.
const KEPT_CONTEXTS: usize = 4;

/// The guided model of one group of pictures.
#[derive(Debug)]
pub(super) struct CfgDenoiser<'a> {
    model: &'a AdapterGuard<'a>,
    conditioning: &'a GroupConditioning,
    table: &'a SigmaTable,
    grid: Grid,
    cfg: f64,
    lcm: bool,
    /// Whether the negative prompt is computed also where it does not count.
    always_both: bool,
    /// The texts on the device, those used last at the end.
    contexts: Vec<KeptContext>,
    /// What a mask keeps.
    pub(super) blend: Option<MaskBlend>,
    /// Ends a call between two blocks of the UNet.
    pub(super) stop: Stop,
    /// Calls so far.
    calls: i64,
}

/// The text of a batch on the device.
#[derive(Debug)]
struct KeptContext {
    /// The hidden states of each sample, by address and length: they live as long as this does.
    key: Vec<(*const f32, usize)>,
    context: Rc<PreparedContext>,
}

/// Latents that a mask keeps at every step.
#[derive(Debug, Clone)]
pub(super) struct MaskBlend {
    /// The whole group's.
    latents: Vec<f32>,
    /// For each of their values: 1 is drawn anew, 0 stays.
    mask: Vec<f32>,
}

impl MaskBlend {
    /// `mask` has a value for each place of a picture; `None` if it has none.
    pub(super) fn new(latents: &[f32], mask: &[f32]) -> Option<Self> {
        let repeats = latents.len().checked_div(mask.len())?;
        Some(Self { latents: latents.to_vec(), mask: mask.repeat(repeats) })
    }

    /// Puts the kept part back in its place.
    pub(super) fn apply(&self, x: &mut [f32]) {
        for ((x, latent), m) in x.iter_mut().zip(&self.latents).zip(&self.mask) {
            *x = *x * m + latent * (1.0 - m);
        }
    }
}

/// A sample of the UNet's batch: the picture, the weight of its part, its hidden states.
type Sample<'a> = (usize, f64, &'a [f32]);

/// The UNet's predictions: for each picture its parts with their weights, and without the prompt.
struct Predictions {
    parts: Vec<Vec<(f64, Vec<f32>)>>,
    /// Empty where guidance needs none.
    uncond: Vec<Vec<f32>>,
}

impl<'a> CfgDenoiser<'a> {
    pub(super) fn new(
        model: &'a AdapterGuard<'a>,
        plan: &DrawPlan,
        lcm: bool,
        conditioning: &'a GroupConditioning,
        table: &'a SigmaTable,
        grid: Grid,
    ) -> Self {
        let settings = plan.settings();
        let (cfg, always_both) = (settings.cfg, settings.quirks == Quirks::A1111);
        let contexts = Vec::new();
        Self {
            model,
            conditioning,
            table,
            grid,
            cfg,
            lcm,
            always_both,
            contexts,
            blend: None,
            stop: Stop::default(),
            calls: 0,
        }
    }

    /// Values of one picture's latent.
    fn values(&self) -> usize {
        4 * self.grid.tokens()
    }

    /// Whether the prediction without the prompt counts: at guidance 1 it cancels where each picture
    /// has one part of weight 1.
    fn needs_uncond(&self, scale: f64) -> bool {
        self.always_both || self.conditioning.needs_negative(self.cfg * scale)
    }

    /// The UNet's predictions for `x` (scaled as it expects it) at timestep `t`, with the texts of
    /// this call.
    fn predictions(&mut self, x: &[f32], t: f32, with_uncond: bool) -> Result<Predictions> {
        let call = self.calls;
        self.calls += 1;
        let latents: Vec<&[f32]> = x.chunks_exact(self.values()).collect();
        let mut conds: Vec<Sample<'a>> = Vec::new();
        let mut unconds: Vec<Sample<'a>> = Vec::new();
        let conditioning = self.conditioning;
        for picture in 0..latents.len() {
            let at = |text: &'a Conditioning| text.at_call(call);
            conds.extend(at(&conditioning.positive[picture]).map(|(w, s)| (picture, w, s)));
            if with_uncond {
                unconds.extend(at(&conditioning.negative[picture]).map(|(w, s)| (picture, w, s)));
            }
        }
        let longest = |samples: &[Sample<'_>]| samples.iter().map(|sample| sample.2.len()).max();
        // Of equal length all go through the UNet at once.
        let (cond, uncond) = if longest(&conds) == longest(&unconds) {
            let both: Vec<_> = conds.iter().chain(&unconds).copied().collect();
            let mut cond = self.batch(&latents, &both, t)?;
            let uncond = cond.split_off(conds.len());
            (cond, uncond)
        } else {
            (self.batch(&latents, &conds, t)?, self.batch(&latents, &unconds, t)?)
        };
        let mut parts: Vec<Vec<(f64, Vec<f32>)>> = vec![Vec::new(); latents.len()];
        for ((picture, weight, _), predicted) in conds.iter().zip(cond) {
            parts[*picture].push((*weight, predicted));
        }
        Ok(Predictions { parts, uncond })
    }

    /// One call of the UNet.
    fn batch(
        &mut self,
        latents: &[&[f32]],
        samples: &[Sample<'a>],
        t: f32,
    ) -> Result<Vec<Vec<f32>>> {
        if samples.is_empty() {
            return Ok(Vec::new());
        }
        let device = self.model.base().device();
        let x: Vec<f32> = samples.iter().flat_map(|(p, ..)| latents[*p]).copied().collect();
        let x = pixels::to_device(device, &x, samples.len(), 4, self.grid)?;
        let context = self.context(samples)?;
        let timesteps = vec![t; samples.len()];
        let odd = OddSizes::ConvThenResize;
        let out = self.model.unet().forward_prepared(&x, self.grid, &timesteps, &context, odd)?;
        let planes = pixels::to_planes(&out)?;
        Ok(planes.chunks_exact(self.values()).map(<[f32]>::to_vec).collect())
    }

    /// The text of a batch on the device, from an earlier step where it was the same.
    fn context(&mut self, samples: &[Sample<'a>]) -> Result<Rc<PreparedContext>> {
        let key: Vec<_> = samples.iter().map(|(.., s)| (s.as_ptr(), s.len())).collect();
        if let Some(at) = self.contexts.iter().position(|kept| kept.key == key) {
            let kept = self.contexts.remove(at);
            let context = Rc::clone(&kept.context);
            self.contexts.push(kept);
            return Ok(context);
        }
        let width = self.model.base().info.token_width;
        let mut states: Vec<Vec<f32>> = samples.iter().map(|(.., s)| s.to_vec()).collect();
        pad_parts(&mut states, width);
        let shape = Shape::new(samples.len(), states[0].len() / width, width);
        let states = Tensor::from_host(self.model.base().device(), shape, &states.concat())?;
        let context = Rc::new(self.model.unet().prepare(&states).with_stop(&self.stop));
        if self.contexts.len() == KEPT_CONTEXTS {
            self.contexts.remove(0);
        }
        self.contexts.push(KeptContext { key, context: Rc::clone(&context) });
        Ok(context)
    }

    /// One picture's guided value from its parts and, where it counts, the one without the prompt.
    fn guide(&self, uncond: Option<&[f32]>, parts: &[(f64, Vec<f32>)], scale: f64) -> Vec<f32> {
        let Some(uncond) = uncond else { return parts[0].1.clone() };
        let parts: Vec<(f64, &[f32])> = parts.iter().map(|(w, v)| (*w, v.as_slice())).collect();
        guide(uncond, &parts, scale)
    }

    /// The clean latent from the UNet's prediction for the latent `x` at noise level `sigma`.
    fn clean(&self, x: &[f32], predicted: &[f32], sigma: f32, t: f32) -> Vec<f32> {
        if self.lcm {
            return lcm_denoised(x, predicted, sigma, t);
        }
        let variance = sigma * sigma + 1.0;
        let (keep, add) = match self.model.base().info.prediction {
            Prediction::Epsilon => (1.0, -sigma),
            Prediction::V => (1.0 / variance, -sigma / variance.sqrt()),
        };
        x.iter().zip(predicted).map(|(x, p)| x * keep + p * add).collect()
    }
}

impl Denoiser for CfgDenoiser<'_> {
    type Error = Error;

    fn denoise(&mut self, x: &[f32], sigma: f32) -> Result<Vec<f32>> {
        let t = self.table.sigma_to_t(sigma);
        let scale = 1.0 / (sigma * sigma + 1.0).sqrt();
        let scaled: Vec<f32> = x.iter().map(|v| v * scale).collect();
        let with_uncond = self.needs_uncond(1.0);
        let predicted = self.predictions(&scaled, t, with_uncond)?;
        let mut out = Vec::with_capacity(x.len());
        for (picture, x) in x.chunks_exact(self.values()).enumerate() {
            let clean = |predicted: &[f32]| self.clean(x, predicted, sigma, t);
            let parts = predicted.parts[picture].iter();
            let parts: Vec<_> = parts.map(|(w, predicted)| (*w, clean(predicted))).collect();
            let uncond = with_uncond.then(|| clean(&predicted.uncond[picture]));
            out.extend(self.guide(uncond.as_deref(), &parts, self.cfg));
        }
        if let Some(blend) = &self.blend {
            blend.apply(&mut out);
        }
        Ok(out)
    }
}

impl Predictor for CfgDenoiser<'_> {
    type Error = Error;

    fn predict(&mut self, x: &[f32], t: f32, scale: f64) -> Result<Predicted> {
        // Here the web UI puts in what a mask keeps before the model is called.
        let mut x = x.to_vec();
        if let Some(blend) = &self.blend {
            blend.apply(&mut x);
        }
        let x = x.as_slice();
        // CFG++ uses the prediction without the prompt itself.
        let with_uncond = scale != 1.0 || self.needs_uncond(scale);
        let mut found = self.predictions(x, t, with_uncond)?;
        if self.model.base().info.prediction == Prediction::V {
            let alpha =
                self.table.alphas()[(t.max(0.0) as usize).min(self.table.alphas().len() - 1)];
            let (keep, add) = (alpha.sqrt(), (1.0 - alpha).sqrt());
            for (picture, x) in x.chunks_exact(self.values()).enumerate() {
                let values = found.parts[picture].iter_mut().map(|(_, values)| values);
                for values in values.chain(found.uncond.get_mut(picture)) {
                    for (v, x) in values.iter_mut().zip(x) {
                        *v = keep * *v + add * x;
                    }
                }
            }
        }
        let mut predicted = Predicted { guided: Vec::new(), uncond: Vec::new() };
        for (picture, parts) in found.parts.iter().enumerate() {
            let uncond = found.uncond.get(picture).map(Vec::as_slice);
            predicted.guided.extend(self.guide(uncond, parts, self.cfg * scale));
            predicted.uncond.extend(uncond.into_iter().flatten());
        }
        Ok(predicted)
    }
}
