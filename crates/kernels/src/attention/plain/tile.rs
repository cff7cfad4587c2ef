//! The tiles of f32: scores with what follows them, and the products of probabilities.
//!
//! A tile of scores begins at minus the query's largest score (forward) or logarithm (backward),
//! so that the product's registers already hold the exponents. Twelve sums of two vectors and
//! six rows fit into sixteen registers with what they are made of.
//!
//! Every function here is inlined into one that is compiled for its vector's instructions, and is
//! unsafe because it takes pointers and needs those instructions.
#![expect(clippy::needless_range_loop, reason = "several arrays are indexed in step")]
use crate::attention::kernel::{DsTiles, HIDDEN, PARTS, Rows, Scores};
use crate::vector::{Vector, exp2};

/// Queries of a tile of scores.
pub(super) const ROWS: usize = 6;
/// Queries of a tile with two products.
pub(super) const DS_ROWS: usize = 3;

/// `ROWS` rows of `N` vectors of scores, each row beginning at `start`.
///
/// # Safety
/// `ROWS` rows of `steps` values, as far apart, at `q`; a panel of as many steps at `k`.
#[inline(always)]
unsafe fn scores<V: Vector, const N: usize>(
    q: *const f32,
    k: *const f32,
    steps: usize,
    start: [f32; ROWS],
) -> [[V; N]; ROWS] {
    // SAFETY: the caller's promise.
    unsafe {
        let mut sums = [[V::splat(0.0); N]; ROWS];
        for i in 0..ROWS {
            sums[i] = [V::splat(start[i]); N];
        }
        for step in 0..steps {
            let at = k.add(step * N * V::LANES);
            let mut keys = [V::splat(0.0); N];
            for n in 0..N {
                keys[n] = V::load(at.add(n * V::LANES));
            }
            for i in 0..ROWS {
                let x = V::splat(*q.add(i * steps + step));
                for n in 0..N {
                    sums[i][n] = x.times_plus(keys[n], sums[i][n]);
                }
            }
        }
        sums
    }
}

/// See [`crate::attention::kernel::Attend::largest`].
///
/// # Safety
/// As there.
#[inline(always)]
pub(super) unsafe fn row_max<V: Vector, const N: usize>(s: Scores<'_, f32>, row_max: &mut [f32]) {
    for first in (0..row_max.len()).step_by(ROWS) {
        let visible = &s.visible[first..first + ROWS];
        let row_max = &mut row_max[first..first + ROWS];
        for i in 0..s.panels {
            let (k, key) = s.panel(i, N * V::LANES);
            // SAFETY: the caller's promise.
            unsafe {
                let q = s.q.add(first * s.padded);
                let sums = scores::<V, N>(q, k, s.padded, [0.0; ROWS]);
                for row in 0..ROWS {
                    for n in 0..N {
                        let seen = visible[row].saturating_sub(key + n * V::LANES);
                        row_max[row] =
                            row_max[row].max(sums[row][n].first_or(seen, HIDDEN).largest());
                    }
                }
            }
        }
    }
}

/// See [`crate::attention::kernel::Attend::probabilities`].
///
/// # Safety
/// As there.
#[inline(always)]
pub(super) unsafe fn probabilities<V: Vector, const N: usize>(
    s: Scores<'_, f32>,
    row_max: &[f32],
    total: &mut [[f32; PARTS]],
    p: *mut f32,
) {
    let lanes = N * V::LANES;
    let rows = total.len();
    for first in (0..rows).step_by(ROWS) {
        let visible = &s.visible[first..first + ROWS];
        let total = &mut total[first..first + ROWS];
        let mut start = [0.0; ROWS];
        for (start, row_max) in start.iter_mut().zip(&row_max[first..first + ROWS]) {
            *start = -row_max;
        }
        let least = visible.iter().min().copied().unwrap_or(0);
        for i in 0..s.panels {
            let (k, key) = s.panel(i, lanes);
            // SAFETY: the caller's promise.
            unsafe {
                let q = s.q.add(first * s.padded);
                let sums = scores::<V, N>(q, k, s.padded, start);
                let masked = least < key + lanes;
                for row in 0..ROWS {
                    let sum = total[row].as_mut_ptr();
                    let mut running = V::load(sum);
                    let to = p.add((i * rows + first + row) * lanes);
                    for n in 0..N {
                        let mut x = exp2(sums[row][n]);
                        if masked {
                            let seen = visible[row].saturating_sub(key + n * V::LANES);
                            x = x.first_or(seen, 0.0);
                        }
                        running = running.add(x);
                        x.store(to.add(n * V::LANES));
                    }
                    running.store(sum);
                }
            }
        }
    }
}

/// See [`crate::attention::kernel::Attend::probabilities_and_ds`].
///
/// # Safety
/// As there.
#[inline(always)]
pub(super) unsafe fn probabilities_and_ds<V: Vector, const N: usize>(
    s: Scores<'_, f32>,
    dy: *const f32,
    v: *const f32,
    lse: &[f32],
    delta: &[f32],
    out: DsTiles<f32>,
) {
    let lanes = N * V::LANES;
    let visible = &s.visible[..DS_ROWS];
    let (lse, delta) = (&lse[..DS_ROWS], &delta[..DS_ROWS]);
    let least = visible.iter().min().copied().unwrap_or(0);
    for i in 0..s.panels {
        let (k, key) = s.panel(i, lanes);
        let v = v.wrapping_add(i * lanes * s.padded);
        // SAFETY: the caller's promise.
        unsafe {
            let mut p = [[V::splat(0.0); N]; DS_ROWS];
            let mut d = p;
            for row in 0..DS_ROWS {
                p[row] = [V::splat(-lse[row]); N];
                d[row] = [V::splat(-delta[row]); N];
            }
            for step in 0..s.padded {
                for (sums, x, y) in [(&mut p, s.q, k), (&mut d, dy, v)] {
                    let at = y.add(step * lanes);
                    let mut keys = [V::splat(0.0); N];
                    for n in 0..N {
                        keys[n] = V::load(at.add(n * V::LANES));
                    }
                    for row in 0..DS_ROWS {
                        let x = V::splat(*x.add(row * s.padded + step));
                        for n in 0..N {
                            sums[row][n] = x.times_plus(keys[n], sums[row][n]);
                        }
                    }
                }
            }
            let masked = least < key + lanes;
            for row in 0..DS_ROWS {
                let to = i * out.apart + row * lanes;
                for n in 0..N {
                    let mut x = exp2(p[row][n]);
                    if masked {
                        let seen = visible[row].saturating_sub(key + n * V::LANES);
                        x = x.first_or(seen, 0.0);
                    }
                    x.store(out.p.add(to + n * V::LANES));
                    x.mul(d[row][n]).store(out.s.add(to + n * V::LANES));
                }
            }
        }
    }
}

/// c (`R` rows of `N` vectors) = or += rows times a panel whose steps are `across` apart.
///
/// # Safety
/// As [`crate::attention::kernel::multiply`] looks after.
#[inline(always)]
unsafe fn tile<V: Vector, const N: usize, const R: usize>(
    (a, form): (*const f32, Rows),
    (panel, across): (*const f32, usize),
    steps: usize,
    (c, apart): (*mut f32, usize),
    add: bool,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut sums = [[V::splat(0.0); N]; R];
        if add {
            for i in 0..R {
                for n in 0..N {
                    sums[i][n] = V::load(c.add(i * apart + n * V::LANES));
                }
            }
        }
        let (mut a, mut panel, mut left) = (a, panel, steps);
        while left > 0 {
            let here = left.min(form.length);
            for step in 0..here {
                let at = panel.add(step * across);
                let mut columns = [V::splat(0.0); N];
                for n in 0..N {
                    columns[n] = V::load(at.add(n * V::LANES));
                }
                for i in 0..R {
                    let x = V::splat(*a.add(i * form.stride + step));
                    for n in 0..N {
                        sums[i][n] = x.times_plus(columns[n], sums[i][n]);
                    }
                }
            }
            a = a.wrapping_add(form.apart);
            panel = panel.wrapping_add(here * across);
            left -= here;
        }
        for i in 0..R {
            for n in 0..N {
                sums[i][n].store(c.add(i * apart + n * V::LANES));
            }
        }
    }
}

/// [`tile`] for any number of rows, `R` (at most 6) at a time.
///
/// # Safety
/// As there.
#[inline(always)]
unsafe fn high<V: Vector, const N: usize, const R: usize>(
    rows: usize,
    (a, form): (*const f32, Rows),
    panel: (*const f32, usize),
    steps: usize,
    (c, apart): (*mut f32, usize),
    add: bool,
) {
    let whole = rows / R * R;
    let place = |row: usize| {
        ((a.wrapping_add(row * form.stride), form), (c.wrapping_add(row * apart), apart))
    };
    // SAFETY: the caller's promise.
    unsafe {
        for row in (0..whole).step_by(R) {
            let (a, c) = place(row);
            tile::<V, N, R>(a, panel, steps, c, add);
        }
        let (a, c) = place(whole);
        match rows - whole {
            1 if R > 1 => tile::<V, N, 1>(a, panel, steps, c, add),
            2 if R > 2 => tile::<V, N, 2>(a, panel, steps, c, add),
            3 if R > 3 => tile::<V, N, 3>(a, panel, steps, c, add),
            4 if R > 4 => tile::<V, N, 4>(a, panel, steps, c, add),
            5 if R > 5 => tile::<V, N, 5>(a, panel, steps, c, add),
            _ => (),
        }
    }
}

/// Columns as one or two arrays of eight: twelve registers of four values.
///
/// # Safety
/// As [`crate::attention::kernel::multiply`] looks after.
#[inline(always)]
pub(super) unsafe fn narrow(
    units: usize,
    rows: usize,
    a: (*const f32, Rows),
    panel: *const f32,
    steps: usize,
    c: (*mut f32, usize),
    add: bool,
) {
    use crate::vector::Plain;
    let panel = (panel, 8 * units);
    // SAFETY: the caller's promise.
    unsafe {
        match units {
            1 => high::<Plain, 1, 6>(rows, a, panel, steps, c, add),
            2 => high::<Plain, 2, 3>(rows, a, panel, steps, c, add),
            _ => unreachable!("one or two units"),
        }
    }
}

/// Columns as one to five vectors of eight, with eight to twelve sums: with more, or with twelve of
/// three vectors, some would not stay in registers.
///
/// # Safety
/// As [`crate::attention::kernel::multiply`] looks after.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(super) unsafe fn eights(
    units: usize,
    rows: usize,
    a: (*const f32, Rows),
    panel: *const f32,
    steps: usize,
    c: (*mut f32, usize),
    add: bool,
) {
    use crate::vector::Eight;
    let panel = (panel, 8 * units);
    // SAFETY: the caller's promise.
    unsafe {
        match units {
            1 => high::<Eight, 1, 6>(rows, a, panel, steps, c, add),
            2 => high::<Eight, 2, 6>(rows, a, panel, steps, c, add),
            3 => high::<Eight, 3, 3>(rows, a, panel, steps, c, add),
            4 => high::<Eight, 4, 2>(rows, a, panel, steps, c, add),
            5 => high::<Eight, 5, 2>(rows, a, panel, steps, c, add),
            _ => unreachable!("one to five units"),
        }
    }
}

/// Columns as vectors of sixteen, and one of eight where an odd unit is left.
///
/// # Safety
/// As [`crate::attention::kernel::multiply`] looks after.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(super) unsafe fn sixteens(
    units: usize,
    rows: usize,
    a: (*const f32, Rows),
    panel: *const f32,
    steps: usize,
    c: (*mut f32, usize),
    add: bool,
) {
    use crate::vector::{Eight, Sixteen};
    let whole = (panel, 8 * units);
    // SAFETY: the caller's promise; the last unit is behind the whole vectors.
    unsafe {
        match units / 2 {
            0 => (),
            1 => high::<Sixteen, 1, 6>(rows, a, whole, steps, c, add),
            2 => high::<Sixteen, 2, 6>(rows, a, whole, steps, c, add),
            _ => unreachable!("one to five units"),
        }
        if !units.is_multiple_of(2) {
            let behind = 8 * (units - 1);
            let panel = (panel.add(behind), 8 * units);
            high::<Eight, 1, 6>(rows, a, panel, steps, (c.0.add(behind), c.1), add);
        }
    }
}
