//! What a device must be able to do: every operation forward, and backward to its inputs.
//!
//! Everything between `from_host` and `to_host` may run later than it is called. All data is
//! `[rows, channels]` with channels innermost, rows = batch * tokens. `dy` is the gradient of an
//! operation's result; every `*_backward` returns gradients of inputs. The operations' formulas
//! stand in [`crate::ops`].
use crate::{Data, Device, Grid, HostWeight, Layout, Precision, Result, Shape, Stride, Weight};
use std::any::Any;
use std::fmt::Debug;

/// A device's own form of a tensor's or weight's values.
pub trait Storage: Any + Send + Sync + Debug {
    /// For the backend to look inside its own storage.
    fn as_any(&self) -> &dyn Any;
    /// Bytes held.
    fn bytes(&self) -> usize;
}

/// How queries, keys and values are laid out: `[batch, tokens, heads * width]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttentionShape {
    /// Number of samples.
    pub batch: usize,
    /// Number of query tokens.
    pub query_len: usize,
    /// Number of key and value tokens.
    pub kv_len: usize,
    /// Independent heads, side by side in the channels.
    pub heads: usize,
    /// Channels of one head.
    pub width: usize,
    /// Whether a token sees only itself and those before it.
    pub causal: bool,
}

/// Per-element loss, before weights and mean.
#[derive(Debug, Clone, PartialEq)]
pub enum LossKind {
    /// d^2
    L2,
    /// |d|
    L1,
    /// 2 c (sqrt(d^2 + c^2) - c), one c per sample.
    Huber(Vec<f32>),
    /// 2 (sqrt(d^2 + c^2) - c), one c per sample.
    SmoothL1(Vec<f32>),
}

/// Bytes of tensors and weights on a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MemoryUse {
    /// Bytes held now.
    pub held: usize,
    /// The most bytes held at once so far.
    pub peak: usize,
}

/// A device.
pub trait Backend: Debug + Send + Sync {
    /// Name for people: processor or card, instruction set, precision.
    fn name(&self) -> String;

    /// The numbers that products are taken in, as this device really does it.
    fn precision(&self) -> Precision;

    /// Whether products are f32 throughout.
    fn is_exact(&self) -> bool {
        self.precision() == Precision::F32
    }

    /// Bytes of tensors and weights on this device.
    fn memory(&self) -> MemoryUse;

    /// A device that computes nothing and counts the bytes that this one would hold.
    fn memory_estimator(&self) -> Device;

    /// Takes over host values.
    #[expect(clippy::wrong_self_convention, reason = "the device is what takes them over")]
    fn from_host(&self, values: &[f32]) -> Data;
    /// Waits for all work that `data` depends on and copies it.
    ///
    /// # Errors
    /// If the device failed.
    fn to_host(&self, data: &Data) -> Result<Vec<f32>>;
    /// Takes over a frozen weight in the form that the operations want. The shape was checked.
    ///
    /// # Errors
    /// If the device has no room.
    fn prepare(&self, weight: &HostWeight<'_>, layout: Layout) -> Result<Data>;

    /// y = x W^T + b (+ residual); x `[rows, in]`.
    fn linear(&self, x: &Data, rows: usize, w: &Weight, residual: Option<&Data>) -> Data;
    /// dx = dy W.
    fn linear_backward(&self, dy: &Data, rows: usize, w: &Weight) -> Data;

    /// 3x3 convolution (+ residual); x `[batch * grid, in]`.
    fn conv3x3(
        &self,
        x: &Data,
        batch: usize,
        grid: Grid,
        stride: Stride,
        w: &Weight,
        residual: Option<&Data>,
    ) -> Data;
    /// Gradient of the input; `grid` is the input's.
    fn conv3x3_backward(
        &self,
        dy: &Data,
        batch: usize,
        grid: Grid,
        stride: Stride,
        w: &Weight,
    ) -> Data;

    /// Group norm, then SiLU if asked.
    fn group_norm(
        &self,
        x: &Data,
        shape: Shape,
        groups: usize,
        eps: f32,
        w: &Weight,
        silu: bool,
    ) -> Data;
    /// dx from the input and dy.
    #[expect(clippy::too_many_arguments, reason = "the forward's, and the gradient")]
    fn group_norm_backward(
        &self,
        x: &Data,
        dy: &Data,
        shape: Shape,
        groups: usize,
        eps: f32,
        w: &Weight,
        silu: bool,
    ) -> Data;

    /// Layer norm over the channels.
    fn layer_norm(&self, x: &Data, rows: usize, eps: f32, w: &Weight) -> Data;
    /// dx from the input and dy.
    fn layer_norm_backward(&self, x: &Data, dy: &Data, rows: usize, eps: f32, w: &Weight) -> Data;

    /// softmax(q k^T / sqrt(width)) v, and what the backward wants to know of it (the logarithm
    /// of each row's sum, `[batch, heads, queries]`).
    fn attention(&self, q: &Data, k: &Data, v: &Data, shape: AttentionShape) -> (Data, Data);
    /// Gradients of q, k, v; `want` says which.
    #[expect(clippy::too_many_arguments, reason = "the forward's, its results, the gradient")]
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
    ) -> [Option<Data>; 3];

    /// x `[rows, 2 c]` = (a, b) to a * gelu(b) with the exact (erf) GELU.
    fn geglu(&self, x: &Data, rows: usize, channels: usize) -> Data;
    /// dx `[rows, 2 c]`.
    fn geglu_backward(&self, x: &Data, dy: &Data, rows: usize, channels: usize) -> Data;

    /// x sigmoid(factor x): factor 1 is SiLU, 1.702 is CLIP's quick GELU.
    fn swish(&self, x: &Data, factor: f32) -> Data;
    /// dx.
    fn swish_backward(&self, x: &Data, dy: &Data, factor: f32) -> Data;

    /// a + b, same size.
    fn add(&self, a: &Data, b: &Data) -> Data;
    /// factor * x.
    fn scale(&self, x: &Data, factor: f32) -> Data;
    /// x + v, one vector `[batch, 1, channels]` per sample for all of its tokens.
    fn add_channels(&self, x: &Data, v: &Data, shape: Shape) -> Data;
    /// Sum over tokens: `[batch, tokens, channels]` to `[batch, 1, channels]`.
    fn sum_tokens(&self, x: &Data, shape: Shape) -> Data;

    /// Channels of a, then of b.
    fn concat(&self, a: &Data, b: &Data, rows: usize, channels: (usize, usize)) -> Data;
    /// The inverse: the first `channels.0` and the last `channels.1` channels.
    fn split(&self, x: &Data, rows: usize, channels: (usize, usize)) -> (Data, Data);

    /// Nearest-neighbour resize, source pixel floor(i * from / to).
    fn resize(&self, x: &Data, batch: usize, channels: usize, from: Grid, to: Grid) -> Data;
    /// Each source pixel's sum of dy.
    fn resize_backward(
        &self,
        dy: &Data,
        batch: usize,
        channels: usize,
        from: Grid,
        to: Grid,
    ) -> Data;

    /// Rows of x by number.
    fn gather(&self, x: &Data, channels: usize, rows: &[u32]) -> Data;
    /// The transpose: row `rows[i]` of the result (of `total` rows) sums dy's rows i.
    fn gather_backward(&self, dy: &Data, channels: usize, rows: &[u32], total: usize) -> Data;
    /// Rows of a table by number; a number past its end means a row of `extra`.
    fn lookup(&self, table: &Weight, extra: Option<&Data>, ids: &[u32]) -> Data;

    /// Mean over all values of weight * kind(pred - target); `weight` is `[batch, tokens, 1]`.
    fn loss(
        &self,
        pred: &Data,
        target: &Data,
        weight: &Data,
        shape: Shape,
        kind: &LossKind,
    ) -> Data;
    /// d loss / d pred times the scalar `dy`.
    fn loss_backward(
        &self,
        pred: &Data,
        target: &Data,
        weight: &Data,
        dy: &Data,
        shape: Shape,
        kind: &LossKind,
    ) -> Data;
}
