//! Draws cells one after the other; models stay loaded, equal prompts are encoded once.
use super::bases::PlannedBase;
use super::cells::Cell;
use super::words::{VectorSource, Words};
use crate::Failure;
use crate::commands::draw::tell_forecast;
use crate::event::Progress;
use std::rc::Rc;
use std::sync::Arc;
use wayword_diffusion::forecast::DrawWork;
use wayword_diffusion::generate::{Drawing, GroupConditioning};
use wayword_diffusion::{AdapterGuard, Base, DrawPlan, Event, Loras, Picture};
use wayword_interface::{Events, Warning};
use wayword_prompt::PromptPlan;

/// Encoded prompts that are remembered; a grid's neighbors are what is asked for again.
const REMEMBERED: usize = 64;

/// A base with its words, for all cells that are drawn on it.
pub(super) struct Studio<'a> {
    pub(super) base: Arc<Base>,
    pub(super) words: Words<'a>,
    pub(super) loras: Option<Arc<Loras>>,
    texts: Vec<(Key, Rc<GroupConditioning>)>,
    warned: Vec<Warning>,
}

/// What encoded prompts depend on.
#[derive(PartialEq)]
struct Key {
    prompt: PromptPlan,
    negative: PromptPlan,
    clip_skip: usize,
    rows: Option<(String, VectorSource)>,
    text_version: u64,
}

impl<'a> Studio<'a> {
    pub(super) fn new(base: Arc<Base>, words: Words<'a>, loras: Option<Arc<Loras>>) -> Self {
        Self { base, words, loras, texts: Vec::new(), warned: Vec::new() }
    }

    /// Draws a cell, `index` of `count`; `None` if stopped.
    ///
    /// # Errors
    /// If its settings are not possible on this base, or drawing fails.
    pub(super) fn draw(
        &mut self,
        cell: &Cell,
        (index, count): (usize, usize),
        progress: &Progress<'_>,
    ) -> Result<Option<Picture>, Failure> {
        let plan = self.plan(cell)?;
        for warning in plan.remarks() {
            if !self.warned.contains(&warning) {
                progress.warn(warning.clone());
                self.warned.push(warning);
            }
        }
        let events = |event: Event| {
            let event = match event {
                Event::Step { step, of, .. } => {
                    Event::Step { step, of, first: index, pictures: count }
                }
                other => other,
            };
            Events::event(progress, event);
        };
        let drawing = Drawing::new(&*self.base, &plan, &events)?;
        let stop = progress.stop;
        let Some(guard) = drawing.activate(0, &events, stop)? else { return Ok(None) };
        let texts = texts(&guard, &mut self.texts, cell, &plan)?;
        let Some(sampled) = drawing.sample(guard, &texts, &events, stop)? else { return Ok(None) };
        let finished = drawing.finish(&texts, &sampled, 0, &events, stop);
        // The faces of a cell that was skipped stay as they are.
        let detail = |picture| match stop.is_skip_requested() {
            true => Ok(Some(picture)),
            false => drawing.detail(picture, 0, &events, stop),
        };
        match finished.and_then(detail) {
            Ok(picture) => Ok(picture),
            Err(wayword_diffusion::Error::Stopped) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Tells how long all cells will take and the memory of the largest. Cells that cannot be drawn,
    /// which is said when their turn comes, take no time.
    ///
    /// # Errors
    /// If the device fails.
    pub(super) fn tell_forecast(
        &mut self,
        cells: &[Cell],
        planned: &PlannedBase<'_>,
        progress: &Progress<'_>,
    ) -> Result<(), Failure> {
        let (mut work, mut count) = (DrawWork::default(), 0);
        for cell in cells {
            let Ok(plan) = self.plan(cell) else { continue };
            work.add(&plan);
            count += 1;
        }
        tell_forecast(&self.base, &planned.sizes, (count, &work), planned.memory, progress)
    }

    /// A cell's settings, checked.
    fn plan(&mut self, cell: &Cell) -> Result<DrawPlan, Failure> {
        let mut settings = cell.settings.clone();
        if !cell.sized {
            (settings.width, settings.height) = self.base.info.resolution;
        }
        settings.embeddings = Some(self.words.with(&self.base, cell.rows.as_ref())?);
        settings.loras.clone_from(&self.loras);
        Ok(DrawPlan::new(&self.base, settings)?)
    }
}

/// The encoded prompts, from memory where they are known.
fn texts(
    model: &AdapterGuard<'_>,
    known: &mut Vec<(Key, Rc<GroupConditioning>)>,
    cell: &Cell,
    plan: &DrawPlan,
) -> Result<Rc<GroupConditioning>, Failure> {
    let key = Key {
        prompt: plan.prompt(0).clone(),
        negative: plan.negative(0).clone(),
        clip_skip: cell.settings.clip_skip,
        rows: cell.rows.clone(),
        text_version: model.text_version(),
    };
    if let Some((_, texts)) = known.iter().find(|(k, _)| *k == key) {
        return Ok(Rc::clone(texts));
    }
    let texts = Rc::new(GroupConditioning::encode(model, plan, 0..1)?);
    if known.len() == REMEMBERED {
        known.remove(0);
    }
    known.push((key, Rc::clone(&texts)));
    Ok(texts)
}
