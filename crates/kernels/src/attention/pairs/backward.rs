//! Backward: some queries of a head at a time, blocks of keys going by; one head is one piece.
//!
//! For each block: P and dS from two products at once; dS as rows times k gives dq; dy and q
//! turned, times P and dS as panels, give dv and dk turned.
use super::forward::write;
use super::pack::{self, Columns};
use super::tile::{self, ROWS, SLOPES, Scores, Slopes};
use crate::attention::heads::Head;
use crate::attention::{Inputs, Outcome, Shape};
use crate::tile::{Bf16, COLUMNS};
use crate::view::PartsMut;
use crate::{Cpu, Isa, View, scratch};
use half::bf16;
use std::f32::consts::LOG2_E;

/// Queries at a time.
const QUERIES: usize = 64;
/// Keys at a time.
const KEYS: usize = 128;

/// Takes the next `count` of a scratch.
fn next<'a, T>(rest: &mut &'a mut [T], count: usize) -> &'a mut [T] {
    let (part, behind) = std::mem::take(rest).split_at_mut(count);
    *rest = behind;
    part
}

pub(in crate::attention) fn run(
    cpu: &Cpu,
    kernel: Bf16,
    x: Inputs<'_>,
    out: Outcome<'_>,
    s: Shape,
    gradients: &[Option<PartsMut<'_>>; 3],
) {
    cpu.pool.run(s.batch * s.heads, |i| {
        one(cpu, kernel, x, out, s, (i / s.heads, i % s.heads), gradients);
    });
}

vectorised! {
    /// sum(dy y) of rows that lie `stride` apart.
    fn products[Y, D](y: &[Y], dy: &[D], stride: usize, width: usize, to: &mut [f32]) {
        for (i, to) in to.iter_mut().enumerate() {
            let (y, dy) = (&y[i * stride..][..width], &dy[i * stride..][..width]);
            let mut parts = [0.0_f32; 8];
            for (y, dy) in y.chunks_exact(8).zip(dy.chunks_exact(8)) {
                for j in 0..8 {
                    parts[j] += y[j].get() * dy[j].get();
                }
            }
            let rest = width / 8 * 8;
            let rest: f32 = (rest..width).map(|j| y[j].get() * dy[j].get()).sum();
            *to = parts.iter().sum::<f32>() + rest;
        }
    }
}

fn deltas(isa: Isa, y: Head<'_>, dy: Head<'_>, first: usize, to: &mut [f32]) {
    let (at, stride, width) = (y.at + first * y.stride, y.stride, y.width);
    match (y.values, dy.values) {
        (View::F32(y), View::F32(d)) => products(isa, &y[at..], &d[at..], stride, width, to),
        (View::F32(y), View::Bf16(d)) => products(isa, &y[at..], &d[at..], stride, width, to),
        (View::Bf16(y), View::F32(d)) => products(isa, &y[at..], &d[at..], stride, width, to),
        (View::Bf16(y), View::Bf16(d)) => products(isa, &y[at..], &d[at..], stride, width, to),
    }
}

fn one(
    cpu: &Cpu,
    _: Bf16,
    x: Inputs<'_>,
    out: Outcome<'_>,
    s: Shape,
    (sample, head): (usize, usize),
    gradients: &[Option<PartsMut<'_>>; 3],
) {
    let (isa, width, stride) = (cpu.isa, s.width, s.stride());
    let padded = width.next_multiple_of(2);
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
    let columns = Columns::new(width);
    let wide = columns.padded();
    let high = width.next_multiple_of(ROWS);
    let keys = s.keys.next_multiple_of(COLUMNS);
    let halves = 2 * keys * padded
        + keys * wide
        + 2 * QUERIES * padded
        + 2 * QUERIES * high
        + 3 * QUERIES * KEYS;
    let sums = 2 * keys * high + QUERIES * wide;
    scratch::with(halves, |mut all: &mut [bf16]| {
        scratch::with(sums, |mut own: &mut [f32]| {
            let k_words = next(&mut all, keys * padded);
            let v_words = next(&mut all, keys * padded);
            let k_columns = next(&mut all, keys * wide);
            let [p, slopes, rows] = [(); 3].map(|()| next(&mut all, QUERIES * KEYS));
            let [q_turned, dy_turned] = [(); 2].map(|()| next(&mut all, QUERIES * high));
            let [asking, given] = [(); 2].map(|()| next(&mut all, QUERIES * padded));
            let [sum_k, sum_v] = [(); 2].map(|()| next(&mut own, keys * high));
            let sum_q = next(&mut own, QUERIES * wide);
            pack::words(isa, k, s.keys, padded, s.scale() * LOG2_E, k_words);
            pack::words(isa, v, s.keys, padded, 1.0, v_words);
            pack::columns(isa, k, s.keys, keys, columns, k_columns);
            sum_k.fill(0.0);
            sum_v.fill(0.0);
            q_turned.fill(bf16::ZERO);
            dy_turned.fill(bf16::ZERO);
            for first in (0..s.queries).step_by(QUERIES) {
                let count = QUERIES.min(s.queries - first);
                pack::rows(isa, q, (first, count), padded, 1.0, asking);
                pack::rows(isa, dy, (first, count), padded, 1.0, given);
                pack::turned(isa, asking, padded, width, q_turned);
                pack::turned(isa, given, padded, width, dy_turned);
                let mut logs = [0.0; QUERIES];
                let mut delta = [0.0; QUERIES];
                for (log, lse) in logs.iter_mut().zip(&lse[first..first + count]) {
                    *log = lse * LOG2_E;
                }
                deltas(isa, y, dy, first, &mut delta[..count]);
                let visible: [usize; QUERIES] = std::array::from_fn(|i| match i < count {
                    true => s.seen(first + i + 1),
                    false => 0,
                });
                for key in (0..s.seen(first + count)).step_by(KEYS) {
                    let here = KEYS.min(s.keys - key);
                    let panels = here.div_ceil(COLUMNS);
                    let part = key * padded..(key + panels * COLUMNS) * padded;
                    for row in (0..count.next_multiple_of(ROWS)).step_by(SLOPES) {
                        let of = row * padded..(row + SLOPES) * padded;
                        let scores = Scores {
                            q: asking[of.clone()].as_ptr(),
                            padded,
                            k: k_words[part.clone()].as_ptr(),
                            first: key,
                            panels,
                            visible: &visible[row..row + SLOPES],
                        };
                        let to = Slopes {
                            p: p[row * COLUMNS..].as_mut_ptr(),
                            s: slopes[row * COLUMNS..].as_mut_ptr(),
                            apart: QUERIES * COLUMNS,
                            rows: rows[row * KEYS..].as_mut_ptr(),
                            stride: KEYS,
                        };
                        let (given, v) = (given[of].as_ptr(), v_words[part.clone()].as_ptr());
                        // SAFETY: a Bf16 exists only where the processor has AVX-512; the slices
                        // hold 4 rows and `panels` panels; p, slopes and rows hold 64 x 128.
                        unsafe {
                            tile::slopes(scores, given, v, &logs[row..], &delta[row..], to);
                        }
                    }
                    if dq.is_some() {
                        for row in (0..count).step_by(ROWS) {
                            for run in columns.runs() {
                                let at = 16 * run.first * keys + key * 16 * run.vectors;
                                let steps = here.div_ceil(2);
                                let panel = &k_columns[at..][..steps * 32 * run.vectors];
                                let c = &mut sum_q[row * wide + 16 * run.first..];
                                assert!(c.len() >= (ROWS - 1) * wide + 16 * run.vectors, "8 rows");
                                let a = rows[row * KEYS..(row + ROWS) * KEYS].as_ptr();
                                // SAFETY: as above; the panel and c were just measured.
                                unsafe {
                                    tile::product(
                                        (run.vectors, run.half),
                                        a,
                                        KEYS,
                                        panel.as_ptr(),
                                        steps,
                                        c.as_mut_ptr(),
                                        wide,
                                        key > 0,
                                    );
                                }
                            }
                        }
                    }
                    let steps = count.div_ceil(2);
                    for (wanted, turned, from, sum) in [
                        (dv.is_some(), &*dy_turned, &*p, &mut *sum_v),
                        (dk.is_some(), &*q_turned, &*slopes, &mut *sum_k),
                    ] {
                        if !wanted {
                            continue;
                        }
                        for panel in 0..panels {
                            let from = &from[panel * QUERIES * COLUMNS..][..QUERIES * COLUMNS];
                            let at = (key + panel * COLUMNS) * high;
                            let sum = &mut sum[at..][..high * COLUMNS];
                            let rows = turned.chunks_exact(ROWS * QUERIES);
                            for (a, c) in rows.zip(sum.chunks_exact_mut(ROWS * COLUMNS)) {
                                // SAFETY: as above; 8 rows of 64, a panel of 32 steps, 8 x 32.
                                unsafe {
                                    tile::product(
                                        (2, false),
                                        a.as_ptr(),
                                        QUERIES,
                                        from.as_ptr(),
                                        steps,
                                        c.as_mut_ptr(),
                                        COLUMNS,
                                        true,
                                    );
                                }
                            }
                        }
                    }
                }
                if let Some(dq) = dq {
                    for row in 0..count {
                        let at = q.at + (first + row) * stride;
                        // SAFETY: this piece alone has this head.
                        unsafe { write(cpu, dq, at, &sum_q[row * wide..][..width], s.scale()) };
                    }
                }
            }
            let mut line = vec![0.0; width];
            for (sum, out, factor) in [(sum_k, dk, s.scale()), (sum_v, dv, 1.0)] {
                let Some(out) = out else { continue };
                for key in 0..s.keys {
                    let panel = &sum[key / COLUMNS * COLUMNS * high..];
                    for (i, to) in line.iter_mut().enumerate() {
                        *to = panel[i * COLUMNS + key % COLUMNS];
                    }
                    // SAFETY: this piece alone has this head.
                    unsafe { write(cpu, out, k.at + key * stride, &line, factor) };
                }
            }
        });
    });
}
