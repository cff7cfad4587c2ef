//! Shapes, devices, the operations with their backward, and the tape.
//!
//! Made for networks whose weights are frozen: a backward computes gradients of inputs only. A
//! [`Tensor`] is a shape and opaque data on a [`Device`]; values enter by [`Tensor::from_host`]
//! and leave by [`Tensor::to_host`], and nothing else waits. This crate knows no model.
#![forbid(unsafe_code)]

mod backend;
mod cpu;
mod error;
pub mod host;
mod memory_estimating;
pub mod ops;
mod profiling;
pub mod random;
mod shape;
mod tape;
mod tensor;
mod weight;

pub use backend::{AttentionShape, Backend, LossKind, MemoryUse, Storage};
pub use cpu::{CpuOptions, Precision, cpu};
pub use error::{Error, Result};
pub use profiling::{OpTotal, Profile, profiling};
pub use shape::{Grid, Shape, Stride};
pub use tape::{Gradients, Memory, Needs, Tape, block};
pub use tensor::{Data, Device, Tensor};
/// The processor's instruction sets, for [`CpuOptions::level`].
pub use wayword_kernels::Level;
pub use weight::{HostWeight, Layout, Values, Weight};
