//! Brownian noise for the stochastic samplers: the increments over any two noise levels belong to
//! one path per seed, as `torchsde`'s tree gives them to k-diffusion.
use wayword_tensor::random::NoiseKind;

/// One path per picture.
#[derive(Debug, Clone)]
pub struct BrownianNoise {
    trees: Vec<Tree>,
}

#[derive(Debug, Clone)]
struct Tree {
    kind: NoiseKind,
    seed: u64,
    start: f64,
    end: f64,
    root: Vec<f32>,
}

impl BrownianNoise {
    /// Paths of `count` values each, between the least level above zero and the greatest of a
    /// whole schedule.
    #[must_use]
    pub fn new(kind: NoiseKind, seeds: &[i64], count: usize, least: f64, greatest: f64) -> Self {
        let (least, greatest) =
            if least <= greatest { (least, greatest) } else { (greatest, least) };
        let tree = |seed: &i64| {
            let seed = *seed as u64;
            let word = SeedWords::new(seed, &[]).first();
            let scale = (greatest - least).sqrt() as f32;
            let root = kind.generator(u64::from(word)).normal(count);
            let root = root.into_iter().map(|v| v * scale).collect();
            Tree { kind, seed, start: round6(least), end: round6(greatest), root }
        };
        Self { trees: seeds.iter().map(tree).collect() }
    }

    /// Noise of unit variance for the step from level `from` to `to`, all pictures in order.
    /// k-diffusion turns the sign for descending levels.
    #[must_use]
    pub fn noise(&self, from: f64, to: f64) -> Vec<f32> {
        let sign = if from <= to { 1.0 } else { -1.0 };
        let scale = ((from - to).abs() as f32).sqrt();
        let scaled = |v: f32| v * sign / scale;
        self.trees
            .iter()
            .flat_map(|tree| tree.increment(from.min(to), from.max(to)).into_iter().map(scaled))
            .collect()
    }
}

impl Tree {
    /// The path's increment over `[a, b]`.
    fn increment(&self, a: f64, b: f64) -> Vec<f32> {
        let inside = |t: f64| round6(t).clamp(self.start, self.end);
        let (a, b) = (inside(a), inside(b));
        let mut sum = vec![0.0; self.root.len()];
        if a < b {
            let node = Node { key: 0, depth: 0, start: self.start, end: self.end };
            self.add(&node, &self.root, a, b, &mut sum);
        }
        sum
    }

    /// Adds the part of `[a, b]` that lies in `node`, whose whole increment is `value`.
    fn add(&self, node: &Node, value: &[f32], a: f64, b: f64, sum: &mut [f32]) {
        if a <= node.start && b >= node.end {
            sum.iter_mut().zip(value).for_each(|(s, v)| *s += v);
            return;
        }
        let middle = round6(f64::midpoint(node.start, node.end));
        if middle <= node.start || middle >= node.end {
            return;
        }
        let word = SeedWords::new(self.seed, &[node.key, node.depth]).first();
        let noise = self.kind.generator(u64::from(word)).normal(value.len());
        let (left, right) = (middle - node.start, node.end - middle);
        let part = (left / (left + right)) as f32;
        let spread = (left * right / (left + right)).sqrt() as f32;
        let mut half: Vec<f32> =
            value.iter().zip(&noise).map(|(v, n)| part * v + spread * n).collect();
        if a < middle {
            let child = Node { key: node.key * 2, depth: node.depth + 1, end: middle, ..*node };
            self.add(&child, &half, a, b, sum);
        }
        if b > middle {
            half.iter_mut().zip(value).for_each(|(h, v)| *h = v - *h);
            let key = node.key * 2 + 1;
            let child = Node { key, depth: node.depth + 1, start: middle, ..*node };
            self.add(&child, &half, a, b, sum);
        }
    }
}

struct Node {
    key: u64,
    depth: u64,
    start: f64,
    end: f64,
}

/// Rounded to six decimals as Python's `round` does it: from the exact binary value.
fn round6(t: f64) -> f64 {
    format!("{t:.6}").parse().unwrap_or(t)
}

/// numpy's `SeedSequence` with a pool of 24 words, as far as its first output word.
struct SeedWords([u32; 24]);

impl SeedWords {
    fn new(entropy: u64, spawn_key: &[u64]) -> Self {
        let mut words = words_of(entropy);
        if !spawn_key.is_empty() {
            words.resize(words.len().max(24), 0);
            words.extend(spawn_key.iter().flat_map(|k| words_of(*k)));
        }
        let mut constant = 0x43b0_d7e5u32;
        let mut hash = |value: u32| {
            let mixed = value ^ constant;
            constant = constant.wrapping_mul(0x931e_8875);
            let mixed = mixed.wrapping_mul(constant);
            mixed ^ (mixed >> 16)
        };
        let mix = |x: u32, y: u32| {
            let mixed = x.wrapping_mul(0xca01_f9dd).wrapping_sub(y.wrapping_mul(0x4973_f715));
            mixed ^ (mixed >> 16)
        };
        let mut pool = [0u32; 24];
        for (i, slot) in pool.iter_mut().enumerate() {
            *slot = hash(words.get(i).copied().unwrap_or(0));
        }
        for source in 0..24 {
            for target in 0..24 {
                if source != target {
                    pool[target] = mix(pool[target], hash(pool[source]));
                }
            }
        }
        for word in words.iter().skip(24) {
            for slot in &mut pool {
                *slot = mix(*slot, hash(*word));
            }
        }
        Self(pool)
    }

    fn first(&self) -> u32 {
        let constant = 0x8b51_f9ddu32;
        let mixed = (self.0[0] ^ constant).wrapping_mul(constant.wrapping_mul(0x58f3_8ded));
        mixed ^ (mixed >> 16)
    }
}

/// The 32-bit words of a number, low first; at least one.
fn words_of(value: u64) -> Vec<u32> {
    let (low, high) = (value as u32, (value >> 32) as u32);
    if high == 0 { vec![low] } else { vec![low, high] }
}
