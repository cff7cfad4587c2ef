//! DAdaptLion: the signs take the gradient's place in the sums of DAdaptAdam.
use super::super::args::Args;
use super::super::error::OptimError;
use super::super::lion::sign;
use super::super::rule::{LatentView, Rule, grow, l1, shrink};
use super::super::state::Field;

/// D-Adapted Lion. Its `d` may grow without bound in one step.
pub(crate) struct DAdaptLion {
    betas: [f64; 2],
    decay: f64,
    d: f64,
    numerator: f64,
    s: Vec<f32>,
    m: Vec<f32>,
}

impl DAdaptLion {
    pub(crate) fn new(args: &mut Args) -> Result<Self, OptimError> {
        args.ignore(&["log_every", "fsdp_in_use"]);
        Ok(Self {
            betas: args.betas([0.9, 0.99])?,
            decay: args.number("weight_decay", 0.0)?,
            d: args.number("d0", 1e-6)?,
            numerator: 0.0,
            s: Vec::new(),
            m: Vec::new(),
        })
    }
}

impl Rule for DAdaptLion {
    fn step(&mut self, LatentView { p, g, rate, .. }: LatentView<'_>) {
        for array in [&mut self.s, &mut self.m] {
            grow(array, p.len(), 0.0);
        }
        let [b1, b2] = self.betas;
        let dlr = self.d * rate;
        let b3 = b2.sqrt();
        shrink(p, dlr, self.decay);
        let (w1, w2) = ((1.0 - b1) as f32, ((1.0 - b2) * dlr) as f32);
        let ws = ((1.0 - b3) * dlr) as f32;
        let mut inner = 0.0;
        for i in 0..p.len() {
            let update = sign(self.m[i] * b1 as f32 + w1 * g[i]);
            p[i] -= dlr as f32 * update;
            self.m[i] = self.m[i] * b2 as f32 + w2 * g[i];
            inner += f64::from(update) * f64::from(self.s[i]);
            self.s[i] = self.s[i] * b3 as f32 + ws * update;
        }
        let length = l1(&self.s);
        if length == 0.0 {
            return;
        }
        self.numerator = b3 * self.numerator + (1.0 - b3) * dlr * inner;
        if rate > 0.0 {
            self.d = self.d.max(self.numerator / ((1.0 - b3) * length));
        }
    }

    fn fields(&mut self) -> Vec<Field<'_>> {
        vec![
            Field::Number("d", &mut self.d),
            Field::Number("numerator", &mut self.numerator),
            Field::Array("s", &mut self.s),
            Field::Array("m", &mut self.m),
        ]
    }

    fn whole_table(&self) -> bool {
        true
    }

    fn d(&self) -> Option<f64> {
        Some(self.d)
    }
}
