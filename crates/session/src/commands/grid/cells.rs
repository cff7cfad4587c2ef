//! The cells of a grid: what each is drawn with, in the order in which they cost least.
use super::axis::{Axis, AxisKind, Value};
use super::words::VectorSource;
use crate::Failure;
use crate::commands::settings;
use crate::commands::texts::Texts;
use crate::request::Grid as Options;
use std::path::PathBuf;
use wayword_diffusion::DrawSettings;
use wayword_diffusion::sigmas::Schedule;
use wayword_prompt::edit;

/// One cell.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    /// Its place along each axis.
    pub(super) at: [usize; 3],
    /// With one prompt and one negative prompt.
    pub(super) settings: DrawSettings,
    /// Whether the settings' size is wanted, rather than the base's own.
    pub(super) sized: bool,
    /// Whether a schedule was asked for, which a sampler without one in its name keeps.
    pub(super) scheduled: bool,
    /// Its checkpoint, where an axis names it.
    pub(super) base: Option<PathBuf>,
    /// Other rows for a word.
    pub(super) rows: Option<(String, VectorSource)>,
}

impl Cell {
    fn prompt(&self) -> &str {
        &self.settings.prompts[0]
    }

    fn set_prompt(&mut self, prompt: String) {
        self.settings.prompts = vec![prompt];
    }
}

/// All cells in the order of drawing: the checkpoint changes least, then the LoRAs' weights.
///
/// # Errors
/// If an axis finds nothing in the prompt to change, or a template cannot be filled in.
pub(super) fn cells(
    start: &Cell,
    axes: &[Option<Axis>; 3],
    words: &super::words::Names,
    texts: &mut Texts,
) -> Result<Vec<Cell>, Failure> {
    let count = |axis: &Option<Axis>| axis.as_ref().map_or(1, |axis| axis.values.len());
    let [nx, ny, nz] = [count(&axes[0]), count(&axes[1]), count(&axes[2])];
    let mut out = Vec::new();
    for (z, y, x) in places(nx, ny, nz) {
        let mut cell = Cell { at: [x, y, z], ..start.clone() };
        let mut picked: Vec<(&Axis, usize)> =
            axes.iter().zip([x, y, z]).filter_map(|(axis, i)| Some((axis.as_ref()?, i))).collect();
        // Texts are replaced in the prompt as it was written, before weights are put in.
        // A schedule comes after the sampler that has one of its own.
        picked.sort_by_key(|(axis, _)| match axis.kind {
            AxisKind::Replace | AxisKind::Order => 0,
            AxisKind::Schedule => 2,
            _ => 1,
        });
        for (axis, place) in picked {
            apply(&mut cell, axis, place, words)?;
        }
        let (prompt, negative) = (cell.prompt().to_owned(), cell.settings.negatives[0].clone());
        texts.fill(&mut cell.settings, &prompt, &negative)?;
        out.push(cell);
    }
    let place_of = |cell: &Cell, kind| {
        let mut pairs = axes.iter().zip(cell.at);
        pairs.find(|(axis, _)| axis.as_ref().is_some_and(|a| a.kind == kind)).map_or(0, |(_, i)| i)
    };
    out.sort_by_key(|cell| (place_of(cell, AxisKind::Base), place_of(cell, AxisKind::LoraWeight)));
    Ok(out)
}

fn places(nx: usize, ny: usize, nz: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..nz).flat_map(move |z| (0..ny).flat_map(move |y| (0..nx).map(move |x| (z, y, x))))
}

/// What all cells have in common, before the axes change it.
///
/// # Errors
/// If a sampler or schedule is unknown.
pub(super) fn start(options: &Options) -> Result<Cell, Failure> {
    let mut drawn = DrawSettings::plain(options.prompt.clone(), (512, 512));
    settings::apply(&options.settings, false, &mut drawn)?;
    drawn.negatives = vec![options.settings.negative.clone().unwrap_or_default()];
    let sized = options.settings.size.is_some();
    let scheduled = options.settings.schedule.is_some();
    Ok(Cell { at: [0; 3], settings: drawn, sized, scheduled, base: None, rows: None })
}

fn apply(
    cell: &mut Cell,
    axis: &Axis,
    place: usize,
    words: &super::words::Names,
) -> Result<(), Failure> {
    match (axis.kind, &axis.values[place]) {
        (_, Value::Seed(seed)) => cell.settings.seed = *seed,
        (AxisKind::ClipSkip, Value::Count(n)) => cell.settings.clip_skip = *n,
        (_, Value::Step(choice)) => {
            let word = words.of_run(axis.target.as_deref(), cell.prompt())?;
            cell.rows = Some((word, VectorSource::Step(*choice)));
        }
        (_, Value::Count(n)) => cell.settings.steps = u32::try_from(*n).unwrap_or(u32::MAX),
        (AxisKind::Weight, Value::Number(weight)) => weigh(cell, axis, *weight, words)?,
        (AxisKind::LoraWeight, Value::Number(weight)) => {
            let changed = edit::weigh_lora(cell.prompt(), axis.target.as_deref(), *weight);
            cell.set_prompt(changed.ok_or_else(|| {
                Failure::user("no LoRA in the prompt to weigh").hint(
                    "write <lora:name:1> in the prompt, or name it: 'lora weight name: 0.4, 0.8'",
                )
            })?);
        }
        (_, Value::Number(cfg)) => cell.settings.cfg = *cfg,
        (_, Value::Sampler(_, kind, schedule)) => {
            cell.settings.sampler = *kind;
            if *schedule != Schedule::Automatic || !cell.scheduled {
                cell.settings.schedule = *schedule;
            }
        }
        (_, Value::Schedule(name)) => settings::sampler(None, Some(name), &mut cell.settings)?,
        (_, Value::Size(size)) => {
            (cell.settings.width, cell.settings.height) = (size.width, size.height);
            cell.sized = true;
        }
        (AxisKind::Base, Value::File(path)) => cell.base = Some(path.clone()),
        (_, Value::File(path)) => {
            let word = words.for_file(axis.target.as_deref(), cell.prompt(), path)?;
            cell.rows = Some((word, VectorSource::File(path.clone())));
        }
        (_, Value::Text(to)) => replace(cell, axis, to)?,
        (_, Value::Order(order)) => {
            let changed = edit::reorder(cell.prompt(), &axis.texts, order);
            cell.set_prompt(changed.ok_or_else(|| {
                Failure::user(format!("not all of {} stand in the prompt", axis.texts.join(", ")))
            })?);
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
    let word = words.in_prompt(axis.target.as_deref(), cell.prompt())?;
    let missing = || Failure::user(format!("`{word}` does not stand in the prompt"));
    cell.set_prompt(edit::weigh(cell.prompt(), &word, weight).ok_or_else(missing)?);
    Ok(())
}

fn replace(cell: &mut Cell, axis: &Axis, to: &str) -> Result<(), Failure> {
    let Some(Value::Text(from)) = axis.values.first() else { return Ok(()) };
    let (prompt, negative) = (
        edit::replace(cell.prompt(), from, to),
        edit::replace(&cell.settings.negatives[0], from, to),
    );
    if prompt.is_none() && negative.is_none() {
        return Err(Failure::user(format!(
            "`{from}` stands neither in the prompt nor in {{grid.negative}}"
        ))
        .hint("the first value of the axis is the text that the others replace"));
    }
    cell.settings.prompts = prompt.map_or_else(|| cell.settings.prompts.clone(), |p| vec![p]);
    cell.settings.negatives = negative.map_or_else(|| cell.settings.negatives.clone(), |n| vec![n]);
    Ok(())
}
