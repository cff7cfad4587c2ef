//! Heavy jobs that wait for their turn.
use crate::request::Draw;
use crate::{Job, Request};
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use wayword_diffusion::adapters::lora_tags;
use wayword_train::lora::PlannedLora;

/// Images of a drawing for which a training gives way.
const FEW_IMAGES: usize = 4;
/// Its sampling steps.
const FEW_STEPS: usize = 50;
/// Its pixels a side.
const SMALL_SIDE: u32 = 768;

/// Jobs in the order of their submission.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    jobs: VecDeque<(Request, Job)>,
    is_closed: bool,
}

impl Queue {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a job behind the others.
    pub(crate) fn push(&self, request: Request, job: Job) {
        self.waiting().jobs.push_back((request, job));
        self.changed.notify_all();
    }

    /// No more jobs will come.
    pub(crate) fn close(&self) {
        self.waiting().is_closed = true;
        self.changed.notify_all();
    }

    /// Waits for the next job; `None` once the queue is closed and empty.
    pub(crate) fn next(&self) -> Option<(Request, Job)> {
        let empty = |waiting: &mut Waiting| waiting.jobs.is_empty() && !waiting.is_closed;
        let waited = self.changed.wait_while(self.waiting(), empty);
        waited.unwrap_or_else(PoisonError::into_inner).jobs.pop_front()
    }

    /// Takes the first job that fits, wherever it stands.
    pub(crate) fn take(&self, fits: impl Fn(&Request) -> bool) -> Option<(Request, Job)> {
        let jobs = &mut self.waiting().jobs;
        let place = jobs.iter().position(|(request, _)| fits(request))?;
        jobs.remove(place)
    }
}

/// A drawing that is small enough to be done between two steps of a training on these LoRAs: few
/// images, with the same LoRAs by name and multipliers. `None` for all other requests.
pub(crate) fn small_drawing<'a>(request: &'a Request, loras: &[PlannedLora]) -> Option<&'a Draw> {
    let Request::Draw(draw) = request else { return None };
    let s = &draw.settings;
    let is_small = draw.from.is_none()
        && draw.prompts.is_none()
        && !draw.combinatorial
        && has_loras(draw.prompt.as_deref().unwrap_or_default(), loras)
        && draw.hires.hires_scale.is_none()
        && draw.hires.hires_size.is_none()
        && !draw.detail.detail
        && draw.count.unwrap_or(1) <= FEW_IMAGES
        && s.steps.unwrap_or(20) <= FEW_STEPS
        && s.size.is_none_or(|size| size.width.max(size.height) <= SMALL_SIDE);
    is_small.then_some(draw)
}

/// Whether a prompt's tags ask for these LoRAs, in this order.
fn has_loras(prompt: &str, loras: &[PlannedLora]) -> bool {
    let Ok(tags) = lora_tags(prompt) else { return false };
    tags.len() == loras.len()
        && tags.iter().zip(loras).all(|(tag, lora)| {
            tag.ranks.is_none()
                && tag.name.eq_ignore_ascii_case(&lora.name)
                && (tag.text as f32, tag.unet as f32) == (lora.text, lora.unet)
        })
}
