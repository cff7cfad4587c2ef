//! Devices by name: what there is on this machine, and opening one of them.
use crate::cpu::{self, CpuOptions, Precision, cpu};
use crate::{Device, DeviceMemory, Error, Result};
use std::fmt::{self, Debug};
use std::sync::Arc;

/// How a device is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DeviceOptions {
    /// Numbers of the products; `None` takes the fastest that the device has.
    pub precision: Option<Precision>,
    /// Number of threads where the device is the processor; `None` takes one for each core.
    pub threads: Option<usize>,
}

type Open = dyn Fn(DeviceOptions) -> Result<Device> + Send + Sync;

/// A device of this machine that can be opened.
#[derive(Clone)]
pub struct DeviceInfo {
    /// The name by which it is chosen: "cpu".
    pub id: String,
    /// Name for people.
    pub name: String,
    /// Bytes that it has; `None` if the system does not tell.
    pub memory: Option<DeviceMemory>,
    /// What its products can be taken in, the fastest last.
    pub precisions: Vec<Precision>,
    open: Arc<Open>,
}

impl Debug for DeviceInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceInfo({}: {})", self.id, self.name)
    }
}

impl DeviceInfo {
    /// A device that `open` opens.
    pub fn new(
        id: &str,
        name: &str,
        memory: Option<DeviceMemory>,
        precisions: &[Precision],
        open: impl Fn(DeviceOptions) -> Result<Device> + Send + Sync + 'static,
    ) -> Self {
        let (id, name, open) = (id.into(), name.into(), Arc::new(open));
        Self { id, name, memory, precisions: precisions.into(), open }
    }

    /// Opens it. A precision that it lacks is replaced by the most exact one, as
    /// [`Backend::precision`](crate::Backend::precision) then tells.
    ///
    /// # Errors
    /// If the device cannot be used.
    pub fn open(&self, options: DeviceOptions) -> Result<Device> {
        (self.open)(options)
    }
}

/// The devices that this crate has: the processor.
#[must_use]
pub fn devices() -> Vec<DeviceInfo> {
    let best = Precision::best();
    let precisions = [Precision::F32, Precision::Bf16];
    let precisions = if best == Precision::F32 { &precisions[..1] } else { &precisions };
    let open = move |options: DeviceOptions| {
        let precision = options.precision.unwrap_or(best);
        Ok(cpu(CpuOptions { threads: options.threads, precision, level: None }))
    };
    vec![DeviceInfo::new("cpu", &cpu::name(), cpu::system_memory(), precisions, open)]
}

/// The device of this name among `devices`.
///
/// # Errors
/// If there is none; the error lists the names that there are.
pub fn find_device<'a>(devices: &'a [DeviceInfo], id: &str) -> Result<&'a DeviceInfo> {
    devices.iter().find(|device| device.id.eq_ignore_ascii_case(id)).ok_or_else(|| {
        let known = devices.iter().map(|device| device.id.clone()).collect();
        Error::UnknownDevice { id: id.into(), known }
    })
}
