//! The UNet as samplers see it: with the prompts' states of the moment, and guided.
//!
//! Guidance works on clean latents for samplers on noise levels and on noise for those on
//! timesteps, as in the web UI. Each call of the model counts for schedules in prompts.
use super::Conditioning;
use super::Texts;
use crate::conditioning::pad_parts;
use crate::samplers::{Denoiser, Predicted, Predictor, guide, lcm_denoised};
use crate::sigmas::SigmaTable;
use crate::unet::OddSizes;
use crate::{Base, Error, Prediction, Result, pixels};
use wayword_tensor::{Grid, Shape, Tensor};

/// The guided model of one group of pictures.
#[derive(Debug)]
pub(super) struct Guided<'a> {
    base: &'a Base,
    texts: &'a Texts,
    table: &'a SigmaTable,
    grid: Grid,
    cfg: f64,
    lcm: bool,
    /// What a mask keeps.
    pub(super) kept: Option<Kept>,
    /// Calls so far.
    calls: i64,
}

/// Latents that a mask keeps at every step.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    /// The whole group's.
    latents: Vec<f32>,
    /// For each of their values: 1 is drawn anew, 0 is kept.
    mask: Vec<f32>,
}

impl Kept {
    /// `mask` has a value for each place of a picture; `None` if it has none.
    pub(super) fn new(latents: &[f32], mask: &[f32]) -> Option<Self> {
        let repeats = latents.len().checked_div(mask.len())?;
        Some(Self { latents: latents.to_vec(), mask: mask.repeat(repeats) })
    }

    /// Puts what is kept in its place.
    pub(super) fn blend(&self, x: &mut [f32]) {
        for ((x, latent), m) in x.iter_mut().zip(&self.latents).zip(&self.mask) {
            *x = *x * m + latent * (1.0 - m);
        }
    }
}

/// What the UNet said: for each picture its parts with their weights, and without the prompt.
struct Said {
    parts: Vec<Vec<(f64, Vec<f32>)>>,
    uncond: Vec<Vec<f32>>,
}

impl<'a> Guided<'a> {
    pub(super) fn new(
        base: &'a Base,
        cfg: f64,
        lcm: bool,
        texts: &'a Texts,
        table: &'a SigmaTable,
        grid: Grid,
    ) -> Self {
        Self { base, texts, table, grid, cfg, lcm, kept: None, calls: 0 }
    }

    /// Values of one picture's latent.
    fn values(&self) -> usize {
        4 * self.grid.tokens()
    }

    /// The UNet's word on `x` (scaled as it wants it) at step `t`, for the states of this call.
    fn ask(&mut self, x: &[f32], t: f32) -> Result<Said> {
        let call = self.calls;
        self.calls += 1;
        let latents: Vec<&[f32]> = x.chunks_exact(self.values()).collect();
        let mut conds: Vec<(usize, f64, &[f32])> = Vec::new();
        let mut unconds: Vec<(usize, f64, &[f32])> = Vec::new();
        for picture in 0..latents.len() {
            let at = |text: &'a Conditioning| text.at_call(call);
            conds.extend(at(&self.texts.positive[picture]).map(|(w, s)| (picture, w, s)));
            unconds.extend(at(&self.texts.negative[picture]).map(|(w, s)| (picture, w, s)));
        }
        let longest = |rows: &[(usize, f64, &[f32])]| rows.iter().map(|row| row.2.len()).max();
        // Of equal length all go through the UNet at once.
        let (cond, uncond) = if longest(&conds) == longest(&unconds) {
            let both: Vec<_> = conds.iter().chain(&unconds).copied().collect();
            let mut cond = self.run(&latents, &both, t)?;
            let uncond = cond.split_off(conds.len());
            (cond, uncond)
        } else {
            (self.run(&latents, &conds, t)?, self.run(&latents, &unconds, t)?)
        };
        let mut parts: Vec<Vec<(f64, Vec<f32>)>> = vec![Vec::new(); latents.len()];
        for ((picture, weight, _), said) in conds.iter().zip(cond) {
            parts[*picture].push((*weight, said));
        }
        Ok(Said { parts, uncond })
    }

    /// The UNet on (picture, weight, states) rows.
    fn run(
        &self,
        latents: &[&[f32]],
        rows: &[(usize, f64, &[f32])],
        t: f32,
    ) -> Result<Vec<Vec<f32>>> {
        let (device, width) = (self.base.device(), self.base.info.token_width);
        let x: Vec<f32> = rows.iter().flat_map(|(p, ..)| latents[*p]).copied().collect();
        let x = pixels::to_device(device, &x, rows.len(), 4, self.grid)?;
        let mut states: Vec<Vec<f32>> = rows.iter().map(|row| row.2.to_vec()).collect();
        pad_parts(&mut states, width);
        let shape = Shape::new(rows.len(), states[0].len() / width, width);
        let context = Tensor::from_host(device, shape, &states.concat())?;
        let steps = vec![t; rows.len()];
        let odd = OddSizes::ConvThenResize;
        let out = self.base.unet.forward_odd(&x, self.grid, &steps, &context, odd)?;
        let planes = pixels::to_planes(&out)?;
        Ok(planes.chunks_exact(self.values()).map(<[f32]>::to_vec).collect())
    }

    /// One picture's guided value from its parts and the one without the prompt.
    fn guide(&self, uncond: &[f32], parts: &[(f64, Vec<f32>)], scale: f64) -> Vec<f32> {
        let parts: Vec<(f64, &[f32])> = parts.iter().map(|(w, v)| (*w, v.as_slice())).collect();
        guide(uncond, &parts, scale)
    }

    /// The clean latent from the UNet's word on the latent `x` at level `sigma`.
    fn clean(&self, x: &[f32], said: &[f32], sigma: f32, t: f32) -> Vec<f32> {
        if self.lcm {
            return lcm_denoised(x, said, sigma, t);
        }
        let variance = sigma * sigma + 1.0;
        let (keep, add) = match self.base.info.prediction {
            Prediction::Epsilon => (1.0, -sigma),
            Prediction::V => (1.0 / variance, -sigma / variance.sqrt()),
        };
        x.iter().zip(said).map(|(x, s)| x * keep + s * add).collect()
    }
}

impl Denoiser for Guided<'_> {
    type Error = Error;

    fn denoise(&mut self, x: &[f32], sigma: f32) -> Result<Vec<f32>> {
        let t = self.table.sigma_to_t(sigma);
        let scale = 1.0 / (sigma * sigma + 1.0).sqrt();
        let scaled: Vec<f32> = x.iter().map(|v| v * scale).collect();
        let said = self.ask(&scaled, t)?;
        let mut out = Vec::with_capacity(x.len());
        for ((x, uncond), parts) in x.chunks_exact(self.values()).zip(&said.uncond).zip(&said.parts)
        {
            let clean = |said: &[f32]| self.clean(x, said, sigma, t);
            let parts: Vec<_> = parts.iter().map(|(w, said)| (*w, clean(said))).collect();
            out.extend(self.guide(&clean(uncond), &parts, self.cfg));
        }
        if let Some(kept) = &self.kept {
            kept.blend(&mut out);
        }
        Ok(out)
    }
}

impl Predictor for Guided<'_> {
    type Error = Error;

    fn predict(&mut self, x: &[f32], t: f32, scale: f64) -> Result<Predicted> {
        // Here the web UI puts in what a mask keeps before the model is asked.
        let mut x = x.to_vec();
        if let Some(kept) = &self.kept {
            kept.blend(&mut x);
        }
        let x = x.as_slice();
        let mut said = self.ask(x, t)?;
        if self.base.info.prediction == Prediction::V {
            let alpha =
                self.table.alphas()[(t.max(0.0) as usize).min(self.table.alphas().len() - 1)];
            let (keep, add) = (alpha.sqrt(), (1.0 - alpha).sqrt());
            for (picture, x) in x.chunks_exact(self.values()).enumerate() {
                let own = said.parts[picture].iter_mut().map(|(_, values)| values);
                for values in own.chain([&mut said.uncond[picture]]) {
                    for (v, x) in values.iter_mut().zip(x) {
                        *v = keep * *v + add * x;
                    }
                }
            }
        }
        let mut predicted = Predicted { guided: Vec::new(), uncond: Vec::new() };
        for (uncond, parts) in said.uncond.iter().zip(&said.parts) {
            predicted.guided.extend(self.guide(uncond, parts, self.cfg * scale));
            predicted.uncond.extend(uncond);
        }
        Ok(predicted)
    }
}
