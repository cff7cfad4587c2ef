//! Backward: 64 queries at a time, keys going by; one head is one piece of work.
//!
//! For each block of keys: scores and dy v^T again, then P and dS; dS as a panel gives dq, P and
//! dS as rows over the 64 queries give dv and dk.
use super::fold::{Attend, Lanes, Mask};
use super::heads::{Head, panel_of_rows, panels_of_columns, turned, write};
use super::{Inputs, KEYS, Outcome, Shape};
use crate::product::RowValue;
use crate::tile::{COLUMNS, Segment, multiply, multiply_columns};
use crate::view::PartsMut;
use crate::{Cpu, scratch};

const START: [Segment; 1] = [Segment { offset: 0, panel: 0 }];

/// Queries at a time: two panels.
const QUERIES: usize = 2 * COLUMNS;

/// Takes the next `count` of a scratch.
fn next<'a, T>(rest: &mut &'a mut [T], count: usize) -> &'a mut [T] {
    let (part, behind) = std::mem::take(rest).split_at_mut(count);
    *rest = behind;
    part
}

pub(super) fn run<K: Attend>(
    cpu: &Cpu,
    kernel: K,
    x: Inputs<'_>,
    out: Outcome<'_>,
    s: Shape,
    gradients: &[Option<PartsMut<'_>>; 3],
) {
    cpu.pool.run(s.batch * s.heads, |i| {
        one(cpu, kernel, x, out, s, (i / s.heads, i % s.heads), gradients);
    });
}

fn one<K: Attend>(
    cpu: &Cpu,
    kernel: K,
    x: Inputs<'_>,
    out: Outcome<'_>,
    s: Shape,
    (sample, head): (usize, usize),
    gradients: &[Option<PartsMut<'_>>; 3],
) {
    let (isa, width, stride) = (cpu.isa, s.width, s.stride());
    let padded = K::Value::padded(width);
    let keys = s.keys.next_multiple_of(K::PAIR);
    let panels = width.div_ceil(COLUMNS);
    let of = |values, tokens| Head {
        values,
        at: sample * tokens * stride + head * width,
        stride,
        width,
    };
    let (q, k, v) = (of(x.q, s.queries), of(x.k, s.keys), of(x.v, s.keys));
    let (y, dy) = (of(out.y, s.queries), of(out.dy, s.queries));
    let [dq, dk, dv] = gradients;
    let lse = &out.lse[(sample * s.heads + head) * s.queries..][..s.queries];
    let columns = panels * COLUMNS;
    let values = 2 * s.keys * padded
        + width * keys
        + 2 * QUERIES * padded
        + 2 * QUERIES * columns
        + 2 * KEYS * QUERIES
        + KEYS * COLUMNS;
    let sums = 2 * s.keys * columns + 3 * QUERIES * padded + 2 * KEYS * COLUMNS + width * QUERIES;
    scratch::with(values, |mut all: &mut [K::Value]| {
        scratch::with(sums, |mut own: &mut [f32]| {
            let k_rows = next(&mut all, s.keys * padded);
            let v_rows = next(&mut all, s.keys * padded);
            let k_turned = next(&mut all, width * keys);
            let [q_panel, dy_panel] = [(); 2].map(|()| next(&mut all, QUERIES * padded));
            let [q_columns, dy_columns] = [(); 2].map(|()| next(&mut all, QUERIES * columns));
            let [p_rows, s_rows] = [(); 2].map(|()| next(&mut all, KEYS * QUERIES));
            let panel = next(&mut all, KEYS * COLUMNS);
            let [sum_k, sum_v] = [(); 2].map(|()| next(&mut own, s.keys * columns));
            let [q_wide, dy_wide, y_wide] = [(); 3].map(|()| next(&mut own, QUERIES * padded));
            let [scores, dp] = [(); 2].map(|()| next(&mut own, KEYS * COLUMNS));
            let sum_q = next(&mut own, width * QUERIES);
            k.rows(isa, 0, padded, k_rows);
            v.rows(isa, 0, padded, v_rows);
            turned(k_rows, padded, width, k_turned);
            sum_k.fill(0.0);
            sum_v.fill(0.0);
            let k_starts: Vec<usize> = (0..s.keys).map(|i| i * padded).collect();
            let turned_starts: Vec<usize> = (0..width).map(|i| i * keys).collect();
            let row_starts: Vec<usize> = (0..KEYS).map(|i| i * QUERIES).collect();
            let steps = padded / K::PAIR;
            for first in (0..s.queries).step_by(QUERIES) {
                let count = QUERIES.min(s.queries - first);
                let q_wide = &mut q_wide[..count * padded];
                let dy_wide = &mut dy_wide[..count * padded];
                let y_wide = &mut y_wide[..count * padded];
                q.rows(isa, first, padded, q_wide);
                dy.rows(isa, first, padded, dy_wide);
                y.rows(isa, first, padded, y_wide);
                let mut state = [(Lanes([0.0; COLUMNS]), Lanes([0.0; COLUMNS])); 2];
                for (i, (logs, deltas)) in state.iter_mut().enumerate() {
                    let here = i * COLUMNS..count.min((i + 1) * COLUMNS);
                    // Lanes without a query see nothing.
                    logs.0.fill(1e30);
                    let part = here.start.min(count) * padded..here.end * padded;
                    let part = part.start.min(part.end)..part.end;
                    for (lane, query) in here.enumerate() {
                        logs.0[lane] = lse[first + query];
                        let row = query * padded..query * padded + width;
                        let pairs = dy_wide[row.clone()].iter().zip(&y_wide[row]);
                        deltas.0[lane] = pairs.map(|(a, b)| a * b).sum();
                    }
                    let to = i * COLUMNS * padded..(i + 1) * COLUMNS * padded;
                    let q_part = &mut q_panel[to.clone()];
                    panel_of_rows(&q_wide[part.clone()], padded, K::PAIR, s.scale(), q_part);
                    panel_of_rows(&dy_wide[part], padded, K::PAIR, 1.0, &mut dy_panel[to]);
                }
                let across = QUERIES / K::PAIR;
                panels_of_columns(q_wide, padded, width, K::PAIR, across, q_columns);
                panels_of_columns(dy_wide, padded, width, K::PAIR, across, dy_columns);
                sum_q.fill(0.0);
                let seen = s.seen(first + count);
                for block in (0..seen).step_by(KEYS) {
                    let rows = KEYS.min(seen - block);
                    let scores = &mut scores[..rows * COLUMNS];
                    let dp = &mut dp[..rows * COLUMNS];
                    let starts = &k_starts[block..block + rows];
                    for (i, (logs, deltas)) in state.iter().enumerate() {
                        let part = i * COLUMNS * padded..(i + 1) * COLUMNS * padded;
                        let (qp, dyp) = (&q_panel[part.clone()], &dy_panel[part]);
                        multiply(kernel, k_rows, starts, qp, &START, steps, scores, false);
                        multiply(kernel, v_rows, starts, dyp, &START, steps, dp, false);
                        let ahead = (first + i * COLUMNS) as isize - block as isize;
                        let mask = Mask { first: s.causal.then_some(ahead) };
                        let to = (&mut *p_rows, &mut *s_rows);
                        let place = (QUERIES, i * COLUMNS);
                        kernel.slopes(isa, scores, dp, mask, logs, deltas, to, place, panel);
                        if dq.is_some() {
                            let at = [Segment { offset: block, panel: 0 }];
                            let steps = rows.div_ceil(K::PAIR);
                            let sum = &mut sum_q[i * width * COLUMNS..(i + 1) * width * COLUMNS];
                            let starts = &turned_starts;
                            multiply(kernel, k_turned, starts, panel, &at, steps, sum, true);
                        }
                    }
                    let starts = &row_starts[..rows];
                    for p in 0..panels {
                        let left = width - p * COLUMNS;
                        let from = p * QUERIES * COLUMNS..(p + 1) * QUERIES * COLUMNS;
                        let to = (p * s.keys + block) * COLUMNS;
                        let to = to..to + rows * COLUMNS;
                        if dv.is_some() {
                            let (b, c) = (&dy_columns[from.clone()], &mut sum_v[to.clone()]);
                            multiply_columns(
                                kernel, p_rows, starts, b, left, &START, across, c, true,
                            );
                        }
                        if dk.is_some() {
                            let (b, c) = (&q_columns[from], &mut sum_k[to]);
                            multiply_columns(
                                kernel, s_rows, starts, b, left, &START, across, c, true,
                            );
                        }
                    }
                }
                if let Some(dq) = dq {
                    let at = (q.at + first * stride, stride, width);
                    let value = |row: usize, i: usize| {
                        let panel = &sum_q[row / COLUMNS * width * COLUMNS..];
                        panel[i * COLUMNS + row % COLUMNS] * s.scale()
                    };
                    // SAFETY: this piece alone has this head.
                    unsafe { write(dq, at, count, value) };
                }
            }
            for (sum, out, factor) in [(sum_k, dk, s.scale()), (sum_v, dv, 1.0)] {
                let Some(out) = out else { continue };
                let value = |row: usize, i: usize| {
                    sum[(i / COLUMNS * s.keys + row) * COLUMNS + i % COLUMNS] * factor
                };
                // SAFETY: this piece alone has this head.
                unsafe { write(out, (k.at, stride, width), s.keys, value) };
            }
        });
    });
}
