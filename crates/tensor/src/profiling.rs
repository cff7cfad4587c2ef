//! A device around a device that notes how long each kind of operation took.
//!
//! The times are those of the calls, so they mean something where calls do their work before they
//! return, as the processor's do.
use crate::{
    AttentionShape, Backend, Data, Device, Grid, HostWeight, Layout, LossKind, MemoryUse,
    Precision, Result, Shape, Stride, Weight,
};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What was spent on one kind of operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OpTotal {
    /// Time.
    pub time: Duration,
    /// Number of calls.
    pub calls: u64,
    /// Multiplications and additions of products.
    pub flops: u64,
}

/// The notes of a timed device; shared with it.
#[derive(Debug, Clone, Default)]
pub struct Profile {
    spent: Arc<Mutex<BTreeMap<&'static str, OpTotal>>>,
    reads: Arc<Mutex<Vec<usize>>>,
}

impl Profile {
    /// What was spent since the last call, by kind of operation.
    #[must_use]
    pub fn take(&self) -> BTreeMap<&'static str, OpTotal> {
        std::mem::take(&mut *self.spent.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How many values each `to_host` since the last call read, in order. Each read waits for the
    /// device, so a training step reads the loss and the rows' gradients and nothing else.
    #[must_use]
    pub fn take_reads(&self) -> Vec<usize> {
        std::mem::take(&mut *self.reads.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note(&self, kind: &'static str, since: Instant, flops: usize) {
        let mut all = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        let spent = all.entry(kind).or_default();
        spent.time += since.elapsed();
        spent.calls += 1;
        spent.flops += flops as u64;
    }
}

/// The same device, timed. Weights and tensors of either are good for both.
#[must_use]
pub fn profiling(device: &Device) -> (Device, Profile) {
    let profile = Profile::default();
    (Arc::new(Profiling { device: device.clone(), profile: profile.clone() }), profile)
}

#[derive(Debug)]
struct Profiling {
    device: Device,
    profile: Profile,
}

impl Profiling {
    fn run<T>(&self, kind: &'static str, flops: usize, f: impl FnOnce(&dyn Backend) -> T) -> T {
        let since = Instant::now();
        let result = f(&*self.device);
        self.profile.note(kind, since, flops);
        result
    }
}

fn pixels(batch: usize, grid: Grid, stride: Stride) -> usize {
    batch * stride.output(grid).tokens()
}

/// Of one product of queries and keys.
fn attended(s: AttentionShape) -> usize {
    let all = 2 * s.batch * s.heads * s.query_len * s.kv_len * s.width;
    if s.causal { all / 2 } else { all }
}

impl Backend for Profiling {
    fn name(&self) -> String {
        self.device.name()
    }

    fn precision(&self) -> Precision {
        self.device.precision()
    }

    fn memory(&self) -> MemoryUse {
        self.device.memory()
    }

    fn memory_estimator(&self) -> Device {
        self.device.memory_estimator()
    }

    fn from_host(&self, values: &[f32]) -> Data {
        self.run("host", 0, |d| d.from_host(values))
    }

    fn to_host(&self, data: &Data) -> Result<Vec<f32>> {
        let values = self.run("host", 0, |d| d.to_host(data))?;
        self.profile.reads.lock().unwrap_or_else(PoisonError::into_inner).push(values.len());
        Ok(values)
    }

    fn prepare(&self, weight: &HostWeight<'_>, layout: Layout) -> Result<Data> {
        self.run("prepare", 0, |d| d.prepare(weight, layout))
    }

    fn linear(&self, x: &Data, rows: usize, w: &Weight, residual: Option<&Data>) -> Data {
        let flops = 2 * rows * w.inputs() * w.outputs();
        self.run("linear", flops, |d| d.linear(x, rows, w, residual))
    }

    fn linear_backward(&self, dy: &Data, rows: usize, w: &Weight) -> Data {
        let flops = 2 * rows * w.inputs() * w.outputs();
        self.run("linear backward", flops, |d| d.linear_backward(dy, rows, w))
    }

    fn conv3x3(
        &self,
        x: &Data,
        batch: usize,
        grid: Grid,
        stride: Stride,
        w: &Weight,
        residual: Option<&Data>,
    ) -> Data {
        let flops = 18 * pixels(batch, grid, stride) * w.inputs() * w.outputs();
        self.run("conv3x3", flops, |d| d.conv3x3(x, batch, grid, stride, w, residual))
    }

    fn conv3x3_backward(
        &self,
        dy: &Data,
        batch: usize,
        grid: Grid,
        stride: Stride,
        w: &Weight,
    ) -> Data {
        let flops = 18 * pixels(batch, grid, stride) * w.inputs() * w.outputs();
        self.run("conv3x3 backward", flops, |d| d.conv3x3_backward(dy, batch, grid, stride, w))
    }

    fn group_norm(
        &self,
        x: &Data,
        shape: Shape,
        groups: usize,
        eps: f32,
        w: &Weight,
        silu: bool,
    ) -> Data {
        self.run("group norm", 0, |d| d.group_norm(x, shape, groups, eps, w, silu))
    }

    fn group_norm_backward(
        &self,
        x: &Data,
        dy: &Data,
        shape: Shape,
        groups: usize,
        eps: f32,
        w: &Weight,
        silu: bool,
    ) -> Data {
        self.run("group norm backward", 0, |d| {
            d.group_norm_backward(x, dy, shape, groups, eps, w, silu)
        })
    }

    fn layer_norm(&self, x: &Data, rows: usize, eps: f32, w: &Weight) -> Data {
        self.run("layer norm", 0, |d| d.layer_norm(x, rows, eps, w))
    }

    fn layer_norm_backward(&self, x: &Data, dy: &Data, rows: usize, eps: f32, w: &Weight) -> Data {
        self.run("layer norm backward", 0, |d| d.layer_norm_backward(x, dy, rows, eps, w))
    }

    fn attention(&self, q: &Data, k: &Data, v: &Data, shape: AttentionShape) -> (Data, Data) {
        self.run("attention", 2 * attended(shape), |d| d.attention(q, k, v, shape))
    }

    fn attention_backward(
        &self,
        q: &Data,
        k: &Data,
        v: &Data,
        out: &Data,
        saved: &Data,
        dy: &Data,
        shape: AttentionShape,
        want: [bool; 3],
    ) -> [Option<Data>; 3] {
        self.run("attention backward", 5 * attended(shape), |d| {
            d.attention_backward(q, k, v, out, saved, dy, shape, want)
        })
    }

    fn geglu(&self, x: &Data, rows: usize, channels: usize) -> Data {
        self.run("geglu", 0, |d| d.geglu(x, rows, channels))
    }

    fn geglu_backward(&self, x: &Data, dy: &Data, rows: usize, channels: usize) -> Data {
        self.run("geglu backward", 0, |d| d.geglu_backward(x, dy, rows, channels))
    }

    fn swish(&self, x: &Data, factor: f32) -> Data {
        self.run("swish", 0, |d| d.swish(x, factor))
    }

    fn swish_backward(&self, x: &Data, dy: &Data, factor: f32) -> Data {
        self.run("swish backward", 0, |d| d.swish_backward(x, dy, factor))
    }

    fn add(&self, a: &Data, b: &Data) -> Data {
        self.run("add", 0, |d| d.add(a, b))
    }

    fn scale(&self, x: &Data, factor: f32) -> Data {
        self.run("scale", 0, |d| d.scale(x, factor))
    }

    fn add_channels(&self, x: &Data, v: &Data, shape: Shape) -> Data {
        self.run("add channels", 0, |d| d.add_channels(x, v, shape))
    }

    fn sum_tokens(&self, x: &Data, shape: Shape) -> Data {
        self.run("sum tokens", 0, |d| d.sum_tokens(x, shape))
    }

    fn concat(&self, a: &Data, b: &Data, rows: usize, channels: (usize, usize)) -> Data {
        self.run("concat", 0, |d| d.concat(a, b, rows, channels))
    }

    fn split(&self, x: &Data, rows: usize, channels: (usize, usize)) -> (Data, Data) {
        self.run("concat backward", 0, |d| d.split(x, rows, channels))
    }

    fn resize(&self, x: &Data, batch: usize, channels: usize, from: Grid, to: Grid) -> Data {
        self.run("resize", 0, |d| d.resize(x, batch, channels, from, to))
    }

    fn resize_backward(
        &self,
        dy: &Data,
        batch: usize,
        channels: usize,
        from: Grid,
        to: Grid,
    ) -> Data {
        self.run("resize backward", 0, |d| d.resize_backward(dy, batch, channels, from, to))
    }

    fn gather(&self, x: &Data, channels: usize, rows: &[u32]) -> Data {
        self.run("rows", 0, |d| d.gather(x, channels, rows))
    }

    fn gather_backward(&self, dy: &Data, channels: usize, rows: &[u32], total: usize) -> Data {
        self.run("rows", 0, |d| d.gather_backward(dy, channels, rows, total))
    }

    fn lookup(&self, table: &Weight, extra: Option<&Data>, ids: &[u32]) -> Data {
        self.run("rows", 0, |d| d.lookup(table, extra, ids))
    }

    fn loss(
        &self,
        pred: &Data,
        target: &Data,
        weight: &Data,
        shape: Shape,
        kind: &LossKind,
    ) -> Data {
        self.run("loss", 0, |d| d.loss(pred, target, weight, shape, kind))
    }

    fn loss_backward(
        &self,
        pred: &Data,
        target: &Data,
        weight: &Data,
        dy: &Data,
        shape: Shape,
        kind: &LossKind,
    ) -> Data {
        self.run("loss", 0, |d| d.loss_backward(pred, target, weight, dy, shape, kind))
    }
}
