//! The learning rate of every update: kohya's schedules, PyTorch's by class name, A1111's lists.
//!
//! Letters: `k` the 0-based number of the update, `T` the updates planned, `W` those of the warm-up.
mod list;
mod torch;
mod warmup;

pub use list::RateList;
pub use warmup::Length;

use crate::optim::{Args, OptimError};
use std::f64::consts::PI;
use torch::TorchSchedule;
use wayword_interface::Diagnostic;

/// Names that [`LrSchedule::new`] knows.
pub const SCHEDULES: &[&str] = &[
    "constant",
    "constant_with_warmup",
    "linear",
    "cosine",
    "cosine_with_restarts",
    "cosine_with_min_lr",
    "polynomial",
    "inverse_sqrt",
    "warmup_stable_decay",
    "piecewise_constant",
    "adafactor",
];

/// The smallest rate of `polynomial`, as diffusers has it.
const POLYNOMIAL_END: f64 = 1e-7;

/// A refused schedule.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LrError {
    /// No schedule has this name.
    #[error("learning-rate schedule `{name}` is unknown{}",
        .nearest.as_ref().map_or_else(String::new, |n| format!(", did you mean `{n}`?")))]
    Unknown {
        /// The name.
        name: String,
        /// The nearest known one.
        nearest: Option<String>,
    },
    /// The name is kohya's, but no trainer can use it.
    #[error("learning-rate schedule `{name}` is not supported: {why}")]
    Unsupported {
        /// The name.
        name: String,
        /// Why.
        why: &'static str,
    },
    /// The schedule knows no warm-up.
    #[error("`{name}` has no warm-up, yet a warm-up of {warmup} is set")]
    WarmupRefused {
        /// The schedule.
        name: String,
        /// The warm-up asked for.
        warmup: Length,
    },
    /// An option is missing or out of range.
    #[error("learning-rate schedule `{name}`: {what}")]
    Option {
        /// The schedule.
        name: String,
        /// What is wrong.
        what: String,
    },
    /// A length cannot be read.
    #[error("`{text}` is not a number of steps: {why}")]
    Length {
        /// As the user wrote it.
        text: String,
        /// What is wrong.
        why: &'static str,
    },
    /// A list of rates cannot be read.
    #[error("`{text}` is not a learning rate: {why}")]
    Rates {
        /// The piece that is wrong.
        text: String,
        /// What is wrong.
        why: &'static str,
    },
    /// An argument of the scheduler is wrong.
    #[error(transparent)]
    Argument(#[from] OptimError),
}

impl From<LrError> for Diagnostic {
    fn from(error: LrError) -> Self {
        let hint = match &error {
            LrError::Argument(_) => None,
            LrError::Unknown { .. } => Some(format!("known are {}", SCHEDULES.join(", "))),
            LrError::WarmupRefused { .. } => Some("use constant_with_warmup, or warm-up 0".into()),
            LrError::Length { .. } => Some("write 100 (steps), 10% or 0.1 (of all steps)".into()),
            LrError::Rates { .. } => {
                Some("write 1e-3, or a list such as 5e-3:200, 5e-4:1000".into())
            }
            LrError::Unsupported { .. } | LrError::Option { .. } => None,
        };
        match error {
            LrError::Argument(error) => error.into(),
            other => Self::of(other).with_hint_if(hint),
        }
    }
}

/// What a schedule is made from.
#[derive(Debug, Clone, PartialEq)]
pub struct LrOptions {
    /// The rate that multipliers multiply.
    pub learning_rate: f64,
    /// One of [`SCHEDULES`]; `adafactor:RATE` is taken too.
    pub scheduler: String,
    /// Updates over which the rate rises.
    pub warmup: Length,
    /// `warmup_stable_decay` only: updates over which it falls.
    pub decay: Length,
    /// Cycles of the cosine schedules; `None` is 1.
    pub num_cycles: Option<f64>,
    /// Exponent of `polynomial`; `None` is 1.
    pub power: Option<f64>,
    /// The lowest multiplier of `cosine_with_min_lr` and `warmup_stable_decay`.
    pub min_lr_ratio: Option<f64>,
    /// Time scale of `inverse_sqrt`; `None` is the warm-up, else 10000.
    pub timescale: Option<u64>,
    /// A class of `torch.optim.lr_scheduler`, which then replaces `scheduler`.
    pub torch_class: Option<String>,
    /// `key=value` arguments of `scheduler` or `torch_class`.
    pub args: Vec<String>,
    /// Updates of the whole run.
    pub steps: u64,
    /// The optimizer is Adafactor with `relative_step`: it makes its own rates.
    pub relative_step: bool,
    /// Exactly kohya's multipliers, the first update under warm-up at rate 0 included. Otherwise
    /// the warm-up starts above 0, and `constant` with a warm-up means `constant_with_warmup`.
    pub kohya_numbers: bool,
}

impl LrOptions {
    /// A constant rate over `steps` updates.
    #[must_use]
    pub fn constant(learning_rate: f64, steps: u64) -> Self {
        Self {
            learning_rate,
            scheduler: "constant".into(),
            warmup: Length::Steps(0),
            decay: Length::Steps(0),
            num_cycles: None,
            power: None,
            min_lr_ratio: None,
            timescale: None,
            torch_class: None,
            args: Vec::new(),
            steps,
            relative_step: false,
            kohya_numbers: false,
        }
    }
}

/// How fast the `warmup_stable_decay` schedule rises or falls.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Ramp {
    Linear,
    Cosine,
    OneMinusSqrt,
}

#[derive(Debug, Clone, PartialEq)]
enum Curve {
    Constant,
    Linear,
    /// cycles, whether they restart, lowest multiplier
    Cosine {
        cycles: f64,
        restarts: bool,
        floor: f64,
    },
    Polynomial {
        power: f64,
    },
    InverseSqrt {
        timescale: f64,
    },
    WarmupStableDecay {
        decay: f64,
        cycles: f64,
        floor: f64,
        up: Ramp,
        down: Ramp,
    },
    /// `(before this update, multiplier)` and the last multiplier
    Piecewise {
        rules: Vec<(u64, f64)>,
        last: f64,
    },
    Torch(TorchSchedule),
    /// the optimizer makes the rates; this is shown before it has made one
    Relative {
        shown: f64,
    },
    List(RateList),
}

/// The learning rate of every update.
#[derive(Debug, Clone, PartialEq)]
pub struct LrSchedule {
    rate: f64,
    steps: f64,
    warmup: u64,
    from_zero: bool,
    shape: Curve,
    notes: Vec<String>,
}

impl LrSchedule {
    /// Checks the options once.
    ///
    /// # Errors
    /// For an unknown or unusable schedule, a warm-up where it has none, and arguments out of range.
    pub fn new(options: &LrOptions) -> Result<Self, LrError> {
        let mut notes = Vec::new();
        let mut name = options.scheduler.to_lowercase();
        let warmup = options.warmup.of(options.steps);
        let refuse =
            |name: &str| Err(LrError::WarmupRefused { name: name.into(), warmup: options.warmup });
        let shape = if let Some(class) = &options.torch_class {
            if warmup != 0 {
                return refuse(class);
            }
            Curve::Torch(TorchSchedule::new(class, options)?)
        } else if options.relative_step {
            if warmup != 0 {
                return refuse("adafactor with relative_step");
            }
            if !name.starts_with("adafactor") {
                notes.push(format!(
                    "adafactor with relative_step sets its own rates: {name} is ignored"
                ));
            }
            Curve::Relative { shown: options.learning_rate }
        } else {
            if name == "constant" && warmup != 0 {
                if options.kohya_numbers {
                    return refuse("constant");
                }
                notes.push("constant with a warm-up is taken as constant_with_warmup".into());
                name = "constant_with_warmup".into();
            }
            Self::shape(&name, warmup, options)?
        };
        Ok(Self {
            rate: options.learning_rate,
            steps: options.steps as f64,
            warmup,
            from_zero: options.kohya_numbers,
            shape,
            notes,
        })
    }

    /// A1111's list of rates, each until its update.
    #[must_use]
    pub fn from_list(list: RateList, steps: u64) -> Self {
        Self {
            rate: list.rate(0),
            steps: steps as f64,
            warmup: 0,
            from_zero: false,
            shape: Curve::List(list),
            notes: Vec::new(),
        }
    }

    /// What was understood otherwise than written.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Whether the optimizer makes its own rates (Adafactor's `relative_step`).
    #[must_use]
    pub fn is_relative(&self) -> bool {
        matches!(self.shape, Curve::Relative { .. })
    }

    /// The number of updates after which a list of rates ends the run, if it does.
    #[must_use]
    pub fn end(&self) -> Option<u64> {
        match &self.shape {
            Curve::List(list) => list.end(),
            _ => None,
        }
    }

    /// The rate of update `k`, counted from 0.
    #[must_use]
    pub fn rate(&self, k: u64) -> f64 {
        match &self.shape {
            Curve::Torch(t) => t.rate(k),
            Curve::Relative { shown } => *shown,
            Curve::List(list) => list.rate(k),
            _ => self.rate * self.multiplier(k),
        }
    }

    /// The first beta (or momentum) of update `k`, where the schedule moves it (`OneCycleLR`).
    #[must_use]
    pub fn momentum(&self, k: u64) -> Option<f64> {
        match &self.shape {
            Curve::Torch(t) => t.momentum(k),
            _ => None,
        }
    }

    /// What update `k` multiplies the learning rate by.
    fn multiplier(&self, k: u64) -> f64 {
        if let Curve::Piecewise { rules, last } = &self.shape {
            return rules.iter().find(|(before, _)| k < *before).map_or(*last, |(_, m)| *m);
        }
        let (w, t) = (self.warmup as f64, self.steps);
        let kf = k as f64;
        if k < self.warmup {
            let rise = if self.from_zero { kf / w } else { (kf + 1.0) / (w + 1.0) };
            return match self.shape {
                Curve::WarmupStableDecay { floor, up, .. } => {
                    (up.rise(rise) * (1.0 - floor) + floor).max(0.0)
                }
                _ => rise,
            };
        }
        let left = (t - w).max(1.0);
        let p = (kf - w) / left;
        match &self.shape {
            Curve::Linear => ((t - kf) / left).max(0.0),
            Curve::Cosine { cycles, restarts: true, .. } => {
                let turn = (cycles * p).fract();
                if p >= 1.0 { 0.0 } else { (0.5 * (1.0 + (PI * turn).cos())).max(0.0) }
            }
            Curve::Cosine { cycles, floor, .. } => {
                (0.5 * (1.0 + (PI * cycles * p).cos()) * (1.0 - floor) + floor).max(0.0)
            }
            Curve::Polynomial { power } => {
                if kf > t {
                    return POLYNOMIAL_END / self.rate;
                }
                let range = self.rate - POLYNOMIAL_END;
                // with W = T, kohya divides by zero here; the last rate is what is meant
                let remaining = if t > w { 1.0 - (kf - w) / (t - w) } else { 0.0 };
                (range * remaining.powf(*power) + POLYNOMIAL_END) / self.rate
            }
            Curve::InverseSqrt { timescale } => 1.0 / ((kf + (timescale - w)) / timescale).sqrt(),
            Curve::WarmupStableDecay { decay, cycles, floor, down, .. } => {
                let stable = t - w - decay;
                if kf < w + stable {
                    return 1.0;
                }
                if kf >= w + stable + decay {
                    return *floor;
                }
                let p = (kf - w - stable) / decay.max(1.0);
                (down.fall(p, *cycles) * (1.0 - floor) + floor).max(0.0)
            }
            _ => 1.0,
        }
    }

    fn shape(name: &str, warmup: u64, options: &LrOptions) -> Result<Curve, LrError> {
        let wrong = |what: String| LrError::Option { name: name.into(), what };
        let unsupported = |why| Err(LrError::Unsupported { name: name.into(), why });
        let mut args = Args::parse(name, &options.args)?;
        let cycles = options.num_cycles.unwrap_or(1.0);
        let shape = match name {
            "constant" | "constant_with_warmup" => Curve::Constant,
            "linear" => Curve::Linear,
            "cosine" => Curve::Cosine { cycles: 1.0, restarts: false, floor: 0.0 },
            "cosine_with_restarts" => Curve::Cosine { cycles, restarts: true, floor: 0.0 },
            "cosine_with_min_lr" => {
                let min_lr = args.maybe_number("min_lr")?;
                let ratio = args.maybe_number("min_lr_rate")?.or(options.min_lr_ratio);
                let floor = match (min_lr, ratio) {
                    (Some(rate), None) => rate / options.learning_rate,
                    (None, Some(ratio)) => ratio,
                    (None, None) => {
                        return Err(wrong(
                            "needs {train.lr_scheduler_min_lr_ratio}, or min_lr in {train.lr_scheduler_args}"
                                .into(),
                        ));
                    }
                    _ => return Err(wrong("takes a lowest rate or a ratio, not both".into())),
                };
                Curve::Cosine { cycles, restarts: false, floor }
            }
            "polynomial" => {
                let power = options.power.unwrap_or(1.0);
                if options.learning_rate <= POLYNOMIAL_END {
                    return Err(wrong(format!("needs a learning rate above {POLYNOMIAL_END:e}")));
                }
                Curve::Polynomial { power }
            }
            "inverse_sqrt" => {
                let given = options.timescale.unwrap_or(if warmup == 0 { 10_000 } else { warmup });
                if given == 0 {
                    return Err(wrong("the time scale is 0".into()));
                }
                Curve::InverseSqrt { timescale: given as f64 }
            }
            "warmup_stable_decay" => {
                let decay = options.decay.of(options.steps);
                if warmup + decay > options.steps {
                    return Err(wrong(format!(
                        "warm-up {warmup} and decay {decay} exceed the {} steps",
                        options.steps
                    )));
                }
                Curve::WarmupStableDecay {
                    decay: decay as f64,
                    cycles,
                    floor: options.min_lr_ratio.unwrap_or(0.0),
                    up: Ramp::read(name, args.text("warmup_type")?, Ramp::Linear)?,
                    down: Ramp::read(name, args.text("decay_type")?, Ramp::Cosine)?,
                }
            }
            "piecewise_constant" => {
                let rules = args.text("step_rules")?;
                let rules = rules.ok_or_else(|| {
                    wrong(
                        "needs the argument step_rules='1:5,0.1:10,0.01' (multiplier:until)".into(),
                    )
                })?;
                piecewise(&rules)
                    .ok_or_else(|| wrong(format!("cannot read step_rules '{rules}'")))?
            }
            "adafactor" => {
                return unsupported(
                    "only the optimizer Adafactor with relative_step makes its own rates",
                );
            }
            "reduce_lr_on_plateau" => {
                return unsupported("it needs a validation loss, which this training has not");
            }
            "cosine_warmup_with_min_lr" => {
                return unsupported("kohya's trainer fails with it too; use cosine_with_min_lr");
            }
            _ if name.starts_with("adafactor:") => {
                return unsupported(
                    "only the optimizer Adafactor with relative_step makes its own rates",
                );
            }
            _ => {
                let nearest = crate::optim::nearest(name, SCHEDULES);
                return Err(LrError::Unknown { name: options.scheduler.clone(), nearest });
            }
        };
        args.finish()?;
        Ok(shape)
    }
}

/// `multiplier:until, …, last multiplier` as diffusers reads it.
fn piecewise(text: &str) -> Option<Curve> {
    let pieces: Vec<&str> = text.split(',').map(str::trim).collect();
    let (last, rules) = pieces.split_last()?;
    let rule = |piece: &&str| -> Option<(u64, f64)> {
        let (multiplier, until) = piece.split_once(':')?;
        Some((until.trim().parse().ok()?, multiplier.trim().parse().ok()?))
    };
    let mut rules: Vec<(u64, f64)> = rules.iter().map(rule).collect::<Option<_>>()?;
    rules.sort_by_key(|(until, _)| *until);
    Some(Curve::Piecewise { rules, last: last.parse().ok()? })
}

impl Ramp {
    fn read(name: &str, text: Option<String>, default: Self) -> Result<Self, LrError> {
        match text.as_deref() {
            None => Ok(default),
            Some("linear") => Ok(Self::Linear),
            Some("cosine") => Ok(Self::Cosine),
            Some("1-sqrt") => Ok(Self::OneMinusSqrt),
            Some(other) => Err(LrError::Option {
                name: name.into(),
                what: format!("no ramp `{other}`; there are linear, cosine and 1-sqrt"),
            }),
        }
    }

    fn rise(self, p: f64) -> f64 {
        match self {
            Self::Linear => p,
            Self::Cosine => 0.5 * (1.0 - (PI * p).cos()),
            Self::OneMinusSqrt => 1.0 - (1.0 - p).sqrt(),
        }
    }

    fn fall(self, p: f64, cycles: f64) -> f64 {
        match self {
            Self::Linear => 1.0 - p,
            Self::Cosine => 0.5 * (1.0 + (PI * cycles * p).cos()),
            Self::OneMinusSqrt => 1.0 - p.sqrt(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(scheduler: &str, warmup: u64, kohya_numbers: bool) -> Vec<f64> {
        let options = LrOptions {
            scheduler: scheduler.into(),
            warmup: Length::Steps(warmup),
            kohya_numbers,
            ..LrOptions::constant(1.0, 10)
        };
        let schedule = LrSchedule::new(&options).unwrap();
        (0..10).map(|k| schedule.rate(k)).collect()
    }

    #[test]
    fn no_update_is_wasted_at_rate_zero_by_default() {
        for name in ["linear", "cosine", "constant_with_warmup", "polynomial", "constant"] {
            let sane = rates(name, 3, false);
            assert!(sane.iter().all(|r| *r > 0.0), "{name}: {sane:?}");
            assert_eq!(&sane[..3], &[0.25, 0.5, 0.75]);
        }
        assert_eq!(rates("linear", 3, true)[0], 0.0);
        assert_eq!(rates("linear", 3, true)[3..], rates("linear", 3, false)[3..]);
    }

    #[test]
    fn refused_by_name() {
        let with = |scheduler: &str| {
            let options = LrOptions { scheduler: scheduler.into(), ..LrOptions::constant(1.0, 10) };
            LrSchedule::new(&options).unwrap_err().to_string()
        };
        assert!(with("cosin").contains("did you mean `cosine`"));
        assert!(with("reduce_lr_on_plateau").contains("validation"));
        assert!(with("cosine_with_min_lr").contains("min_lr"));
        assert!(with("piecewise_constant").contains("step_rules"));
    }
}
