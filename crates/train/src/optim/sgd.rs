//! Stochastic gradient descent with momentum and Nesterov's look-ahead, as in PyTorch.
//!
//! `b = mu b + (1-dampening) g` (first step `b = g`), `p -= rate * b`; Nesterov: `p -= rate * (g + mu b)`.
use super::adam::SPEED;
use super::args::Args;
use super::error::OptimError;
use super::rule::{LatentView, Rule, add_decay, grow, maximize};
use super::state::Field;

/// SGD.
pub(super) struct Sgd {
    momentum: f64,
    dampening: f64,
    decay: f64,
    nesterov: bool,
    maximize: bool,
    t: u64,
    buffer: Vec<f32>,
}

impl Sgd {
    pub(super) fn new(args: &mut Args) -> Result<Self, OptimError> {
        args.ignore(&SPEED);
        let made = Self {
            momentum: args.number("momentum", 0.0)?,
            dampening: args.number("dampening", 0.0)?,
            decay: args.number("weight_decay", 0.0)?,
            nesterov: args.flag("nesterov", false)?,
            maximize: args.flag("maximize", false)?,
            t: 0,
            buffer: Vec::new(),
        };
        if made.nesterov && (made.momentum <= 0.0 || made.dampening != 0.0) {
            return Err(OptimError::Value {
                optimizer: "SGD".into(),
                key: "nesterov".into(),
                found: "True".into(),
                expected: "a momentum above 0 and no dampening with it",
            });
        }
        Ok(made)
    }
}

impl Rule for Sgd {
    fn step(&mut self, LatentView { p, g, rate, .. }: LatentView<'_>) {
        maximize(g, self.maximize);
        add_decay(g, p, self.decay);
        let (mu, rate) = (self.momentum as f32, rate as f32);
        if self.momentum != 0.0 {
            let fresh = if self.t == 0 { 1.0 } else { (1.0 - self.dampening) as f32 };
            grow(&mut self.buffer, p.len(), 0.0);
            for (b, g) in self.buffer.iter_mut().zip(g.iter_mut()) {
                *b = *b * mu + fresh * *g;
                *g = if self.nesterov { *g + mu * *b } else { *b };
            }
        }
        p.iter_mut().zip(g).for_each(|(p, g)| *p -= rate * *g);
        self.t += 1;
    }

    fn fields(&mut self) -> Vec<Field<'_>> {
        vec![Field::Count("t", &mut self.t), Field::Array("buffer", &mut self.buffer)]
    }

    fn set_momentum(&mut self, momentum: f64) {
        self.momentum = momentum;
    }
}
