//! The processor as a device. Every call has done its work when it returns.
//!
//! The kernels are `wayword_kernels`; this file hands them slices. Results do not depend on the
//! number of threads.
mod storage;
mod weights;

use crate::{
    AttentionShape, Backend, Data, Device, Grid, HostWeight, Layout, LossKind, Result, Shape, Step,
    Weight,
};
use half::{bf16, f16};
use std::sync::Arc;
use storage::{Arena, Buffer};
use wayword_kernels::{
    Cpu, Element, Isa, Level, attention, conv3x3, elementwise, geglu, group_norm, layer_norm,
    linear, loss, resize, rows,
};
use weights::{CpuWeight, Form, Table};

/// In which numbers products are taken; sums are always in f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// f32: slower, as exact as the reference programs.
    F32,
    /// bf16 products where the processor has them, else f32.
    #[default]
    Bf16,
}

impl Precision {
    /// The fastest that this processor has in hardware.
    #[must_use]
    pub fn best() -> Self {
        match Isa::detect().level() {
            Level::Avx512Bf16 => Self::Bf16,
            _ => Self::F32,
        }
    }
}

/// How the processor is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CpuOptions {
    /// Number of threads; `None` takes one for each core.
    pub threads: Option<usize>,
    /// Numbers of the products.
    pub precision: Precision,
    /// At most these instructions, for comparisons and tests; `None` takes the best.
    pub level: Option<Level>,
}

/// The processor as a device, with threads and memory of its own.
#[must_use]
pub fn cpu(options: CpuOptions) -> Device {
    let detected = Isa::detect();
    let isa = options.level.map_or(detected, |level| detected.cap(level));
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let threads = options.threads.unwrap_or_else(cores).max(1);
    Arc::new(Processor {
        cpu: Cpu::new(isa, threads),
        precision: options.precision,
        arena: Arc::default(),
    })
}

#[derive(Debug)]
struct Processor {
    cpu: Cpu,
    precision: Precision,
    arena: Arc<Arena>,
}

/// The values of this device's data.
fn values(data: &Data) -> &[f32] {
    let buffer: Option<&Buffer> = data.as_any().downcast_ref();
    buffer.expect("a tensor of another device").values()
}

fn form(weight: &Weight) -> &Form {
    let weight: Option<&CpuWeight> = weight.handle().as_any().downcast_ref();
    &weight.expect("a weight of another device").form
}

fn linear_weight(weight: &Weight) -> &linear::Weight {
    match form(weight) {
        Form::Linear(w) => w,
        other => panic!("a linear weight is needed, not {other:?}"),
    }
}

fn conv_weight(weight: &Weight) -> &conv3x3::Weight {
    match form(weight) {
        Form::Conv3x3(w) => w,
        other => panic!("a convolution's weight is needed, not {other:?}"),
    }
}

fn norm_weight(weight: &Weight) -> (&[f32], &[f32]) {
    match form(weight) {
        Form::Norm { scale, shift } => (scale, shift),
        other => panic!("a norm's weight is needed, not {other:?}"),
    }
}

fn conv_shape(batch: usize, grid: Grid, step: Step) -> conv3x3::Shape {
    let to = step.output(grid);
    conv3x3::Shape {
        batch,
        from: (grid.height, grid.width),
        to: (to.height, to.width),
        stride: step.stride(),
        pad: step.pad_before(),
    }
}

fn norm_shape(s: Shape, groups: usize, eps: f32, silu: bool) -> group_norm::Shape {
    group_norm::Shape { batch: s.batch, tokens: s.tokens, channels: s.channels, groups, eps, silu }
}

fn attention_shape(s: AttentionShape) -> attention::Shape {
    attention::Shape {
        batch: s.batch,
        queries: s.queries,
        keys: s.keys,
        heads: s.heads,
        width: s.width,
        causal: s.causal,
    }
}

fn loss_kind(kind: &LossKind) -> loss::Kind<'_> {
    match kind {
        LossKind::L2 => loss::Kind::L2,
        LossKind::L1 => loss::Kind::L1,
        LossKind::Huber(c) => loss::Kind::Huber(c),
        LossKind::SmoothL1(c) => loss::Kind::SmoothL1(c),
    }
}

impl Processor {
    /// A new tensor of `count` values that `fill` writes, every one.
    fn make(&self, count: usize, fill: impl FnOnce(&mut [f32])) -> Data {
        let mut buffer = self.arena.take(count);
        fill(buffer.values_mut());
        Arc::new(buffer)
    }
}

impl Backend for Processor {
    fn name(&self) -> String {
        let precision = match self.precision {
            Precision::F32 => "f32",
            Precision::Bf16 => "bf16",
        };
        let (isa, threads) = (self.cpu.isa.name(), self.cpu.pool.threads());
        format!("CPU, {isa}, {precision}, {threads} threads")
    }

    fn memory(&self) -> (usize, usize) {
        self.arena.memory()
    }

    fn from_host(&self, values: &[f32]) -> Data {
        self.make(values.len(), |y| y.copy_from_slice(values))
    }

    fn to_host(&self, data: &Data) -> Result<Vec<f32>> {
        Ok(values(data).to_vec())
    }

    fn prepare(&self, weight: &HostWeight<'_>, layout: Layout) -> Result<Data> {
        let form = Form::new(weight, layout);
        let bytes = form.bytes();
        Ok(Arc::new(CpuWeight { form, bytes, _counted: self.arena.count(bytes) }))
    }

    fn linear(&self, x: &Data, rows: usize, w: &Weight, residual: Option<&Data>) -> Data {
        self.make(rows * w.outputs(), |y| {
            let residual = residual.map(values);
            linear::forward(&self.cpu, values(x), rows, linear_weight(w), residual, y);
        })
    }

    fn linear_backward(&self, dy: &Data, rows: usize, w: &Weight) -> Data {
        self.make(rows * w.inputs(), |dx| {
            linear::backward(&self.cpu, values(dy), rows, linear_weight(w), dx);
        })
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
        let shape = conv_shape(batch, grid, step);
        self.make(batch * step.output(grid).tokens() * w.outputs(), |y| {
            let residual = residual.map(values);
            conv3x3::forward(&self.cpu, values(x), shape, conv_weight(w), residual, y);
        })
    }

    fn conv3x3_backward(
        &self,
        dy: &Data,
        batch: usize,
        grid: Grid,
        step: Step,
        w: &Weight,
    ) -> Data {
        let shape = conv_shape(batch, grid, step);
        self.make(batch * grid.tokens() * w.inputs(), |dx| {
            conv3x3::backward(&self.cpu, values(dy), shape, conv_weight(w), dx);
        })
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
        let (scale, shift) = norm_weight(w);
        let s = norm_shape(shape, groups, eps, silu);
        self.make(shape.elements(), |y| {
            group_norm::forward(&self.cpu, values(x), s, scale, shift, y);
        })
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
        let (scale, shift) = norm_weight(w);
        let s = norm_shape(shape, groups, eps, silu);
        self.make(shape.elements(), |dx| {
            group_norm::backward(&self.cpu, values(x), values(dy), s, scale, shift, dx);
        })
    }

    fn layer_norm(&self, x: &Data, rows: usize, eps: f32, w: &Weight) -> Data {
        let (scale, shift) = norm_weight(w);
        self.make(rows * scale.len(), |y| {
            layer_norm::forward(&self.cpu, values(x), eps, scale, shift, y);
        })
    }

    fn layer_norm_backward(&self, x: &Data, dy: &Data, rows: usize, eps: f32, w: &Weight) -> Data {
        let (scale, _) = norm_weight(w);
        self.make(rows * scale.len(), |dx| {
            layer_norm::backward(&self.cpu, values(x), values(dy), eps, scale, dx);
        })
    }

    fn attention(&self, q: &Data, k: &Data, v: &Data, shape: AttentionShape) -> (Data, Data) {
        let s = attention_shape(shape);
        let x = attention::Inputs { q: values(q), k: values(k), v: values(v) };
        let mut lse = self.arena.take(s.batch * s.heads * s.queries);
        let y = self.make(x.q.len(), |y| {
            attention::forward(&self.cpu, x, s, y, lse.values_mut());
        });
        (y, Arc::new(lse))
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
        let x = attention::Inputs { q: values(q), k: values(k), v: values(v) };
        let out = attention::Outcome { y: values(out), lse: values(saved), dy: values(dy) };
        let sizes = [x.q.len(), x.k.len(), x.v.len()];
        let mut buffers = [0, 1, 2].map(|i| want[i].then(|| self.arena.take(sizes[i])));
        let gradients = buffers.each_mut().map(|b| b.as_mut().map(Buffer::values_mut));
        attention::backward(&self.cpu, x, out, attention_shape(shape), gradients);
        buffers.map(|b| b.map(|b| Arc::new(b) as Data))
    }

    fn geglu(&self, x: &Data, rows: usize, channels: usize) -> Data {
        self.make(rows * channels, |y| geglu::forward(&self.cpu, values(x), channels, y))
    }

    fn geglu_backward(&self, x: &Data, dy: &Data, rows: usize, channels: usize) -> Data {
        self.make(2 * rows * channels, |dx| {
            geglu::backward(&self.cpu, values(x), values(dy), channels, dx);
        })
    }

    fn gated(&self, x: &Data, factor: f32) -> Data {
        let x = values(x);
        self.make(x.len(), |y| elementwise::gated(&self.cpu, x, factor, y))
    }

    fn gated_backward(&self, x: &Data, dy: &Data, factor: f32) -> Data {
        let x = values(x);
        self.make(x.len(), |dx| elementwise::gated_backward(&self.cpu, x, values(dy), factor, dx))
    }

    fn add(&self, a: &Data, b: &Data) -> Data {
        let a = values(a);
        self.make(a.len(), |y| elementwise::add(&self.cpu, a, values(b), y))
    }

    fn scale(&self, x: &Data, factor: f32) -> Data {
        let x = values(x);
        self.make(x.len(), |y| elementwise::scale(&self.cpu, x, factor, y))
    }

    fn add_channels(&self, x: &Data, v: &Data, shape: Shape) -> Data {
        self.make(shape.elements(), |y| {
            let sizes = (shape.tokens, shape.channels);
            elementwise::add_channels(&self.cpu, values(x), values(v), sizes, y);
        })
    }

    fn sum_tokens(&self, x: &Data, shape: Shape) -> Data {
        self.make(shape.batch * shape.channels, |y| {
            let sizes = (shape.tokens, shape.channels);
            elementwise::sum_tokens(&self.cpu, values(x), sizes, y);
        })
    }

    fn concat(&self, a: &Data, b: &Data, rows: usize, channels: (usize, usize)) -> Data {
        self.make(rows * (channels.0 + channels.1), |y| {
            rows::concat(&self.cpu, values(a), values(b), channels, y);
        })
    }

    fn split(&self, x: &Data, rows: usize, channels: (usize, usize)) -> (Data, Data) {
        let mut b = self.arena.take(rows * channels.1);
        let a = self.make(rows * channels.0, |a| {
            rows::split(&self.cpu, values(x), channels, a, b.values_mut());
        });
        (a, Arc::new(b))
    }

    fn resize(&self, x: &Data, batch: usize, channels: usize, from: Grid, to: Grid) -> Data {
        self.make(batch * to.tokens() * channels, |y| {
            let (from, to) = ((from.height, from.width), (to.height, to.width));
            resize::forward(&self.cpu, values(x), channels, from, to, y);
        })
    }

    fn resize_backward(
        &self,
        dy: &Data,
        batch: usize,
        channels: usize,
        from: Grid,
        to: Grid,
    ) -> Data {
        self.make(batch * from.tokens() * channels, |dx| {
            let (from, to) = ((from.height, from.width), (to.height, to.width));
            resize::backward(&self.cpu, values(dy), channels, from, to, dx);
        })
    }

    fn gather(&self, x: &Data, channels: usize, rows: &[u32]) -> Data {
        self.make(rows.len() * channels, |y| {
            rows::gather(&self.cpu, values(x), channels, rows, y);
        })
    }

    fn gather_backward(&self, dy: &Data, channels: usize, rows: &[u32], total: usize) -> Data {
        self.make(total * channels, |dx| rows::scatter(values(dy), channels, rows, dx))
    }

    fn lookup(&self, table: &Weight, extra: Option<&Data>, ids: &[u32]) -> Data {
        fn find<T: Element>(table: &[T], extra: &[f32], c: usize, ids: &[u32], y: &mut [f32]) {
            rows::lookup(table, extra, c, ids, y);
        }
        let extra = extra.map_or(&[][..], values);
        let c = table.inputs();
        let Form::Table(rows) = form(table) else { panic!("a table is needed") };
        self.make(ids.len() * c, |y| match rows {
            Table::F32(t) => find(t, extra, c, ids, y),
            Table::F16(t) => find::<f16>(t, extra, c, ids, y),
            Table::Bf16(t) => find::<bf16>(t, extra, c, ids, y),
        })
    }

    fn loss(
        &self,
        pred: &Data,
        target: &Data,
        weight: &Data,
        shape: Shape,
        kind: &LossKind,
    ) -> Data {
        let kind = loss_kind(kind);
        self.make(1, |y| {
            y[0] = loss::forward(values(pred), values(target), values(weight), shape.tokens, kind);
        })
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
        let (tokens, kind) = (shape.tokens, loss_kind(kind));
        let (p, t, w, dy) = (values(pred), values(target), values(weight), values(dy)[0]);
        self.make(p.len(), |dp| loss::backward(p, t, w, (tokens, dy), kind, dp))
    }
}
