//! What a run will take: one step is made with empty pictures, timed and weighed, and forgotten.
use crate::Result;
use crate::plan::{Estimate, TrainPlan};
use crate::recipe::micro::{MicroBatch, micro_step};
use crate::words::Lexicon;
use std::time::Instant;
use wayword_diffusion::Base;
use wayword_diffusion::tokenizer::VOCABULARY;
use wayword_diffusion::vae::LATENT_SIZE;
use wayword_tensor::{Grid, LossKind, Memory};

/// Measures one micro-step of the plan's largest size and counts up from it.
///
/// # Errors
/// If the device fails.
pub fn estimate(base: &Base, plan: &TrainPlan) -> Result<Estimate> {
    let buckets = plan.buckets();
    let largest = buckets.keys().max_by_key(|(w, h)| w * h).copied().unwrap_or((64, 64));
    let grid = Grid::new(largest.1 / LATENT_SIZE, largest.0 / LATENT_SIZE);
    let lexicon = Lexicon::new(&plan.words, VOCABULARY as u32, plan.kohya_numbers);
    let ids = lexicon.windows(&base.tokenizer, &plan.token(), plan.windows);
    let values = vec![0.1; plan.batch * 4 * grid.tokens()];
    let batch = MicroBatch {
        grid,
        noisy: values.clone(),
        target: values,
        timesteps: vec![500.0; plan.batch],
        ids: ids.repeat(plan.batch),
        windows: plan.windows,
        weights: vec![1.0; plan.batch * grid.tokens()],
        kind: LossKind::L2,
        clip_skip: plan.clip_skip,
    };
    let rows = vec![base.info.token_rms; plan.vectors() * base.info.token_width];
    let started = Instant::now();
    micro_step(base, &rows, &batch, 1.0, Memory::Keep)?;
    let seconds_per_step = started.elapsed().as_secs_f64() * plan.accumulate as f64;
    let seconds = seconds_per_step * plan.steps as f64;
    Ok(Estimate { seconds_per_step, seconds, memory: base.device().memory().1 })
}
