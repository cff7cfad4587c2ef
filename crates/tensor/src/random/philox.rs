//! The counter-based generator of NVIDIA cards: Philox4x32-10 (Salmon and others 2011).

/// The generator behind A1111's `RNG: NV`. It uses all 64 bits of a seed.
///
/// Call number `c` gives element `i` from counter `(c, 0, i, 0)`. Equal to a real card's `randn`
/// as long as a tensor has no more elements than the card has resident threads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhiloxGenerator {
    seed: u64,
    calls: u32,
}

/// 2^-32 and 2 pi 2^-32, the latter rounded to f32 as A1111 has it.
const UNIT: f64 = 1.0 / 4_294_967_296.0;
const TURN: f32 = 1.462_918_1e-9;

impl PhiloxGenerator {
    /// A fresh generator.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed, calls: 0 }
    }

    /// The next draw of `count` standard normal numbers.
    pub fn randn(&mut self, count: usize) -> Vec<f32> {
        let call = self.calls;
        self.calls = self.calls.wrapping_add(1);
        (0..count)
            .map(|i| {
                let [a, b] = rounds([call, 0, i as u32, 0], self.seed);
                let turn = f64::from(TURN);
                let u = f64::from(a) * UNIT + UNIT / 2.0;
                let v = f64::from(b) * turn + turn / 2.0;
                ((-2.0 * u.ln()).sqrt() * v.sin()) as f32
            })
            .collect()
    }
}

/// The first two words that ten rounds make of a counter.
fn rounds(mut counter: [u32; 4], seed: u64) -> [u32; 2] {
    let mut key = [seed as u32, (seed >> 32) as u32];
    for round in 0..10 {
        if round > 0 {
            key[0] = key[0].wrapping_add(0x9e37_79b9);
            key[1] = key[1].wrapping_add(0xbb67_ae85);
        }
        let p0 = u64::from(counter[0]) * 0xd251_1f53;
        let p1 = u64::from(counter[2]) * 0xcd9e_8d57;
        counter = [
            (p1 >> 32) as u32 ^ counter[1] ^ key[0],
            p1 as u32,
            (p0 >> 32) as u32 ^ counter[3] ^ key[1],
            p0 as u32,
        ];
    }
    [counter[0], counter[1]]
}
