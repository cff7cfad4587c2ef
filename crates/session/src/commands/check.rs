//! `wayword check`: what a training would do and take, and what is wrong with its pictures.
use super::train::{layers, ready};
use crate::Failure;
use crate::Outcome;
use crate::request::Layer;
use crate::session::Context;

/// Runs the command. Nothing is written.
///
/// # Errors
/// As a training that cannot begin.
pub(crate) fn run(given: &Layer, context: &Context<'_>) -> Result<Outcome, Failure> {
    let options = layers::gather(given, &context.progress)?;
    let ready = ready::ready(&options, false, context)?;
    let photos = &ready.prepared.photos;
    let summary =
        ready::forecast(&ready.base, &ready.plan, ready.memory, photos, &context.progress)?;
    Ok(Outcome::Check(Box::new(summary)))
}
