//! The schedules: at which noise levels a number of steps stops.
use super::beta::inverse_beta;
use super::{SigmaTable, exp, linspace};

/// A way to spread steps over the noise levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Schedule {
    /// The sampler's own: see [`super::SamplerInfo`].
    #[default]
    Automatic,
    /// Evenly in training steps.
    Uniform,
    /// Evenly in the seventh root of the noise level (Karras and others 2022).
    Karras,
    /// Evenly in the logarithm of the noise level.
    Exponential,
    /// Evenly in a power of a ramp, in logarithm.
    Polyexponential,
    /// Evenly in training steps, one more than needed, without the last.
    SgmUniform,
    /// Evenly in the arc tangent of the noise level (Align Your Steps, equation 10). No final zero.
    KlOptimal,
    /// Eleven levels found for SD 1.5 (Sabour and others 2024), resampled.
    AlignYourSteps,
    /// Entries of the model's table, from the last back.
    Simple,
    /// As `Uniform`, between the steps of the least and greatest level.
    Normal,
    /// The entries that DDIM uses.
    Ddim,
    /// Quantiles of a beta distribution.
    Beta,
}

/// All schedules in A1111's order: label, name in files and links, other names.
pub const SCHEDULES: [(Schedule, &str, &str, &[&str]); 12] = [
    (Schedule::Automatic, "Automatic", "automatic", &["default"]),
    (Schedule::Uniform, "Uniform", "uniform", &["discrete"]),
    (Schedule::Karras, "Karras", "karras", &[]),
    (Schedule::Exponential, "Exponential", "exponential", &[]),
    (Schedule::Polyexponential, "Polyexponential", "polyexponential", &["poly_exponential"]),
    (Schedule::SgmUniform, "SGM Uniform", "sgm_uniform", &["SGMUniform"]),
    (Schedule::KlOptimal, "KL Optimal", "kl_optimal", &[]),
    (Schedule::AlignYourSteps, "Align Your Steps", "align_your_steps", &["AYS", "AYS SD1"]),
    (Schedule::Simple, "Simple", "simple", &[]),
    (Schedule::Normal, "Normal", "normal", &[]),
    (Schedule::Ddim, "DDIM", "ddim", &["ddim_uniform"]),
    (Schedule::Beta, "Beta", "beta", &[]),
];

/// What may be changed about a schedule. The default is A1111's.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ScheduleOptions {
    /// Exponent of Karras (7) and Polyexponential (1).
    pub rho: Option<f64>,
    /// Least level instead of the model's.
    pub sigma_min: Option<f64>,
    /// Greatest level instead of the model's.
    pub sigma_max: Option<f64>,
    /// Levels from 0.1 to 10, as early versions of A1111 had them.
    pub old_karras: bool,
    /// One step more, without the level before the last zero.
    pub discard_next_to_last: bool,
    /// Shape of Beta: alpha and beta, both 0.6.
    pub beta: Option<(f64, f64)>,
}

/// Levels for 10 steps of SD 1.5 from the paper's appendix.
const ALIGNED: [f64; 11] =
    [14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029];

impl Schedule {
    /// The name that users see and infotexts hold.
    #[must_use]
    pub fn label(self) -> &'static str {
        SCHEDULES.iter().find(|s| s.0 == self).map_or("Automatic", |s| s.1)
    }

    /// The schedule of a name; case, spaces and underscores do not count.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let plain = |s: &str| -> String {
            s.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
        };
        let wanted = plain(name);
        let same = |s: &&(Self, &str, &str, &[&str])| {
            plain(s.1) == wanted || s.3.iter().any(|other| plain(other) == wanted)
        };
        SCHEDULES.iter().find(same).map(|s| s.0)
    }

    /// `n` descending noise levels and a final zero. Some schedules give another number: DDIM one
    /// more where 1000 is no multiple of n, KL Optimal no zero. `Automatic` is `Uniform` here.
    #[must_use]
    pub fn sigmas(self, n: usize, table: &SigmaTable, options: &ScheduleOptions) -> Vec<f32> {
        let n = n.max(1) + usize::from(options.discard_next_to_last);
        let mut sigmas = self.plain(n, table, options);
        if options.discard_next_to_last && sigmas.len() > 2 {
            sigmas.remove(sigmas.len() - 2);
        }
        sigmas
    }

    fn plain(self, n: usize, table: &SigmaTable, options: &ScheduleOptions) -> Vec<f32> {
        let (mut min, mut max) = (f64::from(table.sigma_min()), f64::from(table.sigma_max()));
        if options.old_karras {
            (min, max) = (0.1, 10.0);
        }
        min = options.sigma_min.unwrap_or(min);
        max = options.sigma_max.unwrap_or(max);
        let step_of = |sigma: f64| table.sigma_to_t(sigma as f32);
        let levels = |steps: Vec<f32>| steps.into_iter().map(|t| table.t_to_sigma(t)).collect();
        let mut sigmas: Vec<f32> = match self {
            Self::Automatic | Self::Uniform => {
                let last = step_of(f64::from(table.sigma_max()));
                let first = step_of(f64::from(table.sigma_min()));
                levels(linspace(last, first, n))
            }
            Self::Normal => levels(linspace(step_of(max), step_of(min), n)),
            Self::SgmUniform => {
                let mut steps = linspace(step_of(max), step_of(min), n + 1);
                steps.truncate(n);
                levels(steps)
            }
            Self::Karras => {
                let rho = options.rho.unwrap_or(7.0);
                let (a, b) = (max.powf(1.0 / rho), min.powf(1.0 / rho));
                // The steps and roundings of k-diffusion, whose scalars are f64 and tensors f32.
                let root = |ramp: f32| a as f32 + ramp * (b - a) as f32;
                let power = |x: f32| f64::from(x).powf(rho) as f32;
                linspace(0.0, 1.0, n).into_iter().map(|r| power(root(r))).collect()
            }
            Self::Exponential => {
                linspace(max.ln() as f32, min.ln() as f32, n).into_iter().map(exp).collect()
            }
            Self::Polyexponential => {
                let rho = options.rho.unwrap_or(1.0);
                let (low, span) = (min.ln() as f32, (max.ln() - min.ln()) as f32);
                let power = |r: f32| f64::from(r).powf(rho) as f32;
                let ramp = linspace(1.0, 0.0, n).into_iter();
                ramp.map(|r| exp(power(r) * span + low)).collect()
            }
            Self::KlOptimal => return kl_optimal(n, min, max),
            Self::AlignYourSteps => aligned(n),
            Self::Simple => {
                let every = table.sigmas().len() as f64 / n as f64;
                let from_end = |i: usize| table.sigmas().len() - 1 - (i as f64 * every) as usize;
                (0..n).map(|i| table.sigmas()[from_end(i)]).collect()
            }
            Self::Ddim => {
                let every = (table.sigmas().len() / n).max(1);
                let mut sigmas: Vec<f32> =
                    table.sigmas().iter().skip(1).step_by(every).copied().collect();
                sigmas.reverse();
                sigmas
            }
            Self::Beta => {
                let (a, b) = options.beta.unwrap_or((0.6, 0.6));
                let step = 1.0 / (n.max(2) - 1) as f64;
                let quantile = |i: usize| inverse_beta(1.0 - i as f64 * step, a, b);
                (0..n).map(|i| (min + quantile(i) * (max - min)) as f32).collect()
            }
        };
        sigmas.push(0.0);
        sigmas
    }
}

fn kl_optimal(n: usize, min: f64, max: f64) -> Vec<f32> {
    let (low, high) = ((min as f32).atan(), (max as f32).atan());
    (0..=n)
        .map(|i| {
            let part = i as f32 / n as f32;
            f64::from(part * low + (1.0 - part) * high).tan() as f32
        })
        .collect()
}

/// The eleven levels, least first in logarithm, resampled at `n` even places.
fn aligned(n: usize) -> Vec<f32> {
    let logs: Vec<f64> = ALIGNED.iter().rev().map(|s| s.ln()).collect();
    let level = |i: usize| {
        let place = if n == 1 { 0.0 } else { i as f64 / (n - 1) as f64 } * 10.0;
        let low = (place.floor() as usize).min(9);
        let w = place - low as f64;
        (logs[low] + w * (logs[low + 1] - logs[low])).exp() as f32
    };
    (0..n).rev().map(level).collect()
}
