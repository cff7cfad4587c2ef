//! `wayword devices`: what can compute on this machine.
use crate::Facts;
use crate::numbers::bytes;
use crate::session::Context;
use serde::Serialize;

/// A device that can compute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeviceFacts {
    /// What `device` chooses it by.
    pub device: String,
    /// Its name for people.
    pub name: String,
    /// Bytes that it has and that are free; `None` where the system does not tell.
    pub memory: Option<u64>,
    /// Free bytes.
    pub free: Option<u64>,
    /// What its products can be taken in, the fastest last.
    pub precisions: Vec<String>,
}

/// All devices of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeviceList {
    /// The devices, the one that is used by itself first.
    pub devices: Vec<DeviceFacts>,
}

impl DeviceList {
    /// A line for each.
    #[must_use]
    pub fn to_lines(&self) -> Vec<String> {
        let mut facts = Facts::default();
        for device in &self.devices {
            let memory = device.memory.map_or("memory unknown".into(), bytes);
            let free = device.free.map_or(String::new(), |free| format!(", {} free", bytes(free)));
            let precisions = device.precisions.join(" and ");
            facts.line(&device.device, format!("{}; {precisions}; {memory}{free}", device.name));
        }
        facts.to_lines()
    }
}

/// Runs the command.
pub(crate) fn run(context: &Context<'_>) -> DeviceList {
    let facts = |device: &wayword_diffusion::DeviceInfo| DeviceFacts {
        device: device.id.clone(),
        name: device.name.clone(),
        memory: device.memory.map(|memory| memory.total),
        free: device.memory.map(|memory| memory.free),
        precisions: device.precisions.iter().map(|p| p.name().to_owned()).collect(),
    };
    DeviceList { devices: context.core.devices.iter().map(facts).collect() }
}
