//! Frozen weights: handed over once, a handle from then on.
use crate::{Data, Device, Error, Result};
use half::slice::HalfFloatSliceExt as _;
use half::{bf16, f16};
use std::sync::{Arc, PoisonError, RwLock};

/// Values of a weight in the type in which the file holds them.
#[derive(Debug, Clone, Copy)]
pub enum Values<'a> {
    /// 32-bit floats.
    F32(&'a [f32]),
    /// IEEE half floats.
    F16(&'a [f16]),
    /// The upper halves of 32-bit floats.
    Bf16(&'a [bf16]),
}

impl Values<'_> {
    /// Number of values.
    #[must_use]
    pub const fn len(&self) -> usize {
        match self {
            Self::F32(v) => v.len(),
            Self::F16(v) => v.len(),
            Self::Bf16(v) => v.len(),
        }
    }

    /// Whether there is no value.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All values as f32; exact.
    #[must_use]
    pub fn to_f32(&self) -> Vec<f32> {
        match self {
            Self::F32(v) => v.to_vec(),
            Self::F16(v) => v.to_f32_vec(),
            Self::Bf16(v) => v.iter().map(|x| x.to_f32()).collect(),
        }
    }
}

/// A weight on the host: torch's shape, row-major, with the bias that belongs to it.
#[derive(Debug, Clone, Copy)]
pub struct HostWeight<'a> {
    /// Outermost dimension first, as in the checkpoint.
    pub shape: &'a [usize],
    /// As many values as the shape says.
    pub values: Values<'a>,
    /// One value per output channel (the shift of a norm).
    pub bias: Option<Values<'a>>,
}

/// What a weight is used for; decides how the device keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// `[out, in]` or `[out, in, 1, 1]`: y = x W^T + b.
    Linear,
    /// `[out, in, 3, 3]`.
    Conv3x3,
    /// `[channels]`: scale of a norm, with the shift as bias.
    Norm,
    /// `[rows, channels]`: rows that are looked up by number.
    Table,
}

impl Layout {
    /// The name used in errors.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Linear => "a linear layer [out, in]",
            Self::Conv3x3 => "a 3x3 convolution [out, in, 3, 3]",
            Self::Norm => "a norm [channels]",
            Self::Table => "a table [rows, channels]",
        }
    }

    fn fits(self, shape: &[usize]) -> bool {
        match self {
            Self::Linear => matches!(shape, [_, _] | [_, _, 1, 1]),
            Self::Conv3x3 => matches!(shape, [_, _, 3, 3]),
            Self::Norm => shape.len() == 1,
            Self::Table => shape.len() == 2,
        }
    }
}

/// A frozen weight on a device. Cheap to clone; clones see what [`Weight::replace`] puts in.
#[derive(Debug, Clone)]
pub struct Weight {
    layout: Layout,
    outputs: usize,
    inputs: usize,
    handle: Arc<RwLock<Data>>,
}

impl Weight {
    /// Hands a weight over to a device. Afterwards the host's values may go.
    ///
    /// # Errors
    /// If shape, layout and number of values do not fit, or the device has no room.
    pub fn prepare(device: &Device, weight: &HostWeight<'_>, layout: Layout) -> Result<Self> {
        let shape = weight.shape;
        check(weight, layout)?;
        let handle = Arc::new(RwLock::new(device.prepare(weight, layout)?));
        let inputs = shape.get(1).copied().unwrap_or(shape[0]);
        Ok(Self { layout, outputs: shape[0], inputs, handle })
    }

    /// Puts other values in the place of those that it has, for all its clones. What was there is
    /// freed when the operations that run on it are done.
    ///
    /// # Errors
    /// If the shape is another one, or the device has no room; then the old values stay.
    pub fn replace(&self, device: &Device, weight: &HostWeight<'_>) -> Result<()> {
        check(weight, self.layout)?;
        let shape = weight.shape;
        if (shape[0], shape.get(1).copied().unwrap_or(shape[0])) != (self.outputs, self.inputs) {
            return Err(Error::Layout { layout: self.layout.name(), found: shape.to_vec() });
        }
        let new = device.prepare(weight, self.layout)?;
        *self.handle.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    /// What it is used for.
    #[must_use]
    pub const fn layout(&self) -> Layout {
        self.layout
    }

    /// Output channels; rows of a table.
    #[must_use]
    pub const fn outputs(&self) -> usize {
        self.outputs
    }

    /// Input channels; channels of a norm or of a table's row.
    #[must_use]
    pub const fn inputs(&self) -> usize {
        self.inputs
    }

    /// The device's own form; only a backend looks inside.
    #[must_use]
    pub fn handle(&self) -> Data {
        Arc::clone(&self.handle.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Shape, layout and number of values must fit.
fn check(weight: &HostWeight<'_>, layout: Layout) -> Result<()> {
    let shape = weight.shape;
    if !layout.fits(shape) || shape.contains(&0) {
        return Err(Error::Layout { layout: layout.name(), found: shape.to_vec() });
    }
    let size = |what: &str, expected, found| {
        if expected == found {
            return Ok(());
        }
        Err(Error::Size { what: what.into(), expected, found })
    };
    size("weight", shape.iter().product(), weight.values.len())?;
    weight.bias.as_ref().map_or(Ok(()), |bias| size("bias", shape[0], bias.len()))
}
