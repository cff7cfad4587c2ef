//! From a checkpoint's arrays to a device's weights, and the report of what fitted.
//!
//! All tensors of a component are prepared first, in parallel; each file page is given back when
//! its weight is packed. The models then take what they need by name through a [`Cursor`], which
//! checks shapes and remembers what was taken. A missing or misshapen tensor does not stop the
//! walk: a stand-in takes its place, and [`Weights::finish`] reports all problems at once.
use crate::adapters::ModuleHandle;
use crate::report::{Missing, PartReport, WrongShape};
use half::{bf16, f16};
use rayon::prelude::*;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::sync::{Mutex, MutexGuard, PoisonError};
use wayword_formats::{Array, Component, Dtype};
use wayword_interface::Stop;
use wayword_tensor::{Device, HostWeight, Layout, Values, Weight};

/// Channels are normalized in this many groups everywhere in Stable Diffusion 1.x.
pub(crate) const GROUPS: usize = 32;

/// Where tensors come from, one at a time, so that no second copy of a model is ever held.
pub(crate) trait TensorSource: Send + Sync + std::fmt::Debug {
    /// Names of all tensors.
    fn names(&self) -> Vec<String>;
    /// One tensor.
    fn load(&self, name: &str) -> Result<Array, crate::Error>;
    /// Called when the tensor was taken over.
    fn done(&self, array: &Array) {
        array.storage().release();
    }
}

impl TensorSource for wayword_formats::checkpoint::Entries {
    fn names(&self) -> Vec<String> {
        self.keys().cloned().collect()
    }

    fn load(&self, name: &str) -> Result<Array, crate::Error> {
        Ok(self[name].array.clone())
    }
}

/// One module's weight on the device; `None` if it is of no shape or type that a layer has.
struct Module {
    weight: Option<Weight>,
    shape: Vec<usize>,
    bias: Option<Vec<usize>>,
}

/// All weights of one component, by module.
pub(crate) struct Weights {
    component: Component,
    modules: BTreeMap<String, Module>,
    stand_in: Weight,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    taken: BTreeSet<String>,
    missing: BTreeSet<String>,
    wrong: Vec<WrongShape>,
}

impl Weights {
    /// Prepares every tensor of a source.
    ///
    /// # Errors
    /// If a tensor cannot be read, the device has no room for it, or a stop was requested.
    pub(crate) fn prepare(
        device: &Device,
        component: Component,
        source: &dyn TensorSource,
        stop: &Stop,
    ) -> Result<Self, crate::Error> {
        let names = source.names();
        let all: BTreeSet<&str> = names.iter().map(String::as_str).collect();
        let module = |name: &String| {
            let module = name.strip_suffix(".weight")?.to_owned();
            let bias = format!("{module}.bias");
            Some((module, name.clone(), all.contains(bias.as_str()).then_some(bias)))
        };
        let jobs: Vec<_> = names.iter().filter_map(module).collect();
        let group = |(module, weight, bias): &(String, String, Option<String>)| {
            if stop.is_requested() {
                return Err(crate::Error::Stopped);
            }
            let weight = source.load(weight)?;
            let bias = bias.as_ref().map(|b| source.load(b)).transpose()?;
            let shape = |array: &Array| array.shape().to_vec();
            let prepared = Module {
                weight: prepare(device, module, &weight, bias.as_ref())?,
                shape: shape(&weight),
                bias: bias.as_ref().map(shape),
            };
            source.done(&weight);
            Ok((module.clone(), prepared))
        };
        let modules: Result<Vec<_>, crate::Error> = jobs.par_iter().map(group).collect();
        let host = HostWeight { shape: &[1, 1], values: Values::F32(&[0.0]), bias: None };
        Ok(Self {
            component,
            modules: modules?.into_iter().collect(),
            stand_in: Weight::prepare(device, &host, Layout::Linear)?,
            state: Mutex::default(),
        })
    }

    /// The root of the names.
    pub(crate) fn root(&self) -> Cursor<'_> {
        Cursor { weights: self, path: String::new() }
    }

    /// The handles of all modules, to put other values into.
    pub(crate) fn handles(&self) -> BTreeMap<String, ModuleHandle> {
        let handle = |(name, module): (&String, &Module)| {
            let (shape, bias) = (module.shape.clone(), module.bias.is_some());
            Some((name.clone(), ModuleHandle { weight: module.weight.clone()?, shape, bias }))
        };
        self.modules.iter().filter_map(handle).collect()
    }

    /// What was taken, missing, misshapen and left over.
    pub(crate) fn finish(self) -> PartReport {
        let state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        let full = |name: &str| format!("{}.{name}", self.component.folder());
        let mut tensors = 0;
        let mut unused = Vec::new();
        for (name, module) in &self.modules {
            if state.taken.contains(name) {
                tensors += 1 + usize::from(module.bias.is_some());
            } else {
                unused.push(full(&format!("{name}.weight")));
            }
        }
        let missing = state.missing.iter().map(|name| Missing::new(full(name), &unused)).collect();
        PartReport { tensors, missing, wrong: state.wrong, unused }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in the tree of names.
#[derive(Clone)]
pub(crate) struct Cursor<'a> {
    weights: &'a Weights,
    path: String,
}

impl Cursor<'_> {
    /// The place one name further down.
    pub(crate) fn at(&self, part: impl Display) -> Self {
        let path = match self.path.as_str() {
            "" => part.to_string(),
            path => format!("{path}.{part}"),
        };
        Self { path, ..self.clone() }
    }

    /// Whether there is a tensor here or below.
    pub(crate) fn exists(&self) -> bool {
        let next = self.weights.modules.range(self.path.clone()..).next();
        next.is_some_and(|(name, _)| {
            name.strip_prefix(&self.path).is_some_and(|r| r.is_empty() || r.starts_with('.'))
        })
    }

    /// How many numbered places there are here: one more than the largest number. A hole counts,
    /// so that what is missing in it is reported.
    pub(crate) fn count(&self) -> usize {
        let start = format!("{}.", self.path);
        let names = self.weights.modules.range(start.clone()..).map(|(name, _)| name);
        let rest = names.map_while(|name| name.strip_prefix(&start));
        let numbers = rest.filter_map(|r| r.split('.').next()?.parse::<usize>().ok());
        // A number beyond any model's depth is no layer but nonsense.
        numbers.filter(|n| *n < 100).max().map_or(0, |n| n + 1)
    }

    /// Output channels of the weight here, or rows of the table; 0 if there is none.
    pub(crate) fn outputs(&self) -> usize {
        self.size(0)
    }

    /// Input channels of the weight here; 0 if there is none.
    pub(crate) fn inputs(&self) -> usize {
        self.size(1)
    }

    fn size(&self, dimension: usize) -> usize {
        let shape = self.weights.modules.get(&self.path).map(|m| m.shape.as_slice());
        shape.and_then(|s| s.get(dimension)).copied().unwrap_or(0)
    }

    /// A linear layer or 1x1 convolution with bias. A size of 0 fits any.
    pub(crate) fn linear(&self, inputs: usize, outputs: usize) -> Weight {
        self.take(Layout::Linear, &[outputs, inputs], true)
    }

    /// A linear layer without bias.
    pub(crate) fn projection(&self, inputs: usize, outputs: usize) -> Weight {
        self.take(Layout::Linear, &[outputs, inputs], false)
    }

    /// A 3x3 convolution with bias.
    pub(crate) fn conv3x3(&self, inputs: usize, outputs: usize) -> Weight {
        self.take(Layout::Conv3x3, &[outputs, inputs, 3, 3], true)
    }

    /// Scale and shift of a layer norm.
    pub(crate) fn layer_norm(&self, channels: usize) -> Weight {
        self.take(Layout::Norm, &[channels], true)
    }

    /// Scale and shift of a group norm.
    pub(crate) fn group_norm(&self, channels: usize) -> Weight {
        let weight = self.take(Layout::Norm, &[channels], true);
        if !self.outputs().is_multiple_of(GROUPS) {
            self.wrong(format!("[a multiple of {GROUPS}]"), format!("[{}]", self.outputs()));
        }
        weight
    }

    /// Rows to look up by number.
    pub(crate) fn table(&self, channels: usize) -> Weight {
        self.take(Layout::Table, &[0, channels], false)
    }

    /// Says that the widths do not divide as they should.
    pub(crate) fn wrong(&self, expected: String, found: String) {
        let key = format!("{}.{}.weight", self.weights.component.folder(), self.path);
        self.weights.state().wrong.push(WrongShape { key, expected, found });
    }

    fn take(&self, layout: Layout, expected: &[usize], bias: bool) -> Weight {
        let Some(module) = self.weights.modules.get(&self.path) else {
            self.weights.state().missing.insert(format!("{}.weight", self.path));
            return self.weights.stand_in.clone();
        };
        self.weights.state().taken.insert(self.path.clone());
        if bias && module.bias.is_none() {
            self.weights.state().missing.insert(format!("{}.bias", self.path));
        }
        // A 1x1 convolution is a linear layer, and a size of 0 fits any.
        let flat = module.shape.strip_suffix(&[1, 1]).unwrap_or(&module.shape);
        let same = flat.len() == expected.len()
            && flat.iter().zip(expected).all(|(f, e)| *e == 0 || f == e);
        match &module.weight {
            Some(weight) if same && weight.layout() == layout => return weight.clone(),
            // The weight is right, so its bias was not.
            None if same && module.bias.is_some() => {
                let found = module.bias.as_deref().unwrap_or_default();
                let key = format!("{}.{}.bias", self.weights.component.folder(), self.path);
                let (expected, found) = (format!("[{}]", flat[0]), format!("{found:?}"));
                self.weights.state().wrong.push(WrongShape { key, expected, found });
            }
            _ => {
                let any = |n: &usize| if *n == 0 { "any".to_owned() } else { n.to_string() };
                let expected: Vec<String> = expected.iter().map(any).collect();
                self.wrong(format!("[{}]", expected.join(", ")), format!("{:?}", module.shape));
            }
        }
        self.weights.stand_in.clone()
    }
}

/// Packs one weight with its bias; `None` for a shape or type that no layer has.
fn prepare(
    device: &Device,
    module: &str,
    weight: &Array,
    bias: Option<&Array>,
) -> Result<Option<Weight>, crate::Error> {
    let layout = match weight.shape() {
        [_] => Layout::Norm,
        [_, _, 3, 3] => Layout::Conv3x3,
        [_, _] if module.ends_with("_embedding") => Layout::Table,
        [_, _] | [_, _, 1, 1] => Layout::Linear,
        _ => return Ok(None),
    };
    let Some(values) = HostValues::of(weight) else { return Ok(None) };
    if bias.is_some_and(|b| b.shape() != &weight.shape()[..1] || !b.dtype().is_float()) {
        return Ok(None);
    }
    let bias = bias.and_then(HostValues::of);
    let host = HostWeight {
        shape: weight.shape(),
        values: values.view(),
        bias: bias.as_ref().map(HostValues::view),
    };
    Ok(Some(Weight::prepare(device, &host, layout)?))
}

/// Puts a weight with its bias, as a file has them, in the place of what a handle has.
pub(crate) fn replace(
    device: &Device,
    handle: &Weight,
    weight: &Array,
    bias: Option<&Array>,
) -> Result<(), crate::Error> {
    let Some(values) = HostValues::of(weight) else { return Ok(()) };
    let bias = bias.and_then(HostValues::of);
    let host = HostWeight {
        shape: weight.shape(),
        values: values.view(),
        bias: bias.as_ref().map(HostValues::view),
    };
    Ok(handle.replace(device, &host)?)
}

/// An array's floats in the type that the file holds, without a copy where the bytes allow it.
enum HostValues<'a> {
    F32(Cow<'a, [f32]>),
    F16(Cow<'a, [f16]>),
    Bf16(Cow<'a, [bf16]>),
}

impl<'a> HostValues<'a> {
    /// `None` for integers.
    fn of(array: &'a Array) -> Option<Self> {
        let bytes = array.bytes();
        Some(match array.dtype() {
            Dtype::F32 => Self::F32(cast(bytes, f32::from_le_bytes)),
            Dtype::F16 => Self::F16(cast(bytes, f16::from_le_bytes)),
            Dtype::BF16 => Self::Bf16(cast(bytes, bf16::from_le_bytes)),
            Dtype::F64 | Dtype::F8E4M3 | Dtype::F8E5M2 => Self::F32(array.to_f32().ok()?.into()),
            _ => return None,
        })
    }

    fn view(&self) -> Values<'_> {
        match self {
            Self::F32(v) => Values::F32(v),
            Self::F16(v) => Values::F16(v),
            Self::Bf16(v) => Values::Bf16(v),
        }
    }
}

/// The bytes as numbers: in place where they are aligned and little-endian is the machine's order.
fn cast<T: bytemuck::Pod, const N: usize>(bytes: &[u8], read: fn([u8; N]) -> T) -> Cow<'_, [T]> {
    if cfg!(target_endian = "little")
        && let Ok(numbers) = bytemuck::try_cast_slice(bytes)
    {
        return Cow::Borrowed(numbers);
    }
    bytes.as_chunks::<N>().0.iter().map(|b| read(*b)).collect()
}
