//! The processor's call of each operation: slices of its operands and results to a kernel.
use super::storage::buffer;
use super::weights::{TableValues, WeightForm, form};
use crate::op::MAX_RESULTS;
use crate::ops::{Attention, GroupNorm, Loss, LossKind, Op};
use crate::{Data, Grid, Stride, Tensor};
use wayword_kernels::{
    Cpu, Products, View, ViewMut, attention, conv3x3, elementwise, geglu, group_norm, layer_norm,
    linear, loss, resize, rows,
};

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

/// Writes every value of the results that `op` describes; `weight` is the one that it reads.
pub(super) fn run(
    cpu: &Cpu,
    products: Products,
    op: &Op<'_>,
    weight: Option<&Data>,
    results: [Option<ViewMut<'_>>; MAX_RESULTS],
) {
    if let Op::AttentionBackward(op) = op {
        let (x, sizes) = attention_inputs(op.forward);
        let outcome = attention::Outcome { y: view(op.y), lse: values(op.saved), dy: view(op.dy) };
        return attention::backward(cpu, x, outcome, sizes, products, results);
    }
    let [Some(y), second, _] = results else { unreachable!("{} has a result", op.name()) };
    match *op {
        Op::Linear(op) => {
            let rows = op.x.shape().rows();
            linear::forward(cpu, view(op.x), rows, linear_of(weight), op.residual.map(view), y);
        }
        Op::LinearBackward(op) => {
            linear::backward(cpu, view(op.dy), op.dy.shape().rows(), linear_of(weight), y);
        }
        Op::LinearGeglu(op) => {
            linear::forward_geglu(cpu, view(op.x), op.x.shape().rows(), linear_of(weight), y);
        }
        Op::Conv3x3(op) => {
            let sizes = conv_sizes(op.x, op.grid, op.stride);
            conv3x3::forward(cpu, view(op.x), sizes, conv_of(weight), op.residual.map(view), y);
        }
        Op::Conv3x3Backward(op) => {
            let sizes = conv_sizes(op.dy, op.grid, op.stride);
            conv3x3::backward(cpu, view(op.dy), sizes, conv_of(weight), y);
        }
        Op::GroupNorm(op) => {
            let (scale, shift) = norm_of(weight);
            with!([ref x = view(op.x), mut y = y]
                group_norm::forward(cpu, x, norm_sizes(op), scale, shift, y));
        }
        Op::GroupNormBackward(op) => {
            let (scale, shift) = norm_of(weight);
            let sizes = norm_sizes(op.forward);
            with!([ref x = view(op.forward.x), ref dy = view(op.dy), mut dx = y]
                group_norm::backward(cpu, x, dy, sizes, scale, shift, dx));
        }
        Op::LayerNorm(op) => {
            let (scale, shift) = norm_of(weight);
            with!([ref x = view(op.x), mut y = y]
                layer_norm::forward(cpu, x, op.eps, scale, shift, y));
        }
        Op::LayerNormBackward(op) => {
            let (scale, _) = norm_of(weight);
            with!([ref x = view(op.forward.x), ref dy = view(op.dy), mut dx = y]
                layer_norm::backward(cpu, x, dy, op.forward.eps, scale, dx));
        }
        Op::Attention(op) => {
            let (x, sizes) = attention_inputs(op);
            let lse = f32_mut(second.expect("attention has two results"));
            attention::forward(cpu, x, sizes, products, y, lse);
        }
        Op::AttentionBackward(_) => unreachable!("was called above"),
        Op::Geglu(op) => {
            let channels = op.x.shape().channels / 2;
            with!([ref x = view(op.x), mut y = y] geglu::forward(cpu, x, channels, y));
        }
        Op::GegluBackward(op) => {
            let channels = op.dy.shape().channels;
            with!([ref x = view(op.x), ref dy = view(op.dy), mut dx = y]
                geglu::backward(cpu, x, dy, channels, dx));
        }
        Op::Swish(op) => {
            with!([ref x = view(op.x), mut y = y] elementwise::swish(cpu, x, op.beta, y));
        }
        Op::SwishBackward(op) => {
            with!([ref x = view(op.forward.x), ref dy = view(op.dy), mut dx = y]
                elementwise::swish_backward(cpu, x, dy, op.forward.beta, dx));
        }
        Op::Add(op) => {
            let y = f32_mut(y);
            with!([ref a = view(op.a), ref b = view(op.b)] elementwise::add(cpu, a, b, y));
        }
        Op::Scale(op) => {
            let y = f32_mut(y);
            with!([ref x = view(op.x)] elementwise::scale(cpu, x, op.factor, y));
        }
        Op::AddChannels(op) => {
            let s = op.x.shape();
            with!([ref x = view(op.x), ref v = view(op.v), mut y = y]
                elementwise::add_channels(cpu, x, v, s.tokens, s.channels, y));
        }
        Op::SumTokens(op) => {
            let (s, y) = (op.x.shape(), f32_mut(y));
            with!([ref x = view(op.x)] elementwise::sum_tokens(cpu, x, s.tokens, s.channels, y));
        }
        Op::Concat(op) => {
            let [first, second] = [op.a, op.b].map(|x| x.shape().channels);
            with!([ref a = view(op.a), ref b = view(op.b), mut y = y]
                rows::concat(cpu, a, b, first, second, y));
        }
        Op::Split(op) => {
            let (a, b) = (f32_mut(y), f32_mut(second.expect("split has two results")));
            let [first, second] = op.channels;
            with!([ref x = view(op.x)] rows::split(cpu, x, first, second, a, b));
        }
        Op::Resize(op) => {
            let (from, to, channels) = (pixels(op.from), pixels(op.to), op.x.shape().channels);
            match (view(op.x), y) {
                (View::F32(x), ViewMut::F32(y)) => resize::forward(cpu, x, channels, from, to, y),
                (View::Bf16(x), ViewMut::Bf16(y)) => resize::forward(cpu, x, channels, from, to, y),
                _ => unreachable!("the result is of the operand's kind"),
            }
        }
        Op::ResizeBackward(op) => {
            let (from, to, channels) = (pixels(op.from), pixels(op.to), op.dy.shape().channels);
            let dx = f32_mut(y);
            with!([ref dy = view(op.dy)] resize::backward(cpu, dy, channels, from, to, dx));
        }
        Op::Gather(op) => {
            let (channels, y) = (op.x.shape().channels, f32_mut(y));
            let rows = buffer(op.rows.data()).u32();
            with!([ref x = view(op.x)] rows::gather(cpu, x, channels, rows, y));
        }
        Op::GatherBackward(op) => {
            let (rows, dx) = (buffer(op.rows.data()).u32(), f32_mut(y));
            with!([ref dy = view(op.dy)] rows::scatter(dy, op.shape.channels, rows, dx));
        }
        Op::Lookup(op) => {
            let WeightForm::Table(table) = weight_of(weight) else { panic!("a table is needed") };
            let (channels, y) = (op.table.inputs(), f32_mut(y));
            let ids = buffer(op.ids.data()).u32();
            with!([ref extra = op.extra.map_or(View::F32(&[]), view)] match table {
                TableValues::F32(table) => rows::lookup(table, extra, channels, ids, y),
                TableValues::F16(table) => rows::lookup(table, extra, channels, ids, y),
                TableValues::Bf16(table) => rows::lookup(table, extra, channels, ids, y),
            });
        }
        Op::Loss(op) => {
            let Loss { prediction, target, weight, kind } = op;
            let (tokens, y) = (prediction.shape().tokens, f32_mut(y));
            with!([ref p = view(prediction), ref t = view(target), ref w = view(weight)]
                y[0] = loss::forward(p, t, w, tokens, loss_function(kind)));
        }
        Op::LossBackward(op) => {
            let Loss { prediction, target, weight, kind } = op.forward;
            let (tokens, dp) = (prediction.shape().tokens, f32_mut(y));
            let dy = values(op.dy)[0];
            with!([ref p = view(prediction), ref t = view(target), ref w = view(weight)]
                loss::backward(p, t, w, tokens, loss_function(kind), dy, dp));
        }
    }
}

/// The values of a tensor of this device.
fn view(tensor: &Tensor) -> View<'_> {
    buffer(tensor.data()).view()
}

/// The values of a tensor that this device always keeps in f32.
fn values(tensor: &Tensor) -> &[f32] {
    match view(tensor) {
        View::F32(values) => values,
        View::Bf16(_) => panic!("these values are kept in f32"),
    }
}

/// The values of a result that is described as full.
fn f32_mut(view: ViewMut<'_>) -> &mut [f32] {
    match view {
        ViewMut::F32(values) => values,
        ViewMut::Bf16(_) => panic!("a full result is kept in f32"),
    }
}

fn weight_of(handle: Option<&Data>) -> &WeightForm {
    form(handle.expect("the operation describes its weight"))
}

fn linear_of(handle: Option<&Data>) -> &linear::Weight {
    match weight_of(handle) {
        WeightForm::Linear(weight) => weight,
        other => panic!("a linear weight is needed, not {other:?}"),
    }
}

fn conv_of(handle: Option<&Data>) -> &conv3x3::Weight {
    match weight_of(handle) {
        WeightForm::Conv3x3(weight) => weight,
        other => panic!("a convolution's weight is needed, not {other:?}"),
    }
}

fn norm_of(handle: Option<&Data>) -> (&[f32], &[f32]) {
    match weight_of(handle) {
        WeightForm::Norm { scale, shift } => (scale, shift),
        other => panic!("a norm's weight is needed, not {other:?}"),
    }
}

const fn pixels(grid: Grid) -> wayword_kernels::Grid {
    wayword_kernels::Grid { height: grid.height, width: grid.width }
}

fn conv_sizes(x: &Tensor, grid: Grid, stride: Stride) -> conv3x3::ConvSizes {
    conv3x3::ConvSizes {
        batch: x.shape().batch,
        from: pixels(grid),
        to: pixels(stride.output(grid)),
        stride: stride.pixels(),
        pad: stride.pad_before(),
    }
}

fn norm_sizes(op: GroupNorm<'_>) -> group_norm::NormSizes {
    let crate::Shape { batch, tokens, channels } = op.x.shape();
    let GroupNorm { groups, eps, silu, .. } = op;
    group_norm::NormSizes { batch, tokens, channels, groups, eps, silu }
}

fn attention_inputs(op: Attention<'_>) -> (attention::Inputs<'_>, attention::AttentionSizes) {
    let query = op.q.shape();
    let sizes = attention::AttentionSizes {
        batch: query.batch,
        queries: query.tokens,
        keys: op.k.shape().tokens,
        heads: op.heads.count,
        width: query.channels / op.heads.count,
        causal: op.heads.causal,
    };
    (attention::Inputs { q: view(op.q), k: view(op.k), v: view(op.v) }, sizes)
}

fn loss_function(kind: &LossKind) -> loss::LossFunction<'_> {
    match kind {
        LossKind::L2 => loss::LossFunction::L2,
        LossKind::L1 => loss::LossFunction::L1,
        LossKind::Huber(c) => loss::LossFunction::Huber(c),
        LossKind::SmoothL1(c) => loss::LossFunction::SmoothL1(c),
    }
}
