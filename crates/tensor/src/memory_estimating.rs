//! A device that computes nothing and counts bytes: what a run would hold, known before it starts.
//!
//! The models run on it as on any other; every value that comes back is 0. It keeps results in the
//! types in which [`crate::cpu`] keeps them.
use crate::cpu::MANY;
use crate::{
    AttentionShape, Backend, Data, Device, Grid, HostWeight, Layout, LossKind, MemoryUse,
    Precision, Result, Shape, Storage, Stride, Values, Weight,
};
use std::any::Any;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A device that counts the bytes that the processor would hold.
#[must_use]
pub(crate) fn memory_estimating(precision: Precision) -> Device {
    Arc::new(MemoryEstimating { precision, books: Arc::default() })
}

#[derive(Debug)]
struct MemoryEstimating {
    precision: Precision,
    books: Arc<Mutex<Books>>,
}

#[derive(Debug, Default)]
struct Books {
    now: usize,
    peak: usize,
}

/// A tensor without values.
#[derive(Debug)]
struct Held {
    count: usize,
    /// Bytes of one value.
    each: usize,
    bytes: usize,
    books: Arc<Mutex<Books>>,
}

fn lock(books: &Mutex<Books>) -> MutexGuard<'_, Books> {
    books.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Held {
    fn drop(&mut self) {
        lock(&self.books).now -= self.bytes;
    }
}

impl Storage for Held {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn bytes(&self) -> usize {
        self.bytes
    }
}

fn held(data: &Data) -> &Held {
    data.as_any().downcast_ref().expect("a tensor of another device")
}

impl MemoryEstimating {
    fn hold(&self, count: usize, each: usize, bytes: usize) -> Data {
        let mut books = lock(&self.books);
        books.now += bytes;
        books.peak = books.peak.max(books.now);
        drop(books);
        Arc::new(Held { count, each, bytes, books: Arc::clone(&self.books) })
    }

    /// A tensor, in a buffer of one of the sizes that the processor's arena has.
    fn make(&self, count: usize, each: usize) -> Data {
        let lines = (count * each).div_ceil(64);
        let step = (lines.next_power_of_two() / 16).max(1);
        self.hold(count, each, lines.next_multiple_of(step) * 64)
    }

    fn wide(&self, count: usize) -> Data {
        self.make(count, 4)
    }

    /// A result that only products and norms read.
    fn narrow(&self, rows: usize, channels: usize) -> Data {
        let half = self.precision == Precision::Bf16 && rows >= MANY && channels > 16;
        self.make(rows * channels, if half { 2 } else { 4 })
    }

    /// A result of the kind of `x`.
    fn like(&self, x: &Data) -> Data {
        self.make(held(x).count, held(x).each)
    }
}

impl Backend for MemoryEstimating {
    fn name(&self) -> String {
        format!("a count of bytes, {}", self.precision.name())
    }

    fn precision(&self) -> Precision {
        self.precision
    }

    fn memory(&self) -> MemoryUse {
        let books = lock(&self.books);
        MemoryUse { held: books.now, peak: books.peak }
    }

    fn memory_estimator(&self) -> Device {
        memory_estimating(self.precision)
    }

    fn from_host(&self, values: &[f32]) -> Data {
        self.wide(values.len())
    }

    fn to_host(&self, data: &Data) -> Result<Vec<f32>> {
        Ok(vec![0.0; held(data).count])
    }

    fn prepare(&self, weight: &HostWeight<'_>, layout: Layout) -> Result<Data> {
        let count = weight.values.len();
        let file = match weight.values {
            Values::F32(_) => 4,
            Values::F16(_) | Values::Bf16(_) => 2,
        };
        let each = match layout {
            Layout::Norm => 4,
            Layout::Table => file,
            Layout::Linear | Layout::Conv3x3 => match self.precision {
                Precision::Bf16 => 2,
                Precision::F32 => file,
            },
        };
        // Products read blocks of 32 x 32.
        let packed = match (layout, weight.shape) {
            (Layout::Linear | Layout::Conv3x3, [outputs, inputs, rest @ ..]) => {
                let taps: usize = rest.iter().product();
                outputs.next_multiple_of(32) * inputs.next_multiple_of(32) * taps
            }
            _ => count,
        };
        let bias = weight.bias.as_ref().map_or(0, |bias| 4 * bias.len());
        Ok(self.hold(count, each, packed * each + bias))
    }

    fn linear(&self, _: &Data, rows: usize, w: &Weight, residual: Option<&Data>) -> Data {
        match residual {
            Some(_) => self.wide(rows * w.outputs()),
            None => self.narrow(rows, w.outputs()),
        }
    }

    fn linear_backward(&self, _: &Data, rows: usize, w: &Weight) -> Data {
        self.narrow(rows, w.inputs())
    }

    fn conv3x3(
        &self,
        _: &Data,
        batch: usize,
        grid: Grid,
        stride: Stride,
        w: &Weight,
        residual: Option<&Data>,
    ) -> Data {
        let rows = batch * stride.output(grid).tokens();
        match residual {
            Some(_) => self.wide(rows * w.outputs()),
            None => self.narrow(rows, w.outputs()),
        }
    }

    fn conv3x3_backward(&self, _: &Data, batch: usize, grid: Grid, _: Stride, w: &Weight) -> Data {
        self.narrow(batch * grid.tokens(), w.inputs())
    }

    fn group_norm(&self, _: &Data, s: Shape, _: usize, _: f32, _: &Weight, _: bool) -> Data {
        self.narrow(s.rows(), s.channels)
    }

    fn group_norm_backward(
        &self,
        _: &Data,
        _: &Data,
        s: Shape,
        _: usize,
        _: f32,
        _: &Weight,
        _: bool,
    ) -> Data {
        self.narrow(s.rows(), s.channels)
    }

    fn layer_norm(&self, _: &Data, rows: usize, _: f32, w: &Weight) -> Data {
        self.narrow(rows, w.outputs())
    }

    fn layer_norm_backward(&self, _: &Data, _: &Data, rows: usize, _: f32, w: &Weight) -> Data {
        self.narrow(rows, w.outputs())
    }

    fn attention(&self, _: &Data, _: &Data, _: &Data, s: AttentionShape) -> (Data, Data) {
        let saved = self.wide(s.batch * s.heads * s.query_len);
        (self.narrow(s.batch * s.query_len, s.heads * s.width), saved)
    }

    fn attention_backward(
        &self,
        _: &Data,
        _: &Data,
        _: &Data,
        _: &Data,
        _: &Data,
        _: &Data,
        s: AttentionShape,
        want: [bool; 3],
    ) -> [Option<Data>; 3] {
        let rows = [s.batch * s.query_len, s.batch * s.kv_len, s.batch * s.kv_len];
        [0, 1, 2].map(|i| want[i].then(|| self.narrow(rows[i], s.heads * s.width)))
    }

    fn geglu(&self, _: &Data, rows: usize, channels: usize) -> Data {
        self.narrow(rows, channels)
    }

    fn geglu_backward(&self, x: &Data, _: &Data, rows: usize, channels: usize) -> Data {
        let half = held(&self.narrow(rows, channels)).each;
        self.make(held(x).count, half)
    }

    fn swish(&self, x: &Data, _: f32) -> Data {
        self.like(x)
    }

    fn swish_backward(&self, _: &Data, dy: &Data, _: f32) -> Data {
        self.like(dy)
    }

    fn add(&self, a: &Data, _: &Data) -> Data {
        self.wide(held(a).count)
    }

    fn scale(&self, x: &Data, _: f32) -> Data {
        self.wide(held(x).count)
    }

    fn add_channels(&self, x: &Data, _: &Data, _: Shape) -> Data {
        self.like(x)
    }

    fn sum_tokens(&self, _: &Data, s: Shape) -> Data {
        self.wide(s.batch * s.channels)
    }

    fn concat(&self, _: &Data, _: &Data, rows: usize, channels: (usize, usize)) -> Data {
        self.narrow(rows, channels.0 + channels.1)
    }

    fn split(&self, _: &Data, rows: usize, channels: (usize, usize)) -> (Data, Data) {
        (self.wide(rows * channels.0), self.wide(rows * channels.1))
    }

    fn resize(&self, x: &Data, batch: usize, channels: usize, _: Grid, to: Grid) -> Data {
        self.make(batch * to.tokens() * channels, held(x).each)
    }

    fn resize_backward(
        &self,
        _: &Data,
        batch: usize,
        channels: usize,
        from: Grid,
        _: Grid,
    ) -> Data {
        self.wide(batch * from.tokens() * channels)
    }

    fn gather(&self, _: &Data, channels: usize, rows: &[u32]) -> Data {
        self.wide(rows.len() * channels)
    }

    fn gather_backward(&self, _: &Data, channels: usize, _: &[u32], total: usize) -> Data {
        self.wide(total * channels)
    }

    fn lookup(&self, table: &Weight, _: Option<&Data>, ids: &[u32]) -> Data {
        self.wide(ids.len() * table.inputs())
    }

    fn loss(&self, _: &Data, _: &Data, _: &Data, _: Shape, _: &LossKind) -> Data {
        self.wide(1)
    }

    fn loss_backward(
        &self,
        pred: &Data,
        _: &Data,
        _: &Data,
        _: &Data,
        _: Shape,
        _: &LossKind,
    ) -> Data {
        self.wide(held(pred).count)
    }
}
