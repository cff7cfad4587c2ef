//! The processor as a device. Every call has done its work when it returns, so a download never
//! waits and there is nothing to flush.
//!
//! Results do not depend on the number of threads.
mod memory;
mod run;
mod storage;
mod weights;

use crate::memory_estimating::{MemoryModel as _, memory_estimating};
use crate::op::{Outputs, ResultKind, ResultSpec};
use crate::ops::Op;
use crate::{Backend, Data, Device, DeviceMemory, HostWeight, Layout, MemoryUse, Result};
use memory::CpuMemory;
pub(crate) use memory::system as system_memory;
use std::sync::Arc;
use storage::{Arena, Buffer, ValueType, buffer};
use wayword_kernels::{Cpu, Isa, Level, Products, View};
use weights::{CpuWeight, WeightForm};

/// In which numbers products are taken; sums are always in f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// f32: slower, as exact as the reference programs.
    F32,
    /// bf16 products where the processor has them, else f32.
    #[default]
    Bf16,
}

impl Precision {
    /// Its name, as options and files write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
        }
    }

    /// The fastest that this processor has in hardware.
    #[must_use]
    pub fn best() -> Self {
        if Isa::detect().bf16_products() { Self::Bf16 } else { Self::F32 }
    }
}

/// How the processor is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CpuOptions {
    /// Number of threads; `None` takes one for each core.
    pub threads: Option<usize>,
    /// Numbers of the products.
    pub precision: Precision,
    /// At most these instructions, for comparisons and tests; `None` takes the best.
    pub level: Option<Level>,
}

/// The processor as a device, with threads and memory of its own.
#[must_use]
pub fn cpu(options: CpuOptions) -> Device {
    let detected = Isa::detect();
    let isa = options.level.map_or(detected, |level| detected.cap(level));
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let threads = options.threads.unwrap_or_else(cores).max(1);
    let precision = if isa.bf16_products() { options.precision } else { Precision::F32 };
    Arc::new(Processor {
        cpu: Arc::new(Cpu::new(isa, threads)),
        model: CpuMemory { precision },
        arena: Arc::default(),
    })
}

/// Name of the processor for people.
pub(crate) fn name() -> String {
    format!("CPU, {}", Isa::detect().name())
}

#[derive(Debug)]
struct Processor {
    cpu: Arc<Cpu>,
    model: CpuMemory,
    arena: Arc<Arena>,
}

impl Processor {
    fn products(&self) -> Products {
        match self.model.precision {
            Precision::F32 => Products::F32,
            Precision::Bf16 => Products::Bf16,
        }
    }

    /// A buffer for a result, with anything in it.
    fn result(&self, result: ResultSpec<'_>) -> Buffer {
        let values = match result.kind {
            ResultKind::Full => ValueType::F32,
            ResultKind::Narrow => self.model.narrow(result.shape),
            ResultKind::Like(operand) => buffer(operand.data()).values(),
        };
        self.arena.take(result.shape.elements(), values)
    }
}

impl Backend for Processor {
    fn name(&self) -> String {
        let (isa, threads) = (self.cpu.isa.name(), self.cpu.pool.threads());
        format!("CPU, {isa}, {}, {threads} threads", self.precision().name())
    }

    fn precision(&self) -> Precision {
        self.model.precision
    }

    fn exact(&self) -> Device {
        let model = CpuMemory { precision: Precision::F32 };
        Arc::new(Processor { cpu: Arc::clone(&self.cpu), model, arena: Arc::default() })
    }

    fn memory(&self) -> MemoryUse {
        self.arena.memory()
    }

    fn device_memory(&self) -> Option<DeviceMemory> {
        system_memory()
    }

    fn memory_estimator(&self) -> Device {
        memory_estimating(Arc::new(self.model))
    }

    fn upload(&self, values: &[f32]) -> Result<Data> {
        let mut buffer = self.arena.take(values.len(), ValueType::F32);
        buffer.f32_mut().copy_from_slice(values);
        Ok(Arc::new(buffer))
    }

    fn upload_indices(&self, indices: &[u32]) -> Result<Data> {
        let mut buffer = self.arena.take(indices.len(), ValueType::U32);
        buffer.u32_mut().copy_from_slice(indices);
        Ok(Arc::new(buffer))
    }

    fn download(&self, data: &[&Data]) -> Result<Vec<Vec<f32>>> {
        let values = |data: &&Data| match buffer(data).view() {
            View::F32(values) => values.to_vec(),
            View::Bf16(values) => values.iter().map(|value| value.to_f32()).collect(),
        };
        Ok(data.iter().map(values).collect())
    }

    fn prepare(&self, weight: &HostWeight<'_>, layout: Layout) -> Result<Data> {
        self.arena.make_room(self.model.weight_bytes(weight, layout));
        let form = WeightForm::new(&self.cpu, weight, layout, self.products());
        let bytes = form.bytes();
        Ok(Arc::new(CpuWeight { form, bytes, _counted: self.arena.count(bytes) }))
    }

    fn run(&self, op: &Op<'_>) -> Outputs {
        let call = op.describe();
        let weight = call.weight.map(|weight| weight.handle());
        let mut buffers = call.results.map(|result| Some(self.result(result?)));
        let views = buffers.each_mut().map(|buffer| Some(buffer.as_mut()?.view_mut()));
        run::run(&self.cpu, self.products(), op, weight.as_ref(), views);
        buffers.map(|buffer| Some(Arc::new(buffer?) as Data))
    }
}
