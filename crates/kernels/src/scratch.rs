//! Memory that each thread keeps for its pieces of work.
use crate::buffer::{Line, Lines};
use bytemuck::Pod;
use std::cell::Cell;

thread_local! {
    static OWN: Cell<Vec<Lines>> = const { Cell::new(Vec::new()) };
}

/// Lends `count` values, aligned to cache lines, with anything in them.
pub(crate) fn with<T: Pod, R>(count: usize, f: impl FnOnce(&mut [T]) -> R) -> R {
    let mut kept = OWN.take();
    let mut own = kept.pop().unwrap_or_default();
    OWN.set(kept);
    let needed = (count * size_of::<T>()).div_ceil(size_of::<Line>());
    if own.len() < needed {
        own = Lines::of::<Line>(needed);
    }
    let result = f(&mut bytemuck::cast_slice_mut(&mut own)[..count]);
    let mut kept = OWN.take();
    kept.push(own);
    OWN.set(kept);
    result
}
