//! Memory in cache lines, so that vectors never straddle two of them.
//!
//! Large blocks are asked of the system itself, which clears them and takes them back as soon as
//! they are dropped, where an allocator would clear them again and keep them between others. They
//! are not asked for in huge pages: in a virtual machine those cost twice as much to fetch.
use bytemuck::{Pod, Zeroable};
use memmap2::MmapMut;
use std::ops::{Deref, DerefMut};

/// One cache line.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub struct Line([u8; 64]);

// SAFETY: 64 plain bytes without padding; the alignment is at most the size.
unsafe impl Zeroable for Line {}
// SAFETY: as above; every bit pattern is 64 valid bytes.
unsafe impl Pod for Line {}

/// Bytes from which on a block is asked of the system.
const LARGE: usize = 1 << 20;

/// A block of lines.
#[derive(Debug)]
pub struct Lines(Block);

#[derive(Debug)]
enum Block {
    Small(Vec<Line>),
    Large(MmapMut),
}

impl Lines {
    /// Zeroed lines for `count` values of type `T`.
    #[must_use]
    pub fn of<T>(count: usize) -> Self {
        let lines = (count * size_of::<T>()).div_ceil(size_of::<Line>());
        let bytes = lines * size_of::<Line>();
        if bytes >= LARGE
            && let Ok(map) = MmapMut::map_anon(bytes)
        {
            return Self(Block::Large(map));
        }
        Self(Block::Small(vec![Line::zeroed(); lines]))
    }
}

impl Default for Lines {
    fn default() -> Self {
        Self(Block::Small(Vec::new()))
    }
}

impl Deref for Lines {
    type Target = [Line];

    fn deref(&self) -> &[Line] {
        match &self.0 {
            Block::Small(lines) => lines,
            // Pages begin at multiples of a line.
            Block::Large(map) => bytemuck::cast_slice(map),
        }
    }
}

impl DerefMut for Lines {
    fn deref_mut(&mut self) -> &mut [Line] {
        match &mut self.0 {
            Block::Small(lines) => lines,
            Block::Large(map) => bytemuck::cast_slice_mut(map),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_every_size_are_zeroed_and_can_be_written() {
        for bytes in [0, 1, 64, 65, LARGE - 1, LARGE, LARGE + 1, 3 * LARGE + 100] {
            let mut lines = Lines::of::<u8>(bytes);
            assert_eq!(lines.len(), bytes.div_ceil(64));
            let values: &mut [u8] = bytemuck::cast_slice_mut(&mut lines);
            assert!(values.iter().all(|b| *b == 0));
            values.fill(7);
            assert!(bytemuck::cast_slice::<Line, u8>(&lines).iter().all(|b| *b == 7));
        }
    }
}
