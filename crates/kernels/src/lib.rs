//! Fast loops on slices: products, convolutions, attention, norms.
//!
//! Slices in, slices out; this crate knows no model and no tensor. Every function takes a
//! [`Cpu`], which says what the processor can do ([`Isa`]) and holds its threads ([`Pool`]).
//! Activations are `[rows, channels]`, channels innermost, rows = batch * tokens. The plain form
//! of every kernel, which its tests trust, stands in [`mod@reference`].
#![expect(unsafe_code, reason = "vector instructions, threads over one slice; see each SAFETY")]

#[macro_use]
mod isa;
#[cfg(target_arch = "x86_64")]
mod amx;
mod buffer;
#[cfg(all(test, unix))]
mod edges;
mod element;
#[cfg(all(test, unix))]
mod guard;
mod math;
mod packed;
mod pool;
mod product;
mod schedule;
mod scratch;
mod tile;
mod vector;
mod view;
mod winograd;

pub mod attention;
pub mod conv3x3;
pub mod elementwise;
pub mod geglu;
pub mod group_norm;
pub mod layer_norm;
pub mod linear;
pub mod loss;
pub mod reference;
pub mod resize;
pub mod rows;

pub use buffer::{Line, Lines};
pub use element::Element;
pub use isa::{Isa, Level};
pub use packed::{Products, Values, WeightSizes};
pub use pool::Pool;
pub use view::{Grid, View, ViewMut};

/// A processor as kernels see it: what it can do, and its threads.
#[derive(Debug)]
pub struct Cpu {
    /// The instruction sets in use.
    pub isa: Isa,
    /// The threads.
    pub pool: Pool,
}

impl Cpu {
    /// A processor with `threads` threads, the caller's included.
    #[must_use]
    pub fn new(isa: Isa, threads: usize) -> Self {
        Self { isa, pool: Pool::new(threads) }
    }
}

/// Fetches values into the second cache.
#[inline]
pub(crate) fn fetch<T>(values: &[T]) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        let bytes = size_of_val(values);
        for at in (0..bytes).step_by(64) {
            // SAFETY: every processor with 64 bits has the instruction, which cannot fault.
            unsafe { _mm_prefetch::<_MM_HINT_T1>(values.as_ptr().cast::<i8>().wrapping_add(at)) };
        }
    }
}
