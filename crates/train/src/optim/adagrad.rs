//! Adagrad (Duchi et al. 2011), as in PyTorch: `s += g²`, `p -= rate / (1 + (t-1) lr_decay) * g / (sqrt(s) + eps)`.
use super::adam::SPEED;
use super::args::Args;
use super::error::OptimError;
use super::rule::{LatentView, Rule, add_decay, grow, maximize};
use super::state::Field;

/// Adagrad.
pub(super) struct Adagrad {
    lr_decay: f64,
    eps: f64,
    decay: f64,
    start: f64,
    maximize: bool,
    t: u64,
    sum: Vec<f32>,
}

impl Adagrad {
    pub(super) fn new(args: &mut Args) -> Result<Self, OptimError> {
        args.ignore(&SPEED);
        Ok(Self {
            lr_decay: args.number("lr_decay", 0.0)?,
            eps: args.number("eps", 1e-10)?,
            decay: args.number("weight_decay", 0.0)?,
            start: args.number("initial_accumulator_value", 0.0)?,
            maximize: args.flag("maximize", false)?,
            t: 0,
            sum: Vec::new(),
        })
    }
}

impl Rule for Adagrad {
    fn step(&mut self, LatentView { p, g, rate, .. }: LatentView<'_>) {
        grow(&mut self.sum, p.len(), self.start as f32);
        maximize(g, self.maximize);
        add_decay(g, p, self.decay);
        let rate = (rate / (1.0 + self.t as f64 * self.lr_decay)) as f32;
        self.t += 1;
        let eps = self.eps as f32;
        for i in 0..p.len() {
            self.sum[i] += g[i] * g[i];
            p[i] -= rate * (g[i] / (self.sum[i].sqrt() + eps));
        }
    }

    fn fields(&mut self) -> Vec<Field<'_>> {
        vec![Field::Count("t", &mut self.t), Field::Array("sum", &mut self.sum)]
    }
}
