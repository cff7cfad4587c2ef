//! Adapters added to the weights of a base: only the modules whose adapters change are made anew.
#![expect(clippy::type_complexity, reason = "a weight and, where there is one, its bias")]
use super::Network;
use super::delta::{self, Strength};
use super::fit::{self, Sizes};
use crate::weights::{TensorSource, replace};
use crate::{Base, Error, Result};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use wayword_formats::lora::{Adapter, AdapterKind, Target};
use wayword_formats::{Array, Component, Fault};
use wayword_tensor::host::Floats;
use wayword_tensor::{HostWeight, Values, Weight};

/// Modules that are made at once: each takes twice its weight in f32 meanwhile.
const AT_ONCE: usize = 2;

/// The modules of a component, and where their weights come from.
#[derive(Debug)]
pub(crate) struct ComponentModules {
    pub(crate) source: Arc<dyn TensorSource>,
    pub(crate) modules: BTreeMap<String, ModuleHandle>,
}

/// A module of a model, and what is needed to make its weight again.
#[derive(Debug, Clone)]
pub(crate) struct ModuleHandle {
    /// The handle that the models share.
    pub(crate) weight: Weight,
    /// The weight's shape in the file.
    pub(crate) shape: Vec<usize>,
    /// Whether the file has a bias for it.
    pub(crate) bias: bool,
}

/// What [`Base::change`] did.
#[derive(Debug, Clone, Copy)]
pub(super) struct Changed {
    /// Modules whose weights were made anew.
    pub(super) modules: usize,
    /// Whether modules of the text encoder were among them.
    pub(super) text: bool,
}

/// One adapter's part in a module.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Part {
    /// With the multiplier of the other component set to this one's, as it does not count here.
    network: Network,
    /// The place of the adapter in its file.
    adapter: usize,
}

impl Part {
    fn adapter(&self) -> &Adapter {
        &self.network.loaded.lora.adapters[self.adapter]
    }
}

/// The parts of each changed module, in the order of the adapters.
pub(super) type ModuleParts = BTreeMap<Target, Vec<Part>>;

impl Base {
    /// Brings the modules from the parts that they have to those that are wanted; whether a weight of
    /// the text encoder or the UNet changed. `current` always says what is known of the modules, also
    /// after an error: what was not finished is made again the next time.
    ///
    /// # Errors
    /// If a weight cannot be read again or the device has no room.
    pub(super) fn change(
        &self,
        current: &mut ModuleParts,
        wanted: &ModuleParts,
    ) -> Result<Changed> {
        let mut changed: Vec<Target> = wanted
            .iter()
            .filter(|(target, parts)| current.get(target) != Some(parts))
            .map(|(target, _)| target.clone())
            .collect();
        changed.extend(current.keys().filter(|t| !wanted.contains_key(t)).cloned());
        let text = changed.iter().any(|target| target.component == Component::Text);
        for batch in changed.chunks(AT_ONCE) {
            // Until it is done, a module is of no known state.
            for target in batch {
                current.insert(target.clone(), Vec::new());
            }
            let parts = |target| wanted.get(target).map(Vec::as_slice).unwrap_or_default();
            // In the threads that packed the weights at first, whose memory the old ones leave.
            let made: Vec<Result<()>> =
                batch.par_iter().map(|target| self.make_again(target, parts(target))).collect();
            for (target, made) in batch.iter().zip(made) {
                made?;
                match parts(target) {
                    [] => drop(current.remove(target)),
                    parts => drop(current.insert(target.clone(), parts.to_vec())),
                }
            }
        }
        if !changed.is_empty() {
            // Reading one tensor brings its neighbors' pages, too.
            wanted.values().flatten().for_each(|part| release(part.adapter()));
        }
        Ok(Changed { modules: changed.len(), text })
    }

    /// The parts that these adapters have in the modules that they fit.
    pub(super) fn module_parts(&self, networks: &[Network]) -> ModuleParts {
        let mut out = ModuleParts::new();
        for network in networks {
            for (place, adapter) in network.loaded.lora.adapters.iter().enumerate() {
                let multiplier = network.multiplier(adapter.target.component);
                let sizes = self.module(&adapter.target).and_then(|m| Sizes::of(&m.shape));
                let fits = sizes.is_some_and(|sizes| fit::check(adapter, &sizes).is_ok());
                if multiplier == 0.0 || !fits {
                    continue;
                }
                let network = Network { text: multiplier, unet: multiplier, ..network.clone() };
                let part = Part { network, adapter: place };
                out.entry(adapter.target.clone()).or_default().push(part);
            }
        }
        out
    }

    /// The module of a target; `None` where the model has none.
    pub(crate) fn module(&self, target: &Target) -> Option<&ModuleHandle> {
        self.modules.get(&target.component)?.modules.get(&target.module)
    }

    /// Makes a module's weight anew, with these parts.
    fn make_again(&self, target: &Target, parts: &[Part]) -> Result<()> {
        let Some((module, source)) = self.stored(target) else { return Ok(()) };
        if parts.is_empty() {
            let (weight, bias) = load(source, target, module)?;
            replace(&self.device, &module.weight, &weight, bias.as_ref())?;
            source.done(&weight);
            return Ok(());
        }
        let (weight, bias) = with_parts(source, target, module, parts)?;
        let host = HostWeight {
            shape: &module.shape,
            values: Values::F32(&weight),
            bias: bias.as_deref().map(Values::F32),
        };
        Ok(module.weight.replace(&self.device, &host)?)
    }

    fn stored(&self, target: &Target) -> Option<(&ModuleHandle, &dyn TensorSource)> {
        Some((self.module(target)?, &*self.modules.get(&target.component)?.source))
    }

    /// A module's weight and bias as they would be with these LoRAs alone, in f32 and in the
    /// shapes of the file: for tests and tools. `None` where the model has no such module.
    ///
    /// # Errors
    /// If a weight cannot be read again.
    pub fn weight_with(
        &self,
        target: &Target,
        networks: &[Network],
    ) -> Result<Option<(Vec<f32>, Option<Vec<f32>>)>> {
        let Some((module, source)) = self.stored(target) else { return Ok(None) };
        let wanted = self.module_parts(networks);
        let parts = wanted.get(target).map(Vec::as_slice).unwrap_or_default();
        let (weight, bias) = with_parts(source, target, module, parts)?;
        Ok(Some((weight.to_vec(), bias)))
    }
}

/// A module's weight and bias in f32, as the file has them with these parts added.
fn with_parts(
    source: &dyn TensorSource,
    target: &Target,
    module: &ModuleHandle,
    parts: &[Part],
) -> Result<(Floats, Option<Vec<f32>>)> {
    let wrong =
        |fault: Fault| Error::Lora { name: target.kohya(), reason: fault.to_string(), hint: None };
    let (weight, bias) = load(source, target, module)?;
    let mut values = Floats::zeros(weight.elements());
    weight.to_f32_into(&mut values).map_err(wrong)?;
    let mut bias = bias.map(|b| b.to_f32()).transpose().map_err(wrong)?;
    source.done(&weight);
    drop(weight);
    let Some(sizes) = Sizes::of(&module.shape) else { return Ok((values, bias)) };
    for part in parts {
        let (network, adapter) = (&part.network, part.adapter());
        let multiplier = network.multiplier(target.component);
        let strength = Strength { multiplier, ranks: network.ranks, quirks: network.quirks };
        delta::add(adapter, &sizes, &mut values, &mut bias, strength).map_err(wrong)?;
        release(adapter);
    }
    if !finite(&values) || !bias.as_deref().is_none_or(finite) {
        let names: Vec<&str> = parts.iter().map(|part| part.network.name.as_str()).collect();
        let reason = format!("it makes values of {} non-finite", target.kohya());
        let hint = Some("the file is damaged: remove it, or download it again".into());
        return Err(Error::Lora { name: names.join("`, `"), reason, hint });
    }
    Ok((values, bias))
}

/// Whether no value is infinite or not a number; runs of values are looked at together.
fn finite(values: &[f32]) -> bool {
    const EXPONENT: u32 = 0x7f80_0000;
    let odd = |v: &f32| u32::from(v.to_bits() & EXPONENT == EXPONENT);
    values.chunks(1024).all(|run| run.iter().map(odd).sum::<u32>() == 0)
}

/// Weight and bias as the file has them.
fn load(
    source: &dyn TensorSource,
    target: &Target,
    module: &ModuleHandle,
) -> Result<(Array, Option<Array>)> {
    let weight = source.load(&format!("{}.weight", target.module))?;
    let bias = module.bias.then(|| source.load(&format!("{}.bias", target.module))).transpose()?;
    Ok((weight, bias))
}

/// Gives the pages of an adapter's large tensors back to the system.
fn release(adapter: &Adapter) {
    if let AdapterKind::Lora { up, down, .. } = &adapter.kind {
        up.storage().release();
        down.storage().release();
    }
}
