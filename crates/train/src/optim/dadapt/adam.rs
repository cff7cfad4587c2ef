//! DAdaptAdam: `num = sqrt(b2) num + (1-sqrt(b2)) d rate <g, s / (sqrt(v)+eps)>`, `d^ = num / ((1-sqrt(b2)) |s|_1)`.
use super::super::args::Args;
use super::super::error::OptimError;
use super::super::prodigy::bias_correction;
use super::super::rule::{LatentView, Rule, add_decay, grow, l1, shrink};
use super::super::state::Field;
use super::Distance;

/// D-Adapted Adam.
pub(crate) struct DAdaptAdam {
    betas: [f64; 2],
    eps: f64,
    decay: f64,
    decouple: bool,
    bias_correction: bool,
    distance: Distance,
    k: u64,
    numerator: f64,
    s: Vec<f32>,
    m: Vec<f32>,
    v: Vec<f32>,
}

impl DAdaptAdam {
    pub(crate) fn new(args: &mut Args) -> Result<Self, OptimError> {
        Ok(Self {
            betas: args.betas([0.9, 0.999])?,
            eps: args.number("eps", 1e-8)?,
            decay: args.number("weight_decay", 0.0)?,
            decouple: args.flag("decouple", false)?,
            bias_correction: args.flag("use_bias_correction", false)?,
            distance: Distance::new(args)?,
            k: 0,
            numerator: 0.0,
            s: Vec::new(),
            m: Vec::new(),
            v: Vec::new(),
        })
    }
}

impl Rule for DAdaptAdam {
    fn step(&mut self, LatentView { p, g, rate, .. }: LatentView<'_>) {
        for array in [&mut self.s, &mut self.m, &mut self.v] {
            grow(array, p.len(), 0.0);
        }
        if !self.decouple {
            add_decay(g, p, self.decay);
        }
        let [b1, b2] = self.betas;
        let dlr =
            self.distance.d * rate * bias_correction(self.bias_correction, self.betas, self.k);
        let b3 = b2.sqrt();
        let eps = self.eps as f32;
        let mut inner = 0.0;
        if rate > 0.0 {
            let (of_m, of_v) = ((dlr * (1.0 - b1)) as f32, (1.0 - b2) as f32);
            let of_s = (dlr * (1.0 - b3)) as f32;
            for i in 0..p.len() {
                let below = self.v[i].sqrt() + eps;
                inner += f64::from(g[i]) * f64::from(self.s[i] / below);
                self.m[i] = self.m[i] * b1 as f32 + of_m * g[i];
                self.v[i] = self.v[i] * b2 as f32 + of_v * g[i] * g[i];
                self.s[i] = self.s[i] * b3 as f32 + of_s * g[i];
            }
        }
        let length = l1(&self.s);
        if length == 0.0 {
            return;
        }
        self.numerator = b3 * self.numerator + (1.0 - b3) * dlr * inner;
        if rate > 0.0 {
            self.distance.update(self.numerator / ((1.0 - b3) * length));
        }
        if self.decouple {
            shrink(p, dlr, self.decay);
        }
        for i in 0..p.len() {
            p[i] -= self.m[i] / (self.v[i].sqrt() + eps);
        }
        self.k += 1;
    }

    fn fields(&mut self) -> Vec<Field<'_>> {
        vec![
            Field::Count("k", &mut self.k),
            Field::Number("d", &mut self.distance.d),
            Field::Number("numerator", &mut self.numerator),
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
