//! Adafactor (Shazeer and Stern 2018), as in transformers: second moments as row and column means.
//!
//! `b2 = 1 - t^decay_rate`, `u = g² + eps0`; `r`, `c` are running means of `u` over columns and rows;
//! `update = g / sqrt(r / mean(r)) / sqrt(c)`, divided by `max(1, rms(update) / clip_threshold)`.
//! With `relative_step`, `rate = max(eps1, rms(p)) * min(1e-2 or 1e-6 t, 1 / sqrt(t))`.
use super::args::Args;
use super::error::OptimError;
use super::rule::{LatentView, Rule, grow};
use super::state::Field;

/// Adafactor.
pub(super) struct Adafactor {
    eps: [f64; 2],
    clip: f64,
    decay_rate: f64,
    b1: Option<f64>,
    decay: f64,
    scale_parameter: bool,
    relative_step: bool,
    warmup_init: bool,
    t: u64,
    rate: f64,
    rows: Vec<f32>,
    columns: Vec<f32>,
    m: Vec<f32>,
}

impl Adafactor {
    /// kohya's default is `relative_step` with `scale_parameter`.
    pub(super) fn new(args: &mut Args) -> Result<Self, OptimError> {
        let made = Self {
            eps: args.numbers("eps", [1e-30, 1e-3])?,
            clip: args.number("clip_threshold", 1.0)?,
            decay_rate: args.number("decay_rate", -0.8)?,
            b1: args.maybe_number("beta1")?,
            decay: args.number("weight_decay", 0.0)?,
            scale_parameter: args.flag("scale_parameter", true)?,
            relative_step: args.flag("relative_step", true)?,
            warmup_init: args.flag("warmup_init", false)?,
            t: 0,
            rate: 0.0,
            rows: Vec::new(),
            columns: Vec::new(),
            m: Vec::new(),
        };
        if made.warmup_init && !made.relative_step {
            return Err(OptimError::Value {
                optimizer: "Adafactor".into(),
                key: "warmup_init".into(),
                found: "True".into(),
                expected: "relative_step=True with it",
            });
        }
        Ok(made)
    }
}

impl Rule for Adafactor {
    fn step(
        &mut self,
        LatentView { p, g, dim, rate, rest_rows, rest_squares, .. }: LatentView<'_>,
    ) {
        self.t += 1;
        let t = self.t as f64;
        let rows = p.len() / dim;
        let all_rows = (rows + rest_rows) as f64;
        let [eps0, eps1] = self.eps;

        let squares: f64 = p.iter().map(|p| f64::from(*p).powi(2)).sum();
        let rms = ((squares + rest_squares) / (all_rows * dim as f64)).sqrt();
        let mut size = rate;
        if self.relative_step {
            let most = if self.warmup_init { 1e-6 * t } else { 1e-2 };
            size = f64::min(most, 1.0 / t.sqrt());
        }
        if self.scale_parameter {
            size *= rms.max(eps1);
        }
        self.rate = size;

        // Rows without any gradient have the mean eps0, whenever they appear.
        grow(&mut self.rows, rows, if self.t == 1 { 0.0 } else { eps0 as f32 });
        grow(&mut self.columns, dim, 0.0);
        let b2 = 1.0 - t.powf(self.decay_rate);
        let (keep, fresh) = (b2 as f32, (1.0 - b2) as f32);
        let mut columns = vec![rest_rows as f64 * eps0; dim];
        for (mean, g) in self.rows.iter_mut().zip(g.chunks_exact(dim)) {
            let mut sum = 0.0;
            for (column, g) in columns.iter_mut().zip(g) {
                let u = f64::from(g * g) + eps0;
                sum += u;
                *column += u;
            }
            *mean = *mean * keep + fresh * (sum / dim as f64) as f32;
        }
        for (mean, sum) in self.columns.iter_mut().zip(&columns) {
            *mean = *mean * keep + fresh * (sum / all_rows) as f32;
        }

        let over_rows: f64 = self.rows.iter().map(|r| f64::from(*r)).sum();
        let mean = (over_rows + rest_rows as f64 * eps0) / all_rows;
        let mut sum = 0.0;
        for (g, row) in g.chunks_exact_mut(dim).zip(&self.rows) {
            let row = 1.0 / (row / mean as f32).sqrt();
            for (g, column) in g.iter_mut().zip(&self.columns) {
                *g *= row * (1.0 / column.sqrt());
                sum += f64::from(*g).powi(2);
            }
        }
        let rms = (sum / (all_rows * dim as f64)).sqrt();
        let scale = (size / (rms / self.clip).max(1.0)) as f32;
        g.iter_mut().for_each(|g| *g *= scale);
        if let Some(b1) = self.b1 {
            grow(&mut self.m, p.len(), 0.0);
            for (m, g) in self.m.iter_mut().zip(g.iter_mut()) {
                *m = *m * b1 as f32 + (1.0 - b1) as f32 * *g;
                *g = *m;
            }
        }
        let shrink = (1.0 - self.decay * size) as f32;
        for (p, g) in p.iter_mut().zip(g.iter()) {
            *p = *p * shrink - g;
        }
    }

    fn fields(&mut self) -> Vec<Field<'_>> {
        vec![
            Field::Count("t", &mut self.t),
            Field::Number("rate", &mut self.rate),
            Field::Array("rows", &mut self.rows),
            Field::Array("columns", &mut self.columns),
            Field::Array("m", &mut self.m),
        ]
    }

    fn whole_table(&self) -> bool {
        true
    }

    fn is_relative(&self) -> bool {
        self.relative_step
    }

    fn own_rate(&self) -> Option<f64> {
        (self.relative_step && self.t > 0).then_some(self.rate)
    }
}
