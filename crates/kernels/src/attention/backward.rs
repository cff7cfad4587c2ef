//! Backward: some queries of a head at a time, blocks of keys going by.
//!
//! A piece is a head, or a quarter of its keys where there are many: then what it works on stays in
//! the second cache, and there is work for many threads. The parts of dq are added up in one
//! order; how many there are depends on the number of keys alone.
//!
//! For each block: P and dS from two products at once; dS as rows times k gives dq; dy and q
//! turned, times P and dS as panels, give dv and dk turned.
use super::heads::{Columns, Head, HeadIndex, HeadRange, deltas, next, shared};
use super::kernel::{Attend, DsTiles, QUERIES, Rows, Scores, multiply};
use super::{AttentionSizes, Inputs, Outcome};
use crate::buffer::Lines;
use crate::pool::Parts;
use crate::view::PartsMut;
use crate::{Cpu, Element, scratch};
use std::f32::consts::LOG2_E;
use std::ops::Range;

pub(super) fn run<K: Attend>(
    cpu: &Cpu,
    kernel: K,
    x: Inputs<'_>,
    out: Outcome<'_>,
    s: AttentionSizes,
    gradients: &[Option<PartsMut<'_>>; 3],
) {
    let parts = if s.keys >= MANY { PARTS } else { 1 };
    let wide = Columns::new(kernel, s.width).padded();
    let wanted = parts > 1 && gradients[0].is_some();
    let each = if wanted { s.queries * wide } else { 0 };
    let mut sums = Lines::of::<f32>(s.batch * s.heads * parts * each);
    let sums: &mut [f32] = bytemuck::cast_slice_mut(&mut sums);
    let part_sums = Parts::new(sums);
    let panels = s.keys.div_ceil(K::LANES);
    shared(&cpu.pool, &s, parts, |head, part| {
        let [from, to] = [part, part + 1].map(|i| (i * panels / parts * K::LANES).min(s.keys));
        let at = ((head.sample * s.heads + head.head) * parts + part) * each;
        // SAFETY: each part of each head has its own sums.
        let sums = wanted.then(|| unsafe { part_sums.part(at, each) });
        head_keys(cpu, kernel, Task { x, out, s, head, keys: from..to, sums }, gradients);
    });
    let Some(dq) = &gradients[0] else { return };
    if !wanted {
        return;
    }
    shared(&cpu.pool, &s, PARTS, |head, group| {
        let [from, to] = [group, group + 1].map(|i| i * s.queries / PARTS);
        if from == to {
            return;
        }
        let at = (head.sample * s.heads + head.head) * parts * each;
        // SAFETY: nobody else has these queries of this head; all parts were written before.
        let sums_of = |part: usize| unsafe {
            part_sums.part(at + part * each + from * wide, (to - from) * wide)
        };
        let total = sums_of(0);
        for part in 1..parts {
            total.iter_mut().zip(sums_of(part)).for_each(|(total, part)| *total += *part);
        }
        let factors = vec![s.scale(); to - from];
        let q = Head::of(x.q, &s, s.queries, head);
        // SAFETY: as above.
        unsafe { kernel.write(cpu.isa, (total, wide), &factors, dq, q, from) };
    });
}

/// Keys from which on a head is divided, and into how many parts.
const MANY: usize = 1024;
const PARTS: usize = 4;

/// A piece of work: some keys of a head.
struct Task<'a> {
    x: Inputs<'a>,
    out: Outcome<'a>,
    s: AttentionSizes,
    head: HeadIndex,
    keys: Range<usize>,
    /// Where the sums for dq go, if the keys are not all.
    sums: Option<&'a mut [f32]>,
}

fn head_keys<K: Attend>(
    cpu: &Cpu,
    kernel: K,
    task: Task<'_>,
    gradients: &[Option<PartsMut<'_>>; 3],
) {
    let Task { x, out, s, head, keys: range, mut sums } = task;
    let count_keys = range.len();
    let (isa, width) = (cpu.isa, s.width);
    let most = K::queries(s.queries);
    let padded = K::padded(width);
    let q = Head::of(x.q, &s, s.queries, head);
    let [k, v] = [x.k, x.v].map(|x| Head::of(x, &s, s.keys, head).skip_rows(range.start));
    let [y, dy] = [out.y, out.dy].map(|values| Head::of(values, &s, s.queries, head));
    let [dq, dk, dv] = gradients;
    let lse = &out.lse[(head.sample * s.heads + head.head) * s.queries..][..s.queries];
    let columns = Columns::new(kernel, width);
    let wide = columns.padded();
    let high = width.next_multiple_of(K::HIGH);
    let keys = count_keys.next_multiple_of(K::LANES);
    let block = most * K::KEYS;
    // dS as rows, where the panels are none.
    let apart = if K::PAIR == 1 { 0 } else { block };
    let values =
        2 * keys * padded + keys * wide + 2 * most * padded + 2 * most * high + 2 * block + apart;
    let sum_values = 2 * keys * high + most * wide;
    scratch::with(values, |mut memory: &mut [K::Value]| {
        scratch::with(sum_values, |mut sum_memory: &mut [f32]| {
            let [k_words, v_words] = [(); 2].map(|()| next(&mut memory, keys * padded));
            let k_columns = next(&mut memory, keys * wide);
            let [p, ds] = [(); 2].map(|()| next(&mut memory, block));
            let ds_rows = next(&mut memory, apart);
            let [q_turned, dy_turned] = [(); 2].map(|()| next(&mut memory, most * high));
            let [query_rows, dy_rows] = [(); 2].map(|()| next(&mut memory, most * padded));
            let [sum_k, sum_v] = [(); 2].map(|()| next(&mut sum_memory, keys * high));
            let sum_q = next(&mut sum_memory, most * wide);
            kernel.lay_words(isa, k, count_keys, padded, s.scale() * LOG2_E, k_words);
            kernel.lay_words(isa, v, count_keys, padded, 1.0, v_words);
            kernel.lay_columns(isa, k, count_keys, keys, columns, k_columns);
            sum_k.fill(0.0);
            sum_v.fill(0.0);
            q_turned.fill(K::Value::put(0.0));
            dy_turned.fill(K::Value::put(0.0));
            for first in (0..s.queries).step_by(most) {
                let count = most.min(s.queries - first);
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
                let seen = s.seen(first + count).min(range.end).saturating_sub(range.start);
                if seen == 0 {
                    sum_q.fill(0.0);
                }
                for key in (0..seen).step_by(K::KEYS) {
                    let here = K::KEYS.min(count_keys - key);
                    let panels = here.div_ceil(K::LANES);
                    let part = key * padded..(key + panels * K::LANES) * padded;
                    for row in (0..count.next_multiple_of(K::HIGH)).step_by(K::DS_ROWS) {
                        let tile_rows = row * padded..(row + K::DS_ROWS) * padded;
                        let scores = Scores {
                            q: query_rows[tile_rows.clone()].as_ptr(),
                            padded,
                            k: k_words[part.clone()].as_ptr(),
                            first: range.start + key,
                            panels,
                            visible: &visible[row..row + K::DS_ROWS],
                        };
                        let to = DsTiles {
                            p: p[row * K::LANES..].as_mut_ptr(),
                            s: ds[row * K::LANES..].as_mut_ptr(),
                            apart: most * K::LANES,
                            rows: ds_rows[(row * K::KEYS).min(apart)..].as_mut_ptr(),
                            stride: K::KEYS,
                        };
                        let (dy_rows, v) =
                            (dy_rows[tile_rows].as_ptr(), v_words[part.clone()].as_ptr());
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
                        for run in columns.runs() {
                            let across = K::UNIT * run.units;
                            let panel = &k_columns[K::UNIT * run.first * keys + key * across..];
                            let steps = here.div_ceil(K::PAIR);
                            let a = (ds, K::rows(most));
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
                        let form = Rows { stride: most, length: most, apart: 0 };
                        let run = HeadRange { first: 0, units: K::LANES / K::UNIT, half: false };
                        for panel in 0..panels {
                            let from = &from[panel * most * K::LANES..];
                            let at = (key + panel * K::LANES) * high;
                            let c = (&mut sum[at..][..high * K::LANES], K::LANES);
                            multiply(kernel, run, width, (turned, form), from, steps, c, true);
                        }
                    }
                }
                if let Some(sums) = &mut sums {
                    let block_sums = first * wide..(first + count) * wide;
                    sums[block_sums].copy_from_slice(&sum_q[..count * wide]);
                } else if let Some(dq) = dq {
                    let factors = [s.scale(); QUERIES];
                    // SAFETY: this piece alone has this head.
                    unsafe { kernel.write(isa, (sum_q, wide), &factors[..count], dq, q, first) };
                }
            }
            for (sum, out, factor) in [(sum_k, dk, s.scale()), (sum_v, dv, 1.0)] {
                if let Some(out) = out {
                    // SAFETY: this piece alone has this head.
                    unsafe { kernel.write_turned(isa, (sum, high), factor, out, k, count_keys) };
                }
            }
        });
    });
}
