//! DAdaptSGD: `w = d rate / |g_0|`, `s += w g`, `d^ = 2 sum(w <g, s>) / |s|_2`, `p` goes towards `p0 - s`.
use super::super::args::Args;
use super::super::error::OptimError;
use super::super::rule::{LatentView, Rule, add_decay, dot, grow, remember};
use super::super::state::Field;
use super::Distance;

/// D-Adapted SGD.
pub(crate) struct DAdaptSgd {
    momentum: f64,
    decay: f64,
    distance: Distance,
    k: u64,
    first_norm: f64,
    numerator: f64,
    p0: Vec<f32>,
    s: Vec<f32>,
}

impl DAdaptSgd {
    pub(crate) fn new(args: &mut Args) -> Result<Self, OptimError> {
        Ok(Self {
            momentum: args.number("momentum", 0.0)?,
            decay: args.number("weight_decay", 0.0)?,
            distance: Distance::new(args)?,
            k: 0,
            first_norm: 0.0,
            numerator: 0.0,
            p0: Vec::new(),
            s: Vec::new(),
        })
    }
}

impl Rule for DAdaptSgd {
    fn step(&mut self, LatentView { p, g, rate, .. }: LatentView<'_>) {
        grow(&mut self.s, p.len(), 0.0);
        remember(&mut self.p0, p);
        if rate <= 0.0 {
            // The peer divides by zero here; a step of length 0 is what is meant.
            return;
        }
        if self.k == 0 {
            // Without the decay, which only later gradients carry.
            self.first_norm = dot(g, g).sqrt();
        }
        if self.first_norm == 0.0 {
            return;
        }
        add_decay(g, p, self.decay);
        let dlr = self.distance.d * rate / self.first_norm;
        let numerator = self.numerator + dlr * dot(g, &self.s);
        self.s.iter_mut().zip(g.iter()).for_each(|(s, g)| *s += dlr as f32 * g);
        let length = dot(&self.s, &self.s).sqrt();
        if length == 0.0 {
            return;
        }
        self.distance.update(2.0 * numerator / length);
        self.numerator = numerator;
        let (keep, towards) = (self.momentum as f32, (1.0 - self.momentum) as f32);
        for i in 0..p.len() {
            p[i] = p[i] * keep + towards * (self.p0[i] - self.s[i]);
        }
        self.k += 1;
    }

    fn fields(&mut self) -> Vec<Field<'_>> {
        vec![
            Field::Count("k", &mut self.k),
            Field::Number("d", &mut self.distance.d),
            Field::Number("first_norm", &mut self.first_norm),
            Field::Number("numerator", &mut self.numerator),
            Field::Array("p0", &mut self.p0),
            Field::Array("s", &mut self.s),
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
