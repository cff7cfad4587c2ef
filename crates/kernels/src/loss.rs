//! Losses: mean over all values of weight * kind(prediction - target), and its gradient.
use crate::Element;

/// What is averaged, of d = prediction - target; thresholds are one per sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LossFunction<'a> {
    /// d^2
    L2,
    /// |d|
    L1,
    /// 2 c (sqrt(d^2 + c^2) - c)
    Huber(&'a [f32]),
    /// 2 (sqrt(d^2 + c^2) - c)
    SmoothL1(&'a [f32]),
}

impl LossFunction<'_> {
    fn value(self, d: f32, sample: usize) -> f32 {
        match self {
            Self::L2 => d * d,
            Self::L1 => d.abs(),
            Self::Huber(c) => {
                2.0 * c[sample] * ((d * d + c[sample] * c[sample]).sqrt() - c[sample])
            }
            Self::SmoothL1(c) => 2.0 * ((d * d + c[sample] * c[sample]).sqrt() - c[sample]),
        }
    }

    fn slope(self, d: f32, sample: usize) -> f32 {
        match self {
            Self::L2 => 2.0 * d,
            // torch's sign: 0 at 0.
            Self::L1 if d == 0.0 => 0.0,
            Self::L1 => d.signum(),
            Self::Huber(c) => 2.0 * c[sample] * d / (d * d + c[sample] * c[sample]).sqrt(),
            Self::SmoothL1(c) => 2.0 * d / (d * d + c[sample] * c[sample]).sqrt(),
        }
    }
}

/// The weighted mean; prediction and target `[batch, tokens, channels]`, weight
/// `[batch, tokens]`. Summed in f64.
#[must_use]
pub fn forward<P: Element, T: Element, W: Element>(
    prediction: &[P],
    target: &[T],
    weight: &[W],
    tokens: usize,
    kind: LossFunction<'_>,
) -> f32 {
    let channels = prediction.len() / weight.len();
    assert!(prediction.len() == target.len() && channels > 0, "loss: sizes");
    let mut total = 0.0;
    let rows = prediction.chunks_exact(channels).zip(target.chunks_exact(channels));
    for (i, ((p, t), w)) in rows.zip(weight).enumerate() {
        let row = p.iter().zip(t).map(|(p, t)| kind.value(p.get() - t.get(), i / tokens));
        total += f64::from(w.get()) * row.map(f64::from).sum::<f64>();
    }
    (total / prediction.len() as f64) as f32
}

/// d mean / d prediction, times `dy`.
pub fn backward<P: Element, T: Element, W: Element>(
    prediction: &[P],
    target: &[T],
    weight: &[W],
    tokens: usize,
    kind: LossFunction<'_>,
    dy: f32,
    dp: &mut [f32],
) {
    let channels = prediction.len() / weight.len();
    assert!(prediction.len() == target.len() && channels > 0, "loss: sizes");
    assert_eq!(prediction.len(), dp.len(), "loss: sizes");
    let factor = (f64::from(dy) / prediction.len() as f64) as f32;
    for (i, dp) in dp.iter_mut().enumerate() {
        let row = i / channels;
        let d = prediction[i].get() - target[i].get();
        *dp = factor * weight[row].get() * kind.slope(d, row / tokens);
    }
}
