//! Which LoRAs a base wears at the moment, and how it changes them: only the modules whose LoRAs
//! are others are made anew.
#![expect(clippy::type_complexity, reason = "a weight and, where there is one, its bias")]
use super::Network;
use super::delta::{self, Strength};
use super::fit::{self, Sizes};
use crate::weights::{Source, replace};
use crate::{Base, Error, Result};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use wayword_formats::lora::{Adapter, AdapterKind, Target};
use wayword_formats::{Array, Component, Fault};
use wayword_tensor::host::Floats;
use wayword_tensor::{HostWeight, Values, Weight};

/// Modules that are made at once: each takes twice its weight in f32 meanwhile.
const AT_ONCE: usize = 2;

/// The modules of a component, and where their weights come from.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) source: Arc<dyn Source>,
    pub(crate) modules: BTreeMap<String, Kept>,
}

/// A module of a model, and what is needed to make its weight again.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    /// The handle that the models share.
    pub(crate) weight: Weight,
    /// The weight's shape in the file.
    pub(crate) shape: Vec<usize>,
    /// Whether the file has a bias for it.
    pub(crate) bias: bool,
}

/// One LoRA's part in a module.
#[derive(Debug, Clone, PartialEq)]
struct Part {
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

/// What a base wears.
#[derive(Debug, Default)]
pub(crate) struct Applied {
    state: Mutex<State>,
    free: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Jobs that use the models as they are now.
    users: usize,
    modules: BTreeMap<Target, Vec<Part>>,
    /// Counts changes of the text encoder.
    text: u64,
}

/// While it lives, the base keeps its LoRAs; others wait.
#[derive(Debug)]
#[must_use = "the base may change its LoRAs as soon as this is dropped"]
pub struct Using<'a>(&'a Applied);

impl Drop for Using<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.users -= 1;
        if state.users == 0 {
            self.0.free.notify_all();
        }
    }
}

impl Applied {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Base {
    /// Lets the models wear these LoRAs, in this order, on top of the base's own
    /// ([`Base::wear`]), for as long as the returned value lives and until others are asked for.
    /// Waits while another job uses the models with other LoRAs; a thread that holds one of these
    /// must therefore not ask for a different one.
    ///
    /// # Errors
    /// If a weight cannot be read again or the device has no room; the modules that were done are
    /// known, and asking again goes on from there.
    pub fn using(&self, networks: &[Network]) -> Result<Using<'_>> {
        let wanted = wanted(self, &[&self.worn, networks].concat());
        let mut state = self.applied.lock();
        while state.users > 0 && state.modules != wanted {
            state = self.applied.free.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let mut changed: Vec<Target> = wanted
            .iter()
            .filter(|(target, parts)| state.modules.get(target) != Some(parts))
            .map(|(target, _)| target.clone())
            .collect();
        changed.extend(state.modules.keys().filter(|t| !wanted.contains_key(t)).cloned());
        if changed.iter().any(|t| t.component == Component::Text) {
            state.text += 1;
        }
        let any = !changed.is_empty();
        for batch in changed.chunks(AT_ONCE) {
            // Until it is done, a module is of no known state.
            for target in batch {
                state.modules.insert(target.clone(), Vec::new());
            }
            let parts = |target| wanted.get(target).map(Vec::as_slice).unwrap_or_default();
            // In the threads that packed the weights at first, whose memory the old ones leave.
            let made: Vec<Result<()>> =
                batch.par_iter().map(|target| self.make_again(target, parts(target))).collect();
            for (target, made) in batch.iter().zip(made) {
                made?;
                match parts(target) {
                    [] => drop(state.modules.remove(target)),
                    parts => drop(state.modules.insert(target.clone(), parts.to_vec())),
                }
            }
        }
        if any {
            // Reading one tensor brings its neighbours' pages, too.
            wanted.values().flatten().for_each(|part| release(part.adapter()));
        }
        state.users += 1;
        Ok(Using(&self.applied))
    }

    /// Makes the base one with these LoRAs: drawings and trainings on it see no other, and what a
    /// prompt asks for comes on top.
    ///
    /// # Errors
    /// As [`Base::using`].
    pub fn wear(&mut self, networks: Vec<Network>) -> Result<()> {
        self.worn = networks;
        self.using(&[]).map(drop)
    }

    /// The LoRAs that the base was made with.
    #[must_use]
    pub fn worn(&self) -> &[Network] {
        &self.worn
    }

    /// A number that changes with the text encoder's weights: states of another number are old.
    #[must_use]
    pub fn text_version(&self) -> u64 {
        self.applied.lock().text
    }

    /// The module of a target; `None` where the model has none.
    pub(crate) fn kept(&self, target: &Target) -> Option<&Kept> {
        self.kept.get(&target.component)?.modules.get(&target.module)
    }

    /// Makes a module's weight anew, with these parts.
    fn make_again(&self, target: &Target, parts: &[Part]) -> Result<()> {
        let Some((kept, source)) = self.stored(target) else { return Ok(()) };
        if parts.is_empty() {
            let (weight, bias) = load(source, target, kept)?;
            replace(&self.device, &kept.weight, &weight, bias.as_ref())?;
            source.done(&weight);
            return Ok(());
        }
        let (weight, bias) = with_parts(source, target, kept, parts)?;
        let host = HostWeight {
            shape: &kept.shape,
            values: Values::F32(&weight),
            bias: bias.as_deref().map(Values::F32),
        };
        Ok(kept.weight.replace(&self.device, &host)?)
    }

    fn stored(&self, target: &Target) -> Option<(&Kept, &dyn Source)> {
        Some((self.kept(target)?, &*self.kept.get(&target.component)?.source))
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
        let Some((kept, source)) = self.stored(target) else { return Ok(None) };
        let wanted = wanted(self, networks);
        let parts = wanted.get(target).map(Vec::as_slice).unwrap_or_default();
        let (weight, bias) = with_parts(source, target, kept, parts)?;
        Ok(Some((weight.to_vec(), bias)))
    }
}

/// A module's weight and bias in f32, as the file has them with these parts added.
fn with_parts(
    source: &dyn Source,
    target: &Target,
    kept: &Kept,
    parts: &[Part],
) -> Result<(Floats, Option<Vec<f32>>)> {
    let wrong =
        |fault: Fault| Error::Lora { name: target.kohya(), reason: fault.to_string(), hint: None };
    let (weight, bias) = load(source, target, kept)?;
    let mut values = Floats::zeros(weight.elements());
    weight.to_f32_into(&mut values).map_err(wrong)?;
    let mut bias = bias.map(|b| b.to_f32()).transpose().map_err(wrong)?;
    source.done(&weight);
    drop(weight);
    let Some(sizes) = Sizes::of(&kept.shape) else { return Ok((values, bias)) };
    for part in parts {
        let (network, adapter) = (&part.network, part.adapter());
        let multiplier = network.multiplier(target.component);
        let strength = Strength { multiplier, ranks: network.ranks, quirks: network.quirks };
        delta::add(adapter, &sizes, &mut values, &mut bias, strength).map_err(wrong)?;
        release(adapter);
    }
    if !finite(&values) || !bias.as_deref().is_none_or(finite) {
        let names: Vec<&str> = parts.iter().map(|part| part.network.name.as_str()).collect();
        let reason = format!("it makes values of {} that are not finite", target.kohya());
        let hint = Some("the file is damaged: leave it out, or get it again".into());
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

/// The parts of each module that is changed, in the order of the networks.
fn wanted(base: &Base, networks: &[Network]) -> BTreeMap<Target, Vec<Part>> {
    let mut out: BTreeMap<Target, Vec<Part>> = BTreeMap::new();
    for network in networks {
        for (place, adapter) in network.loaded.lora.adapters.iter().enumerate() {
            let multiplier = network.multiplier(adapter.target.component);
            let sizes = base.kept(&adapter.target).and_then(|kept| Sizes::of(&kept.shape));
            let fits = sizes.is_some_and(|sizes| fit::check(adapter, &sizes).is_ok());
            if multiplier == 0.0 || !fits {
                continue;
            }
            let network = Network { text: multiplier, unet: multiplier, ..network.clone() };
            out.entry(adapter.target.clone()).or_default().push(Part { network, adapter: place });
        }
    }
    out
}

/// Weight and bias as the file has them.
fn load(source: &dyn Source, target: &Target, kept: &Kept) -> Result<(Array, Option<Array>)> {
    let weight = source.load(&format!("{}.weight", target.module))?;
    let bias = kept.bias.then(|| source.load(&format!("{}.bias", target.module))).transpose()?;
    Ok((weight, bias))
}

/// Gives the pages of an adapter's large tensors back to the system.
fn release(adapter: &Adapter) {
    if let AdapterKind::Lora { up, down, .. } = &adapter.kind {
        up.storage().release();
        down.storage().release();
    }
}
