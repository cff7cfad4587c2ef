//! NAdam (Dozat 2016), as in PyTorch: Adam with Nesterov's momentum that warms up.
//!
//! `mu_t = b1 (1 - 0.5 * 0.96^(t * momentum_decay))`; the step mixes `g` and `m` by `mu_t` and `mu_{t+1}`.
use super::adam::SPEED;
use super::args::Args;
use super::error::OptimError;
use super::rule::{LatentView, Rule, add_decay, grow, lerp, maximize, shrink};
use super::state::Field;

/// NAdam.
pub(super) struct NAdam {
    betas: [f64; 2],
    eps: f64,
    decay: f64,
    momentum_decay: f64,
    decoupled: bool,
    maximize: bool,
    t: u64,
    /// product of all `mu`, kept in f32 as in PyTorch
    product: f64,
    m: Vec<f32>,
    v: Vec<f32>,
}

impl NAdam {
    pub(super) fn new(args: &mut Args) -> Result<Self, OptimError> {
        args.ignore(&SPEED);
        Ok(Self {
            betas: args.betas([0.9, 0.999])?,
            eps: args.number("eps", 1e-8)?,
            decay: args.number("weight_decay", 0.0)?,
            momentum_decay: args.number("momentum_decay", 4e-3)?,
            decoupled: args.flag("decoupled_weight_decay", false)?,
            maximize: args.flag("maximize", false)?,
            t: 0,
            product: 1.0,
            m: Vec::new(),
            v: Vec::new(),
        })
    }
}

impl Rule for NAdam {
    fn step(&mut self, LatentView { p, g, rate, .. }: LatentView<'_>) {
        self.t += 1;
        for array in [&mut self.m, &mut self.v] {
            grow(array, p.len(), 0.0);
        }
        maximize(g, self.maximize);
        if self.decoupled {
            shrink(p, rate, self.decay);
        } else {
            add_decay(g, p, self.decay);
        }
        let [b1, b2] = self.betas;
        let t = self.t as f64;
        let mu = |t: f64| b1 * (1.0 - 0.5 * 0.96f64.powf(t * self.momentum_decay));
        let (now, next) = (mu(t), mu(t + 1.0));
        self.product = f64::from((self.product * now) as f32);
        let of_g = (rate * (1.0 - now) / (1.0 - self.product)) as f32;
        let of_m = (rate * next / (1.0 - self.product * next)) as f32;
        let correction = (1.0 - b2.powf(t)) as f32;
        let (w1, b2, w2, eps) = ((1.0 - b1) as f32, b2 as f32, (1.0 - b2) as f32, self.eps as f32);
        for i in 0..p.len() {
            self.m[i] = lerp(self.m[i], g[i], w1);
            self.v[i] = self.v[i] * b2 + w2 * g[i] * g[i];
            let below = (self.v[i] / correction).sqrt() + eps;
            p[i] -= of_g * (g[i] / below);
            p[i] -= of_m * (self.m[i] / below);
        }
    }

    fn fields(&mut self) -> Vec<Field<'_>> {
        vec![
            Field::Count("t", &mut self.t),
            Field::Number("product", &mut self.product),
            Field::Array("m", &mut self.m),
            Field::Array("v", &mut self.v),
        ]
    }

    fn set_momentum(&mut self, momentum: f64) {
        self.betas[0] = momentum;
    }
}
