//! The profiling backend: a device around a device that notes what each kind of operation took.
//!
//! The times are those of the calls, so they mean something where calls do their work before they
//! return, as the processor's do.
use crate::op::Outputs;
use crate::ops::Op;
use crate::{
    Backend, Data, Device, DeviceMemory, HostWeight, Layout, MemoryUse, Precision, Result,
};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What was spent on one kind of operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OpTotal {
    /// Time.
    pub time: Duration,
    /// Number of calls.
    pub calls: u64,
    /// Multiplications and additions of products.
    pub flops: u64,
    /// Bytes of operands, weights and results.
    pub bytes: u64,
}

/// The notes of a profiling backend; shared with it.
#[derive(Debug, Clone, Default)]
pub struct Profile {
    totals: Arc<Mutex<BTreeMap<&'static str, OpTotal>>>,
    reads: Arc<Mutex<Vec<Vec<usize>>>>,
}

impl Profile {
    /// What was spent since the last call, by kind of operation. Moving values between host and
    /// device is "host", preparing weights "prepare".
    #[must_use]
    pub fn take(&self) -> BTreeMap<&'static str, OpTotal> {
        std::mem::take(&mut *self.totals.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How many values of each tensor were read by each download since the last call, in order. A
    /// download waits for the device, so a training step has one, for loss and gradient.
    #[must_use]
    pub fn take_reads(&self) -> Vec<Vec<usize>> {
        std::mem::take(&mut *self.reads.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Runs `work` by the clock; `bytes` gives those that it moved.
    fn time<T>(
        &self,
        (name, flops): (&'static str, u64),
        work: impl FnOnce() -> T,
        bytes: impl FnOnce(&T) -> usize,
    ) -> T {
        let since = Instant::now();
        let result = work();
        let time = since.elapsed();
        let bytes = bytes(&result) as u64;
        let mut totals = self.totals.lock().unwrap_or_else(PoisonError::into_inner);
        let total = totals.entry(name).or_default();
        total.time += time;
        total.calls += 1;
        total.flops += flops;
        total.bytes += bytes;
        result
    }
}

/// The same device, profiled. Weights and tensors of either are good for both.
#[must_use]
pub fn profiling(device: &Device) -> (Device, Profile) {
    let profile = Profile::default();
    (Arc::new(Profiling { device: device.clone(), profile: profile.clone() }), profile)
}

/// Moving values between host and device: no arithmetic.
const HOST: (&str, u64) = ("host", 0);

#[derive(Debug)]
struct Profiling {
    device: Device,
    profile: Profile,
}

/// Bytes of what was taken over.
fn taken(data: &Result<Data>) -> usize {
    data.as_ref().map_or(0, |data| data.bytes())
}

impl Backend for Profiling {
    fn name(&self) -> String {
        self.device.name()
    }

    fn precision(&self) -> Precision {
        self.device.precision()
    }

    fn exact(&self) -> Device {
        Arc::new(Self { device: self.device.exact(), profile: self.profile.clone() })
    }

    fn memory(&self) -> MemoryUse {
        self.device.memory()
    }

    fn forget_peak(&self) {
        self.device.forget_peak();
    }

    fn device_memory(&self) -> Option<DeviceMemory> {
        self.device.device_memory()
    }

    fn memory_estimator(&self) -> Device {
        self.device.memory_estimator()
    }

    fn upload(&self, values: &[f32]) -> Result<Data> {
        self.profile.time(HOST, || self.device.upload(values), taken)
    }

    fn upload_indices(&self, indices: &[u32]) -> Result<Data> {
        self.profile.time(HOST, || self.device.upload_indices(indices), taken)
    }

    fn download(&self, data: &[&Data]) -> Result<Vec<Vec<f32>>> {
        let bytes = data.iter().map(|data| data.bytes()).sum();
        let values = self.profile.time(HOST, || self.device.download(data), |_| bytes)?;
        let counts = values.iter().map(Vec::len).collect();
        self.profile.reads.lock().unwrap_or_else(PoisonError::into_inner).push(counts);
        Ok(values)
    }

    fn prepare(&self, weight: &HostWeight<'_>, layout: Layout) -> Result<Data> {
        self.profile.time(("prepare", 0), || self.device.prepare(weight, layout), taken)
    }

    fn run(&self, op: &Op<'_>) -> Outputs {
        let call = op.describe();
        let operands = call.operands.iter().flatten().map(|operand| operand.data().bytes());
        let weight = call.weight.map(|weight| weight.handle().bytes());
        let read: usize = operands.chain(weight).sum();
        let bytes = |outputs: &Outputs| {
            read + outputs.iter().flatten().map(|data| data.bytes()).sum::<usize>()
        };
        self.profile.time((op.name(), call.flops), || self.device.run(op), bytes)
    }

    fn flush(&self) {
        self.device.flush();
    }
}
