//! Linear layers: y = x W^T + b (+ residual), dx = dy W.
use crate::Cpu;
use crate::matrix::{Matrix, product};

/// A frozen weight `[outputs, inputs]` with its bias.
#[derive(Debug)]
pub struct Weight {
    values: Vec<f32>,
    outputs: usize,
    inputs: usize,
    bias: Option<Vec<f32>>,
}

impl Weight {
    /// Takes over `[outputs, inputs]`, row-major.
    ///
    /// # Panics
    /// If the sizes do not fit: a bug of the caller.
    #[must_use]
    pub fn new(values: Vec<f32>, outputs: usize, inputs: usize, bias: Option<Vec<f32>>) -> Self {
        assert!(outputs > 0 && values.len() == outputs * inputs, "a weight of its size");
        assert!(bias.as_ref().is_none_or(|b| b.len() == outputs), "one bias per output");
        Self { values, outputs, inputs, bias }
    }

    /// Bytes held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        4 * (self.values.len() + self.bias.as_ref().map_or(0, Vec::len))
    }
}

/// Rows that one piece works on; depends on the sizes only.
pub(crate) fn rows_per_piece(rows: usize) -> usize {
    rows.div_ceil(4).next_multiple_of(16).min(256)
}

/// Puts the bias, the residual, their sum, or zeros into the rows from `first` on.
pub(crate) fn start(
    y: &mut [f32],
    first: usize,
    bias: Option<&[f32]>,
    residual: Option<&[f32]>,
    outputs: usize,
) {
    match residual {
        Some(r) => y.copy_from_slice(&r[first * outputs..][..y.len()]),
        None => y.fill(0.0),
    }
    if let Some(bias) = bias {
        for row in y.chunks_exact_mut(outputs) {
            row.iter_mut().zip(bias).for_each(|(y, b)| *y += b);
        }
    }
}

/// y `[rows, outputs]` = x `[rows, inputs]` W^T + b (+ residual).
pub fn forward(
    cpu: &Cpu,
    x: &[f32],
    rows: usize,
    w: &Weight,
    residual: Option<&[f32]>,
    y: &mut [f32],
) {
    let (k, n) = (w.inputs, w.outputs);
    assert!(rows > 0 && x.len() == rows * k && y.len() == rows * n, "linear: sizes");
    let each = rows_per_piece(rows);
    cpu.pool.chunks(y, each * n, |i, y| {
        let (first, count) = (i * each, y.len() / n);
        start(y, first, w.bias.as_deref(), residual, n);
        let x = Matrix::rows(&x[first * k..], k);
        product(y, n, x, Matrix::rows(&w.values, k).transposed(), (count, n, k), 1.0, true);
    });
}

/// dx `[rows, inputs]` = dy `[rows, outputs]` W.
pub fn backward(cpu: &Cpu, dy: &[f32], rows: usize, w: &Weight, dx: &mut [f32]) {
    let (k, n) = (w.outputs, w.inputs);
    assert!(rows > 0 && dy.len() == rows * k && dx.len() == rows * n, "linear: sizes");
    let each = rows_per_piece(rows);
    cpu.pool.chunks(dx, each * n, |i, dx| {
        let count = dx.len() / n;
        let dy = Matrix::rows(&dy[i * each * k..], k);
        product(dx, n, dy, Matrix::rows(&w.values, n), (count, n, k), 1.0, false);
    });
}
