//! Row numbers on a device, for the operations that read rows by number.
use crate::{Data, Device, Result};

/// Row numbers, uploaded once and good for any number of calls. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Indices {
    device: Device,
    data: Data,
    len: usize,
    bound: usize,
}

impl Indices {
    /// Uploads row numbers.
    ///
    /// # Errors
    /// If the device has no room or fails.
    pub fn from_host(device: &Device, indices: &[u32]) -> Result<Self> {
        let data = device.upload_indices(indices)?;
        let bound = indices.iter().max().map_or(0, |largest| *largest as usize + 1);
        Ok(Self { device: device.clone(), data, len: indices.len(), bound })
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The smallest number that is larger than all of them.
    #[must_use]
    pub const fn bound(&self) -> usize {
        self.bound
    }

    /// The device that holds them.
    #[must_use]
    pub const fn device(&self) -> &Device {
        &self.device
    }

    /// The device's data.
    #[must_use]
    pub const fn data(&self) -> &Data {
        &self.data
    }
}
