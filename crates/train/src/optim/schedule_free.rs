//! Schedule-free AdamW, SGD and RAdam (Defazio et al. 2024), as in schedulefree 1.4.
//!
//! Gradients are taken at `y`, the base steps at `z`, and `x`, their weighted mean, is the result:
//! `c = w / sum(w)`, `y = lerp(y, z, c) + rate (b1 (1-c) - 1) u`, `z -= rate u`, `x = lerp(y, z, 1 - 1/b1)`.
use super::args::Args;
use super::error::OptimError;
use super::radam::rectification;
use super::rule::{LatentView, Rule, add_decay, grow, lerp, remember};
use super::state::Field;

/// What the base step is.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Base {
    /// Normalized by the second moment.
    AdamW,
    /// The gradient.
    Sgd,
    /// Normalized once the second moment can be trusted.
    RAdam,
}

/// A schedule-free optimizer.
pub(super) struct ScheduleFree {
    base: Base,
    b1: f64,
    b2: f64,
    eps: f64,
    decay: f64,
    warmup: f64,
    r: f64,
    power: f64,
    silent: bool,
    k: u64,
    weights: f64,
    highest: f64,
    z: Vec<f32>,
    v: Vec<f32>,
}

impl ScheduleFree {
    pub(super) fn new(args: &mut Args, base: Base) -> Result<Self, OptimError> {
        args.ignore(&["foreach"]);
        let betas = match base {
            Base::Sgd => [args.number("momentum", 0.9)?, 0.0],
            _ => args.betas([0.9, 0.999])?,
        };
        if betas[0] <= 0.0 {
            return Err(OptimError::Value {
                optimizer: "a schedule-free optimizer".into(),
                key: if base == Base::Sgd { "momentum" } else { "betas" }.into(),
                found: betas[0].to_string(),
                expected: "a momentum above 0",
            });
        }
        Ok(Self {
            base,
            b1: betas[0],
            b2: betas[1],
            eps: if base == Base::Sgd { 0.0 } else { args.number("eps", 1e-8)? },
            decay: args.number("weight_decay", 0.0)?,
            warmup: if base == Base::RAdam { 0.0 } else { args.number("warmup_steps", 0.0)? },
            r: args.number("r", 0.0)?,
            power: args.number("weight_lr_power", 2.0)?,
            silent: base == Base::RAdam && args.flag("silent_sgd_phase", true)?,
            k: 0,
            weights: 0.0,
            highest: -1.0,
            z: Vec::new(),
            v: Vec::new(),
        })
    }
}

impl Rule for ScheduleFree {
    fn step(&mut self, LatentView { p: y, g, rate, .. }: LatentView<'_>) {
        remember(&mut self.z, y);
        grow(&mut self.v, y.len(), 0.0);
        let t = self.k as f64 + 1.0;
        let (mut rate, mut normalize) = (rate, self.base != Base::Sgd);
        if t <= self.warmup {
            rate *= t / self.warmup;
        }
        if self.base == Base::RAdam {
            let (length, rectified) = rectification(self.b2, t);
            normalize = length > 4.0;
            rate *= if normalize { rectified } else { f64::from(u8::from(!self.silent)) };
        }
        self.highest = self.highest.max(rate);
        let weight = t.powf(self.r) * self.highest.powf(self.power);
        self.weights += weight;
        let c = if self.weights == 0.0 { 0.0 } else { weight / self.weights };

        if self.base != Base::Sgd {
            let correction = (1.0 - self.b2.powf(t)) as f32;
            let (b2, w2, eps) = (self.b2 as f32, (1.0 - self.b2) as f32, self.eps as f32);
            for (v, g) in self.v.iter_mut().zip(g.iter_mut()) {
                *v = *v * b2 + w2 * *g * *g;
                if normalize {
                    *g /= (*v / correction).sqrt() + eps;
                }
            }
        }
        add_decay(g, y, self.decay);
        let of_y = (rate * (self.b1 * (1.0 - c) - 1.0)) as f32;
        for i in 0..y.len() {
            y[i] = lerp(y[i], self.z[i], c as f32) + of_y * g[i];
            self.z[i] -= rate as f32 * g[i];
        }
        self.k += 1;
    }

    fn fields(&mut self) -> Vec<Field<'_>> {
        vec![
            Field::Count("k", &mut self.k),
            Field::Number("weights", &mut self.weights),
            Field::Number("highest", &mut self.highest),
            Field::Array("z", &mut self.z),
            Field::Array("v", &mut self.v),
        ]
    }

    fn is_schedule_free(&self) -> bool {
        true
    }

    fn averaged(&self, y: &[f32]) -> Option<Vec<f32>> {
        if self.z.is_empty() {
            return Some(y.to_vec());
        }
        let w = (1.0 - 1.0 / self.b1) as f32;
        Some(y.iter().zip(&self.z).map(|(y, z)| lerp(*y, *z, w)).collect())
    }
}
