//! How long the work on a full model takes: the core of `wayword bench`.
//!
//! Weights are made in memory by the rule of [`crate::synthetic`], in half floats as files have them;
//! only the part that is measured is made. One run warms up, then each run is timed as a whole and by kind of operation.
use crate::synthetic::{self, Dimensions};
use crate::{Result, TextEncoder, Unet, Vae};
use std::time::{Duration, Instant};
use wayword_interface::Stop;
use wayword_tensor::{Device, Grid, Memory, OpTotal, Profile, Shape, Tape, Tensor, profiling};

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// The UNet forward, and backward to the text states: a training step's share.
    Step,
    /// One denoising step with guidance: the UNet forward for two samples of each picture.
    Draw,
    /// The text encoder on a prompt and a negative prompt of 77 tokens.
    Text,
    /// The VAE, latents to picture.
    Decode,
    /// The VAE, picture to latents.
    Encode,
}

/// The results of some runs.
#[derive(Debug, Clone)]
pub struct Measured {
    /// Seconds of each run after the first, which warmed up.
    pub seconds: Vec<f64>,
    /// Of the median run, by kind of operation, the longest first.
    pub operations: Vec<(&'static str, OpTotal)>,
}

impl Measured {
    /// The middle of the runs' seconds.
    #[must_use]
    pub fn median(&self) -> f64 {
        let mut sorted = self.seconds.clone();
        sorted.sort_by(f64::total_cmp);
        sorted[sorted.len() / 2]
    }

    /// Multiplications and additions of products per second of the median run, in billions.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    pub fn gflops(&self) -> f64 {
        let flops: u64 = self.operations.iter().map(|(_, s)| s.flops).sum();
        flops as f64 / self.median() / 1e9
    }
}

/// Sizes of a measurement.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Width and height of a picture in pixels.
    pub size: usize,
    /// Pictures.
    pub batch: usize,
    /// Timed runs, at least one.
    pub repeats: usize,
    /// What is kept between forward and backward.
    pub memory: Memory,
}

/// A part of a model, ready to run.
enum Part {
    Unet(Box<Unet>),
    Vae(Box<Vae>),
    Text(Box<TextEncoder>),
}

/// Makes the part of a model of these dimensions that `work` needs, and runs it.
///
/// # Errors
/// If the device has no room or fails.
pub fn measure(
    device: &Device,
    dimensions: &Dimensions,
    work: Work,
    load: Load,
) -> Result<Measured> {
    let (device, profile) = profiling(device);
    let part = part(&device, dimensions, work)?;
    repeat(&profile, load.repeats, || once(&device, &part, work, load, dimensions))
}

/// Makes what `work` needs.
fn part(device: &Device, dimensions: &Dimensions, work: Work) -> Result<Part> {
    Ok(match work {
        Work::Step | Work::Draw => Part::Unet(Box::new(synthetic::unet(device, dimensions)?)),
        Work::Decode | Work::Encode => Part::Vae(Box::new(synthetic::vae(device, dimensions)?)),
        Work::Text => Part::Text(Box::new(synthetic::text(device, dimensions)?)),
    })
}

/// Runs `one` once for nothing and `repeats` times by the clock; `profile` is that of the profiling
/// device that it works on.
///
/// # Errors
/// The error of `one`.
pub fn repeat<E>(
    profile: &Profile,
    repeats: usize,
    mut one: impl FnMut() -> std::result::Result<(), E>,
) -> std::result::Result<Measured, E> {
    let mut runs = Vec::new();
    for run in 0..=repeats.max(1) {
        let (seconds, spent) = time(profile, &mut one)?;
        if run > 0 {
            runs.push((seconds, spent));
        }
    }
    let seconds: Vec<f64> = runs.iter().map(|(s, _)| *s).collect();
    runs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut operations: Vec<_> = runs.swap_remove(runs.len() / 2).1;
    operations.sort_by_key(|(_, s)| std::cmp::Reverse(s.time));
    Ok(Measured { seconds, operations })
}

/// What was spent on each kind of operation.
type Kinds = Vec<(&'static str, OpTotal)>;

/// Runs `f`; its seconds, and what was spent on each kind of operation.
fn time<E>(
    profile: &Profile,
    f: impl FnOnce() -> std::result::Result<(), E>,
) -> std::result::Result<(f64, Kinds), E> {
    let _ = profile.take();
    let start = Instant::now();
    f()?;
    let whole = start.elapsed();
    let mut spent: Vec<_> = profile.take().into_iter().collect();
    let known: Duration = spent.iter().map(|(_, s)| s.time).sum();
    let rest = OpTotal { time: whole.saturating_sub(known), ..OpTotal::default() };
    spent.push(("between", rest));
    Ok((whole.as_secs_f64(), spent))
}

fn noise(device: &Device, name: &str, shape: Shape) -> Result<Tensor> {
    let values = synthetic::tensor(&format!("test.{name}"), &[shape.elements()]);
    Ok(Tensor::from_host(device, shape, &values)?)
}

fn once(
    device: &Device,
    part: &Part,
    work: Work,
    load: Load,
    dimensions: &Dimensions,
) -> Result<()> {
    let small = Grid::new(load.size / 8, load.size / 8);
    match part {
        Part::Unet(unet) => {
            let batch = if work == Work::Draw { 2 * load.batch } else { load.batch };
            let shape = Shape::new(batch, small.tokens(), 4);
            let x = noise(device, "x", shape)?;
            let context = noise(device, "context", Shape::new(batch, 77, dimensions.text))?;
            let levels = vec![500.0; batch];
            if work == Work::Draw {
                let _ = unet.forward(&x, small, &levels, &context)?.to_host()?;
                return Ok(());
            }
            let tape = Tape::new(load.memory);
            let context = tape.watch(&context);
            let y = unet.forward(&x, small, &levels, &context)?;
            let dy = noise(device, "dy", y.shape())?;
            let gradients = tape.backward(&y, &dy);
            if let Some(gradient) = gradients.of(&context) {
                let _ = gradient.to_host()?;
            }
        }
        Part::Vae(vae) if work == Work::Decode => {
            let z = noise(device, "z", Shape::new(load.batch, small.tokens(), 4))?;
            let _ = vae.decode(&z, small, &Stop::default())?.to_host()?;
        }
        Part::Vae(vae) => {
            let grid = Grid::new(load.size, load.size);
            let x = noise(device, "pixels", Shape::new(load.batch, grid.tokens(), 3))?;
            let _ = vae.encode(&x, grid).0.to_host()?;
        }
        Part::Text(text) => {
            let ids: Vec<u32> = (0..154).map(|i| i * 300).collect();
            let _ = text.encode(&text.embed(&ids, 2, None)?, 1)?.to_host()?;
        }
    }
    Ok(())
}
