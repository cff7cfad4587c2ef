//! The processor as a device. Every call has done its work when it returns.
//!
//! The kernels are `wayword_kernels`; this file hands them slices. Results do not depend on the
//! number of threads.
mod storage;
mod weights;

use crate::memory_estimating::memory_estimating;
use crate::{
    AttentionShape, Backend, Data, Device, Grid, HostWeight, Layout, LossKind, MemoryUse, Result,
    Shape, Stride, Weight,
};
use std::sync::Arc;
use storage::{Arena, Buffer, Kind};
use wayword_kernels::{
    Cpu, Element, Isa, Level, Products, View, ViewMut, attention, conv3x3, elementwise, geglu,
    group_norm, layer_norm, linear, loss, resize, rows,
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
    /// Its name, as options and files write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
        }
    }

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
        precision: match isa.bf16_products() {
            true => options.precision,
            false => Precision::F32,
        },
        arena: Arc::default(),
    })
}

#[derive(Debug)]
struct Processor {
    cpu: Cpu,
    precision: Precision,
    arena: Arc<Arena>,
}

fn buffer(data: &Data) -> &Buffer {
    let buffer: Option<&Buffer> = data.as_any().downcast_ref();
    buffer.expect("a tensor of another device")
}

/// The values of this device's data.
fn view(data: &Data) -> View<'_> {
    buffer(data).view()
}

/// The values of data that this device always keeps in f32.
fn values(data: &Data) -> &[f32] {
    match view(data) {
        View::F32(v) => v,
        View::Bf16(_) => panic!("these values are kept in f32"),
    }
}

/// Calls a kernel that takes slices of any type: `x` is bound to the slice of each view.
macro_rules! with {
    ([] $call:expr) => { $call };
    ([ref $x:ident = $view:expr $(, $($rest:tt)*)?] $call:expr) => {
        match $view {
            View::F32($x) => with!([$($($rest)*)?] $call),
            View::Bf16($x) => with!([$($($rest)*)?] $call),
        }
    };
    ([mut $x:ident = $view:expr $(, $($rest:tt)*)?] $call:expr) => {
        match $view {
            ViewMut::F32($x) => with!([$($($rest)*)?] $call),
            ViewMut::Bf16($x) => with!([$($($rest)*)?] $call),
        }
    };
}

fn form(handle: &Data) -> &Form {
    let weight: Option<&CpuWeight> = handle.as_any().downcast_ref();
    &weight.expect("a weight of another device").form
}

fn linear_weight(handle: &Data) -> &linear::Weight {
    match form(handle) {
        Form::Linear(w) => w,
        other => panic!("a linear weight is needed, not {other:?}"),
    }
}

fn conv_weight(handle: &Data) -> &conv3x3::Weight {
    match form(handle) {
        Form::Conv3x3(w) => w,
        other => panic!("a convolution's weight is needed, not {other:?}"),
    }
}

fn norm_weight(handle: &Data) -> (&[f32], &[f32]) {
    match form(handle) {
        Form::Norm { scale, shift } => (scale, shift),
        other => panic!("a norm's weight is needed, not {other:?}"),
    }
}

fn pixels(grid: Grid) -> wayword_kernels::Grid {
    wayword_kernels::Grid { height: grid.height, width: grid.width }
}

fn conv_shape(batch: usize, grid: Grid, stride: Stride) -> conv3x3::ConvSizes {
    let to = stride.output(grid);
    conv3x3::ConvSizes {
        batch,
        from: pixels(grid),
        to: pixels(to),
        stride: stride.pixels(),
        pad: stride.pad_before(),
    }
}

fn norm_shape(s: Shape, groups: usize, eps: f32, silu: bool) -> group_norm::NormSizes {
    group_norm::NormSizes {
        batch: s.batch,
        tokens: s.tokens,
        channels: s.channels,
        groups,
        eps,
        silu,
    }
}

fn attention_shape(s: AttentionShape) -> attention::AttentionSizes {
    attention::AttentionSizes {
        batch: s.batch,
        queries: s.query_len,
        keys: s.kv_len,
        heads: s.heads,
        width: s.width,
        causal: s.causal,
    }
}

fn loss_kind(kind: &LossKind) -> loss::LossFunction<'_> {
    match kind {
        LossKind::L2 => loss::LossFunction::L2,
        LossKind::L1 => loss::LossFunction::L1,
        LossKind::Huber(c) => loss::LossFunction::Huber(c),
        LossKind::SmoothL1(c) => loss::LossFunction::SmoothL1(c),
    }
}

/// Rows from which on values that only products and norms read are kept in bf16; fewer cost
/// nothing in f32.
pub(crate) const MANY: usize = 64;

impl Processor {
    /// How a result is kept that a bf16 product or a norm made for others of them.
    fn kind(&self, rows: usize, channels: usize) -> Kind {
        match self.precision == Precision::Bf16 && rows >= MANY && channels > 16 {
            true => Kind::Bf16,
            false => Kind::F32,
        }
    }

    fn products(&self) -> Products {
        match self.precision {
            Precision::F32 => Products::F32,
            Precision::Bf16 => Products::Bf16,
        }
    }

    /// A new tensor of `count` values that `fill` writes, every one.
    fn make(&self, count: usize, kind: Kind, fill: impl FnOnce(ViewMut<'_>)) -> Data {
        let mut buffer = self.arena.take(count, kind);
        fill(buffer.view_mut());
        Arc::new(buffer)
    }

    /// The same in f32.
    fn make_f32(&self, count: usize, fill: impl FnOnce(&mut [f32])) -> Data {
        let mut buffer = self.arena.take(count, Kind::F32);
        fill(buffer.f32_mut());
        Arc::new(buffer)
    }
}

impl Backend for Processor {
    fn name(&self) -> String {
        let precision = self.precision.name();
        let (isa, threads) = (self.cpu.isa.name(), self.cpu.pool.threads());
        format!("CPU, {isa}, {precision}, {threads} threads")
    }

    fn precision(&self) -> Precision {
        self.precision
    }

    fn memory(&self) -> MemoryUse {
        self.arena.memory()
    }

    fn memory_estimator(&self) -> Device {
        memory_estimating(self.precision)
    }

    fn from_host(&self, values: &[f32]) -> Data {
        self.make_f32(values.len(), |y| y.copy_from_slice(values))
    }

    fn to_host(&self, data: &Data) -> Result<Vec<f32>> {
        Ok(with!([ref x = view(data)] x.iter().map(|v| Element::get(*v)).collect()))
    }

    fn prepare(&self, weight: &HostWeight<'_>, layout: Layout) -> Result<Data> {
        self.arena.make_room(Form::expected(weight, self.products()));
        let form = Form::new(&self.cpu, weight, layout, self.products());
        let bytes = form.bytes();
        Ok(Arc::new(CpuWeight { form, bytes, _counted: self.arena.count(bytes) }))
    }

    fn linear(&self, x: &Data, rows: usize, w: &Weight, residual: Option<&Data>) -> Data {
        let n = w.outputs();
        let kind = if residual.is_some() { Kind::F32 } else { self.kind(rows, n) };
        self.make(rows * n, kind, |y| {
            linear::forward(
                &self.cpu,
                view(x),
                rows,
                linear_weight(&w.handle()),
                residual.map(view),
                y,
            );
        })
    }

    fn linear_backward(&self, dy: &Data, rows: usize, w: &Weight) -> Data {
        let n = w.inputs();
        self.make(rows * n, self.kind(rows, n), |dx| {
            linear::backward(&self.cpu, view(dy), rows, linear_weight(&w.handle()), dx);
        })
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
        let shape = conv_shape(batch, grid, stride);
        let (rows, n) = (batch * stride.output(grid).tokens(), w.outputs());
        let kind = if residual.is_some() { Kind::F32 } else { self.kind(rows, n) };
        self.make(rows * n, kind, |y| {
            conv3x3::forward(
                &self.cpu,
                view(x),
                shape,
                conv_weight(&w.handle()),
                residual.map(view),
                y,
            );
        })
    }

    fn conv3x3_backward(
        &self,
        dy: &Data,
        batch: usize,
        grid: Grid,
        stride: Stride,
        w: &Weight,
    ) -> Data {
        let shape = conv_shape(batch, grid, stride);
        let (rows, n) = (batch * grid.tokens(), w.inputs());
        self.make(rows * n, self.kind(rows, n), |dx| {
            conv3x3::backward(&self.cpu, view(dy), shape, conv_weight(&w.handle()), dx);
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
        let handle = w.handle();
        let (scale, shift) = norm_weight(&handle);
        let s = norm_shape(shape, groups, eps, silu);
        self.make(shape.elements(), self.kind(shape.rows(), shape.channels), |y| {
            with!([ref x = view(x), mut y = y]
                group_norm::forward(&self.cpu, x, s, scale, shift, y));
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
        let handle = w.handle();
        let (scale, shift) = norm_weight(&handle);
        let s = norm_shape(shape, groups, eps, silu);
        self.make(shape.elements(), self.kind(shape.rows(), shape.channels), |dx| {
            with!([ref x = view(x), ref dy = view(dy), mut dx = dx]
                group_norm::backward(&self.cpu, x, dy, s, scale, shift, dx));
        })
    }

    fn layer_norm(&self, x: &Data, rows: usize, eps: f32, w: &Weight) -> Data {
        let handle = w.handle();
        let (scale, shift) = norm_weight(&handle);
        self.make(rows * scale.len(), self.kind(rows, scale.len()), |y| {
            with!([ref x = view(x), mut y = y]
                layer_norm::forward(&self.cpu, x, eps, scale, shift, y));
        })
    }

    fn layer_norm_backward(&self, x: &Data, dy: &Data, rows: usize, eps: f32, w: &Weight) -> Data {
        let handle = w.handle();
        let (scale, _) = norm_weight(&handle);
        self.make(rows * scale.len(), self.kind(rows, scale.len()), |dx| {
            with!([ref x = view(x), ref dy = view(dy), mut dx = dx]
                layer_norm::backward(&self.cpu, x, dy, eps, scale, dx));
        })
    }

    fn attention(&self, q: &Data, k: &Data, v: &Data, shape: AttentionShape) -> (Data, Data) {
        let s = attention_shape(shape);
        let x = attention::Inputs { q: view(q), k: view(k), v: view(v) };
        let mut lse = self.arena.take(s.batch * s.heads * s.queries, Kind::F32);
        let kind = self.kind(s.batch * s.queries, s.heads * s.width);
        let y = self.make(x.q.len(), kind, |y| {
            attention::forward(&self.cpu, x, s, self.products(), y, lse.f32_mut());
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
        let s = attention_shape(shape);
        let x = attention::Inputs { q: view(q), k: view(k), v: view(v) };
        let out = attention::Outcome { y: view(out), lse: values(saved), dy: view(dy) };
        let sizes = [x.q.len(), x.k.len(), x.v.len()];
        let rows = [s.batch * s.queries, s.batch * s.keys, s.batch * s.keys];
        let mut buffers = [0, 1, 2].map(|i| {
            let kind = self.kind(rows[i], s.heads * s.width);
            want[i].then(|| self.arena.take(sizes[i], kind))
        });
        let gradients = buffers.each_mut().map(|b| b.as_mut().map(Buffer::view_mut));
        attention::backward(&self.cpu, x, out, s, self.products(), gradients);
        buffers.map(|b| b.map(|b| Arc::new(b) as Data))
    }

    fn geglu(&self, x: &Data, rows: usize, channels: usize) -> Data {
        self.make(rows * channels, self.kind(rows, channels), |y| {
            with!([ref x = view(x), mut y = y] geglu::forward(&self.cpu, x, channels, y));
        })
    }

    fn geglu_backward(&self, x: &Data, dy: &Data, rows: usize, channels: usize) -> Data {
        self.make(2 * rows * channels, self.kind(rows, channels), |dx| {
            with!([ref x = view(x), ref dy = view(dy), mut dx = dx]
                geglu::backward(&self.cpu, x, dy, channels, dx));
        })
    }

    fn swish(&self, x: &Data, factor: f32) -> Data {
        let (count, kind) = (view(x).len(), buffer(x).kind());
        self.make(count, kind, |y| {
            with!([ref x = view(x), mut y = y] elementwise::swish(&self.cpu, x, factor, y));
        })
    }

    fn swish_backward(&self, x: &Data, dy: &Data, factor: f32) -> Data {
        let (count, kind) = (view(dy).len(), buffer(dy).kind());
        self.make(count, kind, |dx| {
            with!([ref x = view(x), ref dy = view(dy), mut dx = dx]
                elementwise::swish_backward(&self.cpu, x, dy, factor, dx));
        })
    }

    fn add(&self, a: &Data, b: &Data) -> Data {
        self.make_f32(view(a).len(), |y| {
            with!([ref a = view(a), ref b = view(b)] elementwise::add(&self.cpu, a, b, y));
        })
    }

    fn scale(&self, x: &Data, factor: f32) -> Data {
        self.make_f32(view(x).len(), |y| {
            with!([ref x = view(x)] elementwise::scale(&self.cpu, x, factor, y));
        })
    }

    fn add_channels(&self, x: &Data, v: &Data, shape: Shape) -> Data {
        self.make(shape.elements(), buffer(x).kind(), |y| {
            let (tokens, channels) = (shape.tokens, shape.channels);
            with!([ref x = view(x), ref v = view(v), mut y = y]
                elementwise::add_channels(&self.cpu, x, v, tokens, channels, y));
        })
    }

    fn sum_tokens(&self, x: &Data, shape: Shape) -> Data {
        self.make_f32(shape.batch * shape.channels, |y| {
            let (tokens, channels) = (shape.tokens, shape.channels);
            with!([ref x = view(x)] elementwise::sum_tokens(&self.cpu, x, tokens, channels, y));
        })
    }

    fn concat(&self, a: &Data, b: &Data, rows: usize, channels: (usize, usize)) -> Data {
        let width = channels.0 + channels.1;
        self.make(rows * width, self.kind(rows, width), |y| {
            with!([ref a = view(a), ref b = view(b), mut y = y]
                rows::concat(&self.cpu, a, b, channels.0, channels.1, y));
        })
    }

    fn split(&self, x: &Data, rows: usize, channels: (usize, usize)) -> (Data, Data) {
        let mut b = self.arena.take(rows * channels.1, Kind::F32);
        let a = self.make_f32(rows * channels.0, |a| {
            with!([ref x = view(x)] rows::split(&self.cpu, x, channels.0, channels.1, a, b.f32_mut()));
        });
        (a, Arc::new(b))
    }

    fn resize(&self, x: &Data, batch: usize, channels: usize, from: Grid, to: Grid) -> Data {
        self.make(batch * to.tokens() * channels, buffer(x).kind(), |y| {
            let (from, to) = (pixels(from), pixels(to));
            match (view(x), y) {
                (View::F32(x), ViewMut::F32(y)) => {
                    resize::forward(&self.cpu, x, channels, from, to, y);
                }
                (View::Bf16(x), ViewMut::Bf16(y)) => {
                    resize::forward(&self.cpu, x, channels, from, to, y);
                }
                _ => unreachable!("made of the same kind"),
            }
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
        self.make_f32(batch * from.tokens() * channels, |dx| {
            let (from, to) = (pixels(from), pixels(to));
            with!([ref dy = view(dy)]
                resize::backward(&self.cpu, dy, channels, from, to, dx));
        })
    }

    fn gather(&self, x: &Data, channels: usize, rows: &[u32]) -> Data {
        self.make_f32(rows.len() * channels, |y| {
            with!([ref x = view(x)] rows::gather(&self.cpu, x, channels, rows, y));
        })
    }

    fn gather_backward(&self, dy: &Data, channels: usize, rows: &[u32], total: usize) -> Data {
        self.make_f32(total * channels, |dx| {
            with!([ref dy = view(dy)] rows::scatter(dy, channels, rows, dx));
        })
    }

    fn lookup(&self, table: &Weight, extra: Option<&Data>, ids: &[u32]) -> Data {
        let c = table.inputs();
        let handle = table.handle();
        let Form::Table(rows) = form(&handle) else { panic!("a table is needed") };
        let extra = extra.map_or(View::F32(&[]), view);
        self.make_f32(ids.len() * c, |y| {
            with!([ref extra = extra] match rows {
                Table::F32(t) => rows::lookup(t, extra, c, ids, y),
                Table::F16(t) => rows::lookup(t, extra, c, ids, y),
                Table::Bf16(t) => rows::lookup(t, extra, c, ids, y),
            });
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
        self.make_f32(1, |y| {
            with!([ref p = view(pred), ref t = view(target), ref w = view(weight)]
                y[0] = loss::forward(p, t, w, shape.tokens, kind));
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
        let dy = values(dy)[0];
        self.make_f32(view(pred).len(), |dp| {
            with!([ref p = view(pred), ref t = view(target), ref w = view(weight)]
                loss::backward(p, t, w, tokens, kind, dy, dp));
        })
    }
}
