//! Forward: some queries of a head at a time, blocks of keys going by.
//!
//! A query's largest score is taken from the first keys only. What follows may be larger: f32 and
//! bf16 have the same range, so nothing is lost before a sum comes near that range's end, and then
//! (hardly ever) the largest is taken anew and what was summed is scaled.
use super::heads::{Columns, Head, HeadIndex, next, shared};
use super::kernel::{Attend, HIDDEN, PARTS, QUERIES, Scores, multiply};
use super::{AttentionSizes, Inputs};
use crate::math::log2;
use crate::pool::Parts;
use crate::schedule::groups_of_queries;
use crate::view::PartsMut;
use crate::{Cpu, scratch};

/// A sum from which on the largest score is taken anew.
const LIMIT: f32 = 1e30;
/// Rows of every kernel's tile of scores at most.
const HIGHEST: usize = 32;

/// What is written.
#[derive(Clone, Copy)]
pub(super) struct Results<'a> {
    pub(super) y: &'a PartsMut<'a>,
    pub(super) lse: &'a Parts<'a, f32>,
}

pub(super) fn run<K: Attend>(
    cpu: &Cpu,
    kernel: K,
    x: Inputs<'_>,
    s: AttentionSizes,
    to: Results<'_>,
) {
    // Few heads are shared out by queries, so that there is work for all threads.
    let blocks = s.queries.div_ceil(K::queries(s.queries));
    let groups = groups_of_queries(s.batch * s.heads, blocks, cpu.pool.threads());
    shared(&cpu.pool, &s, groups, |head, group| {
        let blocks = group * blocks / groups..(group + 1) * blocks / groups;
        head_queries(cpu, kernel, x, s, head, blocks, to);
    });
}

/// Some blocks of queries of one head.
fn head_queries<K: Attend>(
    cpu: &Cpu,
    kernel: K,
    x: Inputs<'_>,
    s: AttentionSizes,
    head: HeadIndex,
    blocks: std::ops::Range<usize>,
    to: Results<'_>,
) {
    let (isa, width) = (cpu.isa, s.width);
    let most = K::queries(s.queries);
    let padded = K::padded(width);
    let q = Head::of(x.q, &s, s.queries, head);
    let (k, v) = (Head::of(x.k, &s, s.keys, head), Head::of(x.v, &s, s.keys, head));
    let lse_start = (head.sample * s.heads + head.head) * s.queries;
    let columns = Columns::new(kernel, width);
    let wide = columns.padded();
    let keys = s.keys.next_multiple_of(K::LANES);
    let sizes = [keys * padded, keys * wide, most * padded, K::ROWS * K::KEYS];
    scratch::with(sizes.iter().sum(), |mut memory: &mut [K::Value]| {
        let [keys_turned, values, query_rows, p] = sizes.map(|size| next(&mut memory, size));
        let unit = s.scale() * std::f32::consts::LOG2_E;
        kernel.lay_words(isa, k, s.keys, padded, unit, keys_turned);
        kernel.lay_columns(isa, v, s.keys, keys, columns, values);
        scratch::with(most * wide, |sums: &mut [f32]| {
            for block in blocks {
                let first = block * most;
                let count = most.min(s.queries - first);
                kernel.lay_rows(isa, q, (first, count), padded, 1.0, query_rows);
                let mut row_max = [HIDDEN; QUERIES];
                let mut total = [[0.0; PARTS]; QUERIES];
                let mut before = total;
                let visible = s.visible::<QUERIES>(first, count);
                for key in (0..s.seen(first + count)).step_by(K::KEYS) {
                    let here = K::KEYS.min(s.keys - key);
                    let panels = here.div_ceil(K::LANES);
                    let part = key * padded..(key + panels * K::LANES) * padded;
                    for row in (0..count).step_by(K::ROWS) {
                        let tile = row..row + K::ROWS;
                        let scores = Scores {
                            q: query_rows[row * padded..(row + K::ROWS) * padded].as_ptr(),
                            padded,
                            k: keys_turned[part.clone()].as_ptr(),
                            first: key,
                            panels,
                            visible: &visible[tile.clone()],
                        };
                        let row_max = &mut row_max[tile.clone()];
                        let total = (&mut total[tile], &mut before[..K::ROWS]);
                        let sums = &mut sums[row * wide..(row + K::ROWS) * wide];
                        probabilities(kernel, scores, row_max, total, sums, p);
                        for run in columns.runs() {
                            let across = K::UNIT * run.units;
                            let panel = &values[K::UNIT * run.first * keys + key * across..];
                            let steps = here.div_ceil(K::PAIR);
                            let a = (&*p, K::rows(K::ROWS));
                            let c = (&mut sums[K::UNIT * run.first..], wide);
                            multiply(kernel, run, K::ROWS, a, panel, steps, c, key > 0);
                        }
                    }
                }
                // SAFETY: this piece alone has these queries of this head.
                let lse = unsafe { to.lse.part(lse_start + first, count) };
                let mut factors = [0.0; QUERIES];
                logarithms(isa, &total, &row_max, &mut factors, lse);
                // SAFETY: as above.
                unsafe { kernel.write(isa, (sums, wide), &factors[..count], to.y, q, first) };
            }
        });
    });
}

vectorized! {
    /// The logarithms of sums that are relative to `row_max`, and one divided by each sum.
    fn logarithms[](
        total: &[[f32; PARTS]], row_max: &[f32], factors: &mut [f32], lse: &mut [f32],
    ) {
        for (total, factor) in total.iter().zip(factors[..lse.len()].iter_mut()) {
            let mut parts = *total;
            let mut half = PARTS / 2;
            while half > 0 {
                for i in 0..half {
                    parts[i] += parts[i + half];
                }
                half /= 2;
            }
            *factor = parts[0];
        }
        for ((lse, row_max), factor) in lse.iter_mut().zip(row_max).zip(factors.iter_mut()) {
            *lse = (row_max + log2(*factor)) * std::f32::consts::LN_2;
            *factor = 1.0 / *factor;
        }
    }
}

/// The probabilities of a tile, at `p`. Where a sum would grow beyond its range, the largest score
/// is taken anew, and what was summed is scaled.
fn probabilities<K: Attend>(
    kernel: K,
    scores: Scores<'_, K::Value>,
    row_max: &mut [f32],
    (total, before): (&mut [[f32; PARTS]], &mut [[f32; PARTS]]),
    sums: &mut [f32],
    p: &mut [K::Value],
) {
    assert!(p.len() == K::ROWS * K::KEYS && scores.panels * K::LANES <= K::KEYS, "room for p");
    if scores.first == 0 {
        // SAFETY: as below.
        unsafe { kernel.row_max(Scores { panels: 1, ..scores }, row_max) };
    }
    before.copy_from_slice(total);
    // SAFETY: `one` made slices of these sizes, and p was just measured.
    unsafe { kernel.probabilities(scores, row_max, total, p.as_mut_ptr()) };
    // Not a number counts as too large, too.
    let within = |t: &[f32; PARTS]| t.iter().fold(true, |all, t| all & (*t < LIMIT));
    if total.iter().all(within) {
        return;
    }
    let mut old = [0.0; HIGHEST];
    old[..row_max.len()].copy_from_slice(row_max);
    // SAFETY: as above.
    unsafe { kernel.row_max(scores, row_max) };
    let wide = sums.len() / K::ROWS;
    for i in 0..K::ROWS {
        let factor = (old[i] - row_max[i]).exp2();
        total[i] = before[i].map(|t| t * factor);
        if scores.first > 0 {
            sums[i * wide..(i + 1) * wide].iter_mut().for_each(|s| *s *= factor);
        }
    }
    // SAFETY: as above.
    unsafe { kernel.probabilities(scores, row_max, total, p.as_mut_ptr()) };
}
