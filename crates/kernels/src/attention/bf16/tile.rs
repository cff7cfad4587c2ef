//! The tiles: scores with what follows them, and the products of probabilities.
//!
//! Every function here is unsafe because it takes pointers: its caller promises that the sizes
//! that it names are there, and a [`crate::tile::Bf16`] that the processor has the instructions.
#![expect(clippy::needless_range_loop, reason = "several arrays are indexed in step")]
use crate::attention::kernel::{DsTiles, HIDDEN, Scores};
use crate::tile::COLUMNS;
use half::bf16;
use std::arch::x86_64::{
    __m256bh, __m256i, __m512, __m512bh, __m512i, _MM_FROUND_NO_EXC, _MM_FROUND_TO_NEG_INF,
    _mm256_dpbf16_ps, _mm256_loadu_ps, _mm256_loadu_si256, _mm256_set1_epi32, _mm256_setzero_ps,
    _mm256_storeu_ps, _mm512_add_ps, _mm512_cvtne2ps_pbh, _mm512_dpbf16_ps, _mm512_fmadd_ps,
    _mm512_loadu_ps, _mm512_loadu_si512, _mm512_mask_mov_ps, _mm512_maskz_mov_ps, _mm512_max_ps,
    _mm512_mul_ps, _mm512_permutex2var_epi16, _mm512_reduce_max_ps, _mm512_reduce_ps,
    _mm512_scalef_ps, _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps,
    _mm512_storeu_si512,
};

/// Rows of a tile.
pub(super) const ROWS: usize = 8;
/// Queries of a tile of [`ds`], which has two products.
pub(super) const DS_ROWS: usize = 4;

/// 2^x for x up to 127; relative error at most 1e-4, a fortieth of a bf16's rounding (a polynomial
/// of degree 3, fitted to 2^r on 0..1 for the least relative error).
#[inline]
#[target_feature(enable = "avx512f,avx512dq")]
pub(super) fn exp2(x: __m512) -> __m512 {
    const FLOOR: i32 = _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC;
    let r = _mm512_reduce_ps::<FLOOR>(x);
    let mut p = _mm512_set1_ps(0.078_024_52);
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.226_067_16));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.695_833_54));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.999_925_2));
    // scalef multiplies with 2 to the whole part of x.
    _mm512_scalef_ps(p, x)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
fn pairs(bits: __m512i) -> __m512bh {
    // SAFETY: both are 512 bits without invalid patterns.
    unsafe { std::mem::transmute::<__m512i, __m512bh>(bits) }
}

/// 32 values rounded to bf16.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) fn narrow(low: __m512, high: __m512) -> __m512i {
    // SAFETY: both are 512 bits without invalid patterns.
    unsafe { std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(high, low)) }
}

/// Bits of the first `visible - key` of 16 lanes.
#[inline(always)]
pub(super) fn seen(visible: usize, key: usize) -> u16 {
    match visible.saturating_sub(key) {
        n @ 0..16 => (1 << n) - 1,
        _ => !0,
    }
}

/// `N` rows of 32 scores, each beginning at `start`.
///
/// # Safety
/// `N` rows of `2 * steps` values, `stride` apart, at `q`; a panel of `steps` at `k`.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn scores<const N: usize>(
    q: *const bf16,
    stride: usize,
    k: *const bf16,
    steps: usize,
    start: &[f32],
) -> [[__m512; 2]; N] {
    let mut sums = [[_mm512_setzero_ps(); 2]; N];
    for i in 0..N {
        sums[i] = [_mm512_set1_ps(start[i]); 2];
    }
    for step in 0..steps {
        // SAFETY: the caller's promise.
        unsafe {
            let at = k.add(step * 2 * COLUMNS);
            let a = pairs(_mm512_loadu_si512(at.cast()));
            let b = pairs(_mm512_loadu_si512(at.add(COLUMNS).cast()));
            for i in 0..N {
                let row = q.add(i * stride + 2 * step).cast::<i32>().read_unaligned();
                let row = pairs(_mm512_set1_epi32(row));
                sums[i][0] = _mm512_dpbf16_ps(sums[i][0], row, a);
                sums[i][1] = _mm512_dpbf16_ps(sums[i][1], row, b);
            }
        }
    }
    sums
}

/// The largest score of each query.
///
/// # Safety
/// As `Scores` says, and the instructions.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512bf16")]
pub(super) unsafe fn row_max(s: Scores<'_, bf16>, row_max: &mut [f32]) {
    for i in 0..s.panels {
        let (k, key) = s.panel(i, COLUMNS);
        // SAFETY: the caller's promise.
        let sums = unsafe { scores::<ROWS>(s.q, s.padded, k, s.padded / 2, &[0.0; ROWS]) };
        for (row, row_max) in row_max[..ROWS].iter_mut().enumerate() {
            let (low, high) = (seen(s.visible[row], key), seen(s.visible[row], key + 16));
            let hidden = _mm512_set1_ps(HIDDEN);
            let a = _mm512_mask_mov_ps(hidden, low, sums[row][0]);
            let b = _mm512_mask_mov_ps(hidden, high, sums[row][1]);
            *row_max = row_max.max(_mm512_reduce_max_ps(_mm512_max_ps(a, b)));
        }
    }
}

/// Probabilities e^(score - row_max), not yet divided by their sum, as rows; adds to `total`, 16 parts
/// of each query's sum.
///
/// # Safety
/// As `Scores` says; 8 rows of `32 * panels` values, `apart` from each other, at `p`; the
/// instructions.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512bf16")]
pub(super) unsafe fn probabilities(
    s: Scores<'_, bf16>,
    row_max: &[f32],
    total: &mut [[f32; 16]],
    p: *mut bf16,
    apart: usize,
) {
    let total = &mut total[..ROWS];
    let mut start = [0.0; ROWS];
    for (start, row_max) in start.iter_mut().zip(row_max) {
        *start = -row_max;
    }
    let least = s.visible[..ROWS].iter().min().copied().unwrap_or(0);
    for i in 0..s.panels {
        let (k, key) = s.panel(i, COLUMNS);
        // SAFETY: the caller's promise.
        unsafe {
            let sums = scores::<ROWS>(s.q, s.padded, k, s.padded / 2, &start);
            let masked = least < key + COLUMNS;
            for row in 0..ROWS {
                let [mut a, mut b] = [exp2(sums[row][0]), exp2(sums[row][1])];
                if masked {
                    a = _mm512_maskz_mov_ps(seen(s.visible[row], key), a);
                    b = _mm512_maskz_mov_ps(seen(s.visible[row], key + 16), b);
                }
                let sum = total[row].as_mut_ptr();
                let both = _mm512_add_ps(_mm512_loadu_ps(sum), _mm512_add_ps(a, b));
                _mm512_storeu_ps(sum, both);
                _mm512_storeu_si512(p.add(row * apart + i * COLUMNS).cast(), narrow(a, b));
            }
        }
    }
}

/// P and dS = P (dy v^T - delta) of 4 queries and some panels of keys.
///
/// # Safety
/// As `Scores` says for 4 rows, and the same of `dy` and `v` as of q and k; room in `out`; the
/// instructions.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512bf16")]
pub(super) unsafe fn probabilities_and_ds(
    s: Scores<'_, bf16>,
    dy: *const bf16,
    v: *const bf16,
    lse: &[f32],
    delta: &[f32],
    out: DsTiles<bf16>,
) {
    let least = s.visible[..DS_ROWS].iter().min().copied().unwrap_or(0);
    let (low, high) = halves();
    for i in 0..s.panels {
        let (k, key) = s.panel(i, COLUMNS);
        let v = v.wrapping_add(i * COLUMNS * s.padded);
        let mut p = [[_mm512_setzero_ps(); 2]; DS_ROWS];
        let mut d = p;
        for row in 0..DS_ROWS {
            p[row] = [_mm512_set1_ps(-lse[row]); 2];
            d[row] = [_mm512_set1_ps(-delta[row]); 2];
        }
        // SAFETY: the caller's promise.
        unsafe {
            for step in 0..s.padded / 2 {
                let at = step * 2 * COLUMNS;
                let [k0, k1, v0, v1] =
                    [k.add(at), k.add(at + COLUMNS), v.add(at), v.add(at + COLUMNS)]
                        .map(|at| at.cast::<__m512i>());
                let (k0, k1) = (pairs(k0.read_unaligned()), pairs(k1.read_unaligned()));
                let (v0, v1) = (pairs(v0.read_unaligned()), pairs(v1.read_unaligned()));
                for row in 0..DS_ROWS {
                    let at = row * s.padded + 2 * step;
                    let q = _mm512_set1_epi32(s.q.add(at).cast::<i32>().read_unaligned());
                    let g = _mm512_set1_epi32(dy.add(at).cast::<i32>().read_unaligned());
                    p[row][0] = _mm512_dpbf16_ps(p[row][0], pairs(q), k0);
                    p[row][1] = _mm512_dpbf16_ps(p[row][1], pairs(q), k1);
                    d[row][0] = _mm512_dpbf16_ps(d[row][0], pairs(g), v0);
                    d[row][1] = _mm512_dpbf16_ps(d[row][1], pairs(g), v1);
                }
            }
            let masked = least < key + COLUMNS;
            for row in (0..DS_ROWS).step_by(2) {
                let mut short = [[_mm512_set1_epi32(0); 2]; 2];
                for j in 0..2 {
                    let [mut a, mut b] = [exp2(p[row + j][0]), exp2(p[row + j][1])];
                    if masked {
                        let visible = s.visible[row + j];
                        a = _mm512_maskz_mov_ps(seen(visible, key), a);
                        b = _mm512_maskz_mov_ps(seen(visible, key + 16), b);
                    }
                    let ds =
                        narrow(_mm512_mul_ps(a, d[row + j][0]), _mm512_mul_ps(b, d[row + j][1]));
                    let to = out.rows.add((row + j) * out.stride + i * COLUMNS);
                    _mm512_storeu_si512(to.cast(), ds);
                    short[j] = [narrow(a, b), ds];
                }
                let at = i * out.apart + row / 2 * 2 * COLUMNS;
                for (to, kind) in [(out.p, 0), (out.s, 1)] {
                    let (a, b) = (short[0][kind], short[1][kind]);
                    let to = to.add(at);
                    _mm512_storeu_si512(to.cast(), _mm512_permutex2var_epi16(a, low, b));
                    let to = to.add(COLUMNS);
                    _mm512_storeu_si512(to.cast(), _mm512_permutex2var_epi16(a, high, b));
                }
            }
        }
    }
}

/// Where the pairs of two rows' values come from: the first 16 and the last 16 columns.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn halves() -> (__m512i, __m512i) {
    const fn places(first: u16) -> [u16; 32] {
        let mut order = [0; 32];
        let mut i = 0;
        while i < 16 {
            order[2 * i] = first + i as u16;
            order[2 * i + 1] = 32 + first + i as u16;
            i += 1;
        }
        order
    }
    const LOW: [u16; 32] = places(0);
    const HIGH: [u16; 32] = places(16);
    // SAFETY: 32 halves are 512 bits.
    unsafe { (_mm512_loadu_si512(LOW.as_ptr().cast()), _mm512_loadu_si512(HIGH.as_ptr().cast())) }
}

/// c (8 rows of some vectors) = or += rows times a panel; see [`wide`].
///
/// # Safety
/// 8 rows of `2 * steps` values, `stride` apart, at `a`; `steps` of `16 * vectors` pairs at
/// `panel`; 8 rows of `16 * vectors` values, `apart` from each other, at `c`; the instructions.
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512bf16")]
#[expect(clippy::too_many_arguments, reason = "two factors and a result with their sizes")]
pub(super) unsafe fn product(
    (vectors, half): (usize, bool),
    a: *const bf16,
    stride: usize,
    panel: *const bf16,
    steps: usize,
    c: *mut f32,
    apart: usize,
    add: bool,
) {
    // SAFETY: the caller's promise.
    unsafe {
        match (vectors, half) {
            (1, false) => wide::<1, false>(a, stride, panel, steps, c, apart, add),
            (2, false) => wide::<2, false>(a, stride, panel, steps, c, apart, add),
            (3, false) => wide::<3, false>(a, stride, panel, steps, c, apart, add),
            (1, true) => wide::<0, true>(a, stride, panel, steps, c, apart, add),
            (2, true) => wide::<1, true>(a, stride, panel, steps, c, apart, add),
            (3, true) => wide::<2, true>(a, stride, panel, steps, c, apart, add),
            _ => unreachable!("one to three vectors"),
        }
    }
}

/// [`product`] of `WHOLE` vectors, and half of one.
///
/// # Safety
/// As there.
#[inline]
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512bf16")]
unsafe fn wide<const WHOLE: usize, const HALF: bool>(
    a: *const bf16,
    stride: usize,
    panel: *const bf16,
    steps: usize,
    c: *mut f32,
    apart: usize,
    add: bool,
) {
    let mut sums = [[_mm512_setzero_ps(); WHOLE]; ROWS];
    let mut rest = [_mm256_setzero_ps(); ROWS];
    let across = 32 * (WHOLE + usize::from(HALF));
    // SAFETY: the caller's promise.
    unsafe {
        if add {
            for i in 0..ROWS {
                for v in 0..WHOLE {
                    sums[i][v] = _mm512_loadu_ps(c.add(i * apart + 16 * v));
                }
                if HALF {
                    rest[i] = _mm256_loadu_ps(c.add(i * apart + 16 * WHOLE));
                }
            }
        }
        for step in 0..steps {
            let b = panel.add(step * across);
            let mut columns = [pairs(_mm512_set1_epi32(0)); WHOLE];
            for v in 0..WHOLE {
                columns[v] = pairs(_mm512_loadu_si512(b.add(32 * v).cast()));
            }
            let last = if HALF {
                _mm256_loadu_si256(b.add(32 * WHOLE).cast())
            } else {
                _mm256_set1_epi32(0)
            };
            let last = std::mem::transmute::<__m256i, __m256bh>(last);
            for i in 0..ROWS {
                let word = a.add(i * stride + 2 * step).cast::<i32>().read_unaligned();
                let row = pairs(_mm512_set1_epi32(word));
                for v in 0..WHOLE {
                    sums[i][v] = _mm512_dpbf16_ps(sums[i][v], row, columns[v]);
                }
                if HALF {
                    let row = std::mem::transmute::<__m256i, __m256bh>(_mm256_set1_epi32(word));
                    rest[i] = _mm256_dpbf16_ps(rest[i], row, last);
                }
            }
        }
        for i in 0..ROWS {
            for v in 0..WHOLE {
                _mm512_storeu_ps(c.add(i * apart + 16 * v), sums[i][v]);
            }
            if HALF {
                _mm256_storeu_ps(c.add(i * apart + 16 * WHOLE), rest[i]);
            }
        }
    }
}
