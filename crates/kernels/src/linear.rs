//! Linear layers: y = x W^T + b (+ residual), dx = dy W.
use crate::packed::{Direction, Packed};
use crate::product::{Finish, Gate, Rows, dispatch, dispatch_gated};
use crate::{Cpu, Products, Values, View, ViewMut, WeightSizes};

/// A frozen weight `[outputs, inputs]` with its bias.
#[derive(Debug)]
pub struct Weight {
    packed: Packed,
    bias: Option<Vec<f32>>,
}

impl Weight {
    /// Takes over `[outputs, inputs]`, row-major.
    ///
    /// # Panics
    /// If the sizes do not fit, or bf16 products are asked for where there are none.
    #[must_use]
    pub fn new(
        cpu: &Cpu,
        values: Values<'_>,
        sizes: WeightSizes,
        bias: Option<Vec<f32>>,
        products: Products,
    ) -> Self {
        assert!(bias.as_ref().is_none_or(|b| b.len() == sizes.outputs), "one bias per output");
        Self { packed: Packed::new(cpu, values, sizes, 1, products), bias }
    }

    /// Bytes held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.packed.bytes() + 4 * self.bias.as_ref().map_or(0, Vec::len)
    }
}

/// y `[rows, outputs]` = x `[rows, inputs]` W^T + b (+ residual).
pub fn forward(
    cpu: &Cpu,
    x: View<'_>,
    rows: usize,
    w: &Weight,
    residual: Option<View<'_>>,
    y: ViewMut<'_>,
) {
    let n = w.packed.outputs;
    assert_eq!(y.len(), rows * n, "linear: size of the output");
    let source = Rows::new(cpu, x, rows, &w.packed, Direction::Forward);
    let finish = Finish::new(w.bias.as_deref(), residual, y, n);
    dispatch(cpu, &source, &w.packed, Direction::Forward, &finish);
}

/// y `[rows, outputs / 2]` = a gelu(b), with (a, b) `[rows, outputs]` = x `[rows, inputs]` W^T + b
/// rounded to the type of y: GEGLU without its operand in memory.
///
/// # Panics
/// If half of the outputs is not a multiple of 32.
pub fn forward_geglu(cpu: &Cpu, x: View<'_>, rows: usize, w: &Weight, y: ViewMut<'_>) {
    let columns = w.packed.outputs / 2;
    assert!(w.packed.outputs == 2 * columns && y.len() == rows * columns, "geglu: sizes");
    let source = Rows::new(cpu, x, rows, &w.packed, Direction::Forward);
    let gate = Gate::new(w.bias.as_deref(), y, columns);
    dispatch_gated(cpu, &source, &w.packed, &gate);
}

/// dx `[rows, inputs]` = dy `[rows, outputs]` W.
pub fn backward(cpu: &Cpu, dy: View<'_>, rows: usize, w: &Weight, dx: ViewMut<'_>) {
    let n = w.packed.inputs;
    assert_eq!(dx.len(), rows * n, "linear: size of the input");
    let source = Rows::new(cpu, dy, rows, &w.packed, Direction::Backward);
    let finish = Finish::new(None, None, dx, n);
    dispatch(cpu, &source, &w.packed, Direction::Backward, &finish);
}
