//! What becomes of the sums of a product: bias, residual, and the rows of the result.
use crate::Isa;
use crate::pool::Parts;
use crate::tile::COLUMNS;
use crate::view::{PartsMut, View, ViewMut};
use half::bf16;

/// Bytes of a result from which on it is written past the caches: before anything reads it, they
/// would have lost it anyway, and a line that is written as a whole need not be fetched first.
#[cfg(target_arch = "x86_64")]
const STREAMED: usize = 8 << 20;

/// What becomes of the sums.
pub(crate) struct Finish<'a> {
    /// Added to each row.
    bias: Option<&'a [f32]>,
    /// Added, value by value.
    residual: Option<View<'a>>,
    /// Written: `[rows, columns]`.
    y: PartsMut<'a>,
    columns: usize,
}

impl<'a> Finish<'a> {
    pub(crate) fn new(
        bias: Option<&'a [f32]>,
        residual: Option<View<'a>>,
        y: ViewMut<'a>,
        columns: usize,
    ) -> Self {
        assert!(residual.is_none_or(|r| r.len() == y.len()), "a residual has the result's size");
        Self { bias, residual, y: y.into(), columns }
    }

    /// # Safety
    /// No other thread may write these rows' columns from `first` on at the same time.
    pub(crate) unsafe fn rows(&self, isa: Isa, c: &[f32], rows: &[usize], first: usize) {
        let bias = self.bias.map_or(&[][..], |b| &b[first..]);
        let to = ColumnsOf { columns: self.columns, first };
        #[cfg(target_arch = "x86_64")]
        if let Some(kernel) = isa.bf16().filter(|_| self.columns - first >= COLUMNS) {
            // SAFETY: the caller's promise.
            return unsafe {
                match &self.y {
                    PartsMut::F32(y) => whole::rows(kernel, c, rows, to, bias, self.residual, y),
                    PartsMut::Bf16(y) => whole::rows(kernel, c, rows, to, bias, self.residual, y),
                }
            };
        }
        // SAFETY: the caller's contract.
        unsafe {
            match (&self.y, self.residual) {
                (PartsMut::F32(y), None) => finish::<f32, f32>(isa, c, rows, to, bias, &[], y),
                (PartsMut::F32(y), Some(View::F32(r))) => finish(isa, c, rows, to, bias, r, y),
                (PartsMut::F32(y), Some(View::Bf16(r))) => finish(isa, c, rows, to, bias, r, y),
                (PartsMut::Bf16(y), None) => finish::<f32, bf16>(isa, c, rows, to, bias, &[], y),
                (PartsMut::Bf16(y), Some(View::F32(r))) => finish(isa, c, rows, to, bias, r, y),
                (PartsMut::Bf16(y), Some(View::Bf16(r))) => finish(isa, c, rows, to, bias, r, y),
            }
        }
    }

    /// To be called by a piece of work after its last rows: what was written past the caches is
    /// there for who is told that the piece is done.
    pub(crate) fn done(&self) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: every processor with 64 bits has the instruction.
        unsafe {
            std::arch::x86_64::_mm_sfence()
        };
    }
}

/// The columns of a panel in a row of the result.
#[derive(Debug, Clone, Copy)]
struct ColumnsOf {
    /// Columns of a row.
    columns: usize,
    /// The panel's first column.
    first: usize,
}

vectorized! {
    /// Writes sums, bias and residual to the columns of `to` of the result's rows.
    ///
    /// # Safety
    /// No other thread may read or write these rows' columns at the same time.
    unsafe fn finish[R, Y](
        c: &[f32],
        rows: &[usize],
        to: ColumnsOf,
        bias: &[f32],
        residual: &[R],
        y: &Parts<'_, Y>,
    ) {
        let ColumnsOf { columns, first } = to;
        let count = COLUMNS.min(columns - first);
        let mut start = [0.0_f32; COLUMNS];
        if !bias.is_empty() {
            start[..count].copy_from_slice(&bias[..count]);
        }
        for (c, row) in c.chunks_exact(COLUMNS).zip(rows) {
            let at = row * columns + first;
            // SAFETY: the caller's contract.
            let y = unsafe { y.part(at, count) };
            let mut sums = start;
            for i in 0..COLUMNS {
                sums[i] += c[i];
            }
            if !residual.is_empty() {
                let r = &residual[at..at + count];
                if let Some(r) = r.first_chunk::<COLUMNS>() {
                    for i in 0..COLUMNS {
                        sums[i] += r[i].get();
                    }
                } else {
                    for i in 0..count {
                        sums[i] += r[i].get();
                    }
                }
            }
            if let Some(y) = y.first_chunk_mut::<COLUMNS>() {
                for i in 0..COLUMNS {
                    y[i] = Y::put(sums[i]);
                }
            } else {
                for i in 0..count {
                    y[i] = Y::put(sums[i]);
                }
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod whole {
    //! Rows of which all 32 columns exist, with AVX-512 and its rounding to bf16.
    use super::{ColumnsOf, STREAMED};
    use crate::pool::Parts;
    use crate::tile::{Bf16, COLUMNS};
    use crate::{Element, View};
    use std::arch::x86_64::{
        __m256i, __m512, __m512bh, __m512i, _mm256_loadu_si256, _mm512_add_ps, _mm512_castps_si512,
        _mm512_castsi512_ps, _mm512_cvtepu16_epi32, _mm512_cvtne2ps_pbh, _mm512_loadu_ps,
        _mm512_setzero_ps, _mm512_slli_epi32, _mm512_storeu_si512, _mm512_stream_si512,
    };

    /// Writes sums, bias and residual to the columns of `to` of the result's rows.
    ///
    /// # Safety
    /// No other thread may read or write these rows' columns at the same time.
    pub(super) unsafe fn rows<Y: Element>(
        _: Bf16,
        c: &[f32],
        rows: &[usize],
        to: ColumnsOf,
        bias: &[f32],
        residual: Option<View<'_>>,
        y: &Parts<'_, Y>,
    ) {
        assert!(c.len() >= rows.len() * COLUMNS, "32 sums for each row");
        let bias = bias.first_chunk::<COLUMNS>();
        // Lines are whole where rows begin at one and the result does.
        let lines = (to.columns * size_of::<Y>()).is_multiple_of(64)
            && (y.pointer(0, 0) as usize).is_multiple_of(64);
        let streams = lines && y.len() * size_of::<Y>() >= STREAMED;
        // SAFETY: a Bf16 exists only where the processor has the instructions; the sums were
        // counted, whole lines found; the rest is the caller's promise.
        unsafe { avx512(c.as_ptr(), rows, to, bias, residual, y, streams) };
    }

    /// # Safety
    /// 32 sums at `c` for each row; the instructions; nobody else writes the rows; where `streams`,
    /// each row's columns begin at a line.
    #[target_feature(enable = "avx512f,avx512bf16")]
    unsafe fn avx512<Y: Element>(
        c: *const f32,
        rows: &[usize],
        ColumnsOf { columns, first }: ColumnsOf,
        bias: Option<&[f32; COLUMNS]>,
        residual: Option<View<'_>>,
        y: &Parts<'_, Y>,
        streams: bool,
    ) {
        let mut add = [_mm512_setzero_ps(); 2];
        if let Some(bias) = bias {
            // SAFETY: 32 values.
            unsafe { add = two(bias.as_ptr()) };
        }
        for (i, row) in rows.iter().enumerate() {
            let at = row * columns + first;
            // SAFETY: the caller's promises; `part` and the slices' ranges look whether 32 values
            // are there.
            unsafe {
                let to = y.part(at, COLUMNS).as_mut_ptr().cast::<__m512i>();
                let sums = two(c.add(i * COLUMNS));
                let mut sums = [0, 1].map(|i| _mm512_add_ps(sums[i], add[i]));
                let more = match residual {
                    None => None,
                    Some(View::F32(r)) => Some(two(r[at..at + COLUMNS].as_ptr())),
                    Some(View::Bf16(r)) => {
                        let r = r[at..at + COLUMNS].as_ptr().cast::<__m256i>();
                        Some([0, 1].map(|i| {
                            let words = _mm512_cvtepu16_epi32(_mm256_loadu_si256(r.add(i)));
                            _mm512_castsi512_ps(_mm512_slli_epi32::<16>(words))
                        }))
                    }
                };
                if let Some(more) = more {
                    sums = [0, 1].map(|i| _mm512_add_ps(sums[i], more[i]));
                }
                if size_of::<Y>() == 4 {
                    write(to, _mm512_castps_si512(sums[0]), streams);
                    write(to.add(1), _mm512_castps_si512(sums[1]), streams);
                } else {
                    let both = _mm512_cvtne2ps_pbh(sums[1], sums[0]);
                    write(to, std::mem::transmute::<__m512bh, __m512i>(both), streams);
                }
            }
        }
    }

    /// # Safety
    /// 32 values; the instructions.
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn two(from: *const f32) -> [__m512; 2] {
        // SAFETY: the caller's contract.
        unsafe { [_mm512_loadu_ps(from), _mm512_loadu_ps(from.add(16))] }
    }

    /// # Safety
    /// Room for a vector, and where `streams` it is a line; the instructions.
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn write(to: *mut __m512i, values: __m512i, streams: bool) {
        // SAFETY: the caller's contract.
        unsafe {
            if streams {
                _mm512_stream_si512(to, values);
            } else {
                _mm512_storeu_si512(to, values);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cpu, Line, Lines, Products, Values, WeightSizes, linear};

    /// Rows of a result that is large enough to go past the caches, and of one that is not.
    #[cfg(target_arch = "x86_64")]
    #[test]
    fn results_past_the_caches_have_the_same_bits() {
        let isa = Isa::detect();
        if isa.bf16().is_none() {
            return crate::edges::say("skipped: no bf16 products");
        }
        let (rows, k, n) = (4200, 32, 1024);
        assert!(2 * rows * n >= STREAMED && 4 * rows / 4 * n < STREAMED);
        let values = |count: usize| -> Vec<f32> {
            (0..count).map(|i| (i * 7919 % 1000) as f32 / 500.0 - 1.0).collect()
        };
        let (x, residual) = (values(rows * k), values(rows * n));
        for threads in [1, 3] {
            let cpu = Cpu::new(isa, threads);
            let sizes = WeightSizes { outputs: n, inputs: k };
            let bias = Some(values(n));
            let values = values(n * k);
            let w = linear::Weight::new(&cpu, Values::F32(&values), sizes, bias, Products::Bf16);
            // Lines begin where rows do.
            let mut lines = [Lines::of::<f32>(rows * n), Lines::of::<f32>(rows * n)];
            let [one, two] = &mut lines;
            let quarter = |i: usize, of: usize| i * rows / 4 * of..(i + 1) * rows / 4 * of;
            let part = |lines: &mut Lines, residual: Option<&[f32]>, i: Option<usize>| {
                let [x_range, range] = [k, n].map(|of| i.map_or(0..rows * of, |i| quarter(i, of)));
                let count = range.len() / n;
                let x = View::F32(&x[x_range]);
                let r = residual.map(|r| View::F32(&r[range.clone()]));
                let y = match residual {
                    Some(_) => ViewMut::F32(&mut bytemuck::cast_slice_mut(lines)[range]),
                    None => ViewMut::Bf16(&mut bytemuck::cast_slice_mut(lines)[range]),
                };
                linear::forward(&cpu, x, count, &w, r, y);
            };
            for residual in [None, Some(&residual[..])] {
                part(one, residual, None);
                for i in 0..4 {
                    part(two, residual, Some(i));
                }
                let bytes = |lines: &Lines| bytemuck::cast_slice::<Line, u8>(lines).to_vec();
                assert!(bytes(one) == bytes(two), "{threads} threads, {}", residual.is_some());
            }
        }
    }
}
