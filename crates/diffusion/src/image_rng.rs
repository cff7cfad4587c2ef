//! The noise of a batch of pictures as A1111 draws it: one generator per picture, variations
//! between two seeds, a seed's noise at another size.
use wayword_tensor::random::{Noise, NoiseKind};

/// What shapes the noise beside the seeds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ImageRngOptions {
    /// Whose numbers.
    pub kind: NoiseKind,
    /// Second seeds, one per picture; pictures beyond their number use 0.
    pub subseeds: Vec<i64>,
    /// How far from the seed's noise to the second seed's, 0 to 1.
    pub subseed_strength: f32,
    /// The picture size in pixels, height and width, whose noise is put in the middle.
    pub resize_from: Option<(usize, usize)>,
    /// Added to the seeds for all draws after the first ("ENSD").
    pub later_seed_delta: i64,
}

/// The generators of a batch.
pub struct ImageRng {
    shape: [usize; 3],
    seeds: Vec<i64>,
    options: ImageRngOptions,
    generators: Vec<Box<dyn Noise + Send>>,
    first: bool,
}

impl std::fmt::Debug for ImageRng {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ImageRng").field("shape", &self.shape).field("seeds", &self.seeds).finish()
    }
}

impl ImageRng {
    /// Generators for latents of `shape` (channels, height, width), one per seed. Negative seeds
    /// count from 2^64 down.
    #[must_use]
    pub fn new(shape: [usize; 3], seeds: &[i64], options: ImageRngOptions) -> Self {
        let generators = seeds.iter().map(|s| options.kind.generator(*s as u64)).collect();
        Self { shape, seeds: seeds.to_vec(), options, generators, first: true }
    }

    /// The next noise, `[pictures, channels, height, width]`.
    pub fn draw(&mut self) -> Vec<f32> {
        if std::mem::take(&mut self.first) {
            return self.draw_first();
        }
        let count = self.shape.iter().product();
        self.generators.iter_mut().flat_map(|g| g.normal(count)).collect()
    }

    fn draw_first(&mut self) -> Vec<f32> {
        let [channels, height, width] = self.shape;
        let resize = self.options.resize_from.filter(|(h, w)| *h > 0 && *w > 0);
        let (h, w) = resize.map_or((height, width), |(h, w)| (h / 8, w / 8));
        let other_size = (h, w) != (height, width);
        let fresh = |seed: i64, count| self.options.kind.generator(seed as u64).normal(count);
        let mut all = Vec::new();
        for (i, generator) in self.generators.iter_mut().enumerate() {
            let count = channels * h * w;
            let mut noise =
                if other_size { fresh(self.seeds[i], count) } else { generator.normal(count) };
            let varied = !self.options.subseeds.is_empty() && self.options.subseed_strength != 0.0;
            if varied {
                let subseed = self.options.subseeds.get(i).copied().unwrap_or(0);
                let other = fresh(subseed, count);
                noise = slerp(self.options.subseed_strength, &noise, &other, [channels, h, w]);
            }
            if other_size {
                let mut canvas = generator.normal(channels * height * width);
                paste(&noise, [h, w], &mut canvas, self.shape);
                noise = canvas;
            }
            all.extend(noise);
        }
        let delta = self.options.later_seed_delta;
        if delta != 0 {
            let seeds = self.seeds.iter().map(|s| s.wrapping_add(delta) as u64);
            self.generators = seeds.map(|s| self.options.kind.generator(s)).collect();
        }
        all
    }
}

/// Puts the middle of `noise` (height and width `from`) into the middle of `canvas`.
fn paste(noise: &[f32], from: [usize; 2], canvas: &mut [f32], shape: [usize; 3]) {
    let [channels, height, width] = shape;
    // Where the patch begins on the canvas and in the noise, and how long it is.
    let span = |canvas: usize, patch: usize| -> (usize, usize, usize) {
        let gap = (canvas as isize - patch as isize).div_euclid(2);
        if gap >= 0 {
            (gap as usize, 0, patch)
        } else {
            let cut = gap.unsigned_abs();
            (0, cut, patch - 2 * cut)
        }
    };
    let (to_y, from_y, rows) = span(height, from[0]);
    let (to_x, from_x, columns) = span(width, from[1]);
    for c in 0..channels {
        for y in 0..rows {
            let source = (c * from[0] + from_y + y) * from[1] + from_x;
            let target = (c * height + to_y + y) * width + to_x;
            canvas[target..target + columns].copy_from_slice(&noise[source..source + columns]);
        }
    }
}

/// Between two noises on the sphere. A1111 takes the angle per channel and column, over the rows;
/// where the noises are nearly alike it mixes straight, the wrong way round.
fn slerp(t: f32, low: &[f32], high: &[f32], [channels, h, w]: [usize; 3]) -> Vec<f32> {
    let column = |v: &[f32], c: usize, x: usize| -> Vec<f32> {
        (0..h).map(|y| v[(c * h + y) * w + x]).collect()
    };
    let norm = |v: &[f32]| v.iter().map(|a| a * a).sum::<f32>().sqrt();
    let mut dots = Vec::with_capacity(channels * w);
    for c in 0..channels {
        for x in 0..w {
            let (a, b) = (column(low, c, x), column(high, c, x));
            let (na, nb) = (norm(&a), norm(&b));
            dots.push(a.iter().zip(&b).map(|(p, q)| (p / na) * (q / nb)).sum::<f32>());
        }
    }
    let mean = dots.iter().sum::<f32>() / dots.len() as f32;
    if mean > 0.9995 {
        return low.iter().zip(high).map(|(a, b)| a * t + b * (1.0 - t)).collect();
    }
    let mut out = vec![0.0; low.len()];
    for c in 0..channels {
        for x in 0..w {
            let omega = dots[c * w + x].acos();
            let scale = omega.sin();
            let (p, q) = (((1.0 - t) * omega).sin() / scale, (t * omega).sin() / scale);
            for y in 0..h {
                let i = (c * h + y) * w + x;
                out[i] = p * low[i] + q * high[i];
            }
        }
    }
    out
}
