//! 3x3 convolutions with zero padding, stride 1 or 2: y and dx.
//!
//! Pictures are `[batch, height * width, channels]`. One product per tap of the kernel: the rows
//! that the tap sees are gathered for some pixels at a time, never nine copies of the picture.
use crate::Cpu;
use crate::linear::{rows_per_piece, start};
use crate::matrix::{Matrix, product};

/// Sizes and steps of one convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Number of pictures.
    pub batch: usize,
    /// Height and width of x.
    pub from: (usize, usize),
    /// Height and width of y.
    pub to: (usize, usize),
    /// Distance between neighbouring outputs, in pixels of x.
    pub stride: usize,
    /// Zeros before the first row and column of x.
    pub pad: usize,
}

impl Shape {
    /// The row of x, along one side of `from` pixels, that tap `t` of output `o` sees.
    fn seen(self, o: usize, t: usize, from: usize) -> Option<usize> {
        (self.stride * o + t).checked_sub(self.pad).filter(|i| *i < from)
    }

    /// The output, along one side of `to` pixels, whose tap `t` sees `i`.
    fn sees(self, i: usize, t: usize, to: usize) -> Option<usize> {
        let o = (i + self.pad).checked_sub(t)?;
        (o % self.stride == 0 && o / self.stride < to).then_some(o / self.stride)
    }
}

/// A frozen weight with its bias, as `[tap, outputs, inputs]`.
#[derive(Debug)]
pub struct Weight {
    values: Vec<f32>,
    outputs: usize,
    inputs: usize,
    bias: Option<Vec<f32>>,
}

impl Weight {
    /// Takes over torch's `[outputs, inputs, 3, 3]`.
    ///
    /// # Panics
    /// If the sizes do not fit: a bug of the caller.
    #[must_use]
    pub fn new(values: &[f32], outputs: usize, inputs: usize, bias: Option<Vec<f32>>) -> Self {
        assert!(outputs > 0 && values.len() == outputs * inputs * 9, "a weight of its size");
        assert!(bias.as_ref().is_none_or(|b| b.len() == outputs), "one bias per output");
        let size = outputs * inputs;
        let mut taps = vec![0.0; values.len()];
        for (i, nine) in values.chunks_exact(9).enumerate() {
            for (t, value) in nine.iter().enumerate() {
                taps[t * size + i] = *value;
            }
        }
        Self { values: taps, outputs, inputs, bias }
    }

    /// Bytes held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        4 * (self.values.len() + self.bias.as_ref().map_or(0, Vec::len))
    }
}

/// y `[batch, to, outputs]` from x `[batch, from, inputs]`, plus bias (and residual).
pub fn forward(
    cpu: &Cpu,
    x: &[f32],
    shape: Shape,
    w: &Weight,
    residual: Option<&[f32]>,
    y: &mut [f32],
) {
    let (k, n) = (w.inputs, w.outputs);
    let (from, to) = (shape.from, shape.to);
    let (inside, pixels) = (from.0 * from.1, to.0 * to.1);
    assert!(x.len() == shape.batch * inside * k, "conv3x3: size of the input");
    assert!(y.len() == shape.batch * pixels * n, "conv3x3: size of the output");
    let each = rows_per_piece(shape.batch * pixels);
    cpu.pool.chunks(y, each * n, |i, y| {
        let (first, count) = (i * each, y.len() / n);
        start(y, first, w.bias.as_deref(), residual, n);
        let mut seen = vec![0.0; count * k];
        for (t, w) in w.values.chunks_exact(n * k).enumerate() {
            gather(
                &mut seen,
                x,
                first,
                k,
                pixels,
                |pixel| {
                    let row = shape.seen(pixel / to.1, t / 3, from.0)?;
                    let column = shape.seen(pixel % to.1, t % 3, from.1)?;
                    Some(row * from.1 + column)
                },
                inside,
            );
            let w = Matrix::rows(w, k).transposed();
            product(y, n, Matrix::rows(&seen, k), w, (count, n, k), 1.0, true);
        }
    });
}

/// dx `[batch, from, inputs]` from dy `[batch, to, outputs]`.
pub fn backward(cpu: &Cpu, dy: &[f32], shape: Shape, w: &Weight, dx: &mut [f32]) {
    let (k, n) = (w.outputs, w.inputs);
    let (from, to) = (shape.from, shape.to);
    let (pixels, inside) = (from.0 * from.1, to.0 * to.1);
    assert!(dy.len() == shape.batch * inside * k, "conv3x3: size of the gradient");
    assert!(dx.len() == shape.batch * pixels * n, "conv3x3: size of the input");
    let each = rows_per_piece(shape.batch * pixels);
    cpu.pool.chunks(dx, each * n, |i, dx| {
        let (first, count) = (i * each, dx.len() / n);
        dx.fill(0.0);
        let mut seen = vec![0.0; count * k];
        for (t, w) in w.values.chunks_exact(n * k).enumerate() {
            gather(
                &mut seen,
                dy,
                first,
                k,
                pixels,
                |pixel| {
                    let row = shape.sees(pixel / from.1, t / 3, to.0)?;
                    let column = shape.sees(pixel % from.1, t % 3, to.1)?;
                    Some(row * to.1 + column)
                },
                inside,
            );
            let w = Matrix::rows(w, n);
            product(dx, n, Matrix::rows(&seen, k), w, (count, n, k), 1.0, true);
        }
    });
}

/// Fills the rows of `seen` with the pixels of `x` that `source` names, or zeros. `pixels` and
/// `inside` are the pixels of one picture on the asking and on the answering side.
fn gather(
    seen: &mut [f32],
    x: &[f32],
    first: usize,
    channels: usize,
    pixels: usize,
    source: impl Fn(usize) -> Option<usize>,
    inside: usize,
) {
    for (i, row) in seen.chunks_exact_mut(channels).enumerate() {
        let (picture, pixel) = ((first + i) / pixels, (first + i) % pixels);
        match source(pixel) {
            Some(from) => {
                row.copy_from_slice(&x[(picture * inside + from) * channels..][..channels]);
            }
            None => row.fill(0.0),
        }
    }
}
