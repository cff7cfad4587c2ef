//! The checkpoints of a grid before one is loaded: where they are, and what their cells need.
use super::cells::Cell;
use crate::Failure;
use crate::commands::base::{self, BaseLocation};
use crate::commands::draw::{fits, pixels};
use crate::request::Grid as Options;
use crate::session::Context;
use std::path::Path;
use wayword_diffusion::forecast::{DrawForecast, SizedBase};

/// A checkpoint of which only sizes are known.
pub(super) struct PlannedBase<'a> {
    /// As an axis names it; `None` for that of the options.
    pub(super) path: Option<&'a Path>,
    pub(super) location: BaseLocation,
    pub(super) sizes: SizedBase,
    /// Of the cell that takes the most; `None` where none can be drawn, which is told at its turn.
    pub(super) memory: Option<DrawForecast>,
}

/// The checkpoints of the cells, in the order in which they are drawn.
///
/// # Errors
/// If one is not found or cannot be read, or a cell on it does not fit into the memory that is free
/// and is not forced.
pub(super) fn planned<'a>(
    options: &Options,
    cells: &'a [Cell],
    context: &Context<'_>,
) -> Result<Vec<PlannedBase<'a>>, Failure> {
    let mut out: Vec<PlannedBase<'a>> = Vec::new();
    for cell in cells {
        let path = cell.base.as_deref();
        if out.iter().any(|planned| planned.path == path) {
            continue;
        }
        let mut wanted = options.base.clone();
        if let Some(path) = path {
            wanted.base = Some(path.to_owned());
        }
        let location = base::for_drawing(&wanted, &options.machine, context)?;
        let sizes = SizedBase::load(&location.options)?;
        let of_base = || cells.iter().filter(|cell| cell.base.as_deref() == path);
        // Only the checkpoint knows which size it draws where none is given.
        let largest = |sized: bool| {
            let cells = of_base().filter(|cell| cell.sized == sized);
            let cell = cells.max_by_key(|cell| pixels(&cell.settings))?;
            sizes.memory(&cell.settings, !sized).ok()
        };
        let memory = [true, false].into_iter().filter_map(largest).max_by_key(|f| f.peak);
        if let (false, Some(memory)) = (options.memory.force, memory) {
            fits(&location, memory, 1, context)?;
        }
        out.push(PlannedBase { path, location, sizes, memory });
    }
    Ok(out)
}
