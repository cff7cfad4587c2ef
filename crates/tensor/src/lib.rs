//! Shapes, devices, the operations with their backward, and the tape.
//!
//! Made for networks whose weights are frozen: a backward computes gradients of inputs only. A
//! [`Tensor`] is a shape and opaque data on a [`Device`]; values enter by [`Tensor::from_host`]
//! and leave by [`Tensor::to_host`], and nothing else waits. This crate knows no model.
#![forbid(unsafe_code)]

mod backend;
mod constants;
mod cpu;
mod device;
mod error;
pub mod host;
mod indices;
mod memory_estimating;
mod op;
pub mod ops;
mod profiling;
pub mod random;
mod shape;
mod tape;
mod tensor;
mod weight;

pub use backend::{Backend, DeviceMemory, MemoryUse, Storage};
pub use constants::Constants;
pub use cpu::{CpuOptions, Precision, cpu};
pub use device::{DeviceInfo, DeviceOptions, devices, find_device};
pub use error::{Error, Result};
pub use indices::Indices;
pub use memory_estimating::{MemoryModel, memory_estimating};
pub use op::{Description, MAX_OPERANDS, MAX_RESULTS, Operation, Outputs, ResultKind, ResultSpec};
pub use ops::LossKind;
pub use profiling::{OpTotal, Profile, profiling};
pub use shape::{Grid, Shape, Stride};
pub use tape::{Gradients, Memory, Needs, Tape, block};
pub use tensor::{Data, Device, Tensor};
/// The processor's instruction sets, for [`CpuOptions::level`].
pub use wayword_kernels::Level;
pub use weight::{HostWeight, Layout, Values, Weight};
