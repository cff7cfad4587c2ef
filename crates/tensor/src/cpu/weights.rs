//! Frozen weights in the forms that the kernels want.
use super::storage::Counted;
use crate::{Data, HostWeight, Layout, Storage, Values};
use half::{bf16, f16};
use std::any::Any;
use wayword_kernels::{Cpu, Products, WeightSizes, conv3x3, linear};

/// Rows of a table in the type of the file: a vocabulary is large and few of its rows are read.
#[derive(Debug)]
pub(super) enum TableValues {
    F32(Vec<f32>),
    F16(Vec<f16>),
    Bf16(Vec<bf16>),
}

/// A weight by its use.
#[derive(Debug)]
pub(super) enum WeightForm {
    Linear(linear::Weight),
    Conv3x3(conv3x3::Weight),
    Norm { scale: Vec<f32>, shift: Vec<f32> },
    Table(TableValues),
}

/// A weight and its share of the device's memory.
#[derive(Debug)]
pub(super) struct CpuWeight {
    pub(super) form: WeightForm,
    pub(super) bytes: usize,
    pub(super) _counted: Counted,
}

impl Storage for CpuWeight {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn bytes(&self) -> usize {
        self.bytes
    }
}

/// The form of a weight of this device.
pub(super) fn form(handle: &Data) -> &WeightForm {
    let weight: Option<&CpuWeight> = handle.as_any().downcast_ref();
    &weight.expect("a weight of another device").form
}

fn host(values: Values<'_>) -> wayword_kernels::Values<'_> {
    match values {
        Values::F32(v) => wayword_kernels::Values::F32(v),
        Values::F16(v) => wayword_kernels::Values::F16(v),
        Values::Bf16(v) => wayword_kernels::Values::Bf16(v),
    }
}

impl WeightForm {
    pub(super) fn new(
        cpu: &Cpu,
        weight: &HostWeight<'_>,
        layout: Layout,
        products: Products,
    ) -> Self {
        let bias = weight.bias.map(|b| b.to_f32());
        let outputs = weight.shape[0];
        let inputs = weight.shape.get(1).copied().unwrap_or(1);
        match layout {
            Layout::Linear => {
                let sizes = WeightSizes { outputs, inputs };
                Self::Linear(linear::Weight::new(cpu, host(weight.values), sizes, bias, products))
            }
            Layout::Conv3x3 => {
                let sizes = WeightSizes { outputs, inputs };
                Self::Conv3x3(conv3x3::Weight::new(cpu, host(weight.values), sizes, bias, products))
            }
            Layout::Norm => {
                let scale = weight.values.to_f32();
                let shift = bias.unwrap_or_else(|| vec![0.0; outputs]);
                Self::Norm { scale, shift }
            }
            Layout::Table => Self::Table(match weight.values {
                Values::F32(v) => TableValues::F32(v.to_vec()),
                Values::F16(v) => TableValues::F16(v.to_vec()),
                Values::Bf16(v) => TableValues::Bf16(v.to_vec()),
            }),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Linear(w) => w.bytes(),
            Self::Conv3x3(w) => w.bytes(),
            Self::Norm { scale, shift } => 4 * (scale.len() + shift.len()),
            Self::Table(TableValues::F32(v)) => 4 * v.len(),
            Self::Table(TableValues::F16(v)) => 2 * v.len(),
            Self::Table(TableValues::Bf16(v)) => 2 * v.len(),
        }
    }
}
