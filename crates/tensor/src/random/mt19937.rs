//! The Mersenne twister MT19937 with 32-bit outputs (Matsumoto and Nishimura 1998).

/// Words of state.
pub(super) const WORDS: usize = 624;
const SHIFT: usize = 397;

/// A generator's state: `next` counts the words already used.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Mt19937 {
    pub(super) words: [u32; WORDS],
    pub(super) next: usize,
}

impl Mt19937 {
    /// Seeded as `init_genrand` of the paper.
    pub(super) fn new(seed: u32) -> Self {
        let mut words = [seed; WORDS];
        for j in 1..WORDS {
            let last = words[j - 1];
            words[j] = 1_812_433_253u32.wrapping_mul(last ^ (last >> 30)).wrapping_add(j as u32);
        }
        Self { words, next: WORDS }
    }

    /// The next 32 bits.
    pub(super) fn next_u32(&mut self) -> u32 {
        if self.next >= WORDS {
            self.twist();
        }
        let mut y = self.words[self.next];
        self.next += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c_5680;
        y ^= (y << 15) & 0xefc6_0000;
        y ^ (y >> 18)
    }

    fn twist(&mut self) {
        for i in 0..WORDS {
            let y = (self.words[i] & 0x8000_0000) | (self.words[(i + 1) % WORDS] & 0x7fff_ffff);
            let odd = if y & 1 == 1 { 0x9908_b0df } else { 0 };
            self.words[i] = self.words[(i + SHIFT) % WORDS] ^ (y >> 1) ^ odd;
        }
        self.next = 0;
    }
}
