//! Schedules by the class names of `torch.optim.lr_scheduler`, with their arguments and defaults.
//!
//! Closed forms: PyTorch multiplies step by step, which differs in the last digits only.
use super::{LrError, LrOptions};
use crate::optim::{Args, Literal};
use std::f64::consts::PI;

/// Class names that are known.
const CLASSES: &[&str] = &[
    "ConstantLR",
    "LinearLR",
    "StepLR",
    "MultiStepLR",
    "ExponentialLR",
    "PolynomialLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "OneCycleLR",
];

#[derive(Debug, Clone, PartialEq)]
enum Class {
    Constant { factor: f64, until: f64 },
    Linear { start: f64, end: f64, until: f64 },
    Step { size: f64, gamma: f64 },
    MultiStep { milestones: Vec<f64>, gamma: f64 },
    Exponential { gamma: f64 },
    Polynomial { until: f64, power: f64 },
    CosineAnnealing { period: f64, low: f64 },
    WarmRestarts { first: f64, growth: f64, low: f64 },
    OneCycle(OneCycle),
}

#[derive(Debug, Clone, PartialEq)]
struct OneCycle {
    /// (last update of the phase, rate at its start and end, momentum at its start and end)
    phases: Vec<(f64, [f64; 2], [f64; 2])>,
    linear: bool,
    momentum: bool,
}

/// One schedule of PyTorch.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TorchSchedule {
    rate: f64,
    class: Class,
}

impl TorchSchedule {
    /// `class` may carry its module path.
    pub(super) fn new(class: &str, options: &LrOptions) -> Result<Self, LrError> {
        let name = class.strip_prefix("torch.optim.lr_scheduler.").unwrap_or(class);
        let mut args = Args::parse(name, &options.args)?;
        let steps = options.steps;
        let class = read(name, &mut args, steps)?;
        args.finish()?;
        Ok(Self { rate: options.learning_rate, class })
    }

    pub(super) fn rate(&self, k: u64) -> f64 {
        let k = k as f64;
        let rate = self.rate;
        match &self.class {
            Class::Constant { factor, until } => rate * if k < *until { *factor } else { 1.0 },
            Class::Linear { start, end, until } => {
                rate * (start + (end - start) * (k.min(*until) / until))
            }
            Class::Step { size, gamma } => rate * gamma.powf((k / size).floor()),
            Class::MultiStep { milestones, gamma } => {
                rate * gamma.powi(milestones.iter().filter(|m| **m <= k).count() as i32)
            }
            Class::Exponential { gamma } => rate * gamma.powf(k),
            Class::Polynomial { until, power } => rate * (1.0 - k.min(*until) / until).powf(*power),
            Class::CosineAnnealing { period, low } => {
                low + (rate - low) * 0.5 * (1.0 + (PI * k / period).cos())
            }
            Class::WarmRestarts { first, growth, low } => {
                let (mut since, mut period) = (k, *first);
                while since >= period {
                    since -= period;
                    period *= growth;
                }
                low + (rate - low) * 0.5 * (1.0 + (PI * since / period).cos())
            }
            Class::OneCycle(cycle) => cycle.at(k).0,
        }
    }

    pub(super) fn momentum(&self, k: u64) -> Option<f64> {
        match &self.class {
            Class::OneCycle(cycle) if cycle.momentum => Some(cycle.at(k as f64).1),
            _ => None,
        }
    }
}

impl OneCycle {
    fn at(&self, k: f64) -> (f64, f64) {
        let mut start = 0.0;
        for (i, (end, rates, momenta)) in self.phases.iter().enumerate() {
            if k <= *end || i + 1 == self.phases.len() {
                let p = ((k - start) / (end - start)).min(1.0);
                return (self.between(rates, p), self.between(momenta, p));
            }
            start = *end;
        }
        (0.0, 0.0)
    }

    fn between(&self, ends: &[f64; 2], p: f64) -> f64 {
        if self.linear {
            (ends[1] - ends[0]) * p + ends[0]
        } else {
            ends[1] + (ends[0] - ends[1]) / 2.0 * (1.0 + (PI * p).cos())
        }
    }
}

fn read(name: &str, args: &mut Args, steps: u64) -> Result<Class, LrError> {
    let missing = |key: &str| LrError::Option {
        name: name.into(),
        what: format!("needs the argument {key}, a number above 0"),
    };
    args.ignore(&["last_epoch", "verbose"]);
    let needed = |args: &mut Args, key: &'static str| -> Result<f64, LrError> {
        args.maybe_number(key)?.filter(|v| *v > 0.0).ok_or_else(|| missing(key))
    };
    Ok(match name {
        "ConstantLR" => Class::Constant {
            factor: args.number("factor", 1.0 / 3.0)?,
            until: args.number("total_iters", 5.0)?,
        },
        "LinearLR" => Class::Linear {
            start: args.number("start_factor", 1.0 / 3.0)?,
            end: args.number("end_factor", 1.0)?,
            until: args.number("total_iters", 5.0)?.max(1.0),
        },
        "StepLR" => {
            Class::Step { size: needed(args, "step_size")?, gamma: args.number("gamma", 0.1)? }
        }
        "MultiStepLR" => {
            let list = match args.take("milestones") {
                Some(Literal::List(items)) => items.iter().map(Literal::number).collect(),
                _ => None,
            };
            Class::MultiStep {
                milestones: list.ok_or_else(|| missing("milestones"))?,
                gamma: args.number("gamma", 0.1)?,
            }
        }
        "ExponentialLR" => Class::Exponential { gamma: needed(args, "gamma")? },
        "PolynomialLR" => Class::Polynomial {
            until: args.number("total_iters", 5.0)?.max(1.0),
            power: args.number("power", 1.0)?,
        },
        "CosineAnnealingLR" => Class::CosineAnnealing {
            period: needed(args, "T_max")?,
            low: args.number("eta_min", 0.0)?,
        },
        "CosineAnnealingWarmRestarts" => Class::WarmRestarts {
            first: needed(args, "T_0")?,
            growth: args.number("T_mult", 1.0)?.max(1.0),
            low: args.number("eta_min", 0.0)?,
        },
        "OneCycleLR" => Class::OneCycle(one_cycle(args, steps)?),
        other => {
            let nearest = crate::optim::nearest(other, CLASSES);
            return Err(LrError::Option {
                name: other.into(),
                what: match nearest {
                    Some(n) => format!("no such class is built in, did you mean `{n}`?"),
                    None => format!("no such class is built in; there are {}", CLASSES.join(", ")),
                },
            });
        }
    })
}

fn one_cycle(args: &mut Args, steps: u64) -> Result<OneCycle, LrError> {
    let wrong = |what: String| LrError::Option { name: "OneCycleLR".into(), what };
    let top =
        args.maybe_number("max_lr")?.ok_or_else(|| wrong("needs the argument max_lr".into()))?;
    let epochs = (args.maybe_number("epochs")?, args.maybe_number("steps_per_epoch")?);
    let total = match (args.maybe_number("total_steps")?, epochs) {
        (Some(total), _) => total,
        (None, (Some(epochs), Some(per))) => epochs * per,
        _ => return Err(wrong("needs the argument total_steps".into())),
    };
    if total < steps as f64 {
        return Err(wrong(format!(
            "total_steps {total} is less than the {steps} steps of the run"
        )));
    }
    let rise = args.number("pct_start", 0.3)?;
    let linear = match args.text("anneal_strategy")?.as_deref() {
        None | Some("cos") => false,
        Some("linear") => true,
        Some(other) => return Err(wrong(format!("no anneal_strategy '{other}'"))),
    };
    let low = top / args.number("div_factor", 25.0)?;
    let last = low / args.number("final_div_factor", 1e4)?;
    let (base, high) = (args.number("base_momentum", 0.85)?, args.number("max_momentum", 0.95)?);
    let momentum = args.flag("cycle_momentum", true)?;
    let peak = rise * total - 1.0;
    let phases = if args.flag("three_phase", false)? {
        vec![
            (peak, [low, top], [high, base]),
            (2.0 * rise * total - 2.0, [top, low], [base, high]),
            (total - 1.0, [low, last], [high, high]),
        ]
    } else {
        vec![(peak, [low, top], [high, base]), (total - 1.0, [top, last], [base, high])]
    };
    Ok(OneCycle { phases, linear, momentum })
}
