//! DAdaptAdaGrad: `a += g²` from 1e-6, `s += d rate g`, `d^ = (sum(s²/a') - G) / |s|_1` with `a' = sqrt(a)+eps`
//! and `G += (d rate)² sum(g²/a')`; `p` goes towards `p0 - s/a'`.
use super::super::args::Args;
use super::super::error::OptimError;
use super::super::rule::{LatentView, Rule, add_decay, grow, l1, remember};
use super::super::state::Field;
use super::Distance;

/// D-Adapted AdaGrad.
pub(crate) struct DAdaptAdaGrad {
    momentum: f64,
    eps: f64,
    decay: f64,
    distance: Distance,
    gradients: f64,
    p0: Vec<f32>,
    s: Vec<f32>,
    a: Vec<f32>,
}

impl DAdaptAdaGrad {
    pub(crate) fn new(args: &mut Args) -> Result<Self, OptimError> {
        Ok(Self {
            momentum: args.number("momentum", 0.0)?,
            eps: args.number("eps", 1e-6)?,
            decay: args.number("weight_decay", 0.0)?,
            distance: Distance::new(args)?,
            gradients: 0.0,
            p0: Vec::new(),
            s: Vec::new(),
            a: Vec::new(),
        })
    }
}

impl Rule for DAdaptAdaGrad {
    fn step(&mut self, LatentView { p, g, rate, .. }: LatentView<'_>) {
        grow(&mut self.s, p.len(), 0.0);
        grow(&mut self.a, p.len(), 1e-6);
        remember(&mut self.p0, p);
        add_decay(g, p, self.decay);
        let dlr = self.distance.d * rate;
        let eps = self.eps as f32;
        let (mut of_g, mut of_s) = (0.0, 0.0);
        for i in 0..p.len() {
            self.a[i] += g[i] * g[i];
            let below = self.a[i].sqrt() + eps;
            of_g += f64::from(g[i] * g[i] / below);
            self.s[i] += dlr as f32 * g[i];
            of_s += f64::from(self.s[i] * self.s[i] / below);
        }
        let length = l1(&self.s);
        if length == 0.0 {
            return;
        }
        self.gradients += dlr * dlr * of_g;
        if rate > 0.0 {
            self.distance.update((of_s - self.gradients) / length);
        }
        let (keep, towards) = (self.momentum as f32, (1.0 - self.momentum) as f32);
        for i in 0..p.len() {
            let z = self.p0[i] - self.s[i] / (self.a[i].sqrt() + eps);
            p[i] = if self.momentum == 0.0 { z } else { p[i] * keep + towards * z };
        }
    }

    fn fields(&mut self) -> Vec<Field<'_>> {
        vec![
            Field::Number("d", &mut self.distance.d),
            Field::Number("gradients", &mut self.gradients),
            Field::Array("p0", &mut self.p0),
            Field::Array("s", &mut self.s),
            Field::Array("a", &mut self.a),
        ]
    }

    fn whole_table(&self) -> bool {
        true
    }

    fn decays_gradients(&self) -> bool {
        self.decay != 0.0
    }

    fn d(&self) -> Option<f64> {
        Some(self.distance.d)
    }
}
