//! D-Adaptation (Defazio and Mishchenko 2023), as in dadaptation 3.2: one file a variant.
//!
//! Each estimates `d`, the distance to the solution, from sums over the table, and steps by `d * rate`.
mod adagrad;
mod adam;
mod adan;
mod lion;
mod preprint;
mod sgd;

pub(super) use adagrad::DAdaptAdaGrad;
pub(super) use adam::DAdaptAdam;
pub(super) use adan::DAdaptAdan;
pub(super) use lion::DAdaptLion;
pub(super) use preprint::DAdaptAdamPreprint;
pub(super) use sgd::DAdaptSgd;

use super::args::Args;
use super::error::OptimError;

/// The estimate and what bounds its growth.
struct Distance {
    d: f64,
    growth: f64,
}

impl Distance {
    fn new(args: &mut Args) -> Result<Self, OptimError> {
        args.ignore(&["log_every", "fsdp_in_use"]);
        Ok(Self { d: args.number("d0", 1e-6)?, growth: args.number("growth_rate", f64::INFINITY)? })
    }

    /// Takes an estimate: `d` never falls and grows by at most `growth_rate`.
    fn update(&mut self, estimate: f64) {
        self.d = self.d.max(estimate.min(self.d * self.growth));
    }
}
