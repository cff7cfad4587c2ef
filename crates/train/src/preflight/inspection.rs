//! A picture's look: a small hash and a thumbnail by which it is known again, and how blurred it is.
use super::{finding, list, pictures_are};
use crate::dataset::bucket::BucketAssignment;
use crate::dataset::{Filter, Pixels, crop, resize};
use crate::plan::PlannedPicture;
use wayword_interface::Warning;

/// Side of the thumbnail.
const SMALL: usize = 32;

/// Bits by which the hashes of two views of one picture may differ.
const BITS: u32 = 10;

/// Correlation of two thumbnails from which on they show the same.
const ALIKE: f64 = 0.98;

/// Sharp photos and drawings have up to 0.43, those blurred over two pixels or enlarged fourfold
/// mostly more than this.
const BLURRED: f64 = 0.62;

/// What is remembered of a picture.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Inspection {
    /// Whether brightness grows from each of 9 x 8 places to the next ("difference hash"), as it is
    /// and mirrored.
    hash: [u64; 2],
    /// The gray thumbnail, mean 0 and length 1; zeros where it is of one color.
    small: Vec<f32>,
    /// From 0, sharp, to 1.
    blur: f64,
    /// Whether black bars stand on opposite sides.
    bars: bool,
}

impl Inspection {
    /// The look of a decoded picture that is trained as `fit` says.
    pub(super) fn of(rgb: &Pixels, fit: &BucketAssignment, filter: Option<Filter>) -> Self {
        let whole = Gray::of(rgb);
        let small = whole.shrunk(SMALL, SMALL);
        let resized = resize::resize(rgb, fit.resized, filter);
        let place = crop::middle(fit.resized, fit.bucket);
        let inside = fit.resized.0 >= fit.bucket.0 && fit.resized.1 >= fit.bucket.1;
        let trained = if inside { crop::crop(&resized, place, fit.bucket) } else { resized };
        let trained = Gray::of(&trained);
        let tiny = whole.shrunk(9, 8);
        Self {
            hash: [tiny.hash(), tiny.mirrored().hash()],
            small: small.unit(),
            blur: trained.blur(),
            bars: whole.has_bars(),
        }
    }

    /// Whether both show the same, as it is or mirrored.
    pub(super) fn is_near(&self, other: &Self) -> bool {
        let far = |a: u64, b: u64| (a ^ b).count_ones() > BITS;
        let same = |x: &dyn Fn(usize) -> usize| {
            let products = (0..self.small.len()).map(|i| self.small[i] * other.small[x(i)]);
            f64::from(products.sum::<f32>()) >= ALIKE
        };
        let mirror = |i: usize| i / SMALL * SMALL + SMALL - 1 - i % SMALL;
        (!far(self.hash[0], other.hash[0]) && same(&|i| i))
            || (!far(self.hash[0], other.hash[1]) && same(&mirror))
    }
}

/// Pictures that are blurred at the size they are trained at.
pub(super) fn blurred(pictures: &[&PlannedPicture], inspections: &[Inspection]) -> Option<Warning> {
    let all = pictures.iter().zip(inspections);
    let blurred: Vec<String> = all
        .filter(|(_, inspection)| inspection.blur > BLURRED)
        .map(|(p, _)| p.name.clone())
        .collect();
    if blurred.is_empty() {
        return None;
    }
    let text = format!("{} blurred: {}", pictures_are(blurred.len()), list(&blurred));
    Some(finding(text, "remove them, or use the originals: the embedding learns the blur as well"))
}

/// Pictures of one color.
pub(super) fn empty(pictures: &[&PlannedPicture], inspections: &[Inspection]) -> Option<Warning> {
    let all = pictures.iter().zip(inspections);
    let empty: Vec<String> = all
        .filter(|(_, inspection)| inspection.small.iter().all(|v| *v == 0.0))
        .map(|(p, _)| p.name.clone())
        .collect();
    if empty.is_empty() {
        return None;
    }
    let text = format!("{} of one color: {}", pictures_are(empty.len()), list(&empty));
    Some(finding(text, "leave them out: there is nothing to be learned from them"))
}

/// Pictures between black bars.
pub(super) fn barred(pictures: &[&PlannedPicture], inspections: &[Inspection]) -> Option<Warning> {
    let all = pictures.iter().zip(inspections);
    let barred: Vec<String> =
        all.filter(|(_, inspection)| inspection.bars).map(|(p, _)| p.name.clone()).collect();
    if barred.is_empty() {
        return None;
    }
    let text = format!("{} between black bars: {}", pictures_are(barred.len()), list(&barred));
    Some(finding(text, "crop the bars off: the word learns them too"))
}

/// Brightness, row by row.
struct Gray {
    width: usize,
    height: usize,
    values: Vec<f32>,
}

impl Gray {
    fn of(rgb: &Pixels) -> Self {
        let light =
            |p: &[u8]| 0.299 * f32::from(p[0]) + 0.587 * f32::from(p[1]) + 0.114 * f32::from(p[2]);
        let values = rgb.data.chunks_exact(rgb.channels).map(light).collect();
        Self { width: rgb.width, height: rgb.height, values }
    }

    /// Means of the pixels below each place.
    fn shrunk(&self, width: usize, height: usize) -> Self {
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

    fn mirrored(&self) -> Self {
        let rows = self.values.chunks_exact(self.width);
        let values = rows.flat_map(|row| row.iter().rev().copied()).collect();
        Self { values, ..*self }
    }

    fn hash(&self) -> u64 {
        let rows = self.values.chunks_exact(self.width);
        let bits = rows.flat_map(|row| row.windows(2).map(|pair| pair[0] < pair[1]));
        bits.fold(0, |hash, bit| hash << 1 | u64::from(bit))
    }

    fn unit(&self) -> Vec<f32> {
        let mean = self.values.iter().sum::<f32>() / self.values.len() as f32;
        let centerd: Vec<f32> = self.values.iter().map(|v| v - mean).collect();
        let length = centerd.iter().map(|v| v * v).sum::<f32>().sqrt();
        centerd.iter().map(|v| if length > 1.0 { v / length } else { 0.0 }).collect()
    }

    /// Whether black bars, as of films and screens, stand on opposite sides.
    fn has_bars(&self) -> bool {
        let row = |y: usize| self.values[y * self.width..][..self.width].iter();
        let column = |x: usize| self.values.iter().skip(x).step_by(self.width);
        both_ends(self.height, &|y| row(y).copied().fold(0.0, f32::max))
            || both_ends(self.width, &|x| column(x).copied().fold(0.0, f32::max))
    }

    /// How little blurring changes: the share of the differences between neighbors that is still
    /// there after a mean over nine pixels, in the worse direction (Crete, Dolmiere, Ladret, Nicolas
    /// 2007, "The blur effect").
    fn blur(&self) -> f64 {
        let (mut across, mut down) = (KeptRegion::default(), KeptRegion::default());
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
struct KeptRegion {
    line: Vec<f32>,
    all: f64,
    lost: f64,
}

impl KeptRegion {
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
