//! Adamax (Kingma and Ba 2014), as in PyTorch: Adam with the largest gradient instead of the mean square.
//!
//! `u = max(b2 u, |g| + eps)`, `p -= rate / (1-b1^t) * m / u`.
use super::adam::SPEED;
use super::args::Args;
use super::error::OptimError;
use super::rule::{LatentView, Rule, add_decay, grow, lerp, maximize};
use super::state::Field;

/// Adamax.
pub(super) struct Adamax {
    betas: [f64; 2],
    eps: f64,
    decay: f64,
    maximize: bool,
    t: u64,
    m: Vec<f32>,
    u: Vec<f32>,
}

impl Adamax {
    pub(super) fn new(args: &mut Args) -> Result<Self, OptimError> {
        args.ignore(&SPEED);
        Ok(Self {
            betas: args.betas([0.9, 0.999])?,
            eps: args.number("eps", 1e-8)?,
            decay: args.number("weight_decay", 0.0)?,
            maximize: args.flag("maximize", false)?,
            t: 0,
            m: Vec::new(),
            u: Vec::new(),
        })
    }
}

impl Rule for Adamax {
    fn step(&mut self, LatentView { p, g, rate, .. }: LatentView<'_>) {
        self.t += 1;
        for array in [&mut self.m, &mut self.u] {
            grow(array, p.len(), 0.0);
        }
        maximize(g, self.maximize);
        add_decay(g, p, self.decay);
        let [b1, b2] = self.betas;
        let size = (rate / (1.0 - b1.powf(self.t as f64))) as f32;
        let (w1, b2, eps) = ((1.0 - b1) as f32, b2 as f32, self.eps as f32);
        for i in 0..p.len() {
            self.m[i] = lerp(self.m[i], g[i], w1);
            self.u[i] = (self.u[i] * b2).max(g[i].abs() + eps);
            p[i] -= size * (self.m[i] / self.u[i]);
        }
    }

    fn fields(&mut self) -> Vec<Field<'_>> {
        vec![
            Field::Count("t", &mut self.t),
            Field::Array("m", &mut self.m),
            Field::Array("u", &mut self.u),
        ]
    }

    fn set_momentum(&mut self, momentum: f64) {
        self.betas[0] = momentum;
    }
}
