//! Python's `random.Random`: MT19937, so that a seed draws the same wildcards as in A1111.
use crate::random::RandomSource;

const N: usize = 624;
const M: usize = 397;

/// The generator that `random.Random(seed)` is.
#[derive(Clone)]
pub struct PythonRandom {
    state: [u32; N],
    index: usize,
    /// 32-bit words drawn so far.
    drawn: u64,
}

impl std::fmt::Debug for PythonRandom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PythonRandom").field("drawn", &self.drawn).finish_non_exhaustive()
    }
}

impl PythonRandom {
    /// `random.Random(seed)`. Python takes a negative seed by its absolute value.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut random = Self { state: [0; N], index: N, drawn: 0 };
        random.seed(seed);
        random
    }

    /// `seed(seed)`: starts anew, from the seed's 32-bit words.
    pub fn seed(&mut self, seed: u64) {
        #[expect(clippy::cast_possible_truncation, reason = "the two halves")]
        let words = [seed as u32, (seed >> 32) as u32];
        self.init_by_array(if words[1] == 0 { &words[..1] } else { &words });
    }

    /// How many 32-bit words were drawn since this generator was made.
    #[must_use]
    pub fn drawn(&self) -> u64 {
        self.drawn
    }

    /// Matsumoto and Nishimura, `init_by_array` of mt19937ar (2002).
    fn init_by_array(&mut self, key: &[u32]) {
        self.init(19_650_218);
        let (mut i, mut j) = (1, 0);
        for _ in 0..N.max(key.len()) {
            let mixed = self.mix(i, 1_664_525);
            #[expect(clippy::cast_possible_truncation, reason = "the key has at most two words")]
            let offset = j as u32;
            self.state[i] = mixed.wrapping_add(key[j]).wrapping_add(offset);
            i = self.advance(i);
            j = (j + 1) % key.len();
        }
        for _ in 0..N - 1 {
            #[expect(clippy::cast_possible_truncation, reason = "below 624")]
            let offset = i as u32;
            self.state[i] = self.mix(i, 1_566_083_941).wrapping_sub(offset);
            i = self.advance(i);
        }
        self.state[0] = 0x8000_0000;
        self.index = N;
    }

    fn init(&mut self, seed: u32) {
        self.state[0] = seed;
        for i in 1..N {
            let last = self.state[i - 1];
            #[expect(clippy::cast_possible_truncation, reason = "below 624")]
            let offset = i as u32;
            self.state[i] = 1_812_433_253u32.wrapping_mul(last ^ (last >> 30)).wrapping_add(offset);
        }
    }

    fn mix(&self, i: usize, factor: u32) -> u32 {
        let last = self.state[i - 1];
        self.state[i] ^ (last ^ (last >> 30)).wrapping_mul(factor)
    }

    fn advance(&mut self, i: usize) -> usize {
        if i + 1 < N {
            return i + 1;
        }
        self.state[0] = self.state[N - 1];
        1
    }

    /// The next 32 bits.
    fn word(&mut self) -> u32 {
        if self.index >= N {
            for i in 0..N {
                let y = (self.state[i] & 0x8000_0000) | (self.state[(i + 1) % N] & 0x7fff_ffff);
                let odd = if y & 1 == 1 { 0x9908_b0df } else { 0 };
                self.state[i] = self.state[(i + M) % N] ^ (y >> 1) ^ odd;
            }
            self.index = 0;
        }
        let mut y = self.state[self.index];
        self.index += 1;
        self.drawn += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c_5680;
        y ^= (y << 15) & 0xefc6_0000;
        y ^ (y >> 18)
    }

    /// `random()`: 53 bits in `[0, 1)`.
    pub fn random(&mut self) -> f64 {
        let (high, low) = (self.word() >> 5, self.word() >> 6);
        (f64::from(high) * 67_108_864.0 + f64::from(low)) / 9_007_199_254_740_992.0
    }

    /// `getrandbits(bits)`, for up to 64 bits.
    pub fn bits(&mut self, bits: u32) -> u64 {
        match bits {
            0 => 0,
            1..=32 => u64::from(self.word() >> (32 - bits)),
            _ => {
                let low = u64::from(self.word());
                low | (u64::from(self.word() >> (64 - bits.min(64))) << 32)
            }
        }
    }

    /// A whole number below `n` (0 if `n` is 0), as `choice`, `randint` and `shuffle` draw it.
    pub fn below_u64(&mut self, n: u64) -> u64 {
        if n == 0 {
            return 0;
        }
        let bits = u64::BITS - n.leading_zeros();
        loop {
            let drawn = self.bits(bits);
            if drawn < n {
                return drawn;
            }
        }
    }

    /// `randint(low, high)`, both ends included; `low` if `high` is below.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        let width = high.saturating_sub(low).saturating_add(1);
        low.saturating_add_unsigned(self.below_u64(u64::try_from(width).unwrap_or(0)))
    }

    /// `choices(range(n), weights)[0]`: an index by weight. `None` if the weights do not add up to
    /// a finite number above 0, which Python refuses.
    pub fn weighted(&mut self, weights: impl IntoIterator<Item = f64>) -> Option<usize> {
        let mut sum = 0.0;
        let sums: Vec<f64> = weights
            .into_iter()
            .map(|weight| {
                sum += weight;
                sum
            })
            .collect();
        if sums.is_empty() || sum <= 0.0 || !sum.is_finite() {
            return None;
        }
        let at = self.random() * sum;
        Some(bisect_right(&sums[..sums.len() - 1], at))
    }

    /// `shuffle(items)`.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        crate::random::shuffle(items, self);
    }
}

/// Python's `bisect`, which also works (in its way) on sums that negative weights leave unsorted.
fn bisect_right(sums: &[f64], at: f64) -> usize {
    let (mut low, mut high) = (0, sums.len());
    while low < high {
        let middle = usize::midpoint(low, high);
        if at < sums[middle] {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

impl RandomSource for PythonRandom {
    fn next_f64(&mut self) -> f64 {
        self.random()
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.below_u64(n as u64)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests;
