//! Backward: some queries of a head at a time, blocks of keys going by; one head is one piece.
//!
//! For each block: P and dS from two products at once; dS as rows times k gives dq; dy and q
//! turned, times P and dS as panels, give dv and dk turned.
use super::heads::{Columns, Head, HeadIndex, Run, deltas, next, shared};
use super::kernel::{Attend, DsTiles, QUERIES, Rows, Scores, multiply};
use super::{AttentionSizes, Inputs, Outcome};
use crate::view::PartsMut;
use crate::{Cpu, Element, scratch};
use std::f32::consts::LOG2_E;

pub(super) fn run<K: Attend>(
    cpu: &Cpu,
    kernel: K,
    x: Inputs<'_>,
    out: Outcome<'_>,
    s: AttentionSizes,
    gradients: &[Option<PartsMut<'_>>; 3],
) {
    shared(&cpu.pool, &s, 1, |head, _| one(cpu, kernel, x, out, s, head, gradients));
}

fn one<K: Attend>(
    cpu: &Cpu,
    kernel: K,
    x: Inputs<'_>,
    out: Outcome<'_>,
    s: AttentionSizes,
    head: HeadIndex,
    gradients: &[Option<PartsMut<'_>>; 3],
) {
    let (isa, width) = (cpu.isa, s.width);
    let padded = K::padded(width);
    let q = Head::of(x.q, &s, s.queries, head);
    let (k, v) = (Head::of(x.k, &s, s.keys, head), Head::of(x.v, &s, s.keys, head));
    let [y, dy] = [out.y, out.dy].map(|values| Head::of(values, &s, s.queries, head));
    let [dq, dk, dv] = gradients;
    let lse = &out.lse[(head.sample * s.heads + head.head) * s.queries..][..s.queries];
    let of = Columns::new(kernel, width);
    let wide = of.padded();
    let high = width.next_multiple_of(K::HIGH);
    let keys = s.keys.next_multiple_of(K::LANES);
    let block = K::QUERIES * K::KEYS;
    // dS as rows, where the panels are none.
    let apart = if K::PAIR == 1 { 0 } else { block };
    let values = 2 * keys * padded
        + keys * wide
        + 2 * K::QUERIES * padded
        + 2 * K::QUERIES * high
        + 2 * block
        + apart;
    let sums = 2 * keys * high + K::QUERIES * wide;
    scratch::with(values, |mut all: &mut [K::Value]| {
        scratch::with(sums, |mut own: &mut [f32]| {
            let [k_words, v_words] = [(); 2].map(|()| next(&mut all, keys * padded));
            let k_columns = next(&mut all, keys * wide);
            let [p, ds] = [(); 2].map(|()| next(&mut all, block));
            let ds_rows = next(&mut all, apart);
            let [q_turned, dy_turned] = [(); 2].map(|()| next(&mut all, K::QUERIES * high));
            let [query_rows, dy_rows] = [(); 2].map(|()| next(&mut all, K::QUERIES * padded));
            let [sum_k, sum_v] = [(); 2].map(|()| next(&mut own, keys * high));
            let sum_q = next(&mut own, K::QUERIES * wide);
            kernel.lay_words(isa, k, s.keys, padded, s.scale() * LOG2_E, k_words);
            kernel.lay_words(isa, v, s.keys, padded, 1.0, v_words);
            kernel.lay_columns(isa, k, s.keys, keys, of, k_columns);
            sum_k.fill(0.0);
            sum_v.fill(0.0);
            q_turned.fill(K::Value::put(0.0));
            dy_turned.fill(K::Value::put(0.0));
            for first in (0..s.queries).step_by(K::QUERIES) {
                let count = K::QUERIES.min(s.queries - first);
                kernel.lay_rows(isa, q, (first, count), padded, 1.0, query_rows);
                kernel.lay_rows(isa, dy, (first, count), padded, 1.0, dy_rows);
                kernel.turn(isa, (query_rows, count), padded, width, q_turned);
                kernel.turn(isa, (dy_rows, count), padded, width, dy_turned);
                let (mut logs, mut delta) = ([0.0; QUERIES], [0.0; QUERIES]);
                for (log, lse) in logs.iter_mut().zip(&lse[first..first + count]) {
                    *log = lse * LOG2_E;
                }
                deltas(isa, y, dy, first, &mut delta[..count]);
                let visible = s.visible::<QUERIES>(first, count);
                for key in (0..s.seen(first + count)).step_by(K::KEYS) {
                    let here = K::KEYS.min(s.keys - key);
                    let panels = here.div_ceil(K::LANES);
                    let part = key * padded..(key + panels * K::LANES) * padded;
                    for row in (0..count.next_multiple_of(K::HIGH)).step_by(K::DS_ROWS) {
                        let of = row * padded..(row + K::DS_ROWS) * padded;
                        let scores = Scores {
                            q: query_rows[of.clone()].as_ptr(),
                            padded,
                            k: k_words[part.clone()].as_ptr(),
                            first: key,
                            panels,
                            visible: &visible[row..row + K::DS_ROWS],
                        };
                        let to = DsTiles {
                            p: p[row * K::LANES..].as_mut_ptr(),
                            s: ds[row * K::LANES..].as_mut_ptr(),
                            apart: K::QUERIES * K::LANES,
                            rows: ds_rows[(row * K::KEYS).min(apart)..].as_mut_ptr(),
                            stride: K::KEYS,
                        };
                        let (dy_rows, v) = (dy_rows[of].as_ptr(), v_words[part.clone()].as_ptr());
                        // SAFETY: the slices hold the tile's rows and `panels` panels; p, ds
                        // and, where they are used, ds_rows hold a block.
                        unsafe {
                            kernel.probabilities_and_ds(
                                scores,
                                dy_rows,
                                v,
                                &logs[row..],
                                &delta[row..],
                                to,
                            );
                        }
                    }
                    if dq.is_some() {
                        let ds = if apart == 0 { &*ds } else { &*ds_rows };
                        for run in of.runs() {
                            let across = K::UNIT * run.units;
                            let panel = &k_columns[K::UNIT * run.first * keys + key * across..];
                            let steps = here.div_ceil(K::PAIR);
                            let a = (ds, K::rows(K::QUERIES));
                            let c = (&mut sum_q[K::UNIT * run.first..], wide);
                            multiply(kernel, run, count, a, panel, steps, c, key > 0);
                        }
                    }
                    let steps = count.div_ceil(K::PAIR);
                    for (wanted, turned, from, sum) in [
                        (dv.is_some(), &*dy_turned, &*p, &mut *sum_v),
                        (dk.is_some(), &*q_turned, &*ds, &mut *sum_k),
                    ] {
                        if !wanted {
                            continue;
                        }
                        let form = Rows { stride: K::QUERIES, length: K::QUERIES, apart: 0 };
                        let run = Run { first: 0, units: K::LANES / K::UNIT, half: false };
                        for panel in 0..panels {
                            let from = &from[panel * K::QUERIES * K::LANES..];
                            let at = (key + panel * K::LANES) * high;
                            let c = (&mut sum[at..][..high * K::LANES], K::LANES);
                            multiply(kernel, run, width, (turned, form), from, steps, c, true);
                        }
                    }
                }
                if let Some(dq) = dq {
                    let factors = [s.scale(); QUERIES];
                    // SAFETY: this piece alone has this head.
                    unsafe { kernel.write(isa, (sum_q, wide), &factors[..count], dq, q, first) };
                }
            }
            for (sum, out, factor) in [(sum_k, dk, s.scale()), (sum_v, dv, 1.0)] {
                if let Some(out) = out {
                    // SAFETY: this piece alone has this head.
                    unsafe { kernel.write_turned(isa, (sum, high), factor, out, k, s.keys) };
                }
            }
        });
    });
}
