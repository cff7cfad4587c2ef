//! What a run will take: its memory is counted before anything is loaded, its time is measured by
//! one step that is made with empty pictures and forgotten.
use crate::plan::{Estimate, TrainPlan};
use crate::recipe::micro::{self, MicroBatch, micro_step};
use crate::words::Lexicon;
use crate::{Error, Result};
use std::time::Instant;
use wayword_diffusion::tokenizer::{BOS, EOS, POSITIONS, VOCABULARY};
use wayword_diffusion::vae::LATENT_SIZE;
use wayword_diffusion::{Base, BaseOptions, Events, Memory};
use wayword_tensor::{Grid, LossKind};

/// Measures one micro-step of the plan's largest size, as the base is set to make it, and counts up
/// from it.
///
/// # Errors
/// If the device fails.
pub fn estimate(base: &Base, plan: &TrainPlan) -> Result<Estimate> {
    let started = Instant::now();
    probe(base, plan, plan.batch, base.memory)?;
    let seconds_per_step = started.elapsed().as_secs_f64() * plan.accumulate as f64;
    let seconds = seconds_per_step * plan.steps as f64;
    Ok(Estimate { seconds_per_step, seconds, memory: base.device().memory().1 })
}

/// One micro-step of a plan with empty pictures.
fn probe(base: &Base, plan: &TrainPlan, batch: usize, memory: Memory) -> Result<()> {
    let lexicon = Lexicon::new(&plan.words, VOCABULARY as u32, plan.kohya_numbers);
    let ids = lexicon.windows(&base.tokenizer, &plan.token(), plan.windows);
    let caption = Caption { ids, windows: plan.windows, rows: plan.vectors() };
    empty_step(base, largest(plan), batch, &caption, plan.clip_skip, memory)
}

/// A training step of a word of one vector on empty pictures of this size, to be measured.
///
/// # Errors
/// If the device fails.
pub fn step(base: &Base, (width, height): (usize, usize), batch: usize) -> Result<()> {
    let mut ids = vec![EOS; POSITIONS];
    (ids[0], ids[1]) = (BOS, VOCABULARY as u32);
    let caption = Caption { ids, windows: 1, rows: 1 };
    let grid = Grid::new(height / LATENT_SIZE, width / LATENT_SIZE);
    empty_step(base, grid, batch, &caption, 1, base.memory)
}

/// What all samples of an empty step say.
struct Caption {
    ids: Vec<u32>,
    windows: usize,
    /// Rows of the words in it.
    rows: usize,
}

fn empty_step(
    base: &Base,
    grid: Grid,
    batch: usize,
    caption: &Caption,
    clip_skip: usize,
    memory: Memory,
) -> Result<()> {
    let values = vec![0.1; batch * 4 * grid.tokens()];
    let micro = MicroBatch {
        grid,
        noisy: values.clone(),
        target: values,
        timesteps: vec![500.0; batch],
        ids: caption.ids.repeat(batch),
        windows: caption.windows,
        weights: vec![1.0; batch * grid.tokens()],
        kind: LossKind::L2,
        clip_skip,
    };
    let rows = vec![base.info.token_rms; caption.rows * base.info.token_width];
    micro_step(base, &rows, &micro, 1.0, memory).map(|_| ())
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

/// What a process holds beside tensors: the program, its buffers between operations, pictures.
const BESIDE: usize = 150 << 20;

impl Forecast {
    /// Counts a plan's step and the encoding of its largest picture on a base that was sketched on a
    /// counting device with [`sketch`].
    ///
    /// # Errors
    /// If the models refuse the plan's shapes.
    pub fn of(options: &BaseOptions, plan: &TrainPlan) -> Result<Self> {
        let count = |memory: Memory, batch: usize| -> Result<usize> {
            let base = sketch(options)?;
            probe(&base, plan, batch, memory)?;
            if batch == 1 {
                let grid = largest(plan);
                let grid = Grid::new(grid.height * LATENT_SIZE, grid.width * LATENT_SIZE);
                let pixels = vec![0.0; 3 * grid.tokens()];
                let input = micro::pixels(base.device(), &pixels, 1, grid)?;
                let _ = base.vae.encode(&input, grid);
            }
            Ok(base.device().memory().1)
        };
        // A batch grows by equal parts; a large one need not be made.
        let of = |memory: Memory| -> Result<usize> {
            let one = count(memory, 1)?;
            if plan.batch == 1 {
                return Ok(one);
            }
            let (two, three) = (count(memory, 2)?, count(memory, 3)?);
            let more = three.saturating_sub(two).saturating_mul(plan.batch - 2);
            Ok(one.max(two.saturating_add(more)))
        };
        // Buffers that wait for their next use are a small part of those in use.
        let whole = |bytes: usize| bytes.saturating_add(bytes / 20).saturating_add(BESIDE);
        Ok(Self { keep: whole(of(Memory::Keep)?), recompute: whole(of(Memory::Recompute)?) })
    }
}

/// A base of which only sizes are known, on a device that counts bytes.
///
/// # Errors
/// As loading it.
pub fn sketch(options: &BaseOptions) -> Result<Base> {
    let device = wayword_diffusion::counting(options.device.precision());
    let options = BaseOptions { device, ..options.clone() };
    let quiet: &dyn Events = &wayword_diffusion::Quiet;
    Base::sketch(&options, quiet).map_err(|error| {
        let told = Error::data(error.to_string());
        match error.hint() {
            Some(hint) => told.with_hint(hint),
            None => told,
        }
    })
}

/// What follows from a forecast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
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
    pub fn choose(&self, free: Option<u64>, low_memory: bool) -> Choice {
        let fits = |need: usize| match free {
            Some(free) => need as u64 <= free,
            None => true,
        };
        match (low_memory, fits(self.keep), fits(self.recompute)) {
            (_, _, false) => Choice::TooLarge,
            (true, _, true) => Choice::Asked,
            (false, true, true) => Choice::Keep,
            (false, false, true) => Choice::Needed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_chosen_by_what_is_free() {
        let forecast = Forecast { keep: 100, recompute: 50 };
        let choose = |free, asked| forecast.choose(free, asked);
        assert_eq!(choose(Some(100), false), Choice::Keep);
        assert_eq!(choose(Some(99), false), Choice::Needed);
        assert_eq!(choose(Some(99), true), Choice::Asked);
        assert_eq!(choose(Some(49), false), Choice::TooLarge);
        assert_eq!(choose(Some(49), true), Choice::TooLarge);
        assert_eq!(choose(None, false), Choice::Keep);
        assert_eq!(choose(None, true), Choice::Asked);
    }
}
