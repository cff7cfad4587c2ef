//! Prodigy (Mishchenko and Defazio 2023), as in prodigyopt: Adam that finds its own learning rate.
//!
//! With `w = d/d0 * d * rate`: `num = b3 num + w <g, p0 - p>`, `s = b3 s + w g`, `d^ = d_coef * num / |s|_1`.
//! `m`, `v` hold gradients times `d`, `p -= d rate * m / (sqrt(v) + d eps)` with the new `d` in the
//! denominator only. With `slice_p` the sums and `s` take every so many-th number of the table.
use super::args::Args;
use super::error::OptimError;
use super::rule::{LatentView, Rule, add_decay, grow, l1, remember, shrink};
use super::state::Field;

/// Prodigy.
pub(super) struct Prodigy {
    betas: [f64; 2],
    b3: f64,
    eps: f64,
    decay: f64,
    decouple: bool,
    bias_correction: bool,
    safeguard: bool,
    d0: f64,
    d_coef: f64,
    growth: f64,
    slice: usize,
    k: u64,
    d: f64,
    d_max: f64,
    numerator: f64,
    p0: Vec<f32>,
    s: Vec<f32>,
    m: Vec<f32>,
    v: Vec<f32>,
}

impl Prodigy {
    pub(super) fn new(args: &mut Args) -> Result<Self, OptimError> {
        args.ignore(&["fsdp_in_use"]);
        let betas = args.betas([0.9, 0.999])?;
        let d0 = args.number("d0", 1e-6)?;
        Ok(Self {
            betas,
            b3: args.maybe_number("beta3")?.unwrap_or_else(|| betas[1].sqrt()),
            eps: args.number("eps", 1e-8)?,
            decay: args.number("weight_decay", 0.0)?,
            decouple: args.flag("decouple", true)?,
            bias_correction: args.flag("use_bias_correction", false)?,
            safeguard: args.flag("safeguard_warmup", false)?,
            d0,
            d_coef: args.number("d_coef", 1.0)?,
            growth: args.number("growth_rate", f64::INFINITY)?,
            slice: args.count("slice_p", 1)?,
            k: 0,
            d: d0,
            d_max: d0,
            numerator: 0.0,
            p0: Vec::new(),
            s: Vec::new(),
            m: Vec::new(),
            v: Vec::new(),
        })
    }
}

/// `sqrt(1-b2^(k+1)) / (1-b1^(k+1))`, or 1 where it is off.
pub(super) fn bias_correction(on: bool, [b1, b2]: [f64; 2], k: u64) -> f64 {
    let t = k as f64 + 1.0;
    if on { (1.0 - b2.powf(t)).sqrt() / (1.0 - b1.powf(t)) } else { 1.0 }
}

impl Rule for Prodigy {
    fn step(&mut self, LatentView { p, g, dim, numbers, rate, .. }: LatentView<'_>) {
        for array in [&mut self.s, &mut self.m, &mut self.v] {
            grow(array, p.len(), 0.0);
        }
        remember(&mut self.p0, p);
        if !self.decouple {
            add_decay(g, p, self.decay);
        }
        if rate <= 0.0 {
            // Nothing is counted at rate 0, not even the step.
            return;
        }
        let d = self.d;
        let dlr = d * rate * bias_correction(self.bias_correction, self.betas, self.k);
        let [b1, b2] = self.betas;
        let of_s = (d / self.d0 * if self.safeguard { d } else { dlr }) as f32;
        let counted = |i: &usize| (numbers[i / dim] * dim + i % dim).is_multiple_of(self.slice);
        let mut inner = 0.0;
        for i in (0..p.len()).filter(counted) {
            inner += f64::from(g[i]) * f64::from(self.p0[i] - p[i]);
            self.s[i] = self.s[i] * self.b3 as f32 + of_s * g[i];
        }
        let numerator = self.numerator * self.b3 + d / self.d0 * dlr * inner;
        let (of_m, of_v) = ((d * (1.0 - b1)) as f32, (d * d * (1.0 - b2)) as f32);
        for i in 0..p.len() {
            self.m[i] = self.m[i] * b1 as f32 + of_m * g[i];
            self.v[i] = self.v[i] * b2 as f32 + of_v * (g[i] * g[i]);
        }
        let denominator = l1(&self.s);
        if denominator == 0.0 {
            return;
        }
        let estimate = self.d_coef * numerator / denominator;
        if d == self.d0 {
            self.d = d.max(estimate);
        }
        self.d_max = self.d_max.max(estimate);
        self.d = self.d_max.min(self.d * self.growth);
        self.numerator = numerator;
        if self.decouple {
            shrink(p, dlr, self.decay);
        }
        let (dlr, eps) = (dlr as f32, (self.d * self.eps) as f32);
        for i in 0..p.len() {
            // Without a first moment the gradient stands in its place.
            let m = if b1 > 0.0 { self.m[i] } else { g[i] * d as f32 };
            p[i] -= dlr * (m / (self.v[i].sqrt() + eps));
        }
        self.k += 1;
    }

    fn fields(&mut self) -> Vec<Field<'_>> {
        vec![
            Field::Count("k", &mut self.k),
            Field::Number("d", &mut self.d),
            Field::Number("d_max", &mut self.d_max),
            Field::Number("numerator", &mut self.numerator),
            Field::Array("p0", &mut self.p0),
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
        Some(self.d)
    }

    fn set_momentum(&mut self, momentum: f64) {
        self.betas[0] = momentum;
    }
}
