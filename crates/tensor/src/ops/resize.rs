//! Nearest-neighbour resize of a picture: y[i] = x[floor(i * from / to)] along both sides.
//!
//! Shapes: x `[batch, h w, channels]`, y `[batch, h' w', channels]`. Twice the size is the up
//! sampler; other sizes fit a feature to a skip connection of an odd size. Backward: each source
//! pixel sums dy over its copies.
use crate::tape::record;
use crate::{Grid, Shape, Tensor};

/// The picture `x` of size `from` at the size `to`.
#[must_use]
pub fn resize(x: &Tensor, from: Grid, to: Grid) -> Tensor {
    let Shape { batch, tokens, channels } = x.shape();
    assert_eq!(tokens, from.tokens(), "resize: {} as {from:?}", x.shape());
    if from == to {
        return x.clone();
    }
    let shape = Shape::new(batch, to.tokens(), channels);
    let y = x.with_data(shape, x.device().resize(x.data(), batch, channels, from, to));
    let source = x.shape();
    record(&[x], y, move |dy, _| {
        let dx = dy.device().resize_backward(dy.data(), batch, channels, from, to);
        vec![Some(dy.with_data(source, dx))]
    })
}
