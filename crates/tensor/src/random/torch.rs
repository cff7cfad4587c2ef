//! torch's CPU generator: the numbers that `torch.Generator("cpu")` gives for a seed.
use super::mt19937::{Mt19937, WORDS};

/// torch's CPU generator. It uses only the low 32 bits of a seed.
///
/// Integers and uniform numbers are equal to torch's; normal numbers differ by at most 1e-6,
/// because torch takes logarithm and cosine from its own vector library.
#[derive(Clone, PartialEq)]
pub struct TorchGenerator {
    pub(super) bits: Mt19937,
    /// The second normal number of a pair, kept for the next short draw.
    kept: Option<f64>,
}

impl std::fmt::Debug for TorchGenerator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TorchGenerator").field("used", &self.bits.next).finish_non_exhaustive()
    }
}

/// Bytes that are no saved state of a [`TorchGenerator`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a generator state: expected {STATE_BYTES} bytes with a position up to 624, found {found} bytes"
)]
pub struct BadState {
    /// How many bytes there were.
    pub found: usize,
}

const STATE_BYTES: usize = WORDS * 4 + 2 + 9;

impl TorchGenerator {
    /// A generator as after `manual_seed(seed)`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { bits: Mt19937::new(seed as u32), kept: None }
    }

    /// The state, to go on at the same place later.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(STATE_BYTES);
        bytes.extend(self.bits.words.iter().flat_map(|w| w.to_le_bytes()));
        bytes.extend((self.bits.next as u16).to_le_bytes());
        bytes.push(u8::from(self.kept.is_some()));
        bytes.extend(self.kept.unwrap_or(0.0).to_le_bytes());
        bytes
    }

    /// The generator whose state [`Self::to_bytes`] gave.
    ///
    /// # Errors
    /// If `bytes` has another length or an impossible position.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BadState> {
        let bad = BadState { found: bytes.len() };
        if bytes.len() != STATE_BYTES {
            return Err(bad);
        }
        let (words, rest) = bytes.split_at(WORDS * 4);
        let mut bits = Mt19937::new(0);
        for (word, chunk) in bits.words.iter_mut().zip(words.chunks_exact(4)) {
            *word = u32::from_le_bytes([chunk[0], chunk[1], chunk[2], chunk[3]]);
        }
        bits.next = usize::from(u16::from_le_bytes([rest[0], rest[1]]));
        if bits.next > WORDS || rest[2] > 1 {
            return Err(bad);
        }
        let mut value = [0; 8];
        value.copy_from_slice(&rest[3..]);
        let kept = (rest[2] == 1).then(|| f64::from_le_bytes(value));
        Ok(Self { bits, kept })
    }

    /// The next 32 random bits.
    pub fn next_u32(&mut self) -> u32 {
        self.bits.next_u32()
    }

    /// The next 64 random bits: the first word drawn is the high one.
    pub fn next_u64(&mut self) -> u64 {
        let high = u64::from(self.next_u32());
        (high << 32) | u64::from(self.next_u32())
    }

    /// One f32 in [0, 1), a multiple of 2^-24.
    pub fn uniform(&mut self) -> f32 {
        (self.next_u32() & 0x00ff_ffff) as f32 * 2f32.powi(-24)
    }

    /// One f64 in [0, 1), a multiple of 2^-53.
    pub fn uniform_f64(&mut self) -> f64 {
        (self.next_u64() & ((1 << 53) - 1)) as f64 * 2f64.powi(-53)
    }

    /// `torch.rand(count)`.
    pub fn rand(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.uniform()).collect()
    }

    /// `torch.randint(low, high, (count,))`: `low` to `high - 1`. An empty range gives `low`.
    pub fn randint(&mut self, low: i64, high: i64, count: usize) -> Vec<i64> {
        let range = (high.wrapping_sub(low) as u64).max(1);
        let wide = range >= 1 << 32;
        (0..count)
            .map(|_| {
                let bits = if wide { self.next_u64() } else { u64::from(self.next_u32()) };
                low.wrapping_add((bits % range) as i64)
            })
            .collect()
    }

    /// `torch.randperm(count)`: the numbers 0 to `count - 1` in random order.
    pub fn randperm(&mut self, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        for i in 0..count.saturating_sub(1) {
            let other = self.next_u32() as usize % (count - i);
            order.swap(i, i + other);
        }
        order
    }

    /// `torch.randn(count)` in f32.
    pub fn randn(&mut self, count: usize) -> Vec<f32> {
        if count < 16 {
            return (0..count).map(|_| self.normal_scalar() as f32).collect();
        }
        let mut values = self.rand(count);
        blocks(
            &mut values,
            || self.uniform(),
            |d| {
                for j in 0..8 {
                    // Every step is rounded to f32 as in torch; only ln, cos and sin are taken in f64.
                    let radius = (-2.0 * f64::from(1.0 - d[j]).ln() as f32).sqrt();
                    let angle = f64::from(std::f32::consts::TAU * d[j + 8]);
                    d[j] = radius * angle.cos() as f32;
                    d[j + 8] = radius * angle.sin() as f32;
                }
            },
        );
        values
    }

    /// `torch.randn(count, dtype=torch.float64)`.
    pub fn randn_f64(&mut self, count: usize) -> Vec<f64> {
        if count < 16 {
            return (0..count).map(|_| self.normal_scalar()).collect();
        }
        let mut values: Vec<f64> = (0..count).map(|_| self.uniform_f64()).collect();
        blocks(
            &mut values,
            || self.uniform_f64(),
            |d| {
                for j in 0..8 {
                    let radius = (-2.0 * (1.0 - d[j]).ln()).sqrt();
                    let angle = std::f64::consts::TAU * d[j + 8];
                    d[j] = radius * angle.cos();
                    d[j + 8] = radius * angle.sin();
                }
            },
        );
        values
    }

    /// One normal number of the path for fewer than 16 elements: Box-Muller in f64, whose second
    /// number is kept for the next call.
    pub(super) fn normal_scalar(&mut self) -> f64 {
        if let Some(kept) = self.kept.take() {
            return kept;
        }
        let u1 = self.uniform_f64();
        let u2 = self.uniform_f64();
        let radius = (-2.0 * (-u2).ln_1p()).sqrt();
        let angle = std::f64::consts::TAU * u1;
        self.kept = Some(radius * angle.sin());
        radius * angle.cos()
    }
}

/// Turns uniform numbers into normal ones, 16 at a time. A rest that is no whole block is served
/// by 16 fresh uniform numbers over the last 16 places, as torch does it.
pub(super) fn blocks<T: Copy>(
    values: &mut [T],
    mut fresh: impl FnMut() -> T,
    transform: impl Fn(&mut [T]),
) {
    values.chunks_exact_mut(16).for_each(&transform);
    if !values.len().is_multiple_of(16) {
        let start = values.len() - 16;
        let last = &mut values[start..];
        last.iter_mut().for_each(|v| *v = fresh());
        transform(last);
    }
}
