//! A device that counts what is read back from it.
use std::sync::Mutex;
use wayword_tensor::{
    AttentionShape, Backend, Data, Device, Grid, HostWeight, Layout, LossKind, Result, Shape, Step,
    Weight,
};

/// Hands every call to another device and remembers the size of every `to_host`.
#[derive(Debug)]
pub(crate) struct Counting {
    inner: Device,
    /// Values of each read.
    pub(crate) reads: Mutex<Vec<usize>>,
}

impl Counting {
    /// Around `inner`.
    pub(crate) fn new(inner: Device) -> Self {
        Self { inner, reads: Mutex::default() }
    }
}

impl Backend for Counting {
    fn name(&self) -> String {
        self.inner.name()
    }
    fn memory(&self) -> (usize, usize) {
        self.inner.memory()
    }
    fn from_host(&self, values: &[f32]) -> Data {
        self.inner.from_host(values)
    }
    fn to_host(&self, data: &Data) -> Result<Vec<f32>> {
        let values = self.inner.to_host(data)?;
        self.reads.lock().unwrap().push(values.len());
        Ok(values)
    }
    fn prepare(&self, weight: &HostWeight<'_>, layout: Layout) -> Result<Data> {
        self.inner.prepare(weight, layout)
    }
    fn linear(&self, x: &Data, rows: usize, w: &Weight, residual: Option<&Data>) -> Data {
        self.inner.linear(x, rows, w, residual)
    }
    fn linear_backward(&self, dy: &Data, rows: usize, w: &Weight) -> Data {
        self.inner.linear_backward(dy, rows, w)
    }
    fn conv3x3(
        &self,
        x: &Data,
        batch: usize,
        grid: Grid,
        step: Step,
        w: &Weight,
        residual: Option<&Data>,
    ) -> Data {
        self.inner.conv3x3(x, batch, grid, step, w, residual)
    }
    fn conv3x3_backward(
        &self,
        dy: &Data,
        batch: usize,
        grid: Grid,
        step: Step,
        w: &Weight,
    ) -> Data {
        self.inner.conv3x3_backward(dy, batch, grid, step, w)
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
        self.inner.group_norm(x, shape, groups, eps, w, silu)
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
        self.inner.group_norm_backward(x, dy, shape, groups, eps, w, silu)
    }
    fn layer_norm(&self, x: &Data, rows: usize, eps: f32, w: &Weight) -> Data {
        self.inner.layer_norm(x, rows, eps, w)
    }
    fn layer_norm_backward(&self, x: &Data, dy: &Data, rows: usize, eps: f32, w: &Weight) -> Data {
        self.inner.layer_norm_backward(x, dy, rows, eps, w)
    }
    fn attention(&self, q: &Data, k: &Data, v: &Data, shape: AttentionShape) -> (Data, Data) {
        self.inner.attention(q, k, v, shape)
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
        self.inner.attention_backward(q, k, v, out, saved, dy, shape, want)
    }
    fn geglu(&self, x: &Data, rows: usize, channels: usize) -> Data {
        self.inner.geglu(x, rows, channels)
    }
    fn geglu_backward(&self, x: &Data, dy: &Data, rows: usize, channels: usize) -> Data {
        self.inner.geglu_backward(x, dy, rows, channels)
    }
    fn gated(&self, x: &Data, factor: f32) -> Data {
        self.inner.gated(x, factor)
    }
    fn gated_backward(&self, x: &Data, dy: &Data, factor: f32) -> Data {
        self.inner.gated_backward(x, dy, factor)
    }
    fn add(&self, a: &Data, b: &Data) -> Data {
        self.inner.add(a, b)
    }
    fn scale(&self, x: &Data, factor: f32) -> Data {
        self.inner.scale(x, factor)
    }
    fn add_channels(&self, x: &Data, v: &Data, shape: Shape) -> Data {
        self.inner.add_channels(x, v, shape)
    }
    fn sum_tokens(&self, x: &Data, shape: Shape) -> Data {
        self.inner.sum_tokens(x, shape)
    }
    fn concat(&self, a: &Data, b: &Data, rows: usize, channels: (usize, usize)) -> Data {
        self.inner.concat(a, b, rows, channels)
    }
    fn split(&self, x: &Data, rows: usize, channels: (usize, usize)) -> (Data, Data) {
        self.inner.split(x, rows, channels)
    }
    fn resize(&self, x: &Data, batch: usize, channels: usize, from: Grid, to: Grid) -> Data {
        self.inner.resize(x, batch, channels, from, to)
    }
    fn resize_backward(
        &self,
        dy: &Data,
        batch: usize,
        channels: usize,
        from: Grid,
        to: Grid,
    ) -> Data {
        self.inner.resize_backward(dy, batch, channels, from, to)
    }
    fn gather(&self, x: &Data, channels: usize, rows: &[u32]) -> Data {
        self.inner.gather(x, channels, rows)
    }
    fn gather_backward(&self, dy: &Data, channels: usize, rows: &[u32], total: usize) -> Data {
        self.inner.gather_backward(dy, channels, rows, total)
    }
    fn lookup(&self, table: &Weight, extra: Option<&Data>, ids: &[u32]) -> Data {
        self.inner.lookup(table, extra, ids)
    }
    fn loss(
        &self,
        pred: &Data,
        target: &Data,
        weight: &Data,
        shape: Shape,
        kind: &LossKind,
    ) -> Data {
        self.inner.loss(pred, target, weight, shape, kind)
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
        self.inner.loss_backward(pred, target, weight, dy, shape, kind)
    }
}
