//! Optimizers whose state is kept in 8 bits, as in bitsandbytes: AdamW, Lion and SGD with momentum.
//!
//! A state of 256 numbers is one block: its largest absolute value, and a code of 8 bits each that
//! names one of 256 levels in [-1, 1] or [0, 1]. Each step decodes, updates in f32, and encodes anew.
use super::args::{Args, Literal};
use super::error::OptimError;
use super::lion::sign;
use super::rule::{LatentView, Rule, add_decay, shrink};
use super::state::Field;

/// Numbers that share one largest value (bitsandbytes since 0.44).
pub(super) const BLOCK: usize = 256;

/// The 256 levels of a code, rising.
#[derive(Debug, Clone)]
pub(super) struct CodeBook {
    levels: Vec<f32>,
    middles: Vec<f32>,
    signed: bool,
}

impl CodeBook {
    /// Dynamic 8-bit levels: seven decades, each with twice as many levels as the one below.
    pub(super) fn new(signed: bool) -> Self {
        let mut levels = vec![0.0, 1.0];
        for decade in 0..7 {
            let items = 1usize << (decade + usize::from(!signed));
            let scale = 10f64.powi(decade as i32 - 6);
            for i in 0..items {
                // f32 edges and means, as the peer builds them
                let edge = |i: usize| linspace(0.1, 1.0, items + 1, i);
                let level = (f64::from((edge(i) + edge(i + 1)) / 2.0) * scale) as f32;
                levels.push(level);
                if signed {
                    levels.push(-level);
                }
            }
        }
        levels.sort_by(f32::total_cmp);
        let middles = levels.windows(2).map(|w| (w[0] + w[1]) * 0.5).collect();
        Self { levels, middles, signed }
    }

    /// The code whose level is nearest to `v`; a signed code never changes the sign.
    fn encode(&self, v: f32) -> u8 {
        let mut code = self.middles.partition_point(|m| *m < v);
        if self.signed {
            let level = self.levels[code];
            if level.is_sign_negative() != v.is_sign_negative() {
                code = if v > 0.0 { code + 1 } else { code.saturating_sub(1) };
            }
        }
        code.min(255) as u8
    }
}

/// Point `i` of `n` from `a` to `b`, counted from the nearer end as PyTorch does.
fn linspace(a: f32, b: f32, n: usize, i: usize) -> f32 {
    let step = (b - a) / (n - 1) as f32;
    if i < n / 2 { a + step * i as f32 } else { b - step * (n - 1 - i) as f32 }
}

/// One state in 8 bits.
struct Quantized {
    book: CodeBook,
    codes: Vec<u8>,
    largest: Vec<f32>,
}

impl Quantized {
    fn new(signed: bool) -> Self {
        Self { book: CodeBook::new(signed), codes: Vec::new(), largest: Vec::new() }
    }

    fn decode(&mut self, len: usize) -> Vec<f32> {
        self.codes.resize(len, 0);
        self.largest.resize(len.div_ceil(BLOCK), 0.0);
        let blocks = self.codes.chunks(BLOCK).zip(&self.largest);
        let level = |(codes, largest): (&[u8], &f32)| -> Vec<f32> {
            codes.iter().map(|c| self.book.levels[usize::from(*c)] * largest).collect()
        };
        blocks.flat_map(level).collect()
    }

    fn encode(&mut self, values: &[f32]) {
        let blocks = values.chunks(BLOCK).zip(self.codes.chunks_mut(BLOCK));
        for ((values, codes), largest) in blocks.zip(&mut self.largest) {
            *largest = values.iter().fold(0.0, |m, v| m.max(v.abs()));
            for (code, v) in codes.iter_mut().zip(values) {
                *code = if *largest > 0.0 { self.book.encode(v / *largest) } else { 0 };
            }
        }
    }
}

/// Which formula.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum EightBitKind {
    /// Two states.
    AdamW,
    /// One state.
    Lion,
    /// One state; bitsandbytes takes `nesterov` and does without it.
    Sgd,
}

/// An optimizer with 8-bit states.
pub(super) struct EightBit {
    kind: EightBitKind,
    betas: [f64; 2],
    eps: f64,
    decay: f64,
    t: u64,
    m: Quantized,
    v: Quantized,
}

impl EightBit {
    pub(super) fn new(args: &mut Args, kind: EightBitKind) -> Result<Self, OptimError> {
        // These choose where states live and how they are checked, not what comes out.
        args.ignore(&["optim_bits", "min_8bit_size", "is_paged"]);
        args.only(
            "percentile_clipping",
            &Literal::Int(100),
            "100, which is off; clipping is not built in",
        )?;
        args.only(
            "block_wise",
            &Literal::Bool(true),
            "True, as states have largest values by block",
        )?;
        let betas = match kind {
            EightBitKind::AdamW => args.betas([0.9, 0.999])?,
            EightBitKind::Lion => args.betas([0.9, 0.99])?,
            EightBitKind::Sgd => {
                args.ignore(&["nesterov", "dampening"]);
                [args.number("momentum", 0.9)?, 0.0]
            }
        };
        Ok(Self {
            kind,
            betas,
            eps: if kind == EightBitKind::AdamW { args.number("eps", 1e-8)? } else { 0.0 },
            decay: args
                .number("weight_decay", if kind == EightBitKind::AdamW { 0.01 } else { 0.0 })?,
            t: 0,
            m: Quantized::new(true),
            v: Quantized::new(false),
        })
    }
}

impl Rule for EightBit {
    fn step(&mut self, LatentView { p, g, rate, .. }: LatentView<'_>) {
        self.t += 1;
        let [b1, b2] = self.betas;
        let (w1, w2) = ((1.0 - b1) as f32, (1.0 - b2) as f32);
        let mut m = self.m.decode(p.len());
        match self.kind {
            EightBitKind::AdamW => {
                shrink(p, rate, self.decay);
                let t = self.t as f64;
                let root = (1.0 - b2.powf(t)).sqrt();
                let size = (rate * root / (1.0 - b1.powf(t))) as f32;
                let eps = (self.eps * root) as f32;
                let mut v = self.v.decode(p.len());
                for i in 0..p.len() {
                    if !g[i].is_finite() {
                        (m[i], v[i]) = (0.0, 0.0);
                        continue;
                    }
                    v[i] = v[i] * b2 as f32 + w2 * g[i] * g[i];
                    m[i] = m[i] * b1 as f32 + w1 * g[i];
                    p[i] -= size * (m[i] / (v[i].sqrt() + eps));
                }
                self.v.encode(&v);
            }
            EightBitKind::Lion => {
                shrink(p, rate, self.decay);
                for i in 0..p.len() {
                    p[i] -= rate as f32 * sign(m[i] * b1 as f32 + w1 * g[i]);
                    m[i] = m[i] * b2 as f32 + w2 * g[i];
                }
            }
            EightBitKind::Sgd => {
                add_decay(g, p, self.decay);
                for i in 0..p.len() {
                    m[i] = if self.t == 1 { g[i] } else { m[i] * b1 as f32 + g[i] };
                    p[i] -= rate as f32 * m[i];
                }
            }
        }
        self.m.encode(&m);
    }

    fn fields(&mut self) -> Vec<Field<'_>> {
        let mut fields = vec![
            Field::Count("t", &mut self.t),
            Field::Codes("m", &mut self.m.codes),
            Field::Array("m_largest", &mut self.m.largest),
        ];
        if self.kind == EightBitKind::AdamW {
            fields.push(Field::Codes("v", &mut self.v.codes));
            fields.push(Field::Array("v_largest", &mut self.v.largest));
        }
        fields
    }

    fn set_momentum(&mut self, momentum: f64) {
        self.betas[0] = momentum;
    }
}

/// The signed and unsigned levels, for tests against the peer's.
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_the_published_ones() {
        let (signed, unsigned) = (CodeBook::new(true), CodeBook::new(false));
        assert_eq!((signed.levels.len(), unsigned.levels.len()), (256, 256));
        assert_eq!((signed.levels[127], signed.levels[255]), (0.0, 1.0));
        assert!((signed.levels[0] + 0.992_968_74).abs() < 1e-7);
        assert!((unsigned.levels[1] - 3.25e-7).abs() < 1e-12);
        assert!((unsigned.levels[254] - 0.996_484_4).abs() < 1e-7);
    }

    #[test]
    fn codes_are_nearest_and_keep_the_sign() {
        let book = CodeBook::new(true);
        for (code, level) in book.levels.iter().enumerate() {
            assert_eq!(usize::from(book.encode(*level)), code);
        }
        assert_eq!(book.encode(-1.0), 0);
        assert!(book.levels[usize::from(book.encode(-1e-9))] < 0.0);
    }
}
