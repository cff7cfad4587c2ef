//! Memory in cache lines, so that vectors never straddle two of them.
use bytemuck::{Pod, Zeroable};

/// One cache line.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub struct Line([u8; 64]);

// SAFETY: 64 plain bytes without padding; the alignment is at most the size.
unsafe impl Zeroable for Line {}
// SAFETY: as above; every bit pattern is 64 valid bytes.
unsafe impl Pod for Line {}

/// Zeroed lines for `count` values of type `T`.
#[must_use]
pub fn lines<T>(count: usize) -> Vec<Line> {
    let bytes = count * size_of::<T>();
    vec![Line::zeroed(); bytes.div_ceil(size_of::<Line>())]
}
