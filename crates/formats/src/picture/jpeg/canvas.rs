//! Pixels of a picture whose rows come one after the other, turned on the way.

/// Rows that are turned at once, so that what they become lies together.
const STRIP: usize = 16;

/// How a picture is turned: columns and rows in reverse, then rows as columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::picture) struct Turning {
    pub(in crate::picture) reverse_columns: bool,
    pub(in crate::picture) reverse_rows: bool,
    pub(in crate::picture) transpose: bool,
}

/// The picture so far.
pub(super) struct Canvas {
    /// Width and height before the turn.
    size: (usize, usize),
    channels: usize,
    turning: Turning,
    data: Vec<u8>,
    /// Rows that are not in `data` yet, and how many.
    strip: Vec<u8>,
    waiting: usize,
    /// Rows that were given.
    rows: usize,
}

impl Canvas {
    /// An empty picture of `size` before the turn.
    pub(super) fn new(size: (usize, usize), channels: usize, turning: Turning) -> Self {
        let strip = if turning.transpose { STRIP * size.0 * channels } else { 0 };
        Self {
            size,
            channels,
            turning,
            data: vec![0; size.0 * size.1 * channels],
            strip: vec![0; strip],
            waiting: 0,
            rows: 0,
        }
    }

    /// Rows before the turn.
    pub(super) fn height(&self) -> usize {
        self.size.1
    }

    /// Rows that were given.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Adds the next row, which `fill` writes.
    pub(super) fn add(&mut self, fill: impl FnOnce(&mut [u8])) {
        let (length, height) = (self.size.0 * self.channels, self.size.1);
        let (y, turning) = (self.rows, self.turning);
        self.rows += 1;
        if turning.transpose {
            fill(&mut self.strip[self.waiting * length..][..length]);
            self.waiting += 1;
            if self.waiting == STRIP || self.rows == height {
                match self.channels {
                    1 => self.empty_strip::<1>(),
                    _ => self.empty_strip::<3>(),
                }
            }
            return;
        }
        let y = if turning.reverse_rows { height - 1 - y } else { y };
        let row = &mut self.data[y * length..][..length];
        fill(row);
        if turning.reverse_columns {
            match self.channels {
                1 => row.reverse(),
                _ => row.as_chunks_mut::<3>().0.reverse(),
            }
        }
    }

    /// Makes columns of the rows that wait.
    fn empty_strip<const CHANNELS: usize>(&mut self) {
        let ((width, height), count) = (self.size, self.waiting);
        let first = self.rows - count;
        let left = if self.turning.reverse_rows { height - self.rows } else { first };
        let strip = self.strip.as_chunks::<CHANNELS>().0;
        let data = self.data.as_chunks_mut::<CHANNELS>().0;
        for x in 0..width {
            let y = if self.turning.reverse_columns { width - 1 - x } else { x };
            let row = &mut data[y * height + left..][..count];
            let column = strip[x..].iter().step_by(width);
            if self.turning.reverse_rows {
                row.iter_mut().rev().zip(column).for_each(|(to, from)| *to = *from);
            } else {
                row.iter_mut().zip(column).for_each(|(to, from)| *to = *from);
            }
        }
        self.waiting = 0;
    }

    /// Width, height and pixels after the turn.
    pub(super) fn finish(self) -> (usize, usize, Vec<u8>) {
        let (width, height) = self.size;
        let (width, height) =
            if self.turning.transpose { (height, width) } else { (width, height) };
        (width, height, self.data)
    }
}
