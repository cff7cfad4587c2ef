//! What a device must be able to do.
//!
//! Everything between an upload and a download may run later than it is called. Values are
//! `[rows, channels]` with channels innermost, rows = batch * tokens. A device that fails after a
//! call has returned keeps the failure: the next [`Backend::download`] that depends on it reports it.
use crate::op::Outputs;
use crate::ops::Op;
use crate::{Data, Device, HostWeight, Layout, Precision, Result};
use std::any::Any;
use std::fmt::Debug;

/// A device's own form of the values of a tensor, of indices or of a weight.
pub trait Storage: Any + Send + Sync + Debug {
    /// For the backend to look inside its own storage.
    fn as_any(&self) -> &dyn Any;
    /// Bytes held.
    fn bytes(&self) -> usize;
}

/// Bytes of tensors and weights on a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MemoryUse {
    /// Bytes held now.
    pub held: usize,
    /// The most bytes held at once so far.
    pub peak: usize,
}

/// Bytes that a device has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceMemory {
    /// All of it.
    pub total: u64,
    /// What is left for more.
    pub free: u64,
}

/// A device.
pub trait Backend: Debug + Send + Sync {
    /// Name for people: processor or card, instruction set, precision.
    fn name(&self) -> String;

    /// The numbers that products are taken in, as this device really does it.
    fn precision(&self) -> Precision;

    /// Whether products are f32 throughout.
    fn is_exact(&self) -> bool {
        self.precision() == Precision::F32
    }

    /// The same device with products in f32, for what overflows in half precision.
    fn exact(&self) -> Device;

    /// Bytes of tensors and weights on this device.
    fn memory(&self) -> MemoryUse;

    /// Forgets the peak of [`Backend::memory`]: it is what is held now. Only a memory estimator does
    /// that; what a device really held stays known.
    fn forget_peak(&self) {}

    /// Bytes that the device has; `None` if the system does not tell.
    fn device_memory(&self) -> Option<DeviceMemory>;

    /// A device that computes nothing and counts the bytes that this one would hold: this device's
    /// model of its memory.
    fn memory_estimator(&self) -> Device;

    /// Takes over host values.
    ///
    /// # Errors
    /// If the device has no room or fails.
    fn upload(&self, values: &[f32]) -> Result<Data>;

    /// Takes over row numbers, for the operations that read rows by number.
    ///
    /// # Errors
    /// If the device has no room or fails.
    fn upload_indices(&self, indices: &[u32]) -> Result<Data>;

    /// Copies tensors to the host, with one wait for all work that they depend on.
    ///
    /// # Errors
    /// If the device fails, or failed in an upload or an operation before.
    fn download(&self, data: &[&Data]) -> Result<Vec<Vec<f32>>>;

    /// Takes over a frozen weight in the form that the operations need. The shape was checked.
    ///
    /// # Errors
    /// If the device has no room or fails.
    fn prepare(&self, weight: &HostWeight<'_>, layout: Layout) -> Result<Data>;

    /// Calls an operation, now or later. The shapes were checked.
    fn run(&self, op: &Op<'_>) -> Outputs;

    /// A hint that the calls so far belong together: a device that collects calls may start them.
    /// Never waits.
    fn flush(&self) {}
}
