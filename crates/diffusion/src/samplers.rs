//! Samplers: from noise to a latent, given a model that predicts the clean latent or the noise.
//!
//! They work on host memory, f32, over all pictures of a batch at once (`[pictures, channels,
//! height, width]`); coefficients are f64. One file per family. Formulas and their order are those
//! of k-diffusion and A1111, so that equal noise gives equal pictures.
mod ancestral;
mod cfg;
mod combine;
mod ddim;
mod dpm_solver;
mod euler;
mod lcm;
mod multistep;
mod plms;
mod restart;
mod sde;
mod start;
mod unipc;

pub use cfg::guide;
pub use lcm::lcm_denoised;
pub use start::{image_start, image_start_timesteps, text_start};
pub use unipc::{UniPcOptions, UniPcSpacing, UniPcVariant};

use crate::brownian::BrownianNoise;
use crate::image_rng::ImageRng;
use crate::sigmas::SamplerKind;
use std::ops::ControlFlow;

/// A model seen as what a noisy latent would be without noise.
pub trait Denoiser {
    /// How it fails.
    type Error;

    /// The clean latents, after guidance, of `x` at noise level `sigma`.
    ///
    /// # Errors
    /// As the model.
    fn denoise(&mut self, x: &[f32], sigma: f32) -> Result<Vec<f32>, Self::Error>;
}

/// What a model says about the noise in a latent.
#[derive(Debug, Clone, PartialEq)]
pub struct Predicted {
    /// The noise after guidance.
    pub guided: Vec<f32>,
    /// The noise without the prompt, before guidance.
    pub uncond: Vec<f32>,
}

/// A model seen as the noise in a latent.
pub trait Predictor {
    /// How it fails.
    type Error;

    /// The noise in `x` at training step `t` (UniPC asks between steps). The guidance scale is
    /// multiplied by `scale`, which is 1 but for CFG++.
    ///
    /// # Errors
    /// As the model.
    fn predict(&mut self, x: &[f32], t: f32, scale: f64) -> Result<Predicted, Self::Error>;
}

/// Where samplers take fresh noise from.
pub trait NoiseSource {
    /// The next standard normal values for the whole batch.
    fn draw(&mut self) -> Vec<f32>;

    /// Standard normal values that belong to the step between two noise levels.
    fn between(&mut self, from: f32, to: f32) -> Vec<f32>;
}

/// A batch's own generators, with a Brownian path for the samplers that want one.
#[derive(Debug)]
pub struct BatchNoise {
    /// The generators.
    pub rng: ImageRng,
    /// The paths; without them the generators serve.
    pub paths: Option<BrownianNoise>,
}

impl NoiseSource for BatchNoise {
    fn draw(&mut self) -> Vec<f32> {
        self.rng.draw()
    }

    fn between(&mut self, from: f32, to: f32) -> Vec<f32> {
        match &self.paths {
            Some(paths) => paths.noise(f64::from(from), f64::from(to)),
            None => self.rng.draw(),
        }
    }
}

/// What may be changed about samplers. The default is A1111's.
#[derive(Debug, Clone, PartialEq)]
pub struct SamplerOptions {
    /// How much noise is added anew: 1, but 0 for DDIM.
    pub eta: Option<f64>,
    /// Euler, Heun, DPM2: noise added before each step, over the whole run.
    pub churn: f64,
    /// Churn only from this noise level on.
    pub churn_min: f64,
    /// Churn only up to this noise level.
    pub churn_max: f64,
    /// Factor of all added noise; Euler a and LCM take none.
    pub noise_scale: f64,
    /// UniPC.
    pub unipc: UniPcOptions,
}

impl Default for SamplerOptions {
    fn default() -> Self {
        Self {
            eta: None,
            churn: 0.0,
            churn_min: 0.0,
            churn_max: f64::INFINITY,
            noise_scale: 1.0,
            unipc: UniPcOptions::default(),
        }
    }
}

/// Where a run stands, given after every step.
#[derive(Debug, Clone, Copy)]
pub struct StepInfo<'a> {
    /// Steps done, from 1.
    pub step: usize,
    /// Steps in all. DPM adaptive does not know them: 0.
    pub steps: usize,
    /// The clean latents as they look now.
    pub denoised: &'a [f32],
}

/// Why a run ended early.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SampleError<E> {
    /// The callback asked for it.
    #[error("stopped")]
    Stopped,
    /// The model failed.
    #[error(transparent)]
    Model(#[from] E),
}

/// What a sampler needs beside the model and the latents.
pub struct Sampling<'a> {
    /// Choices.
    pub options: &'a SamplerOptions,
    /// Fresh noise.
    pub noise: &'a mut dyn NoiseSource,
    /// Called after every step; `Break` ends the run.
    pub on_step: &'a mut dyn FnMut(StepInfo<'_>) -> ControlFlow<()>,
}

impl std::fmt::Debug for Sampling<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sampling").field("options", self.options).finish_non_exhaustive()
    }
}

impl Sampling<'_> {
    fn eta(&self) -> f64 {
        self.options.eta.unwrap_or(1.0)
    }

    fn done<E>(
        &mut self,
        step: usize,
        steps: usize,
        denoised: &[f32],
    ) -> Result<(), SampleError<E>> {
        match (self.on_step)(StepInfo { step, steps, denoised }) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(SampleError::Stopped),
        }
    }
}

/// Samples along noise levels: `x` is the latents with noise of level `sigmas[0]`.
///
/// `limits` are the model's least and greatest levels, which DPM fast and DPM adaptive use instead
/// of the schedule when a picture is made from noise alone. A sampler on timesteps gives its start
/// back unchanged: it belongs into [`sample_timesteps`].
///
/// # Errors
/// If the model fails or the callback stops the run.
pub fn sample_sigmas<D: Denoiser>(
    kind: SamplerKind,
    model: &mut D,
    x: Vec<f32>,
    sigmas: &[f32],
    limits: Option<(f32, f32)>,
    sampling: &mut Sampling<'_>,
) -> Result<Vec<f32>, SampleError<D::Error>> {
    if sigmas.len() < 2 {
        return Ok(x);
    }
    match kind {
        SamplerKind::Euler => {
            let step = |_: &mut D, x: &[f32], denoised: &[f32], sigma, next| {
                Ok(euler::euler_step(x, denoised, sigma, next))
            };
            euler::churned(model, x, sigmas, sampling, step)
        }
        SamplerKind::Heun => euler::churned(model, x, sigmas, sampling, euler::heun_step),
        SamplerKind::Dpm2 => euler::churned(model, x, sigmas, sampling, euler::midpoint_step),
        SamplerKind::EulerA => ancestral::euler_a(model, x, sigmas, sampling),
        SamplerKind::Dpm2A => ancestral::dpm2_a(model, x, sigmas, sampling),
        SamplerKind::Dpmpp2SA => ancestral::dpmpp_2s_a(model, x, sigmas, sampling),
        SamplerKind::Lms => multistep::lms(model, x, sigmas, sampling),
        SamplerKind::Dpmpp2M => multistep::dpmpp_2m(model, x, sigmas, sampling),
        SamplerKind::DpmppSde => sde::dpmpp_sde(model, x, sigmas, sampling),
        SamplerKind::Dpmpp2MSde => sde::dpmpp_2m_sde(model, x, sigmas, false, sampling),
        SamplerKind::Dpmpp2MSdeHeun => sde::dpmpp_2m_sde(model, x, sigmas, true, sampling),
        SamplerKind::Dpmpp3MSde => sde::dpmpp_3m_sde(model, x, sigmas, sampling),
        SamplerKind::DpmFast => dpm_solver::fast(model, x, sigmas, limits, sampling),
        SamplerKind::DpmAdaptive => dpm_solver::adaptive(model, x, sigmas, limits, sampling),
        SamplerKind::Restart => restart::restart(model, x, sigmas, sampling),
        SamplerKind::Lcm => lcm::lcm(model, x, sigmas, sampling),
        SamplerKind::Ddim | SamplerKind::DdimCfgPp | SamplerKind::Plms | SamplerKind::UniPc => {
            Ok(x)
        }
    }
}

/// Samples along training steps, least first as [`crate::sigmas::ddim_timesteps`] gives them.
///
/// `alphas` are the cumulative products of every training step. `from_image` says that `x` is a
/// picture with noise, which UniPC begins at its last step. A sampler on noise levels gives its
/// start back unchanged: it belongs into [`sample_sigmas`].
///
/// # Errors
/// If the model fails or the callback stops the run.
pub fn sample_timesteps<P: Predictor>(
    kind: SamplerKind,
    model: &mut P,
    x: Vec<f32>,
    timesteps: &[usize],
    alphas: &[f32],
    from_image: bool,
    sampling: &mut Sampling<'_>,
) -> Result<Vec<f32>, SampleError<P::Error>> {
    match kind {
        SamplerKind::Ddim => ddim::ddim(model, x, timesteps, alphas, false, sampling),
        SamplerKind::DdimCfgPp => ddim::ddim(model, x, timesteps, alphas, true, sampling),
        SamplerKind::Plms => plms::plms(model, x, timesteps, alphas, sampling),
        SamplerKind::UniPc => unipc::unipc(model, x, timesteps, alphas, from_image, sampling),
        _ => Ok(x),
    }
}
