//! Which size a picture is trained at: one size for all, kohya's buckets, or its `bucket_no_upscale`.
//!
//! Letters: `A` the area of the resolution, `s` the step of bucket sides, `ar` width over height.
use crate::error::{Error, Result};

/// Width and height.
type Size = (usize, usize);

/// How sizes are chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Buckets {
    kind: BucketKind,
    notes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum BucketKind {
    /// The nearest of these, ascending.
    Listed(Vec<Size>),
    /// Of the picture's own size, but of no more than this area.
    NoUpscale { area: usize, step: usize },
}

/// How one picture becomes training pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BucketAssignment {
    /// The size of the pixels that are trained.
    pub bucket: Size,
    /// The size that the picture is resized to, before it is cropped to `bucket`.
    pub resized: Size,
}

impl BucketAssignment {
    /// The part of the resized picture that the crop cuts off, from 0 to 1.
    #[must_use]
    pub fn cut_off(&self) -> f64 {
        let area = |(w, h): Size| (w * h) as f64;
        1.0 - area(self.bucket) / area(self.resized)
    }
}

impl Buckets {
    /// One size for all pictures.
    #[must_use]
    pub fn single(width: usize, height: usize) -> Self {
        Self { kind: BucketKind::Listed(vec![(width, height)]), notes: Vec::new() }
    }

    /// Buckets of about the resolution's area, sides from `min` to `max` in steps of `step`.
    ///
    /// # Errors
    /// If the resolution is not between the limits, or the step is 0.
    pub fn listed((width, height): Size, min: usize, max: usize, step: usize) -> Result<Self> {
        check_step(step)?;
        let mut notes = Vec::new();
        let (low, high) = (min / step * step, max.div_ceil(step) * step);
        if (low, high) != (min, max) {
            notes.push(format!(
                "bucket sides from {min} to {max} are taken as {low} to {high}, multiples of {step}"
            ));
        }
        let between = low <= width.min(height) && width.max(height) <= high;
        if !between {
            return Err(Error::option(
                "train.resolution",
                format!("sides between the bucket limits {low} and {high}"),
                format!("{width},{height}"),
            )
            .with_hint("change {train.min_bucket_reso} or {train.max_bucket_reso}"));
        }
        let area = width * height;
        let square = area.isqrt() / step * step;
        let mut list = vec![(square, square)];
        for w in (low..=high).step_by(step).filter(|w| *w > 0) {
            let h = high.min(area / w / step * step);
            if h >= low && h > 0 {
                list.extend([(w, h), (h, w)]);
            }
        }
        list.sort_unstable();
        list.dedup();
        Ok(Self { kind: BucketKind::Listed(list), notes })
    }

    /// Buckets that never enlarge a picture, of no more than the resolution's area.
    ///
    /// # Errors
    /// If the step is 0.
    pub fn no_upscale((width, height): Size, step: usize) -> Result<Self> {
        check_step(step)?;
        Ok(Self { kind: BucketKind::NoUpscale { area: width * height, step }, notes: Vec::new() })
    }

    /// The sizes there are, ascending; empty where they follow the pictures.
    #[must_use]
    pub fn list(&self) -> &[(usize, usize)] {
        match &self.kind {
            BucketKind::Listed(list) => list,
            BucketKind::NoUpscale { .. } => &[],
        }
    }

    /// What was understood otherwise than written.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The size of a picture of `size`; `name` is shown in errors.
    ///
    /// # Errors
    /// If the picture is smaller than a step, so that no bucket holds it.
    pub fn choose(&self, name: &str, size: Size) -> Result<BucketAssignment> {
        match self.fit(size) {
            Some(fit) if fit.bucket.0 > 0 => Ok(fit),
            _ => {
                let step = match self.kind {
                    BucketKind::NoUpscale { step, .. } => step,
                    BucketKind::Listed(_) => 1,
                };
                Err(Error::data(format!(
                    "{name}: {}x{} is smaller than the bucket step {step}",
                    size.0, size.1
                ))
                .with_hint("use a larger image, or buckets that may enlarge"))
            }
        }
    }

    /// kohya's arithmetic as it is: the width may come out as 0; `None` where it divides by 0.
    #[must_use]
    pub fn fit(&self, (width, height): Size) -> Option<BucketAssignment> {
        if width == 0 || height == 0 {
            return None;
        }
        let ar = width as f64 / height as f64;
        match &self.kind {
            BucketKind::Listed(list) => {
                let ratio = |b: &Size| b.0 as f64 / b.1 as f64;
                let exact = list.iter().find(|b| **b == (width, height));
                let bucket = match exact {
                    Some(bucket) => *bucket,
                    None => *list.iter().reduce(|a, b| {
                        if (ratio(b) - ar).abs() < (ratio(a) - ar).abs() { b } else { a }
                    })?,
                };
                let scale = if ar > ratio(&bucket) {
                    bucket.1 as f64 / height as f64
                } else {
                    bucket.0 as f64 / width as f64
                };
                let side = |v: usize| (v as f64 * scale + 0.5) as usize;
                Some(BucketAssignment { bucket, resized: (side(width), side(height)) })
            }
            BucketKind::NoUpscale { area, step } => {
                let floor = |v: usize| v - v % step;
                let near = |v: f64| floor((v + 0.5) as usize);
                let mut resized = (width, height);
                if width * height > *area {
                    let rw = (*area as f64 * ar).sqrt();
                    let rh = *area as f64 / rw;
                    let by_width = near(rw);
                    let (w1, h1) = (by_width as f64, near(by_width as f64 / ar) as f64);
                    let by_height = near(rh);
                    let (w2, h2) = (near(by_height as f64 * ar) as f64, by_height as f64);
                    if h1 == 0.0 || h2 == 0.0 {
                        return None;
                    }
                    resized = if (w1 / h1 - ar).abs() < (w2 / h2 - ar).abs() {
                        (by_width, (w1 / ar + 0.5) as usize)
                    } else {
                        ((h2 * ar + 0.5) as usize, by_height)
                    };
                }
                let bucket = (floor(resized.0), floor(resized.1));
                (bucket.1 > 0).then_some(BucketAssignment { bucket, resized })
            }
        }
    }
}

fn check_step(step: usize) -> Result<()> {
    // Latents are eighths of pixels and the U-Net halves them three times.
    if step == 0 || !step.is_multiple_of(8) {
        return Err(Error::option("train.bucket_step", "a multiple of 8", step.to_string()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_512_has_17_buckets() {
        let buckets = Buckets::listed((512, 512), 256, 1024, 64).unwrap();
        assert_eq!(buckets.list().len(), 17);
        let fit = buckets.choose("a.png", (640, 480)).unwrap();
        assert_eq!(fit, BucketAssignment { bucket: (576, 448), resized: (597, 448) });
        assert!(Buckets::listed((512, 512), 576, 1024, 64).is_err());
    }

    #[test]
    fn one_size_covers_and_crops() {
        let fit = Buckets::single(64, 64).choose("a.png", (150, 100)).unwrap();
        assert_eq!(fit, BucketAssignment { bucket: (64, 64), resized: (96, 64) });
        assert!((fit.cut_off() - 1.0 / 3.0).abs() < 1e-9);
    }

    #[test]
    fn pictures_below_a_step_are_refused() {
        let buckets = Buckets::no_upscale((1024, 1024), 128).unwrap();
        for size in [(100, 100), (96, 200), (200, 96)] {
            assert!(buckets.choose("tiny.png", size).unwrap_err().to_string().contains("tiny.png"));
        }
    }
}
