//! RNG streams: what is random depends on the seed and on a number, not on what came before.
//!
//! Every micro-batch, epoch and purpose has a generator of its own, seeded from the run's seed. So
//! the place in a run is its step number and nothing else, and a resumed run draws what an
//! undisturbed one would have drawn.
use wayword_prompt::RandomSource;
use wayword_tensor::random::TorchGenerator;

/// What a generator is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The order of batches in an epoch.
    Order,
    /// Captions and templates of a micro-batch.
    Captions,
    /// Timesteps of a micro-batch.
    Timesteps,
    /// Noise, and the draws of noise options, of a micro-batch.
    Noise,
    /// Latents drawn from the VAE's distribution.
    Latents,
    /// The evaluation set.
    Evaluation,
    /// Mirror images, crops and colors of a micro-batch.
    Changes,
    /// The set by which starts and steps are compared.
    Comparison,
}

/// The generators of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RngStreams {
    seed: u64,
}

impl RngStreams {
    /// The streams of a seed; all 64 bits count.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The generator of `purpose` for epoch or micro-batch `number`.
    #[must_use]
    pub fn generator(self, purpose: Purpose, number: u64) -> TorchGenerator {
        let mixed = mix(mix(self.seed ^ mix(purpose as u64 + 1)) ^ number);
        TorchGenerator::new(mixed)
    }
}

/// One step of SplitMix64 (Steele, Lea, Flood 2014).
const fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A generator as the source of choices in captions.
#[derive(Debug)]
pub struct Rng(pub TorchGenerator);

impl RandomSource for Rng {
    fn next_f64(&mut self) -> f64 {
        // 53 bits, as Python's `random` has them.
        (self.0.next_u64() >> 11) as f64 * 2f64.powi(-53)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_differ_and_repeat() {
        let first = |seed, purpose, n| RngStreams::new(seed).generator(purpose, n).next_u64();
        assert_eq!(first(1, Purpose::Noise, 3), first(1, Purpose::Noise, 3));
        let all = [
            first(1, Purpose::Noise, 3),
            first(1, Purpose::Noise, 4),
            first(1, Purpose::Timesteps, 3),
            first(2, Purpose::Noise, 3),
            first(1 << 32 | 1, Purpose::Noise, 3),
        ];
        for (i, a) in all.iter().enumerate() {
            assert!(all[..i].iter().all(|b| a != b), "{all:?}");
        }
        let mut rng = Rng(TorchGenerator::new(5));
        assert!((0..1000).map(|_| rng.next_f64()).all(|u| (0.0..1.0).contains(&u)));
    }
}
