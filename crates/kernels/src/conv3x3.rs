//! 3x3 convolutions with zero padding, stride 1 or 2: y and dx.
//!
//! Pictures are `[batch, height * width, channels]`. Some lines at a time are copied with their
//! zeros around them, in the kernel's type; then every output pixel's nine taps lie at the same
//! nine distances from its start, and one sum runs over all of them: no picture of nine times the
//! size. The gradient is a convolution too: of stride 1, with the taps turned around; of stride
//! 2, four of them, one for each parity of the input's row and column, with one, two or four
//! taps. Convolutions of stride 1 go by Winograd's F(4x4, 3x3) or F(2x2, 3x3) where that pays.
use crate::packed::{Direction, Packed};
use crate::product::{Block, Finish, RowSource, RowValue, Tap, convert, dispatch};
use crate::tile::{COLUMNS, SIDE};
use crate::view::apart;
use crate::winograd::{self, F4x4, Transform};
use crate::{Cpu, Grid, Isa, Products, Values, View, ViewMut, WeightSizes, schedule, scratch};

/// Sizes, stride and padding of one convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvSizes {
    /// Number of pictures.
    pub batch: usize,
    /// Height and width of x.
    pub from: Grid,
    /// Height and width of y.
    pub to: Grid,
    /// Distance between neighboring outputs, in pixels of x.
    pub stride: usize,
    /// Zeros before the first row and column of x.
    pub pad: usize,
}

/// A frozen weight with its bias.
#[derive(Debug)]
pub struct Weight {
    packed: Packed,
    bias: Option<Vec<f32>>,
}

impl Weight {
    /// Takes over torch's `[outputs, inputs, 3, 3]`.
    ///
    /// # Panics
    /// If the sizes do not fit, or bf16 products are asked for where there are none.
    #[must_use]
    pub fn new(
        cpu: &Cpu,
        values: Values<'_>,
        sizes: WeightSizes,
        bias: Option<Vec<f32>>,
        products: Products,
    ) -> Self {
        assert!(bias.as_ref().is_none_or(|b| b.len() == sizes.outputs), "one bias per output");
        Self { packed: Packed::new(cpu, values, sizes, 9, products), bias }
    }

    /// Bytes held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.packed.bytes() + 4 * self.bias.as_ref().map_or(0, Vec::len)
    }
}

/// One convolution as the products see it.
struct PaddedLines<'a> {
    x: View<'a>,
    channels: usize,
    /// Channels of one pixel in the copy.
    padded: usize,
    /// Height and width of x.
    from: Grid,
    /// Height and width of what is computed.
    to: Grid,
    stride: usize,
    pad: usize,
    batch: usize,
    /// Pixels of a line of the copy, and how many copies there are: one, or one for each column of
    /// taps, moved by one pixel from copy to copy. With three, all pixels of a block lie equally
    /// far apart, as a tile unit needs them, however short a line is.
    width: usize,
    copies: usize,
    /// Lines of the result in one block; where that is a whole picture, how many of them.
    each: usize,
    pictures: usize,
    taps: Vec<Tap>,
    /// Where pixel (row, column) of a picture goes: its picture's `size`, then
    /// (row * step.0 + origin.0) * width + column * step.1 + origin.1.
    output: OutputGrid,
}

#[derive(Clone, Copy)]
struct OutputGrid {
    size: usize,
    width: usize,
    step: usize,
    origin: (usize, usize),
}

impl<'a> PaddedLines<'a> {
    /// `taps` are (row, column) in the copy, counted from an output's first tap, and the weight's;
    /// those that meet zeros only are left out. `small` is whether the weight is.
    #[expect(clippy::too_many_arguments, reason = "each is a size of its own")]
    fn new(
        x: View<'a>,
        channels: usize,
        padded: usize,
        batch: usize,
        (from, to): (Grid, Grid),
        (stride, pad): (usize, usize),
        taps: impl Iterator<Item = ((usize, usize), usize)>,
        output: OutputGrid,
        (direction, w): (Direction, &Packed),
        cpu: &Cpu,
    ) -> Self {
        let small = w.small();
        let short = !to.width.is_multiple_of(SIDE) && stride == 1;
        let apart = w.products() == Products::Bf16 && cpu.isa.tiles() && short;
        let (width, copies) = if apart { (to.width, 3) } else { (stride * (to.width - 1) + 3, 1) };
        let meets = |tap: usize, from: usize, to: usize| {
            (0..to).any(|i| (pad..pad + from).contains(&(stride * i + tap)))
        };
        let taps = taps
            .filter(|((i, j), _)| {
                meets(*i, from.height, to.height) && meets(*j, from.width, to.width)
            })
            .collect::<Vec<_>>();
        let most = match direction {
            Direction::Forward => 256,
            Direction::Backward => 512,
        };
        let panels = w.sizes(direction).0.div_ceil(COLUMNS);
        let (all, threads) = (batch * to.pixels(), cpu.pool.threads());
        let rows = schedule::rows_of_block(all, most, SIDE, panels, threads).min(most);
        let lines = (rows / to.width).clamp(1, to.height);
        let each = to.height.div_ceil(to.height.div_ceil(lines));
        let copy = stride * (each - 1) + 3;
        let offset = |i, j| if copies == 1 { i * width + j } else { (j * copy + i) * width };
        let taps = taps
            .into_iter()
            .map(|((i, j), tap)| Tap { offset: offset(i, j) * padded, tap })
            .collect();
        // Small pictures go together: as many as fill a tile, or as one making of a panel serves.
        let rows = if small { 8 } else { rows };
        let pictures = (rows / (to.height * to.width)).clamp(1, batch);
        Self {
            x,
            channels,
            padded,
            from,
            to,
            stride,
            pad,
            batch,
            width,
            copies,
            each,
            pictures,
            taps,
            output,
        }
    }

    /// Lines of one copy.
    fn lines(&self) -> usize {
        self.stride * (self.each - 1) + 3
    }

    fn blocks_of_one(&self) -> usize {
        self.to.height.div_ceil(self.each)
    }

    fn copy<V: RowValue>(&self, isa: Isa, picture: usize, first: usize, a: &mut [V]) {
        let size = self.from.height * self.from.width * self.channels;
        let zero = V::put(0.0);
        for (i, line) in a.chunks_exact_mut(self.width * self.padded).enumerate() {
            let (moved, i) = (i / self.lines(), i % self.lines());
            // Zeros before the first pixel, or pixels that are left out.
            let (zeros, left_out) =
                (self.pad.saturating_sub(moved), moved.saturating_sub(self.pad));
            let inside = (self.from.width - left_out.min(self.from.width)).min(self.width - zeros);
            let row =
                (self.stride * first + i).checked_sub(self.pad).filter(|r| *r < self.from.height);
            let Some(row) = row else {
                line.fill(zero);
                continue;
            };
            let (before, rest) = line.split_at_mut(zeros * self.padded);
            let (pixels, after) = rest.split_at_mut(inside * self.padded);
            before.fill(zero);
            after.fill(zero);
            let at = picture * size + (row * self.from.width + left_out) * self.channels;
            let range = at..at + inside * self.channels;
            match self.x {
                View::F32(x) => convert(isa, &x[range], self.channels, self.padded, pixels),
                View::Bf16(x) => convert(isa, &x[range], self.channels, self.padded, pixels),
            }
        }
    }
}

impl<V: RowValue> RowSource<V> for PaddedLines<'_> {
    fn blocks(&self) -> usize {
        self.batch.div_ceil(self.pictures) * self.blocks_of_one()
    }

    fn taps(&self) -> &[Tap] {
        &self.taps
    }

    fn with_block(&self, isa: Isa, block: usize, f: &mut dyn FnMut(Block<'_, V>)) {
        let blocks = self.blocks_of_one();
        let picture = block / blocks * self.pictures;
        let pictures = picture..self.batch.min(picture + self.pictures);
        let first = block % blocks * self.each;
        let lines = self.each.min(self.to.height - first);
        let width = self.width;
        let copied = self.copies * self.lines() * width * self.padded;
        let count = pictures.len() * lines * self.to.width;
        let p = self.output;
        scratch::with(2 * count, |numbers: &mut [usize]| {
            let (starts, rows) = numbers.split_at_mut(count);
            let mut numbers = starts.iter_mut().zip(rows.iter_mut());
            for (at, picture) in pictures.clone().enumerate() {
                for i in 0..lines {
                    let line = (first + i) * p.step + p.origin.0;
                    let row = picture * p.size + line * p.width + p.origin.1;
                    let start = at * copied + self.stride * i * width * self.padded;
                    for (j, (to, number)) in numbers.by_ref().take(self.to.width).enumerate() {
                        (*to, *number) = (start + self.stride * j * self.padded, row + j * p.step);
                    }
                }
            }
            scratch::with(pictures.len() * copied, |a: &mut [V]| {
                for (picture, a) in pictures.zip(a.chunks_exact_mut(copied)) {
                    self.copy(isa, picture, first, a);
                }
                f(Block { values: a, starts, rows });
            });
        });
    }
}

/// Channels of one pixel in a copy: even, and the distance of two pixels no multiple of 4 KB.
fn padded(channels: usize, w: &Packed) -> usize {
    let even = channels.next_multiple_of(2);
    match w.products() {
        Products::Bf16 => apart::<half::bf16>(even),
        Products::F32 => apart::<f32>(even),
    }
}

/// y `[batch, to, outputs]` from x `[batch, from, inputs]`, plus bias (and residual).
pub fn forward(
    cpu: &Cpu,
    x: View<'_>,
    shape: ConvSizes,
    w: &Weight,
    residual: Option<View<'_>>,
    y: ViewMut<'_>,
) {
    let (k, n) = (w.packed.inputs, w.packed.outputs);
    let (from, to) = (shape.from, shape.to);
    assert!(x.len() == shape.batch * from.height * from.width * k, "conv3x3: size of the input");
    assert!(y.len() == shape.batch * to.height * to.width * n, "conv3x3: size of the output");
    let finish = Finish::new(w.bias.as_deref(), residual, y, n);
    if !tiled(cpu, x, shape, w, Direction::Forward, &finish) {
        products(cpu, x, shape, w, &finish);
    }
}

/// The convolution of x, tap by tap.
fn products(cpu: &Cpu, x: View<'_>, shape: ConvSizes, w: &Weight, finish: &Finish<'_>) {
    let (from, to, k) = (shape.from, shape.to, w.packed.inputs);
    let output =
        OutputGrid { size: to.height * to.width, width: to.width, step: 1, origin: (0, 0) };
    let source = PaddedLines::new(
        x,
        k,
        padded(k, &w.packed),
        shape.batch,
        (from, to),
        (shape.stride, shape.pad),
        (0..9).map(|t| ((t / 3, t % 3), t)),
        output,
        (Direction::Forward, &w.packed),
        cpu,
    );
    dispatch(cpu, &source, &w.packed, Direction::Forward, finish);
}

/// Does a convolution of stride 1 by [`crate::winograd`] where that pays.
fn tiled(
    cpu: &Cpu,
    x: View<'_>,
    shape: ConvSizes,
    w: &Weight,
    direction: Direction,
    finish: &Finish<'_>,
) -> bool {
    if w.packed.products() == Products::Bf16 {
        with_bf16_kernel!(cpu.isa, kernel => {
            tiled_by(cpu, kernel, x, shape, w, direction, finish)
        });
    }
    #[cfg(target_arch = "x86_64")]
    {
        if let Some(kernel) = cpu.isa.avx512() {
            return tiled_by_f32(cpu, kernel, x, shape, w, direction, finish);
        }
        if let Some(kernel) = cpu.isa.avx2() {
            return tiled_by_f32(cpu, kernel, x, shape, w, direction, finish);
        }
    }
    tiled_by_f32(cpu, crate::tile::Portable, x, shape, w, direction, finish)
}

/// The larger tiles where there are enough of them.
fn tiled_by_f32<K: Transform<Value = f32>>(
    cpu: &Cpu,
    kernel: K,
    x: View<'_>,
    shape: ConvSizes,
    w: &Weight,
    direction: Direction,
    finish: &Finish<'_>,
) -> bool {
    tiled_by(cpu, F4x4(kernel), x, shape, w, direction, finish)
        || tiled_by(cpu, kernel, x, shape, w, direction, finish)
}

fn tiled_by<K: Transform>(
    cpu: &Cpu,
    kernel: K,
    x: View<'_>,
    shape: ConvSizes,
    w: &Weight,
    direction: Direction,
    finish: &Finish<'_>,
) -> bool {
    let same = shape.stride == 1 && shape.pad == 1 && shape.from == shape.to;
    let pays = same && winograd::pays(kernel, &w.packed, direction, shape.to);
    if pays {
        winograd::run(cpu, kernel, x, shape.batch, shape.to, &w.packed, direction, finish);
    }
    pays
}

/// dx `[batch, from, inputs]` from dy `[batch, to, outputs]`.
pub fn backward(cpu: &Cpu, dy: View<'_>, shape: ConvSizes, w: &Weight, dx: ViewMut<'_>) {
    let (k, n) = (w.packed.outputs, w.packed.inputs);
    let (from, to, stride) = (shape.from, shape.to, shape.stride);
    assert!(dy.len() == shape.batch * to.height * to.width * k, "conv3x3: size of the gradient");
    assert!(dx.len() == shape.batch * from.height * from.width * n, "conv3x3: size of the input");
    let finish = Finish::new(None, None, dx, n);
    if tiled(cpu, dy, shape, w, Direction::Backward, &finish) {
        return;
    }
    // Input pixel stride * a + p met tap t of output a + d, d = (p + pad - t) / stride.
    let met = |p: usize| {
        (0..3).filter_map(move |t: usize| {
            let d = (p + shape.pad + 2 * stride).checked_sub(t)?;
            // One more than d, because the copy has one pixel before the first.
            (d % stride == 0).then_some((d / stride - 1, t))
        })
    };
    for parity in 0..stride * stride {
        let origin = (parity / stride, parity % stride);
        let side = |pixels: usize, p: usize| (pixels + stride - 1 - p) / stride;
        let grid = Grid { height: side(from.height, origin.0), width: side(from.width, origin.1) };
        if grid.height == 0 || grid.width == 0 {
            continue;
        }
        let output =
            OutputGrid { size: from.height * from.width, width: from.width, step: stride, origin };
        let taps =
            met(origin.0).flat_map(|(i, t)| met(origin.1).map(move |(j, u)| ((i, j), 3 * t + u)));
        let source = PaddedLines::new(
            dy,
            k,
            padded(k, &w.packed),
            shape.batch,
            (to, grid),
            (1, 1),
            taps,
            output,
            (Direction::Backward, &w.packed),
            cpu,
        );
        dispatch(cpu, &source, &w.packed, Direction::Backward, &finish);
    }
}
