//! What every optimizer is made of: one step over a dense table, and its state by name.
use super::state::Field;

/// The table of one step. Its first rows are the new ones; frozen rows may follow.
pub(super) struct LatentView<'a> {
    /// Parameters, `[rows, dim]`.
    pub(super) p: &'a mut [f32],
    /// Their gradient; a rule may change it.
    pub(super) g: &'a mut [f32],
    /// The rows' width.
    pub(super) dim: usize,
    /// Each row's number in the table that sums cover.
    pub(super) numbers: &'a [usize],
    /// Learning rate of this update.
    pub(super) rate: f64,
    /// Frozen rows that are not in `p` because they never received gradient.
    pub(super) rest_rows: usize,
    /// Sum of their squares.
    pub(super) rest_squares: f64,
}

/// An optimizer's formula and state. State of rows that appear later starts as if their gradient
/// had been 0 all along.
pub(super) trait Rule: Send + Sync {
    /// One update of `view.p`.
    fn step(&mut self, view: LatentView<'_>);

    /// Every number that the next step depends on.
    fn fields(&mut self) -> Vec<Field<'_>>;

    /// Whether it sums over rows.
    fn whole_table(&self) -> bool {
        false
    }

    /// Whether weight decay is added to gradients of a rule that sums over rows.
    fn decays_gradients(&self) -> bool {
        false
    }

    /// Whether it makes its own learning rates.
    fn is_relative(&self) -> bool {
        false
    }

    /// Whether it averages instead of following a schedule.
    fn is_schedule_free(&self) -> bool {
        false
    }

    /// The estimate of the distance to the solution.
    fn d(&self) -> Option<f64> {
        None
    }

    /// The last rate it made itself.
    fn own_rate(&self) -> Option<f64> {
        None
    }

    /// The averaged parameters.
    fn averaged(&self, _p: &[f32]) -> Option<Vec<f32>> {
        None
    }

    /// Sets the first beta or the momentum.
    fn set_momentum(&mut self, _momentum: f64) {}
}

/// Lengthens a state array to `len`, new places filled with `fill`.
pub(super) fn grow(array: &mut Vec<f32>, len: usize, fill: f32) {
    if array.len() < len {
        array.resize(len, fill);
    }
}

/// Lengthens an array that remembers where parameters started.
pub(super) fn remember(array: &mut Vec<f32>, p: &[f32]) {
    if array.len() < p.len() {
        array.extend_from_slice(&p[array.len()..]);
    }
}

/// `m := m + (g - m) w`, PyTorch's `lerp`, in its two forms for small and large weights.
pub(super) fn lerp(m: f32, g: f32, w: f32) -> f32 {
    if w.abs() < 0.5 { m + w * (g - m) } else { g - (g - m) * (1.0 - w) }
}

/// Adds `decay * p` to the gradient (L2, coupled weight decay).
pub(super) fn add_decay(g: &mut [f32], p: &[f32], decay: f64) {
    if decay != 0.0 {
        for (g, p) in g.iter_mut().zip(p) {
            *g += decay as f32 * p;
        }
    }
}

/// Multiplies the parameters by `1 - rate * decay` (decoupled weight decay).
pub(super) fn shrink(p: &mut [f32], rate: f64, decay: f64) {
    if decay != 0.0 {
        let keep = (1.0 - rate * decay) as f32;
        p.iter_mut().for_each(|p| *p *= keep);
    }
}

/// Sum of the products, in f64.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

/// Sum of the absolute values, in f64.
pub(super) fn l1(a: &[f32]) -> f64 {
    a.iter().map(|a| f64::from(a.abs())).sum()
}

/// Flips the gradient's sign where the objective is to be maximized.
pub(super) fn maximize(g: &mut [f32], on: bool) {
    if on {
        g.iter_mut().for_each(|g| *g = -*g);
    }
}
