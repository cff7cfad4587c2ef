//! Brightness of a picture: means of areas, a small hash, and how blurred it is.

/// Brightness, row by row, 0 to 255.
#[derive(Debug, Clone, PartialEq)]
pub struct Gray {
    width: usize,
    height: usize,
    values: Vec<f32>,
}

impl Gray {
    /// Of `[height, width, channels]` levels, whose first three channels are red, green and blue.
    #[must_use]
    pub fn of(levels: &[u8], channels: usize, width: usize) -> Self {
        let light =
            |p: &[u8]| 0.299 * f32::from(p[0]) + 0.587 * f32::from(p[1]) + 0.114 * f32::from(p[2]);
        let values: Vec<f32> = levels.chunks_exact(channels).map(light).collect();
        Self { width, height: values.len() / width.max(1), values }
    }

    /// Pixels in a row.
    #[must_use]
    pub const fn width(&self) -> usize {
        self.width
    }

    /// `[height, width]` values.
    #[must_use]
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// Means of the pixels below each place.
    pub(crate) fn shrunk(&self, width: usize, height: usize) -> Self {
        let span = |i: usize, to: usize, from: usize| {
            let start = i * from / to;
            start..((i + 1) * from / to).max(start + 1)
        };
        let mut values = Vec::with_capacity(width * height);
        for y in 0..height {
            let rows = span(y, height, self.height);
            for x in 0..width {
                let columns = span(x, width, self.width);
                let count = (rows.len() * columns.len()) as f32;
                let row = |y: usize| &self.values[y * self.width..][columns.clone()];
                let sum: f32 = rows.clone().map(|y| row(y).iter().sum::<f32>()).sum();
                values.push(sum / count);
            }
        }
        Self { width, height, values }
    }

    /// Left and right exchanged.
    pub(crate) fn mirrored(&self) -> Self {
        let rows = self.values.chunks_exact(self.width);
        let values = rows.flat_map(|row| row.iter().rev().copied()).collect();
        Self { values, ..*self }
    }

    /// Whether brightness grows from each place of a row to the next ("difference hash").
    pub(crate) fn hash(&self) -> u64 {
        let rows = self.values.chunks_exact(self.width);
        let bits = rows.flat_map(|row| row.windows(2).map(|pair| pair[0] < pair[1]));
        bits.fold(0, |hash, bit| hash << 1 | u64::from(bit))
    }

    /// Mean 0 and length 1; zeros where it is of one color.
    pub(crate) fn unit(&self) -> Vec<f32> {
        let mean = self.values.iter().sum::<f32>() / self.values.len() as f32;
        let centerd: Vec<f32> = self.values.iter().map(|v| v - mean).collect();
        let length = centerd.iter().map(|v| v * v).sum::<f32>().sqrt();
        centerd.iter().map(|v| if length > 1.0 { v / length } else { 0.0 }).collect()
    }

    /// Whether black bars, as of films and screens, stand on opposite sides.
    #[must_use]
    pub fn has_bars(&self) -> bool {
        let row = |y: usize| self.values[y * self.width..][..self.width].iter();
        let column = |x: usize| self.values.iter().skip(x).step_by(self.width);
        both_ends(self.height, &|y| row(y).copied().fold(0.0, f32::max))
            || both_ends(self.width, &|x| column(x).copied().fold(0.0, f32::max))
    }

    /// How little blurring changes: the share of the differences between neighbors that is still
    /// there after a mean over nine pixels, in the worse direction (Crete, Dolmiere, Ladret, Nicolas
    /// 2007, "The blur effect"). 0, sharp, to 1.
    #[must_use]
    pub fn blur(&self) -> f64 {
        let (mut across, mut down) = (Kept::default(), Kept::default());
        for row in self.values.chunks_exact(self.width) {
            across.line(row.iter().copied());
        }
        for x in 0..self.width {
            down.line(self.values.iter().skip(x).step_by(self.width).copied());
        }
        across.share().max(down.share())
    }
}

/// Whether the first and the last lines of `count` are black, three in a hundred each, but not most
/// of the picture. `brightest` is that of a line.
fn both_ends(count: usize, brightest: &dyn Fn(usize) -> f32) -> bool {
    const BLACK: f32 = 10.0;
    let first = (0..count).take_while(|i| brightest(*i) < BLACK).count();
    let last = (0..count).rev().take_while(|i| brightest(*i) < BLACK).count();
    first.min(last) * 100 >= 3 * count && 2 * first.max(last) < count
}

/// Differences between neighbors, and what of them a blur takes away.
#[derive(Default)]
struct Kept {
    line: Vec<f32>,
    all: f64,
    lost: f64,
}

impl Kept {
    fn line(&mut self, values: impl Iterator<Item = f32>) {
        const REACH: usize = 4;
        self.line.clear();
        self.line.extend(values);
        let Some(last) = self.line.len().checked_sub(1) else { return };
        let at = |i: usize, off: usize| self.line[(i + off).saturating_sub(REACH).min(last)];
        let mean = |i: usize| (0..=2 * REACH).map(|off| at(i, off)).sum::<f32>();
        let (mut before, width) = (mean(0), (2 * REACH + 1) as f32);
        for i in 1..=last {
            let now = mean(i);
            let difference = (self.line[i] - self.line[i - 1]).abs();
            let blurred = (now - before).abs() / width;
            self.all += f64::from(difference);
            self.lost += f64::from((difference - blurred).max(0.0));
            before = now;
        }
    }

    /// Of one color is as sharp as it can be.
    fn share(&self) -> f64 {
        if self.all > 0.0 { (self.all - self.lost) / self.all } else { 0.0 }
    }
}
