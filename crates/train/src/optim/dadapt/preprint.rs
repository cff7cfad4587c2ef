//! DAdaptAdamPreprint, kohya's `DAdaptation`: `d^ = (sum(s²/v')/(1-b2) - G) / |s|_1` with `v' = sqrt(v)+eps`
//! and `G = b2 G + (1-b2) (d rate)² sum(g²/v')`.
use super::super::args::Args;
use super::super::error::OptimError;
use super::super::rule::{LatentView, Rule, add_decay, grow, l1, shrink};
use super::super::state::Field;
use super::Distance;

/// D-Adapted Adam of the first preprint.
pub(crate) struct DAdaptAdamPreprint {
    betas: [f64; 2],
    eps: f64,
    decay: f64,
    decouple: bool,
    distance: Distance,
    gradients: f64,
    s: Vec<f32>,
    m: Vec<f32>,
    v: Vec<f32>,
}

impl DAdaptAdamPreprint {
    pub(crate) fn new(args: &mut Args) -> Result<Self, OptimError> {
        Ok(Self {
            betas: args.betas([0.9, 0.999])?,
            eps: args.number("eps", 1e-8)?,
            decay: args.number("weight_decay", 0.0)?,
            decouple: args.flag("decouple", false)?,
            distance: Distance::new(args)?,
            gradients: 0.0,
            s: Vec::new(),
            m: Vec::new(),
            v: Vec::new(),
        })
    }
}

impl Rule for DAdaptAdamPreprint {
    fn step(&mut self, LatentView { p, g, rate, .. }: LatentView<'_>) {
        for array in [&mut self.s, &mut self.m, &mut self.v] {
            grow(array, p.len(), 0.0);
        }
        if !self.decouple {
            add_decay(g, p, self.decay);
        }
        let [b1, b2] = self.betas;
        let dlr = self.distance.d * rate;
        let eps = self.eps as f32;
        let (mut of_g, mut of_s) = (0.0, 0.0);
        if rate > 0.0 {
            let (w1, w2) = ((dlr * (1.0 - b1)) as f32, (1.0 - b2) as f32);
            let ws = (dlr * (1.0 - b2)) as f32;
            for i in 0..p.len() {
                self.m[i] = self.m[i] * b1 as f32 + w1 * g[i];
                self.v[i] = self.v[i] * b2 as f32 + w2 * (g[i] * g[i]);
                let below = self.v[i].sqrt() + eps;
                of_g += f64::from(g[i] * g[i] / below);
                self.s[i] = self.s[i] * b2 as f32 + ws * g[i];
                of_s += f64::from(self.s[i] * self.s[i] / below);
            }
        }
        let length = if rate > 0.0 { l1(&self.s) } else { 0.0 };
        if length == 0.0 {
            return;
        }
        self.gradients = b2 * self.gradients + of_g * dlr * dlr * (1.0 - b2);
        self.distance.update((of_s / (1.0 - b2) - self.gradients) / length);
        if self.decouple {
            shrink(p, dlr, self.decay);
        }
        for i in 0..p.len() {
            p[i] -= self.m[i] / (self.v[i].sqrt() + eps);
        }
    }

    fn fields(&mut self) -> Vec<Field<'_>> {
        vec![
            Field::Number("d", &mut self.distance.d),
            Field::Number("gradients", &mut self.gradients),
            Field::Array("s", &mut self.s),
            Field::Array("m", &mut self.m),
            Field::Array("v", &mut self.v),
        ]
    }

    fn whole_table(&self) -> bool {
        true
    }

    fn decays_gradients(&self) -> bool {
        self.decay != 0.0 && !self.decouple
    }

    fn d(&self) -> Option<f64> {
        Some(self.distance.d)
    }
}
