//! A tensor: shape, opaque data, device, and its place on a tape if a gradient is wanted.
use crate::tape::{Tape, Track};
use crate::{Backend, Error, Result, Shape, Storage};
use std::sync::Arc;

/// The device that holds a tensor. Cheap to clone.
pub type Device = Arc<dyn Backend>;

/// What a device keeps for a tensor; opaque to everything above a backend.
pub type Data = Arc<dyn Storage>;

/// Activations of shape `[batch, tokens, channels]` on a device. Cheap to clone; never changed.
#[derive(Debug, Clone)]
pub struct Tensor {
    shape: Shape,
    data: Data,
    device: Device,
    track: Option<Track>,
}

impl Tensor {
    /// Moves host values to a device: one of the two ways in and out.
    ///
    /// # Errors
    /// If the number of values is not the shape's, the shape is empty, or the device fails.
    pub fn from_host(device: &Device, shape: Shape, values: &[f32]) -> Result<Self> {
        if shape.elements() == 0 || shape.elements() != values.len() {
            let what = format!("tensor {shape}");
            return Err(Error::Size { what, expected: shape.elements(), found: values.len() });
        }
        Ok(Self::new(device, shape, device.upload(values)?))
    }

    /// Copies the values to the host and waits for them: the other way.
    ///
    /// # Errors
    /// If the device failed, now or in an operation before.
    pub fn to_host(&self) -> Result<Vec<f32>> {
        Ok(Self::to_host_many(&[self])?.swap_remove(0))
    }

    /// Copies the values of tensors of one device to the host, with one wait for all of them.
    ///
    /// # Errors
    /// If the device failed, now or in an operation before.
    pub fn to_host_many(tensors: &[&Self]) -> Result<Vec<Vec<f32>>> {
        let Some(first) = tensors.first() else { return Ok(Vec::new()) };
        let data: Vec<&Data> = tensors.iter().map(|tensor| &tensor.data).collect();
        first.device.download(&data)
    }

    /// A tensor that nothing tracks, from a backend's data.
    #[must_use]
    pub fn new(device: &Device, shape: Shape, data: Data) -> Self {
        Self { shape, data, device: device.clone(), track: None }
    }

    /// `[batch, tokens, channels]`.
    #[must_use]
    pub const fn shape(&self) -> Shape {
        self.shape
    }

    /// The device's data.
    #[must_use]
    pub const fn data(&self) -> &Data {
        &self.data
    }

    /// Where the data lies.
    #[must_use]
    pub const fn device(&self) -> &Device {
        &self.device
    }

    /// The same values without a place on a tape.
    #[must_use]
    pub fn detach(&self) -> Self {
        Self { track: None, ..self.clone() }
    }

    pub(crate) const fn track(&self) -> Option<&Track> {
        self.track.as_ref()
    }

    pub(crate) fn tracked(mut self, tape: &Tape, node: usize) -> Self {
        self.track = Some(Track { tape: tape.clone(), node });
        self
    }
}
