//! Lion (Chen et al. 2023), as in lion-pytorch.
//!
//! `p *= 1 - rate * decay`, `p -= rate * sign(b1 m + (1-b1) g)`, `m = b2 m + (1-b2) g`.
use super::args::Args;
use super::error::OptimError;
use super::rule::{LatentView, Rule, grow, shrink};
use super::state::Field;

/// Lion.
pub(super) struct Lion {
    betas: [f64; 2],
    decay: f64,
    m: Vec<f32>,
}

impl Lion {
    pub(super) fn new(args: &mut Args, learning_rate: f64) -> Result<Self, OptimError> {
        args.ignore(&["use_triton"]);
        let decay = args.number("weight_decay", 0.0)?;
        let decoupled = args.flag("decoupled_weight_decay", false)?;
        Ok(Self {
            betas: args.betas([0.9, 0.99])?,
            decay: if decoupled { decay / learning_rate } else { decay },
            m: Vec::new(),
        })
    }
}

/// -1, 0 or 1; Rust's `signum` has no 0.
pub(super) fn sign(v: f32) -> f32 {
    if v > 0.0 {
        1.0
    } else if v < 0.0 {
        -1.0
    } else {
        0.0
    }
}

impl Rule for Lion {
    fn step(&mut self, LatentView { p, g, rate, .. }: LatentView<'_>) {
        grow(&mut self.m, p.len(), 0.0);
        shrink(p, rate, self.decay);
        let [b1, b2] = self.betas;
        let (w1, w2) = ((1.0 - b1) as f32, (1.0 - b2) as f32);
        let (b1, b2, rate) = (b1 as f32, b2 as f32, rate as f32);
        for i in 0..p.len() {
            p[i] -= rate * sign(self.m[i] * b1 + w1 * g[i]);
            self.m[i] = self.m[i] * b2 + w2 * g[i];
        }
    }

    fn fields(&mut self) -> Vec<Field<'_>> {
        vec![Field::Array("m", &mut self.m)]
    }

    fn set_momentum(&mut self, momentum: f64) {
        self.betas[0] = momentum;
    }
}
