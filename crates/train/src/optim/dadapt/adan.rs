//! DAdaptAdan and its inner-product form DAdaptAdanIP: Adan (Xie et al. 2022) with an estimated distance.
//!
//! With `q = g - g_before`: `m`, `n` average `d rate g` and `d rate q`, `v` averages `(g + b2 q)²`,
//! `p -= (m + b2 n) / (sqrt(v)+eps)`, then `p /= 1 + d rate decay`.
use super::super::args::Args;
use super::super::error::OptimError;
use super::super::rule::{LatentView, Rule, grow, l1, shrink};
use super::super::state::Field;
use super::Distance;

/// D-Adapted Adan.
pub(crate) struct DAdaptAdan {
    inner_product: bool,
    betas: [f64; 3],
    eps: f64,
    decay: f64,
    no_prox: bool,
    distance: Distance,
    k: u64,
    /// weighted squares of the gradients, or the numerator of the inner-product form
    sum: f64,
    s: Vec<f32>,
    m: Vec<f32>,
    n: Vec<f32>,
    v: Vec<f32>,
    before: Vec<f32>,
}

impl DAdaptAdan {
    pub(crate) fn new(args: &mut Args, inner_product: bool) -> Result<Self, OptimError> {
        Ok(Self {
            inner_product,
            betas: args.betas([0.98, 0.92, 0.99])?,
            eps: args.number("eps", 1e-8)?,
            decay: args.number("weight_decay", 0.02)?,
            no_prox: args.flag("no_prox", false)?,
            distance: Distance::new(args)?,
            k: 0,
            sum: 0.0,
            s: Vec::new(),
            m: Vec::new(),
            n: Vec::new(),
            v: Vec::new(),
            before: Vec::new(),
        })
    }
}

impl Rule for DAdaptAdan {
    fn step(&mut self, LatentView { p, g, rate, .. }: LatentView<'_>) {
        for array in [&mut self.s, &mut self.m, &mut self.n, &mut self.v, &mut self.before] {
            grow(array, p.len(), 0.0);
        }
        if self.k == 0 {
            self.before.copy_from_slice(g);
        }
        let [b1, b2, b3] = self.betas;
        let dlr = self.distance.d * rate;
        let eps = self.eps as f32;
        let (w1, w2, w3) =
            ((dlr * (1.0 - b1)) as f32, (dlr * (1.0 - b2)) as f32, (1.0 - b3) as f32);
        let ws = (dlr * (1.0 - b3)) as f32;
        let (mut of_g, mut of_s, mut inner) = (0.0, 0.0, 0.0);
        for i in 0..p.len() {
            let change = g[i] - self.before[i];
            let ahead = g[i] + b2 as f32 * change;
            inner += f64::from(g[i]) * f64::from(self.s[i] / (self.v[i].sqrt() + eps));
            self.m[i] = self.m[i] * b1 as f32 + w1 * g[i];
            self.n[i] = self.n[i] * b2 as f32 + w2 * change;
            self.v[i] = self.v[i] * b3 as f32 + w3 * (ahead * ahead);
            let below = self.v[i].sqrt() + eps;
            of_g += f64::from(g[i] * g[i] / below);
            self.s[i] = self.s[i] * b3 as f32 + ws * g[i];
            of_s += f64::from(self.s[i] * self.s[i] / below);
        }
        let length = l1(&self.s);
        if length == 0.0 {
            return;
        }
        let estimate = if self.inner_product {
            self.sum = b3 * self.sum + (1.0 - b3) * dlr * inner;
            2.0 * (b3 / (1.0 - b3)) * self.sum / length
        } else {
            self.sum = b3 * self.sum + of_g * dlr * dlr * (1.0 - b3);
            (of_s / (1.0 - b3) - self.sum) / length
        };
        if rate > 0.0 {
            self.distance.update(estimate);
        }
        if self.no_prox {
            shrink(p, dlr, self.decay);
        }
        let below = if self.no_prox { 1.0 } else { (1.0 + dlr * self.decay) as f32 };
        for i in 0..p.len() {
            let update = (self.m[i] + b2 as f32 * self.n[i]) / (self.v[i].sqrt() + eps);
            p[i] = (p[i] - update) / below;
        }
        self.before.copy_from_slice(g);
        self.k += 1;
    }

    fn fields(&mut self) -> Vec<Field<'_>> {
        vec![
            Field::Count("k", &mut self.k),
            Field::Number("d", &mut self.distance.d),
            Field::Number("sum", &mut self.sum),
            Field::Array("s", &mut self.s),
            Field::Array("m", &mut self.m),
            Field::Array("n", &mut self.n),
            Field::Array("v", &mut self.v),
            Field::Array("before", &mut self.before),
        ]
    }

    fn whole_table(&self) -> bool {
        true
    }

    fn d(&self) -> Option<f64> {
        Some(self.distance.d)
    }
}
