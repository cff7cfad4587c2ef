//! How a drawing comes to the model: on its own, or inside a job that holds it.
use crate::{AdapterGuard, Base, Event, JobSize, Network, Result};
use wayword_interface::{Diagnostic, Events, Stop};

/// Where a drawing takes its adapter guards from.
#[derive(Debug, Clone, Copy)]
pub enum ModelAccess<'a> {
    /// It waits for its adapters like any other job.
    Queue(&'a Base, JobSize),
    /// It is a part of a job that holds a guard, such as a preview of a training, and can have
    /// that job's adapters only.
    Inside(&'a AdapterGuard<'a>),
}

impl<'a> From<&'a Base> for ModelAccess<'a> {
    fn from(base: &'a Base) -> Self {
        Self::Queue(base, JobSize::Heavy)
    }
}

impl<'a> From<&'a AdapterGuard<'a>> for ModelAccess<'a> {
    fn from(guard: &'a AdapterGuard<'a>) -> Self {
        Self::Inside(guard)
    }
}

impl<'a> ModelAccess<'a> {
    /// The base.
    #[must_use]
    pub const fn base(self) -> &'a Base {
        match self {
            Self::Queue(base, _) => base,
            Self::Inside(guard) => guard.base(),
        }
    }

    /// Makes adapters active; `None` if stopped while others had the model.
    ///
    /// # Errors
    /// If an adapter cannot be applied, or the job that this is a part of has others.
    pub fn activate(
        self,
        adapters: &[Network],
        events: &dyn Events<Event>,
        stop: &Stop,
    ) -> Result<Option<AdapterGuard<'a>>> {
        match self {
            Self::Queue(base, size) => base.activate_unless_stopped(adapters, size, events, stop),
            Self::Inside(guard) if guard.networks() == adapters => Ok(Some(guard.share())),
            Self::Inside(_) => Err(Diagnostic::new(
                "an image drawn during training can only use the training's LoRAs",
            )
            .with_field("draw.prompt")
            .into()),
        }
    }
}
