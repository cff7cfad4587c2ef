//! Forward: some queries of a head at a time, blocks of keys going by.
use super::pack::{self, Columns};
use super::tile::{self, HIDDEN, ROWS, Scores};
use crate::attention::heads::Head;
use crate::attention::{Inputs, Shape};
use crate::pool::Parts;
use crate::tile::{Bf16, COLUMNS};
use crate::view::PartsMut;
use crate::{Cpu, scratch};
use half::bf16;

/// Queries at a time: their sums stay in the first cache.
const QUERIES: usize = 64;
/// Keys at a time: so do their two forms.
const KEYS: usize = 128;
/// A sum from which on the largest score is taken anew.
const LIMIT: f32 = 1e30;

pub(in crate::attention) fn run(
    cpu: &Cpu,
    kernel: Bf16,
    x: Inputs<'_>,
    s: Shape,
    y: &PartsMut<'_>,
    lse: &Parts<'_, f32>,
) {
    // Few heads are shared out by queries, so that there is work for several threads.
    let blocks = s.queries.div_ceil(QUERIES);
    let groups = 8_usize.div_ceil(s.batch * s.heads).min(blocks.div_ceil(2));
    cpu.pool.run(s.batch * s.heads * groups, |i| {
        let (sample, head, group) = (i / groups / s.heads, i / groups % s.heads, i % groups);
        let blocks = group * blocks / groups..(group + 1) * blocks / groups;
        one(cpu, kernel, x, s, (sample, head), blocks, y, lse);
    });
}

/// Some blocks of queries of one head.
fn one(
    cpu: &Cpu,
    _: Bf16,
    x: Inputs<'_>,
    s: Shape,
    (sample, head): (usize, usize),
    blocks: std::ops::Range<usize>,
    y: &PartsMut<'_>,
    lse: &Parts<'_, f32>,
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
    let columns = Columns::new(width);
    let wide = columns.padded();
    let keys = s.keys.next_multiple_of(COLUMNS);
    let sizes = [keys * padded, keys * wide, QUERIES * padded, ROWS * KEYS];
    scratch::with(sizes.iter().sum(), |all: &mut [bf16]| {
        let (words, all) = all.split_at_mut(sizes[0]);
        let (values, all) = all.split_at_mut(sizes[1]);
        let (asking, p) = all.split_at_mut(sizes[2]);
        let unit = s.scale() * std::f32::consts::LOG2_E;
        pack::words(isa, k, s.keys, padded, unit, words);
        pack::columns(isa, v, s.keys, keys, columns, values);
        scratch::with(QUERIES * wide, |sums: &mut [f32]| {
            for block in blocks {
                let first = block * QUERIES;
                let count = QUERIES.min(s.queries - first);
                pack::rows(isa, q, (first, count), padded, 1.0, asking);
                let mut most = [HIDDEN; QUERIES];
                let mut total = [[0.0; 16]; QUERIES];
                let visible: [usize; QUERIES] = std::array::from_fn(|i| match i < count {
                    true => s.seen(first + i + 1),
                    false => 0,
                });
                for key in (0..s.seen(first + count)).step_by(KEYS) {
                    let here = KEYS.min(s.keys - key);
                    for row in (0..count).step_by(ROWS) {
                        let visible = &visible[row..row + ROWS];
                        let scores = Scores {
                            q: asking[row * padded..(row + ROWS) * padded].as_ptr(),
                            padded,
                            k: words[key * padded..(key + here.next_multiple_of(COLUMNS)) * padded]
                                .as_ptr(),
                            first: key,
                            panels: here.div_ceil(COLUMNS),
                            visible,
                        };
                        let (most, total) = (&mut most[row..][..ROWS], &mut total[row..][..ROWS]);
                        let sums = &mut sums[row * wide..(row + ROWS) * wide];
                        probabilities(scores, most, total, sums, p);
                        for run in columns.runs() {
                            let panel = 16 * run.first * keys + key * 16 * run.vectors;
                            let steps = here.div_ceil(2);
                            let panel = &values[panel..][..steps * 32 * run.vectors];
                            let c = &mut sums[16 * run.first..];
                            assert!(c.len() >= (ROWS - 1) * wide + 16 * run.vectors, "8 rows");
                            // SAFETY: a Bf16 exists only where the processor has AVX-512; p has 8
                            // rows of 128 values, the panel and c were just measured.
                            unsafe {
                                tile::product(
                                    (run.vectors, run.half),
                                    p.as_ptr(),
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
                let own = (sample * s.heads + head) * s.queries + first;
                // SAFETY: this piece alone has these queries of this head.
                let lse = unsafe { lse.part(own, count) };
                for (row, lse) in lse.iter_mut().enumerate() {
                    let total: f32 = total[row].iter().sum();
                    *lse = (most[row] + total.log2()) * std::f32::consts::LN_2;
                    let from = &sums[row * wide..][..width];
                    let at = q.at + (first + row) * stride;
                    // SAFETY: as above.
                    unsafe { write(cpu, y, at, from, 1.0 / total) };
                }
            }
        });
    });
}

/// The probabilities of a tile, as rows at `p`. Where a sum would grow beyond its range, the
/// largest score is taken anew, and what was summed is scaled.
fn probabilities(
    scores: Scores<'_>,
    most: &mut [f32],
    total: &mut [[f32; 16]],
    sums: &mut [f32],
    p: &mut [bf16],
) {
    assert!(p.len() == ROWS * KEYS && scores.panels * COLUMNS <= KEYS, "room for 8 rows");
    if scores.first == 0 {
        // SAFETY: as below.
        unsafe { tile::largest(Scores { panels: 1, ..scores }, most) };
    }
    let before: [[f32; 16]; ROWS] = std::array::from_fn(|i| total[i]);
    // SAFETY: a Bf16 exists only where the processor has AVX-512; `one` made slices of these
    // sizes, and p has 8 rows of 128 values.
    unsafe { tile::probabilities(scores, most, total, p.as_mut_ptr(), KEYS) };
    // Not a number counts as too large, too.
    let within = |t: &[f32; 16]| t.iter().fold(true, |all, t| all & (*t < LIMIT));
    if total.iter().all(within) {
        return;
    }
    let old: [f32; ROWS] = std::array::from_fn(|i| most[i]);
    // SAFETY: as above.
    unsafe { tile::largest(scores, most) };
    let wide = sums.len() / ROWS;
    for i in 0..ROWS {
        let factor = (old[i] - most[i]).exp2();
        total[i] = before[i].map(|t| t * factor);
        if scores.first > 0 {
            sums[i * wide..(i + 1) * wide].iter_mut().for_each(|s| *s *= factor);
        }
    }
    // SAFETY: as above.
    unsafe { tile::probabilities(scores, most, total, p.as_mut_ptr(), KEYS) };
}

vectorised! {
    fn scaled[Y](from: &[f32], factor: f32, to: &mut [Y]) {
        for (to, from) in to.iter_mut().zip(from) {
            *to = Y::put(from * factor);
        }
    }
}

/// One row of a result, times a factor.
///
/// # Safety
/// No other thread may write these values at the same time.
pub(super) unsafe fn write(cpu: &Cpu, out: &PartsMut<'_>, at: usize, from: &[f32], factor: f32) {
    match out {
        // SAFETY: the caller's promise.
        PartsMut::F32(out) => scaled(cpu.isa, from, factor, unsafe { out.part(at, from.len()) }),
        // SAFETY: the caller's promise.
        PartsMut::Bf16(out) => scaled(cpu.isa, from, factor, unsafe { out.part(at, from.len()) }),
    }
}
