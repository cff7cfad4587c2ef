//! One head's rows in the forms that the products of pairs want, and results as rows, by vectors:
//! in a small model, whose heads are 8 or 12 columns wide, these take longer than the products.
//!
//! What is computed is what [`crate::attention::heads`] does in plain loops.
use crate::View;
use crate::attention::heads::{Columns, Head};
use crate::tile::{Bf16, COLUMNS};
use crate::view::PartsMut;
use half::bf16;
use std::arch::x86_64::{
    __m512, __m512bh, __m512i, _mm_storel_epi64, _mm_storeu_ps, _mm_storeu_si128,
    _mm256_castps256_ps128, _mm256_castsi256_si128, _mm256_extractf128_ps,
    _mm256_extracti128_si256, _mm256_storeu_ps, _mm256_storeu_si256, _mm512_castps_si512,
    _mm512_castps512_ps256, _mm512_castsi512_ps, _mm512_castsi512_si256, _mm512_cvtepu16_epi32,
    _mm512_cvtne2ps_pbh, _mm512_extractf32x8_ps, _mm512_extracti64x4_epi64, _mm512_loadu_ps,
    _mm512_maskz_loadu_epi16, _mm512_maskz_loadu_ps, _mm512_mul_ps, _mm512_permutex2var_epi16,
    _mm512_set1_ps, _mm512_setzero_ps, _mm512_setzero_si512, _mm512_shuffle_i32x4,
    _mm512_slli_epi32, _mm512_storeu_ps, _mm512_storeu_si512, _mm512_unpackhi_epi32,
    _mm512_unpackhi_epi64, _mm512_unpacklo_epi32, _mm512_unpacklo_epi64,
};

/// Where a head's values lie, and what they are multiplied with.
#[derive(Clone, Copy)]
enum HeadValues<'a> {
    Halves(&'a [bf16]),
    Scaled(&'a [bf16], f32),
    Full(&'a [f32], f32),
}

/// `count` rows of a head; [`HeadRows::new`] checks that they lie in their slice.
#[derive(Clone, Copy)]
struct HeadRows<'a> {
    from: HeadValues<'a>,
    stride: usize,
    width: usize,
    count: usize,
}

impl<'a> HeadRows<'a> {
    fn new(head: Head<'a>, first: usize, count: usize, factor: f32) -> Self {
        let at = head.at(first);
        let end = if count == 0 { at } else { at + (count - 1) * head.stride + head.width };
        assert!(end <= head.values.len(), "rows of a head lie in their slice");
        let from = match head.values {
            View::Bf16(x) if factor == 1.0 => HeadValues::Halves(&x[at.min(end)..]),
            View::Bf16(x) => HeadValues::Scaled(&x[at.min(end)..], factor),
            View::F32(x) => HeadValues::Full(&x[at.min(end)..], factor),
        };
        Self { from, stride: head.stride, width: head.width, count }
    }

    /// 32 columns of a row from `column` on as bf16, zeros behind the last one and for rows that
    /// are not there.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    fn row(&self, row: usize, column: usize) -> __m512i {
        if row >= self.count {
            return _mm512_setzero_si512();
        }
        let count = self.width.saturating_sub(column).min(32);
        let mask = ((1_u64 << count) - 1) as u32;
        let at = row * self.stride + column;
        // SAFETY: the row is there, and the mask ends with its last column.
        unsafe {
            match self.from {
                HeadValues::Halves(x) => {
                    _mm512_maskz_loadu_epi16(mask, x.as_ptr().wrapping_add(at).cast())
                }
                HeadValues::Scaled(x, factor) => {
                    let both = _mm512_maskz_loadu_epi16(mask, x.as_ptr().wrapping_add(at).cast());
                    let low = wide(_mm512_castsi512_si256(both));
                    let high = wide(_mm512_extracti64x4_epi64::<1>(both));
                    let factor = _mm512_set1_ps(factor);
                    narrow(_mm512_mul_ps(low, factor), _mm512_mul_ps(high, factor))
                }
                HeadValues::Full(x, factor) => {
                    let x = x.as_ptr().wrapping_add(at);
                    let low = _mm512_maskz_loadu_ps(mask as u16, x);
                    let high = _mm512_maskz_loadu_ps((mask >> 16) as u16, x.wrapping_add(16));
                    let factor = _mm512_set1_ps(factor);
                    narrow(_mm512_mul_ps(low, factor), _mm512_mul_ps(high, factor))
                }
            }
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn wide(halves: std::arch::x86_64::__m256i) -> __m512 {
    _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(halves)))
}

/// 32 values rounded to bf16.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
fn narrow(low: __m512, high: __m512) -> __m512i {
    // SAFETY: both are 512 bits without invalid patterns.
    unsafe { std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(high, low)) }
}

/// The first 16 halves of a, each followed by that of b.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn paired(a: __m512i, b: __m512i) -> __m512i {
    const fn places() -> [u16; 32] {
        let mut order = [0; 32];
        let mut i = 0;
        while i < 16 {
            order[2 * i] = i as u16;
            order[2 * i + 1] = 32 + i as u16;
            i += 1;
        }
        order
    }
    const PLACES: [u16; 32] = places();
    // SAFETY: 32 halves are 512 bits.
    let places = unsafe { std::mem::transmute::<[u16; 32], __m512i>(PLACES) };
    _mm512_permutex2var_epi16(a, places, b)
}

/// The first `count` columns of 16 x 16 words as rows; what the others hold is open.
#[inline]
#[target_feature(enable = "avx512f")]
fn transposed(m: [__m512i; 16], count: usize) -> [__m512i; 16] {
    let (mut t, mut u) = (m, m);
    for i in 0..8 {
        t[2 * i] = _mm512_unpacklo_epi32(m[2 * i], m[2 * i + 1]);
        t[2 * i + 1] = _mm512_unpackhi_epi32(m[2 * i], m[2 * i + 1]);
    }
    for g in 0..4 {
        u[4 * g] = _mm512_unpacklo_epi64(t[4 * g], t[4 * g + 2]);
        u[4 * g + 1] = _mm512_unpackhi_epi64(t[4 * g], t[4 * g + 2]);
        u[4 * g + 2] = _mm512_unpacklo_epi64(t[4 * g + 1], t[4 * g + 3]);
        u[4 * g + 3] = _mm512_unpackhi_epi64(t[4 * g + 1], t[4 * g + 3]);
    }
    // u[4 g + c] holds, in its part l, column 4 l + c of rows 4 g to 4 g + 3.
    let mut out = u;
    for c in 0..4 {
        let low = _mm512_shuffle_i32x4::<0x88>(u[c], u[4 + c]);
        let high = _mm512_shuffle_i32x4::<0x88>(u[8 + c], u[12 + c]);
        out[c] = _mm512_shuffle_i32x4::<0x88>(low, high);
        out[8 + c] = _mm512_shuffle_i32x4::<0xdd>(low, high);
    }
    if count > 4 {
        for c in 0..4 {
            let low = _mm512_shuffle_i32x4::<0xdd>(u[c], u[4 + c]);
            let high = _mm512_shuffle_i32x4::<0xdd>(u[8 + c], u[12 + c]);
            out[4 + c] = _mm512_shuffle_i32x4::<0x88>(low, high);
            out[12 + c] = _mm512_shuffle_i32x4::<0xdd>(low, high);
        }
    }
    out
}

/// The first `count` of 32 halves.
///
/// # Safety
/// Room for them.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn put_halves(to: *mut bf16, halves: __m512i, count: usize) {
    // SAFETY: the caller's promise; what is behind `count` is not touched.
    unsafe {
        if count >= 32 {
            return _mm512_storeu_si512(to.cast(), halves);
        }
        let (mut to, mut half) = (to, _mm512_castsi512_si256(halves));
        if count >= 16 {
            _mm256_storeu_si256(to.cast(), half);
            (to, half) = (to.add(16), _mm512_extracti64x4_epi64::<1>(halves));
        }
        let (left, mut part) = (count % 16, _mm256_castsi256_si128(half));
        if left >= 8 {
            _mm_storeu_si128(to.cast(), part);
            (to, part) = (to.add(8), _mm256_extracti128_si256::<1>(half));
        }
        let mut words = std::mem::transmute::<std::arch::x86_64::__m128i, [bf16; 8]>(part);
        let mut rest = words.as_ptr();
        if left % 8 >= 4 {
            _mm_storel_epi64(to.cast(), part);
            (to, rest) = (to.add(4), words.as_mut_ptr().add(4));
        }
        for i in 0..left % 4 {
            *to.add(i) = *rest.add(i);
        }
    }
}

/// The first `count` of 16 values.
///
/// # Safety
/// Room for them.
#[inline]
#[target_feature(enable = "avx512f,avx512dq")]
unsafe fn put_full(to: *mut f32, values: __m512, count: usize) {
    // SAFETY: the caller's promise; what is behind `count` is not touched.
    unsafe {
        if count >= 16 {
            return _mm512_storeu_ps(to, values);
        }
        let (mut to, mut half) = (to, _mm512_castps512_ps256(values));
        if count >= 8 {
            _mm256_storeu_ps(to, half);
            (to, half) = (to.add(8), _mm512_extractf32x8_ps::<1>(values));
        }
        let mut part = _mm256_castps256_ps128(half);
        if count % 8 >= 4 {
            _mm_storeu_ps(to, part);
            (to, part) = (to.add(4), _mm256_extractf128_ps::<1>(half));
        }
        let rest = std::mem::transmute::<std::arch::x86_64::__m128, [f32; 4]>(part);
        for (i, rest) in rest[..count % 4].iter().enumerate() {
            *to.add(i) = *rest;
        }
    }
}

/// `count` rows from `first` on, `padded` long with zeros, then rows of zeros while there is room.
pub(super) fn rows(
    _: Bf16,
    head: Head<'_>,
    (first, count): (usize, usize),
    padded: usize,
    factor: f32,
    to: &mut [bf16],
) {
    let (to, behind) = to.split_at_mut(count * padded);
    behind.fill(bf16::ZERO);
    let taken = HeadRows::new(head, first, count, factor);
    // SAFETY: a Bf16 exists only where the processor has the instructions, here and below; `to`
    // was just cut.
    unsafe { rows_avx512(taken, padded, to.as_mut_ptr()) };
}

/// # Safety
/// The instructions; room for the rows.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
unsafe fn rows_avx512(from: HeadRows<'_>, padded: usize, to: *mut bf16) {
    for row in 0..from.count {
        for column in (0..padded).step_by(32) {
            // SAFETY: the caller's promise.
            unsafe {
                let to = to.add(row * padded + column);
                put_halves(to, from.row(row, column), (padded - column).min(32));
            }
        }
    }
}

/// Panels whose columns are the head's rows, 32 at a time: `[padded / 2, 32, 2]` each.
pub(super) fn words(
    _: Bf16,
    head: Head<'_>,
    count: usize,
    padded: usize,
    factor: f32,
    to: &mut [bf16],
) {
    let panels = to.len() / (COLUMNS * padded);
    // SAFETY: as above; so many panels have room.
    unsafe {
        words_avx512(HeadRows::new(head, 0, count, factor), padded / 2, panels, to.as_mut_ptr())
    };
}

/// # Safety
/// The instructions; room for the panels.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
unsafe fn words_avx512(from: HeadRows<'_>, steps: usize, panels: usize, to: *mut bf16) {
    for half in 0..2 * panels {
        for first in (0..steps).step_by(16) {
            let mut m = [_mm512_setzero_si512(); 16];
            for (i, m) in m.iter_mut().enumerate() {
                *m = from.row(16 * half + i, 2 * first);
            }
            let count = (steps - first).min(16);
            let m = transposed(m, count);
            for (i, m) in m[..count].iter().enumerate() {
                let at = (half / 2 * steps + first + i) * 2 * COLUMNS + half % 2 * COLUMNS;
                // SAFETY: half a step of a panel.
                unsafe { _mm512_storeu_si512(to.add(at).cast(), *m) };
            }
        }
    }
}

/// Panels whose columns are the head's columns, one for each run, one behind the other:
/// `[total / 2, the run's columns, 2]` each, zeros behind the `count` rows.
pub(super) fn columns(
    _: Bf16,
    head: Head<'_>,
    count: usize,
    total: usize,
    layout: Columns,
    to: &mut [bf16],
) {
    assert!(to.len() >= total * layout.padded(), "room for all columns");
    let from = HeadRows::new(head, 0, count, 1.0);
    for run in layout.runs() {
        // SAFETY: as above; the run has its part.
        unsafe {
            let to = to.as_mut_ptr().add(total * 16 * run.first);
            columns_avx512(from, total / 2, (run.first, run.units), to);
        }
    }
}

/// # Safety
/// The instructions; room for `pairs` times so many units of 16 pairs.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
unsafe fn columns_avx512(
    from: HeadRows<'_>,
    pairs: usize,
    (first, units): (usize, usize),
    to: *mut bf16,
) {
    for pair in 0..pairs {
        for unit in 0..units {
            let column = 16 * (first + unit);
            let (a, b) = (from.row(2 * pair, column), from.row(2 * pair + 1, column));
            // SAFETY: the caller's promise.
            unsafe { _mm512_storeu_si512(to.add(32 * (pair * units + unit)).cast(), paired(a, b)) };
        }
    }
}

/// The transpose of `count` rows, and of zeros behind them up to a multiple of 32, `padded` long:
/// `[width, rows]` with so many rows as `from` has.
pub(super) fn turned(
    _: Bf16,
    from: &[bf16],
    count: usize,
    padded: usize,
    width: usize,
    to: &mut [bf16],
) {
    let rows = from.len() / padded;
    assert!(rows.is_multiple_of(32) && count <= rows && to.len() >= rows * width, "whole vectors");
    let from = HeadValues::Halves(&from[..rows * padded]);
    let from = HeadRows { from, stride: padded, width: padded, count };
    // SAFETY: as above; `to` was just measured.
    unsafe { turned_avx512(from, rows, width, to.as_mut_ptr()) };
}

/// # Safety
/// The instructions; room for `width` rows of `rows` values, a multiple of 32.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
unsafe fn turned_avx512(from: HeadRows<'_>, rows: usize, width: usize, to: *mut bf16) {
    for first in (0..from.count).step_by(32) {
        for column in (0..width).step_by(16) {
            let mut m = [_mm512_setzero_si512(); 16];
            for (i, m) in m.iter_mut().enumerate() {
                let row = first + 2 * i;
                *m = paired(from.row(row, column), from.row(row + 1, column));
            }
            let count = (width - column).min(16);
            let m = transposed(m, count);
            for (i, m) in m[..count].iter().enumerate() {
                // SAFETY: 32 values of row column + i.
                unsafe { _mm512_storeu_si512(to.add((column + i) * rows + first).cast(), *m) };
            }
        }
    }
}

/// Where a result's rows go.
#[derive(Clone, Copy)]
enum Target {
    Halves(*mut bf16),
    Full(*mut f32),
}

impl Target {
    /// The `count` rows of a head from `first` on.
    ///
    /// # Safety
    /// No other thread may write these values at the same time.
    unsafe fn new(out: &PartsMut<'_>, head: Head<'_>, first: usize, count: usize) -> Self {
        let (at, length) = (head.at(first), (count - 1) * head.stride + head.width);
        match out {
            // SAFETY: only the head's own columns will be written, which the caller promises to
            // nobody else; `pointer` looks whether they are there.
            PartsMut::F32(out) => Self::Full(out.pointer(at, length)),
            PartsMut::Bf16(out) => Self::Halves(out.pointer(at, length)),
        }
    }

    /// 16 values, of which `count` are written.
    ///
    /// # Safety
    /// The instructions; room for them from `at` on.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512bf16")]
    unsafe fn put(self, at: usize, values: __m512, count: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            match self {
                Self::Full(to) => put_full(to.add(at), values, count),
                Self::Halves(to) => put_halves(to.add(at), narrow(values, values), count),
            }
        }
    }
}

/// Rows of a result, `apart` from each other in `from`, each times its factor, as rows of `out`
/// from `first` on.
///
/// # Safety
/// No other thread may write these values at the same time.
pub(super) unsafe fn write(
    _: Bf16,
    (from, apart): (&[f32], usize),
    factors: &[f32],
    out: &PartsMut<'_>,
    head: Head<'_>,
    first: usize,
) {
    let (count, width) = (factors.len(), head.width);
    if count == 0 {
        return;
    }
    assert!((count - 1) * apart + width.next_multiple_of(16) <= from.len(), "rows of a result");
    // SAFETY: the caller's promise; the sizes were looked after.
    unsafe {
        let to = Target::new(out, head, first, count);
        write_avx512(from.as_ptr(), apart, factors, to, head.stride, width);
    }
}

/// # Safety
/// The instructions; rows of whole vectors, and room for them.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
unsafe fn write_avx512(
    from: *const f32,
    apart: usize,
    factors: &[f32],
    to: Target,
    stride: usize,
    width: usize,
) {
    for (row, factor) in factors.iter().enumerate() {
        let factor = _mm512_set1_ps(*factor);
        for column in (0..width).step_by(16) {
            // SAFETY: the caller's promise.
            unsafe {
                let values = _mm512_loadu_ps(from.add(row * apart + column));
                let count = (width - column).min(16);
                to.put(row * stride + column, _mm512_mul_ps(values, factor), count);
            }
        }
    }
}

/// The transpose of panels `[high, 32]`, times a factor, as the first `count` rows of `out`.
///
/// # Safety
/// No other thread may write these values at the same time.
pub(super) unsafe fn write_turned(
    _: Bf16,
    (from, high): (&[f32], usize),
    factor: f32,
    out: &PartsMut<'_>,
    head: Head<'_>,
    count: usize,
) {
    assert!(count > 0 && count.next_multiple_of(COLUMNS) * high <= from.len(), "whole panels");
    assert!(head.width <= high, "rows of panels");
    // SAFETY: the caller's promise; the sizes were looked after.
    unsafe {
        let to = Target::new(out, head, 0, count);
        write_turned_avx512(from.as_ptr(), high, factor, to, (count, head.stride, head.width));
    }
}

/// # Safety
/// The instructions; panels of at least `width` rows, and room for `count` rows.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
unsafe fn write_turned_avx512(
    from: *const f32,
    high: usize,
    factor: f32,
    to: Target,
    (count, stride, width): (usize, usize, usize),
) {
    let factor = _mm512_set1_ps(factor);
    for first in (0..count).step_by(16) {
        let panel = from.wrapping_add(first / COLUMNS * COLUMNS * high + first % COLUMNS);
        for column in (0..width).step_by(16) {
            let wide = (width - column).min(16);
            let mut m = [_mm512_castps_si512(_mm512_setzero_ps()); 16];
            for (i, m) in m[..wide].iter_mut().enumerate() {
                // SAFETY: 16 values of a row of the panel.
                let values = unsafe { _mm512_loadu_ps(panel.add((column + i) * COLUMNS)) };
                *m = _mm512_castps_si512(_mm512_mul_ps(values, factor));
            }
            let m = transposed(m, 16);
            for (i, m) in m[..(count - first).min(16)].iter().enumerate() {
                // SAFETY: the caller's promise.
                unsafe { to.put((first + i) * stride + column, _mm512_castsi512_ps(*m), wide) };
            }
        }
    }
}
