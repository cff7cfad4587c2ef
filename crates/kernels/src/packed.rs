//! Frozen weights in blocks of 32 outputs x 32 inputs, one copy for both directions, and what is
//! kept beside it where a weight is small.
//!
//! A panel (see [`crate::tile`]) of 32 outputs is a run of blocks, so the forward product reads
//! it in place; the input gradient wants panels of 32 inputs over the outputs, which are the
//! same blocks transposed on the way into a scratch panel that many rows then use. For bf16
//! products blocks hold bf16 pairs. For f32 products they hold the file's own type, which is
//! widened panel by panel: exact, and half the memory of f32 for a file of 16-bit values.
//!
//! In a small model rows are few and the making of panels is a good part of the work, so weights
//! of at most [`SMALL`] values keep the panels that were made for them once. Those of a model of
//! the full size are larger nearly all; it holds some 20 MB more.
use crate::Element;
use crate::buffer::{Line, Lines};
use crate::tile::COLUMNS;
use crate::{Cpu, Isa};
use half::{bf16, f16};
use std::sync::OnceLock;

mod bf16_pairs;
mod transpose;

/// Values of one block.
const BLOCK: usize = COLUMNS * COLUMNS;

/// Values of a weight that keeps what is made of it.
const SMALL: usize = 192 * 1024;

/// Values on the host, as the file holds them.
#[derive(Debug, Clone, Copy)]
pub enum Values<'a> {
    /// 32-bit floats.
    F32(&'a [f32]),
    /// IEEE half floats.
    F16(&'a [f16]),
    /// The upper halves of 32-bit floats.
    Bf16(&'a [bf16]),
}

impl Values<'_> {
    const fn len(&self) -> usize {
        match self {
            Self::F32(v) => v.len(),
            Self::F16(v) => v.len(),
            Self::Bf16(v) => v.len(),
        }
    }
}

/// Sizes of a weight matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WeightSizes {
    /// Rows of the weight: channels of the result.
    pub outputs: usize,
    /// Columns of the weight: channels of the input.
    pub inputs: usize,
}

/// In which numbers products are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Products {
    /// f32.
    F32,
    /// Pairs of bf16 with f32 sums; needs the instruction.
    Bf16,
}

/// How a block lies in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BlockFormat {
    /// bf16, two inputs side by side: `[inputs / 2, outputs, 2]`.
    Bf16Pairs,
    /// `[inputs, outputs]`.
    F32,
    F16,
    Bf16,
}

/// Which way a weight is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Columns are outputs, the sum runs over inputs.
    Forward,
    /// Columns are inputs, the sum runs over outputs.
    Backward,
}

/// A weight `[outputs, inputs, taps]` in blocks `[outputs / 32, taps, inputs / 32]`.
#[derive(Debug)]
pub(crate) struct Packed {
    format: BlockFormat,
    lines: Lines,
    pub(crate) outputs: usize,
    pub(crate) inputs: usize,
    taps: usize,
    /// Of a small weight: the panels of each direction that are not in place, and those of
    /// [`crate::winograd`].
    made: [OnceLock<Lines>; 2],
    tiles: [OnceLock<Lines>; 2],
}

impl Packed {
    /// Takes over `[outputs, inputs, taps]`, row-major.
    pub(crate) fn new(
        cpu: &Cpu,
        values: Values<'_>,
        WeightSizes { outputs, inputs }: WeightSizes,
        taps: usize,
        products: Products,
    ) -> Self {
        assert!(values.len() == outputs * inputs * taps && outputs > 0, "a weight of its size");
        let format = match (products, values) {
            (Products::Bf16, _) => {
                assert!(cpu.isa.bf16_products(), "bf16 products need the instruction");
                BlockFormat::Bf16Pairs
            }
            (_, Values::F32(_)) => BlockFormat::F32,
            (_, Values::F16(_)) => BlockFormat::F16,
            (_, Values::Bf16(_)) => BlockFormat::Bf16,
        };
        let row = taps * inputs.div_ceil(COLUMNS) * BLOCK;
        let count = outputs.div_ceil(COLUMNS) * row;
        let sizes = (outputs, inputs, taps);
        let mut lines = match format {
            BlockFormat::F32 => Lines::of::<f32>(count),
            _ => Lines::of::<u16>(count),
        };
        let bytes = lines.len() / (count / row);
        cpu.pool.chunks(&mut lines, bytes, |j, lines| match (format, values) {
            (BlockFormat::F32, Values::F32(v)) => {
                plain(v, sizes, j, bytemuck::cast_slice_mut(lines))
            }
            (BlockFormat::F16, Values::F16(v)) => {
                plain(v, sizes, j, bytemuck::cast_slice_mut(lines))
            }
            (BlockFormat::Bf16, Values::Bf16(v)) => {
                plain(v, sizes, j, bytemuck::cast_slice_mut(lines))
            }
            _ => bf16_pairs::panel(cpu.isa, values, sizes, j, bytemuck::cast_slice_mut(lines)),
        });
        let (made, tiles) = Default::default();
        Self { format, lines, outputs, inputs, taps, made, tiles }
    }

    /// Bytes held; a small weight's panels come later, with the first use.
    pub(crate) fn bytes(&self) -> usize {
        self.lines.len() * size_of::<Line>()
    }

    /// Whether the weight keeps what is made of it.
    pub(crate) fn small(&self) -> bool {
        let across = |n: usize| n.next_multiple_of(COLUMNS);
        across(self.outputs) * across(self.inputs) * self.taps <= SMALL
    }

    /// Makes the panels of this direction, unless they are in place or the weight is large.
    pub(crate) fn keep<V: PanelValue>(&self, cpu: &Cpu, direction: Direction) {
        if !self.small() || V::in_place(self, direction, 0).is_some() {
            return;
        }
        let (columns, length) = self.sizes(direction);
        let blocks = length.div_ceil(COLUMNS);
        let mut made = Lines::of::<V>(columns.div_ceil(COLUMNS) * self.taps * blocks * BLOCK);
        let panel_values: &mut [V] = bytemuck::cast_slice_mut(&mut made);
        for (i, to) in panel_values.chunks_exact_mut(blocks * BLOCK).enumerate() {
            V::make(cpu.isa, self, direction, i / self.taps, i % self.taps, 0..blocks, to);
        }
        // If another thread was first, its panels are the same.
        let _ = self.made[direction as usize].set(made);
    }

    /// The transformed panels of this direction, one behind the other, made by `make` if the
    /// weight is small; `None` if it is not.
    pub(crate) fn tiles<V: PanelValue>(
        &self,
        direction: Direction,
        count: usize,
        make: impl FnOnce(&mut [V]),
    ) -> Option<&[V]> {
        let made = || {
            let mut made = Lines::of::<V>(count);
            make(&mut bytemuck::cast_slice_mut(&mut made)[..count]);
            made
        };
        let small = self.small().then(|| self.tiles[direction as usize].get_or_init(made));
        small.map(|made| &bytemuck::cast_slice(made)[..count])
    }

    /// The kept panels from this one on, of all taps, and where tap t begins in the first.
    fn kept<V: PanelValue>(&self, direction: Direction, panel: usize) -> Option<(&[V], usize)> {
        let made: &[V] = bytemuck::cast_slice::<Line, V>(self.made[direction as usize].get()?);
        let tap = self.sizes(direction).1.div_ceil(COLUMNS) * BLOCK;
        Some((&made[panel * self.taps * tap..], tap))
    }

    pub(crate) fn products(&self) -> Products {
        if self.format == BlockFormat::Bf16Pairs { Products::Bf16 } else { Products::F32 }
    }

    /// Columns and length of the sum in this direction.
    pub(crate) fn sizes(&self, direction: Direction) -> (usize, usize) {
        match direction {
            Direction::Forward => (self.outputs, self.inputs),
            Direction::Backward => (self.inputs, self.outputs),
        }
    }

    /// Where block (`output`, `tap`, `input`) begins.
    fn at(&self, output: usize, tap: usize, input: usize) -> usize {
        ((output * self.taps + tap) * self.inputs.div_ceil(COLUMNS) + input) * BLOCK
    }

    fn values<T: Element>(&self) -> &[T] {
        bytemuck::cast_slice(&self.lines)
    }
}

/// Packs panel `j` in the file's own type. All taps of an input block are read while its rows are
/// in the first cache.
fn plain<T: Element>(v: &[T], (n, k, taps): (usize, usize, usize), j: usize, to: &mut [T]) {
    let across = k.div_ceil(COLUMNS);
    let outputs = (n - j * COLUMNS).min(COLUMNS);
    for first in (0..k).step_by(COLUMNS) {
        let count = (k - first).min(COLUMNS);
        let row = |o: usize| &v[((j * COLUMNS + o) * k + first) * taps..][..count * taps];
        let rows: [&[T]; COLUMNS] = std::array::from_fn(|o| row(o.min(outputs - 1)));
        for tap in 0..taps {
            let block = &mut to[(tap * across + first / COLUMNS) * BLOCK..][..count * COLUMNS];
            for (c, to) in block.chunks_exact_mut(COLUMNS).enumerate() {
                for (to, row) in to[..outputs].iter_mut().zip(&rows) {
                    *to = row[c * taps + tap];
                }
            }
        }
    }
}

/// A type of which a kernel's panels consist.
pub(crate) trait PanelValue: Element {
    /// The panels from this one on, of all taps, in place, and where tap t begins in the first;
    /// `None` if they must be made.
    fn in_place(w: &Packed, direction: Direction, panel: usize) -> Option<(&[Self], usize)>;
    /// Makes the blocks `blocks` of tap `tap` of a panel.
    fn make(
        isa: Isa,
        w: &Packed,
        direction: Direction,
        panel: usize,
        tap: usize,
        blocks: std::ops::Range<usize>,
        to: &mut [Self],
    );
}

impl Packed {
    fn panel<T: Element>(&self, panel: usize) -> (&[T], usize) {
        (&self.values::<T>()[self.at(panel, 0, 0)..], self.at(0, 1, 0))
    }
}

impl PanelValue for bf16 {
    fn in_place(w: &Packed, direction: Direction, panel: usize) -> Option<(&[Self], usize)> {
        if direction == Direction::Forward && w.format == BlockFormat::Bf16Pairs {
            Some(w.panel(panel))
        } else {
            w.kept(direction, panel)
        }
    }

    fn make(
        isa: Isa,
        w: &Packed,
        direction: Direction,
        panel: usize,
        tap: usize,
        blocks: std::ops::Range<usize>,
        to: &mut [Self],
    ) {
        assert!(
            direction == Direction::Backward && w.format == BlockFormat::Bf16Pairs,
            "others are in place"
        );
        let from = |block: usize| &w.values::<bf16>()[w.at(block, tap, panel)..][..BLOCK];
        let end = blocks.end;
        for (to, block) in to.chunks_exact_mut(BLOCK).zip(blocks) {
            if block + 1 < end {
                crate::fetch(from(block + 1));
            }
            let from = from(block);
            transpose::pairs(isa, bytemuck::cast_slice(from), bytemuck::cast_slice_mut(to));
        }
    }
}

impl PanelValue for f32 {
    fn in_place(w: &Packed, direction: Direction, panel: usize) -> Option<(&[Self], usize)> {
        if direction == Direction::Forward && w.format == BlockFormat::F32 {
            Some(w.panel(panel))
        } else {
            w.kept(direction, panel)
        }
    }

    fn make(
        isa: Isa,
        w: &Packed,
        direction: Direction,
        panel: usize,
        tap: usize,
        blocks: std::ops::Range<usize>,
        to: &mut [Self],
    ) {
        for (to, block) in to.chunks_exact_mut(BLOCK).zip(blocks) {
            let at = match direction {
                Direction::Forward => w.at(panel, tap, block),
                Direction::Backward => w.at(block, tap, panel),
            };
            let turned = direction == Direction::Backward;
            let mut block_values = [0.0; BLOCK];
            let wide = if turned { &mut block_values[..] } else { &mut *to };
            match w.format {
                BlockFormat::F32 if turned => {
                    transpose::block(isa, &w.values()[at..at + BLOCK], to);
                    continue;
                }
                BlockFormat::F32 => wide.copy_from_slice(&w.values()[at..at + BLOCK]),
                BlockFormat::F16 => transpose::widen_half(isa, &w.values()[at..at + BLOCK], wide),
                BlockFormat::Bf16 => widen(isa, &w.values()[at..at + BLOCK], wide),
                BlockFormat::Bf16Pairs => unreachable!("f32 products of bf16 pairs"),
            }
            if turned {
                transpose::block(isa, &block_values, to);
            }
        }
    }
}

vectorized! {
    /// A block as f32.
    fn widen[](from: &[bf16], to: &mut [f32]) {
        for (to, from) in to.iter_mut().zip(from) {
            *to = Element::get(*from);
        }
    }
}
