//! Memory that each thread keeps for its pieces of work.
use crate::buffer::{Line, Lines};
use bytemuck::Pod;
use std::cell::RefCell;

thread_local! {
    static FREE: RefCell<Vec<Lines>> = const { RefCell::new(Vec::new()) };
}

/// Lends `count` values, aligned to cache lines, with anything in them.
pub(crate) fn with<T: Pod, R>(count: usize, f: impl FnOnce(&mut [T]) -> R) -> R {
    let mut lines = FREE.with_borrow_mut(Vec::pop).unwrap_or_default();
    let needed = (count * size_of::<T>()).div_ceil(size_of::<Line>());
    if lines.len() < needed {
        lines = Lines::of::<Line>(needed);
    }
    let result = f(&mut bytemuck::cast_slice_mut(&mut lines)[..count]);
    FREE.with_borrow_mut(|free| free.push(lines));
    result
}
