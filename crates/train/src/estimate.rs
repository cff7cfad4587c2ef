//! What a run will take: its memory is counted before anything is loaded, its time is measured by
//! work that is done once with empty pictures and forgotten.
use crate::Result;
use crate::batches::EVALUATION_BATCHES;
use crate::embedding::Lexicon;
use crate::plan::{Estimate, TrainPlan};
use crate::previews::PreviewPrompt;
use crate::recipe::Starts;
use crate::stopping;
use crate::training_loop::is_evaluated_after;
use crate::training_loop::micro_batch::{self, MicroBatch, micro_step};
use crate::{latents, lora, pick};
use std::collections::BTreeMap;
use std::time::Instant;
use wayword_diffusion::forecast::{unet_calls, whole};
use wayword_diffusion::sigmas::resolve;
use wayword_diffusion::tokenizer::{BOS, EOS, POSITIONS, VOCABULARY};
use wayword_diffusion::vae::LATENT_SIZE;
use wayword_diffusion::{AdapterGuard, Base, Memory, pixels};
use wayword_interface::Stop;
use wayword_tensor::{Grid, LossKind};

/// A part that takes less is measured a second time: the first includes what is done but once.
const SHORT: f64 = 0.5;

/// Measures each kind of work once, on empty pictures of the plan's largest size, and counts up from
/// that: a micro-batch, as the base is set to make it; an evaluation loss; a picture that the VAE
/// encodes, where any is left to encode; a sampler's step and a picture that the VAE decodes, where
/// previews are drawn.
///
/// # Errors
/// If the device fails.
pub fn estimate(base: &Base, plan: &TrainPlan, memory: Memory) -> Result<Estimate> {
    let model = &base.activate(&lora::open(&plan.loras)?)?;
    let seconds_per_micro = time(|| probe(model, plan, plan.batch, memory))?;
    let counts = plan.counts();
    let missing = latents::missing(base, plan);
    let grid = largest(plan);
    let (mut latents, mut fresh) = (0.0, 0.0);
    if missing != latents::Missing::default() {
        let per_pixel =
            time(|| encode(base, grid))? / (grid.tokens() * LATENT_SIZE * LATENT_SIZE) as f64;
        latents = per_pixel * missing.once as f64;
        fresh = per_pixel * missing.every_epoch as f64 / counts.updates_per_epoch.max(1) as f64;
    }
    let seconds_per_step = seconds_per_micro * plan.accumulate as f64 + fresh;
    let seconds = seconds_per_step * plan.steps as f64;
    let measured = (1..plan.steps).filter(|step| is_evaluated_after(plan, *step)).count() + 2;
    let forward = time(|| forward(model, plan, grid, 1))?;
    let each = if plan.stopping.is_some() { stopping::forwards() } else { EVALUATION_BATCHES };
    let evaluations = forward * (each * measured) as f64;
    let previews = previews(model, plan)?;
    let pick = if plan.pick {
        let (forwards, pictures) = pick::forwards(plan);
        forward * forwards as f64 + time(|| decode(base, grid))? * pictures as f64
    } else {
        0.0
    };
    let cost = plan.starts.as_ref().map_or(0.0, Starts::cost);
    let starts = seconds_per_micro / plan.batch as f64 * cost;
    let total = latents + starts + seconds + evaluations + previews + pick;
    let memory = base.device().memory().peak;
    Ok(Estimate {
        seconds_per_step,
        seconds,
        latents,
        starts,
        evaluations,
        previews,
        pick,
        total,
        memory,
    })
}

/// Seconds of `work`.
fn time(work: impl Fn() -> Result<()>) -> Result<f64> {
    let once = || -> Result<f64> {
        let started = Instant::now();
        work()?;
        Ok(started.elapsed().as_secs_f64())
    };
    let first = once()?;
    if first < SHORT { Ok(first.min(once()?)) } else { Ok(first) }
}

/// Seconds of all previews.
fn previews(model: &AdapterGuard<'_>, plan: &TrainPlan) -> Result<f64> {
    let Some(previews) = &plan.previews else { return Ok(0.0) };
    let mut known: BTreeMap<(u32, u32, usize), (f64, f64)> = BTreeMap::new();
    let mut total = 0.0;
    for prompt in &previews.prompts {
        let (grid, sides) = preview(prompt);
        let (step, picture) = match known.get(&(prompt.width, prompt.height, sides)) {
            Some(known) => *known,
            None => {
                let step = time(|| forward(model, plan, grid, sides))?;
                let picture = time(|| decode(model.base(), grid))?;
                known.insert((prompt.width, prompt.height, sides), (step, picture));
                (step, picture)
            }
        };
        total += step * calls(prompt) as f64 + picture;
    }
    Ok(total * previews.times(plan.steps, plan.counts().epochs as usize) as f64)
}

/// How often a preview's sampler calls the UNet.
fn calls(prompt: &PreviewPrompt) -> usize {
    let steps = prompt.steps as usize;
    resolve(&prompt.sampler, None, false).map_or(steps, |(sampler, _)| unet_calls(sampler, steps))
}

/// The latents of a preview, and how many the UNet sees at once: two where a prompt guides.
fn preview(prompt: &PreviewPrompt) -> (Grid, usize) {
    let side = |pixels: u32| (pixels as usize).div_ceil(LATENT_SIZE);
    let sides = if prompt.cfg == 1.0 { 1 } else { 2 };
    (Grid::new(side(prompt.height), side(prompt.width)), sides)
}

/// What the UNet makes of empty latents, without a backward.
fn forward(model: &AdapterGuard<'_>, plan: &TrainPlan, grid: Grid, batch: usize) -> Result<()> {
    let base = model.base();
    let vectors = vec![base.info.token_rms; plan.vectors() * base.info.token_width];
    let micro = empty(grid, batch, &Caption::of(base, plan), plan.clip_skip);
    micro_batch::evaluate(model, &vectors, &micro).map(|_| ())
}

/// An empty picture to latents of this size.
fn encode(base: &Base, grid: Grid) -> Result<()> {
    let grid = Grid::new(grid.height * LATENT_SIZE, grid.width * LATENT_SIZE);
    let input = pixels::to_device(base.device(), &vec![0.0; 3 * grid.tokens()], 1, 3, grid)?;
    base.vae.encode(&input, grid).0.to_host()?;
    Ok(())
}

/// Empty latents to a picture.
fn decode(base: &Base, grid: Grid) -> Result<()> {
    let z = pixels::to_device(base.device(), &vec![0.0; 4 * grid.tokens()], 1, 4, grid)?;
    base.vae.decode(&z, grid, &Stop::default())?.to_host()?;
    Ok(())
}

/// One micro-batch of a plan with empty pictures.
fn probe(model: &AdapterGuard<'_>, plan: &TrainPlan, batch: usize, memory: Memory) -> Result<()> {
    empty_step(
        model,
        largest(plan),
        batch,
        &Caption::of(model.base(), plan),
        plan.clip_skip,
        memory,
    )
}

/// A training step of an embedding of one vector on empty pictures of this size, to be measured.
///
/// # Errors
/// If the device fails.
pub fn step(
    model: &AdapterGuard<'_>,
    (width, height): (usize, usize),
    batch: usize,
    memory: Memory,
) -> Result<()> {
    let mut ids = vec![EOS; POSITIONS];
    (ids[0], ids[1]) = (BOS, VOCABULARY as u32);
    let caption = Caption { ids, windows: 1, vectors: 1 };
    let grid = Grid::new(height / LATENT_SIZE, width / LATENT_SIZE);
    empty_step(model, grid, batch, &caption, 1, memory)
}

/// What all samples of an empty step say.
struct Caption {
    ids: Vec<u32>,
    windows: usize,
    /// Vectors of the embeddings in it.
    vectors: usize,
}

impl Caption {
    /// All embeddings of a plan.
    fn of(base: &Base, plan: &TrainPlan) -> Self {
        let lexicon = Lexicon::new(&plan.embeddings, VOCABULARY as u32, plan.kohya_numbers);
        let ids = lexicon.windows(&base.tokenizer, &plan.token(), plan.windows);
        Self { ids, windows: plan.windows, vectors: plan.vectors() }
    }
}

fn empty_step(
    model: &AdapterGuard<'_>,
    grid: Grid,
    batch: usize,
    caption: &Caption,
    clip_skip: usize,
    memory: Memory,
) -> Result<()> {
    let base = model.base();
    let vectors = vec![base.info.token_rms; caption.vectors * base.info.token_width];
    micro_step(model, &vectors, &empty(grid, batch, caption, clip_skip), 1.0, memory).map(|_| ())
}

fn empty(grid: Grid, batch: usize, caption: &Caption, clip_skip: usize) -> MicroBatch {
    let values = vec![0.1; batch * 4 * grid.tokens()];
    MicroBatch {
        grid,
        noisy: values.clone(),
        target: values,
        timesteps: vec![500.0; batch],
        ids: caption.ids.repeat(batch),
        windows: caption.windows,
        weights: vec![1.0; batch * grid.tokens()],
        kind: LossKind::L2,
        clip_skip,
    }
}

/// The size of the largest latents.
fn largest(plan: &TrainPlan) -> Grid {
    let buckets = plan.buckets();
    let (width, height) = buckets.keys().max_by_key(|(w, h)| w * h).copied().unwrap_or((64, 64));
    Grid::new(height / LATENT_SIZE, width / LATENT_SIZE)
}

/// Bytes that a run will hold at most, weights included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forecast {
    /// Where a step keeps everything for its backward.
    pub keep: usize,
    /// Where it computes blocks a second time.
    pub recompute: usize,
}

impl Forecast {
    /// Counts a plan's step, the encoding of its largest picture and its previews on a base of sizes
    /// only, as [`dry_load`](wayword_diffusion::forecast::dry_load) gives it.
    ///
    /// # Errors
    /// If the models refuse the plan's shapes.
    pub fn of(base: &Base, plan: &TrainPlan) -> Result<Self> {
        let count = |memory: Memory, batch: usize| -> Result<usize> {
            base.device().forget_peak();
            let model = &base.activate(&[])?;
            probe(model, plan, batch, memory)?;
            if batch == 1 {
                encode(base, largest(plan))?;
                for prompt in plan.previews.iter().flat_map(|previews| &previews.prompts) {
                    let (grid, sides) = preview(prompt);
                    forward(model, plan, grid, sides)?;
                    decode(base, grid)?;
                }
            }
            Ok(base.device().memory().peak)
        };
        // A batch grows by equal parts; a large one need not be made.
        let memory_of = |memory: Memory| -> Result<usize> {
            let single = count(memory, 1)?;
            if plan.batch == 1 {
                return Ok(single);
            }
            let (two, three) = (count(memory, 2)?, count(memory, 3)?);
            let more = three.saturating_sub(two).saturating_mul(plan.batch - 2);
            Ok(single.max(two.saturating_add(more)))
        };
        Ok(Self {
            keep: whole(memory_of(Memory::Keep)?),
            recompute: whole(memory_of(Memory::Recompute)?),
        })
    }
}

/// What follows from a forecast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryChoice {
    /// Everything is kept.
    Keep,
    /// Blocks are computed twice because it was asked for.
    Asked,
    /// Blocks are computed twice because all would not fit.
    Needed,
    /// It does not fit.
    TooLarge,
}

impl Forecast {
    /// Decides by the bytes that are free; `None`: nobody knows, so what was asked for is done.
    #[must_use]
    pub fn choose(&self, free: Option<u64>, low_memory: bool) -> MemoryChoice {
        let fits = |need: usize| match free {
            Some(free) => need as u64 <= free,
            None => true,
        };
        match (low_memory, fits(self.keep), fits(self.recompute)) {
            (_, _, false) => MemoryChoice::TooLarge,
            (true, _, true) => MemoryChoice::Asked,
            (false, true, true) => MemoryChoice::Keep,
            (false, false, true) => MemoryChoice::Needed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn previews_ask_as_often_as_their_sampler_does() {
        let calls_of = |sampler: &str| {
            let sampler = sampler.into();
            calls(&PreviewPrompt { steps: 20, sampler, ..PreviewPrompt::default() })
        };
        assert_eq!(["", "Euler a", "DPM++ 2M", "DDIM"].map(calls_of), [20; 4]);
        assert_eq!(["Heun", "DPM2", "DPM2 a", "DPM++ SDE"].map(calls_of), [39; 4]);
    }

    #[test]
    fn memory_is_chosen_by_what_is_free() {
        let forecast = Forecast { keep: 100, recompute: 50 };
        let choose = |free, asked| forecast.choose(free, asked);
        assert_eq!(choose(Some(100), false), MemoryChoice::Keep);
        assert_eq!(choose(Some(99), false), MemoryChoice::Needed);
        assert_eq!(choose(Some(99), true), MemoryChoice::Asked);
        assert_eq!(choose(Some(49), false), MemoryChoice::TooLarge);
        assert_eq!(choose(Some(49), true), MemoryChoice::TooLarge);
        assert_eq!(choose(None, false), MemoryChoice::Keep);
        assert_eq!(choose(None, true), MemoryChoice::Asked);
    }
}
