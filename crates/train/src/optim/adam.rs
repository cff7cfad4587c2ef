//! Adam and AdamW (Kingma and Ba 2014; Loshchilov and Hutter 2017), with AMSGrad, as in PyTorch.
//!
//! `m += (1-b1)(g-m)`, `v = b2 v + (1-b2) g²`,
//! `p -= rate / (1-b1^t) * m / (sqrt(v) / sqrt(1-b2^t) + eps)`.
//! AdamW shrinks `p` by `1 - rate * decay` before; Adam adds `decay * p` to the gradient.
use super::args::Args;
use super::error::OptimError;
use super::rule::{LatentView, Rule, add_decay, grow, lerp, maximize, shrink};
use super::state::Field;

/// Arguments of PyTorch's optimizers that change speed only.
pub(super) const SPEED: [&str; 4] = ["foreach", "fused", "capturable", "differentiable"];

/// Adam or AdamW.
pub(super) struct Adam {
    betas: [f64; 2],
    eps: f64,
    decay: f64,
    decoupled: bool,
    amsgrad: bool,
    maximize: bool,
    t: u64,
    m: Vec<f32>,
    v: Vec<f32>,
    v_max: Vec<f32>,
}

impl Adam {
    pub(super) fn new(args: &mut Args, decoupled: bool) -> Result<Self, OptimError> {
        args.ignore(&SPEED);
        Ok(Self {
            betas: args.betas([0.9, 0.999])?,
            eps: args.number("eps", 1e-8)?,
            decay: args.number("weight_decay", if decoupled { 0.01 } else { 0.0 })?,
            decoupled,
            amsgrad: args.flag("amsgrad", false)?,
            maximize: args.flag("maximize", false)?,
            t: 0,
            m: Vec::new(),
            v: Vec::new(),
            v_max: Vec::new(),
        })
    }
}

impl Rule for Adam {
    fn step(&mut self, LatentView { p, g, rate, .. }: LatentView<'_>) {
        self.t += 1;
        for array in [&mut self.m, &mut self.v] {
            grow(array, p.len(), 0.0);
        }
        if self.amsgrad {
            grow(&mut self.v_max, p.len(), 0.0);
        }
        maximize(g, self.maximize);
        if self.decoupled {
            shrink(p, rate, self.decay);
        } else {
            add_decay(g, p, self.decay);
        }
        let [b1, b2] = self.betas;
        let t = self.t as f64;
        let size = (rate / (1.0 - b1.powf(t))) as f32;
        let root = (1.0 - b2.powf(t)).sqrt() as f32;
        let (w1, b2, w2, eps) = ((1.0 - b1) as f32, b2 as f32, (1.0 - b2) as f32, self.eps as f32);
        for i in 0..p.len() {
            self.m[i] = lerp(self.m[i], g[i], w1);
            self.v[i] = self.v[i] * b2 + w2 * g[i] * g[i];
            let mut v = self.v[i];
            if self.amsgrad {
                self.v_max[i] = self.v_max[i].max(v);
                v = self.v_max[i];
            }
            p[i] -= size * (self.m[i] / (v.sqrt() / root + eps));
        }
    }

    fn fields(&mut self) -> Vec<Field<'_>> {
        vec![
            Field::Count("t", &mut self.t),
            Field::Array("m", &mut self.m),
            Field::Array("v", &mut self.v),
            Field::Array("v_max", &mut self.v_max),
        ]
    }

    fn set_momentum(&mut self, momentum: f64) {
        self.betas[0] = momentum;
    }
}
