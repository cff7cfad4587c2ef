//! Forward: 32 queries at a time, keys going by.
use super::fold::{Attend, HIDDEN, Lanes, Mask};
use super::heads::{Head, panel_of_rows, turned, write};
use super::{Inputs, KEYS, Shape};
use crate::pool::Parts;
use crate::product::RowValue;
use crate::tile::{COLUMNS, Segment, multiply};
use crate::view::PartsMut;
use crate::{Cpu, scratch};

const START: [Segment; 1] = [Segment { offset: 0, panel: 0 }];

pub(super) fn run<K: Attend>(
    cpu: &Cpu,
    kernel: K,
    x: Inputs<'_>,
    s: Shape,
    y: &PartsMut<'_>,
    lse: &Parts<'_, f32>,
) {
    // Few heads are shared out by queries, so that there is work for several threads.
    let panels = s.queries.div_ceil(COLUMNS);
    let groups = 8_usize.div_ceil(s.batch * s.heads).min(panels.div_ceil(4));
    cpu.pool.run(s.batch * s.heads * groups, |i| {
        let (sample, head, group) = (i / groups / s.heads, i / groups % s.heads, i % groups);
        let panels = group * panels / groups..(group + 1) * panels / groups;
        one(cpu, kernel, x, s, (sample, head), panels, y, lse);
    });
}

/// Some panels of queries of one head.
fn one<K: Attend>(
    cpu: &Cpu,
    kernel: K,
    x: Inputs<'_>,
    s: Shape,
    (sample, head): (usize, usize),
    panels: std::ops::Range<usize>,
    y: &PartsMut<'_>,
    lse: &Parts<'_, f32>,
) {
    let (isa, width, stride) = (cpu.isa, s.width, s.stride());
    let padded = K::Value::padded(width);
    let keys = s.keys.next_multiple_of(K::PAIR);
    let of = |values, tokens| Head {
        values,
        at: sample * tokens * stride + head * width,
        stride,
        width,
    };
    let (q, k, v) = (of(x.q, s.queries), of(x.k, s.keys), of(x.v, s.keys));
    scratch::with(
        (s.keys + COLUMNS) * padded + width * keys + KEYS * COLUMNS,
        |all: &mut [K::Value]| {
            let (k_rows, rest) = all.split_at_mut(s.keys * padded);
            let (v_turned, rest) = rest.split_at_mut(width * keys);
            let (asking, panel) = rest.split_at_mut(COLUMNS * padded);
            k.rows(isa, 0, padded, k_rows);
            scratch::with(s.keys * padded, |v_rows: &mut [K::Value]| {
                v.rows(isa, 0, padded, v_rows);
                turned(v_rows, padded, width, v_turned);
            });
            let k_starts: Vec<usize> = (0..s.keys).map(|i| i * padded).collect();
            let v_starts: Vec<usize> = (0..width).map(|i| i * keys).collect();
            scratch::with(COLUMNS * (padded + KEYS + width), |own: &mut [f32]| {
                let (q_rows, own) = own.split_at_mut(COLUMNS * padded);
                let (scores, sums) = own.split_at_mut(COLUMNS * KEYS);
                for p in panels {
                    let first = p * COLUMNS;
                    let count = COLUMNS.min(s.queries - first);
                    let q_rows = &mut q_rows[..count * padded];
                    q.rows(isa, first, padded, q_rows);
                    panel_of_rows(q_rows, padded, K::PAIR, s.scale(), asking);
                    let (mut most, mut sum) = (Lanes([HIDDEN; COLUMNS]), Lanes([0.0; COLUMNS]));
                    sums.fill(0.0);
                    let seen = s.seen(first + count);
                    for block in (0..seen).step_by(KEYS) {
                        let rows = KEYS.min(seen - block);
                        let scores = &mut scores[..rows * COLUMNS];
                        let starts = &k_starts[block..block + rows];
                        let steps = padded / K::PAIR;
                        multiply(kernel, k_rows, starts, asking, &START, steps, scores, false);
                        let mask =
                            Mask { first: s.causal.then_some(first as isize - block as isize) };
                        let factor = kernel.fold(isa, scores, mask, &mut most, &mut sum, panel);
                        if block > 0 && factor.0 != [1.0; COLUMNS] {
                            for row in sums.chunks_exact_mut(COLUMNS) {
                                row.iter_mut().zip(&factor.0).for_each(|(s, f)| *s *= f);
                            }
                        }
                        let at = [Segment { offset: block, panel: 0 }];
                        let steps = rows.div_ceil(K::PAIR);
                        multiply(kernel, v_turned, &v_starts, panel, &at, steps, sums, true);
                    }
                    let at = (q.at + first * stride, stride, width);
                    let over = sum.0.map(|s| 1.0 / s);
                    // SAFETY: this piece alone has these queries of this head.
                    unsafe { write(y, at, count, |row, i| sums[i * COLUMNS + row] * over[row]) };
                    // SAFETY: as above.
                    let lse =
                        unsafe { lse.part((sample * s.heads + head) * s.queries + first, count) };
                    for (i, lse) in lse.iter_mut().enumerate() {
                        *lse = most.0[i] + sum.0[i].ln();
                    }
                }
            });
        },
    );
}
