//! libjpeg's accurate inverse cosine transform (Loeffler, Ligtenberg and Moschytz 1989, its constants
//! of 13 bits multiplied out), of eight columns at once.

/// Bits after the point of the transform's constants.
const BITS: u32 = 13;
/// Bits kept between its two passes.
const BETWEEN: u32 = 2;

/// One pass over eight columns; divides by 2 to the power of `SHIFT`, rounding.
/// Numbers of a sound picture fit into 16 bits, as they do in libjpeg-turbo.
#[inline]
fn pass<const SHIFT: u32>(v: &[[i16; 8]; 8]) -> [[i16; 8]; 8] {
    let fitted = |v: i32| (v >> SHIFT).clamp(i16::MIN.into(), i16::MAX.into()) as i16;
    let mut out = [[0; 8]; 8];
    for i in 0..8 {
        let v = |row: usize| i32::from(v[row][i]);
        let half = 1 << (SHIFT - 1);
        let sum = ((v(0) + v(4)) << BITS) + half;
        let difference = ((v(0) - v(4)) << BITS) + half;
        let (far, near) = (v(2) * 10703 + v(6) * 4433, v(2) * 4433 - v(6) * 10704);
        let even = [sum + far, difference + near, difference - near, sum - far];
        let odd = [
            v(1) * 11363 + v(3) * 9633 + v(5) * 6437 + v(7) * 2260,
            v(1) * 9633 - v(3) * 2259 - v(5) * 11362 - v(7) * 6436,
            v(1) * 6437 - v(3) * 11362 + v(5) * 2261 + v(7) * 9633,
            v(1) * 2260 - v(3) * 6436 + v(5) * 9633 - v(7) * 11363,
        ];
        for row in 0..4 {
            out[row][i] = fitted(even[row] + odd[row]);
            out[7 - row][i] = fitted(even[row] - odd[row]);
        }
    }
    out
}

/// Levels of a block of coefficients, both in natural order.
#[inline]
pub(super) fn inverse(block: &[i16; 64], table: &[u16; 64]) -> [[u8; 8]; 8] {
    let mut v = [[0i16; 8]; 8];
    let (rows, tables) = (block.as_chunks::<8>().0, table.as_chunks::<8>().0);
    for (out, (row, table)) in v.iter_mut().zip(rows.iter().zip(tables)) {
        for i in 0..8 {
            out[i] = row[i].wrapping_mul(table[i] as i16);
        }
    }
    let columns = pass::<{ BITS - BETWEEN }>(&v);
    let rows = pass::<{ BITS + BETWEEN + 3 }>(&transposed(&columns));
    let mut out = [[0; 8]; 8];
    for (out, row) in out.iter_mut().zip(transposed(&rows)) {
        *out = row.map(|v| (v.clamp(-128, 127) + 128) as u8);
    }
    out
}

#[inline]
fn transposed(v: &[[i16; 8]; 8]) -> [[i16; 8]; 8] {
    std::array::from_fn(|x| std::array::from_fn(|y| v[y][x]))
}
