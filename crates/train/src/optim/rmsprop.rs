//! RMSprop (Hinton 2012), as in PyTorch, with its centerd form and momentum.
//!
//! `s = alpha s + (1-alpha) g²`, `p -= rate * g / (sqrt(s) + eps)`; centerd: `sqrt(s - mean(g)²)`.
use super::adam::SPEED;
use super::args::Args;
use super::error::OptimError;
use super::rule::{LatentView, Rule, add_decay, grow, lerp, maximize};
use super::state::Field;

/// RMSprop.
pub(super) struct RmsProp {
    momentum: f64,
    alpha: f64,
    eps: f64,
    centered: bool,
    decay: f64,
    maximize: bool,
    square: Vec<f32>,
    mean: Vec<f32>,
    buffer: Vec<f32>,
}

impl RmsProp {
    pub(super) fn new(args: &mut Args) -> Result<Self, OptimError> {
        args.ignore(&SPEED);
        Ok(Self {
            momentum: args.number("momentum", 0.0)?,
            alpha: args.number("alpha", 0.99)?,
            eps: args.number("eps", 1e-8)?,
            centered: args.flag("centered", false)?,
            decay: args.number("weight_decay", 0.0)?,
            maximize: args.flag("maximize", false)?,
            square: Vec::new(),
            mean: Vec::new(),
            buffer: Vec::new(),
        })
    }
}

impl Rule for RmsProp {
    fn step(&mut self, LatentView { p, g, rate, .. }: LatentView<'_>) {
        for array in [&mut self.square, &mut self.mean, &mut self.buffer] {
            grow(array, p.len(), 0.0);
        }
        maximize(g, self.maximize);
        add_decay(g, p, self.decay);
        let (alpha, w) = (self.alpha as f32, (1.0 - self.alpha) as f32);
        let (eps, mu, rate) = (self.eps as f32, self.momentum as f32, rate as f32);
        for i in 0..p.len() {
            self.square[i] = self.square[i] * alpha + w * g[i] * g[i];
            let mut spread = self.square[i];
            if self.centered {
                self.mean[i] = lerp(self.mean[i], g[i], w);
                spread -= self.mean[i] * self.mean[i];
            }
            let step = g[i] / (spread.sqrt() + eps);
            if self.momentum > 0.0 {
                self.buffer[i] = self.buffer[i] * mu + step;
                p[i] -= rate * self.buffer[i];
            } else {
                p[i] -= rate * step;
            }
        }
    }

    fn fields(&mut self) -> Vec<Field<'_>> {
        vec![
            Field::Array("square", &mut self.square),
            Field::Array("mean", &mut self.mean),
            Field::Array("buffer", &mut self.buffer),
        ]
    }

    fn set_momentum(&mut self, momentum: f64) {
        self.momentum = momentum;
    }
}
