//! The cells of a grid: what each is drawn with, in the order in which they cost least.
use super::axis::{Axis, Kind, Value};
use super::words::Source;
use crate::failure::Failure;
use crate::options::{Grid as Options, Size};
use std::path::PathBuf;
use wayword_diffusion::sigmas::{SamplerKind, Schedule, resolve};
use wayword_prompt::edit;

/// One cell.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    /// Its place along each axis.
    pub(super) at: [usize; 3],
    pub(super) prompt: String,
    pub(super) negative: String,
    pub(super) seed: u64,
    pub(super) steps: usize,
    pub(super) cfg: f64,
    pub(super) sampler: SamplerKind,
    pub(super) schedule: Schedule,
    pub(super) clip_skip: usize,
    pub(super) size: Option<Size>,
    /// Its checkpoint, where an axis names it.
    pub(super) base: Option<PathBuf>,
    /// Other rows for a word.
    pub(super) rows: Option<(String, Source)>,
}

/// All cells in the order of drawing: the checkpoint changes least, then the LoRAs' weights.
///
/// # Errors
/// If an axis finds nothing in the prompt to change.
pub(super) fn cells(
    options: &Options,
    axes: &[Option<Axis>; 3],
    seed: u64,
    words: &super::words::Names,
) -> Result<Vec<Cell>, Failure> {
    let count = |axis: &Option<Axis>| axis.as_ref().map_or(1, |axis| axis.values.len());
    let [nx, ny, nz] = [count(&axes[0]), count(&axes[1]), count(&axes[2])];
    let mut out = Vec::new();
    for (z, y, x) in places(nx, ny, nz) {
        let mut cell = start(options, seed, [x, y, z])?;
        let mut picked: Vec<(&Axis, usize)> =
            axes.iter().zip([x, y, z]).filter_map(|(axis, i)| Some((axis.as_ref()?, i))).collect();
        // Texts are replaced in the prompt as it was written, before weights are put in.
        picked.sort_by_key(|(axis, _)| ![Kind::Replace, Kind::Order].contains(&axis.kind));
        for (axis, place) in picked {
            apply(&mut cell, axis, place, words)?;
        }
        out.push(cell);
    }
    let of = |cell: &Cell, kind| {
        let mut all = axes.iter().zip(cell.at);
        all.find(|(axis, _)| axis.as_ref().is_some_and(|a| a.kind == kind)).map_or(0, |(_, i)| i)
    };
    out.sort_by_key(|cell| (of(cell, Kind::Base), of(cell, Kind::LoraWeight)));
    Ok(out)
}

fn places(nx: usize, ny: usize, nz: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..nz).flat_map(move |z| (0..ny).flat_map(move |y| (0..nx).map(move |x| (z, y, x))))
}

fn start(options: &Options, seed: u64, at: [usize; 3]) -> Result<Cell, Failure> {
    let (sampler, schedule) = resolve(&options.sampler, None, false)?;
    Ok(Cell {
        at,
        prompt: options.prompt.clone(),
        negative: options.negative.clone(),
        seed,
        steps: options.steps,
        cfg: options.cfg,
        sampler: sampler.kind,
        schedule,
        clip_skip: options.clip_skip,
        size: options.size,
        base: None,
        rows: None,
    })
}

fn apply(
    cell: &mut Cell,
    axis: &Axis,
    place: usize,
    words: &super::words::Names,
) -> Result<(), Failure> {
    match (axis.kind, &axis.values[place]) {
        (_, Value::Seed(seed)) => cell.seed = *seed,
        (Kind::ClipSkip, Value::Count(n)) => cell.clip_skip = *n,
        (Kind::Step, Value::Count(n)) => {
            let word = words.of_run(axis.of.as_deref(), &cell.prompt)?;
            cell.rows = Some((word, Source::Step(*n)));
        }
        (_, Value::Count(n)) => cell.steps = *n,
        (Kind::Weight, Value::Number(weight)) => weigh(cell, axis, *weight, words)?,
        (Kind::LoraWeight, Value::Number(weight)) => {
            let changed = edit::weigh_lora(&cell.prompt, axis.of.as_deref(), *weight);
            cell.prompt = changed.ok_or_else(|| {
                Failure::user("no LoRA in the prompt to weigh").hint(
                    "write <lora:name:1> in the prompt, or name it: 'lora weight name: 0.4, 0.8'",
                )
            })?;
        }
        (_, Value::Number(cfg)) => cell.cfg = *cfg,
        (_, Value::Sampler(_, kind, schedule)) => {
            (cell.sampler, cell.schedule) = (*kind, *schedule);
        }
        (_, Value::Schedule(name)) => cell.schedule = resolve("Euler", Some(name), false)?.1,
        (_, Value::Size(size)) => cell.size = Some(*size),
        (Kind::Base, Value::File(path)) => cell.base = Some(path.clone()),
        (_, Value::File(path)) => {
            let word = words.for_file(axis.of.as_deref(), &cell.prompt, path)?;
            cell.rows = Some((word, Source::File(path.clone())));
        }
        (_, Value::Text(to)) => replace(cell, axis, to)?,
        (_, Value::Order(order)) => {
            let changed = edit::reorder(&cell.prompt, &axis.texts, order);
            cell.prompt = changed.ok_or_else(|| {
                Failure::user(format!("not all of {} stand in the prompt", axis.texts.join(", ")))
            })?;
        }
    }
    Ok(())
}

fn weigh(
    cell: &mut Cell,
    axis: &Axis,
    weight: f64,
    words: &super::words::Names,
) -> Result<(), Failure> {
    let word = words.in_prompt(axis.of.as_deref(), &cell.prompt)?;
    let missing = || Failure::user(format!("`{word}` does not stand in the prompt"));
    cell.prompt = edit::weigh(&cell.prompt, &word, weight).ok_or_else(missing)?;
    Ok(())
}

fn replace(cell: &mut Cell, axis: &Axis, to: &str) -> Result<(), Failure> {
    let Some(Value::Text(from)) = axis.values.first() else { return Ok(()) };
    let (prompt, negative) =
        (edit::replace(&cell.prompt, from, to), edit::replace(&cell.negative, from, to));
    if prompt.is_none() && negative.is_none() {
        return Err(Failure::user(format!(
            "`{from}` stands neither in the prompt nor in --negative"
        ))
        .hint("the first value of the axis is the text that the others replace"));
    }
    cell.prompt = prompt.unwrap_or_else(|| cell.prompt.clone());
    cell.negative = negative.unwrap_or_else(|| cell.negative.clone());
    Ok(())
}
