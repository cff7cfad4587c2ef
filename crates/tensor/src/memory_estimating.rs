//! The memory-estimating backend: computes nothing and counts the bytes that another device would
//! hold, known before a run starts.
//!
//! The models run on it as on any other; every value that comes back is 0.
use crate::op::{Outputs, ResultKind};
use crate::ops::Op;
use crate::{
    Backend, Data, Device, DeviceMemory, HostWeight, Layout, MemoryUse, Precision, Result, Shape,
    Storage,
};
use std::any::Any;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How a device keeps things.
pub trait MemoryModel: Debug + Send + Sync {
    /// The precision of the device.
    fn precision(&self) -> Precision;
    /// The same device with products in f32.
    fn exact(&self) -> Arc<dyn MemoryModel>;
    /// Bytes of one value of a [`ResultKind::Narrow`] result.
    fn narrow_size(&self, shape: Shape) -> usize;
    /// Bytes of `count` values of `size` bytes.
    fn tensor_bytes(&self, count: usize, size: usize) -> usize;
    /// Bytes of a weight.
    fn weight_bytes(&self, weight: &HostWeight<'_>, layout: Layout) -> usize;
}

/// A device that counts the bytes that a device of this model would hold.
#[must_use]
pub fn memory_estimating(model: Arc<dyn MemoryModel>) -> Device {
    Arc::new(MemoryEstimating { model, total: Arc::default() })
}

#[derive(Debug)]
struct MemoryEstimating {
    model: Arc<dyn MemoryModel>,
    total: Arc<Mutex<MemoryUse>>,
}

/// A tensor, indices or a weight without values.
#[derive(Debug)]
struct Estimated {
    count: usize,
    /// Bytes of one value.
    size: usize,
    bytes: usize,
    total: Arc<Mutex<MemoryUse>>,
}

fn lock(total: &Mutex<MemoryUse>) -> MutexGuard<'_, MemoryUse> {
    total.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Estimated {
    fn drop(&mut self) {
        lock(&self.total).held -= self.bytes;
    }
}

impl Storage for Estimated {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn bytes(&self) -> usize {
        self.bytes
    }
}

fn estimated(data: &Data) -> &Estimated {
    data.as_any().downcast_ref().expect("a tensor of another device")
}

impl MemoryEstimating {
    fn hold(&self, count: usize, size: usize, bytes: usize) -> Data {
        let mut total = lock(&self.total);
        total.held += bytes;
        total.peak = total.peak.max(total.held);
        drop(total);
        Arc::new(Estimated { count, size, bytes, total: Arc::clone(&self.total) })
    }

    fn tensor(&self, count: usize, size: usize) -> Data {
        self.hold(count, size, self.model.tensor_bytes(count, size))
    }
}

impl Backend for MemoryEstimating {
    fn name(&self) -> String {
        format!("memory estimate, {}", self.precision().name())
    }

    fn precision(&self) -> Precision {
        self.model.precision()
    }

    fn exact(&self) -> Device {
        memory_estimating(self.model.exact())
    }

    fn memory(&self) -> MemoryUse {
        *lock(&self.total)
    }

    fn forget_peak(&self) {
        let mut total = lock(&self.total);
        total.peak = total.held;
    }

    fn device_memory(&self) -> Option<DeviceMemory> {
        None
    }

    fn memory_estimator(&self) -> Device {
        memory_estimating(Arc::clone(&self.model))
    }

    fn upload(&self, values: &[f32]) -> Result<Data> {
        Ok(self.tensor(values.len(), 4))
    }

    fn upload_indices(&self, indices: &[u32]) -> Result<Data> {
        Ok(self.tensor(indices.len(), 4))
    }

    fn download(&self, data: &[&Data]) -> Result<Vec<Vec<f32>>> {
        Ok(data.iter().map(|data| vec![0.0; estimated(data).count]).collect())
    }

    fn prepare(&self, weight: &HostWeight<'_>, layout: Layout) -> Result<Data> {
        Ok(self.hold(weight.values.len(), 4, self.model.weight_bytes(weight, layout)))
    }

    fn run(&self, op: &Op<'_>) -> Outputs {
        op.describe().results.map(|result| {
            let result = result?;
            let size = match result.kind {
                ResultKind::Full => 4,
                ResultKind::Narrow => self.model.narrow_size(result.shape),
                ResultKind::Like(operand) => estimated(operand.data()).size,
            };
            Some(self.tensor(result.shape.elements(), size))
        })
    }
}
