//! RAdam (Liu et al. 2019), as in PyTorch: plain momentum until the second moment can be trusted.
use super::adam::SPEED;
use super::args::Args;
use super::error::OptimError;
use super::rule::{LatentView, Rule, add_decay, grow, lerp, maximize, shrink};
use super::state::Field;

/// RAdam.
pub(super) struct RAdam {
    betas: [f64; 2],
    eps: f64,
    decay: f64,
    decoupled: bool,
    maximize: bool,
    t: u64,
    m: Vec<f32>,
    v: Vec<f32>,
}

impl RAdam {
    pub(super) fn new(args: &mut Args) -> Result<Self, OptimError> {
        args.ignore(&SPEED);
        Ok(Self {
            betas: args.betas([0.9, 0.999])?,
            eps: args.number("eps", 1e-8)?,
            decay: args.number("weight_decay", 0.0)?,
            decoupled: args.flag("decoupled_weight_decay", false)?,
            maximize: args.flag("maximize", false)?,
            t: 0,
            m: Vec::new(),
            v: Vec::new(),
        })
    }
}

/// The length of the averaged history after `t` steps and the rectification that belongs to it.
pub(super) fn rectification(b2: f64, t: f64) -> (f64, f64) {
    let power = b2.powf(t);
    let limit = 2.0 / (1.0 - b2) - 1.0;
    let length = limit - 2.0 * t * power / (1.0 - power);
    let above = (length - 4.0) * (length - 2.0) * limit;
    (length, (above / ((limit - 4.0) * (limit - 2.0) * length)).sqrt())
}

impl Rule for RAdam {
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
        let (length, rectified) = rectification(b2, t);
        let correction = (1.0 - b1.powf(t)) as f32;
        let root = (1.0 - b2.powf(t)).sqrt() as f32;
        let (w1, w2, eps) = ((1.0 - b1) as f32, (1.0 - b2) as f32, self.eps as f32);
        let (b2, rate, rectified) = (b2 as f32, rate as f32, rectified as f32);
        for i in 0..p.len() {
            self.m[i] = lerp(self.m[i], g[i], w1);
            self.v[i] = self.v[i] * b2 + w2 * g[i] * g[i];
            let mut update = self.m[i] / correction * rate;
            if length > 5.0 {
                update *= root / (self.v[i].sqrt() + eps) * rectified;
            }
            p[i] -= update;
        }
    }

    fn fields(&mut self) -> Vec<Field<'_>> {
        vec![
            Field::Count("t", &mut self.t),
            Field::Array("m", &mut self.m),
            Field::Array("v", &mut self.v),
        ]
    }

    fn set_momentum(&mut self, momentum: f64) {
        self.betas[0] = momentum;
    }
}
