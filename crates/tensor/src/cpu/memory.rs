//! The processor's memory: how it keeps things, and what the system has.
use super::Precision;
use super::storage::{ValueType, buffer_bytes};
use crate::memory_estimating::MemoryModel;
use crate::{DeviceMemory, HostWeight, Layout, Shape, Values};
use std::sync::Arc;
use sysinfo::{MemoryRefreshKind, System};

/// Rows from which on narrow results are kept in bf16; fewer cost nothing in f32.
const MANY_ROWS: usize = 64;
/// Channels from which on they are: below, kernels would convert more than they compute.
const MANY_CHANNELS: usize = 17;

/// How the processor keeps things.
#[derive(Debug, Clone, Copy)]
pub(super) struct CpuMemory {
    pub(super) precision: Precision,
}

impl CpuMemory {
    /// How a result is kept that only products and norms read.
    pub(super) fn narrow(self, shape: Shape) -> ValueType {
        let many = shape.rows() >= MANY_ROWS && shape.channels >= MANY_CHANNELS;
        if self.precision == Precision::Bf16 && many { ValueType::Bf16 } else { ValueType::F32 }
    }
}

impl MemoryModel for CpuMemory {
    fn precision(&self) -> Precision {
        self.precision
    }

    fn exact(&self) -> Arc<dyn MemoryModel> {
        Arc::new(Self { precision: Precision::F32 })
    }

    fn narrow_size(&self, shape: Shape) -> usize {
        self.narrow(shape).size()
    }

    fn tensor_bytes(&self, count: usize, size: usize) -> usize {
        buffer_bytes(count, size)
    }

    fn weight_bytes(&self, weight: &HostWeight<'_>, layout: Layout) -> usize {
        let file = match weight.values {
            Values::F32(_) => 4,
            Values::F16(_) | Values::Bf16(_) => 2,
        };
        let bias = weight.bias.as_ref().map_or(0, |bias| 4 * bias.len());
        match (layout, weight.shape) {
            (Layout::Linear | Layout::Conv3x3, [outputs, inputs, rest @ ..]) => {
                let size = if self.precision == Precision::Bf16 { 2 } else { file };
                // Products read blocks of 32 x 32.
                let block = |n: &usize| n.next_multiple_of(32);
                block(outputs) * block(inputs) * rest.iter().product::<usize>() * size + bias
            }
            // A norm always has its shift.
            (Layout::Norm, _) => 2 * 4 * weight.values.len(),
            _ => file * weight.values.len(),
        }
    }
}

/// What the system has, or this process's group; `None` where nobody tells.
pub(crate) fn system() -> Option<DeviceMemory> {
    let mut system = System::new().ok()?;
    system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
    let all = DeviceMemory { total: system.total_memory(), free: system.available_memory() };
    // What a group holds of files can be taken back at any time, so it counts as free.
    let group = system.cgroup_limits().map(|group| DeviceMemory {
        total: group.total_memory,
        free: group.total_memory.saturating_sub(group.rss),
    });
    let group = group.filter(|group| group.free > 0 && group.free < all.free);
    Some(group.unwrap_or(all)).filter(|memory| memory.free > 0)
}
