//! Names that options take: samplers, noise schedules, optimizers, learning-rate schedules.
use serde::Serialize;
pub use wayword_diffusion::hires::{UPSCALERS, Upscaler};
pub use wayword_diffusion::sigmas::{
    SAMPLERS, SCHEDULES as NOISE_SCHEDULES, SamplerInfo, Schedule,
};
use wayword_interface::Diagnostic;
use wayword_train::lr::SCHEDULES;
use wayword_train::optim::OPTIMIZERS;

/// A name that an option takes, with the other names that are read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Named {
    /// The name.
    pub name: &'static str,
    /// Other names for it.
    pub aliases: Vec<&'static str>,
    /// What is used with it where nothing is said: of a sampler its noise schedule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<&'static str>,
}

/// The samplers, the default one first.
#[must_use]
pub fn samplers() -> Vec<Named> {
    let named = |info: &wayword_diffusion::sigmas::SamplerInfo| Named {
        name: info.name,
        aliases: info.aliases.to_vec(),
        default: Some(info.schedule.label()),
    };
    SAMPLERS.iter().map(named).collect()
}

/// The noise schedules.
#[must_use]
pub fn noise_schedules() -> Vec<Named> {
    NOISE_SCHEDULES
        .iter()
        .map(|(_, name, other, more)| {
            let aliases = std::iter::once(*other).chain(more.iter().copied()).collect();
            Named { name, aliases, default: None }
        })
        .collect()
}

/// The optimizers.
#[must_use]
pub fn optimizers() -> Vec<Named> {
    plain(OPTIMIZERS)
}

/// The learning-rate schedules.
#[must_use]
pub fn schedulers() -> Vec<Named> {
    plain(SCHEDULES)
}

fn plain(names: &'static [&'static str]) -> Vec<Named> {
    names.iter().map(|name| Named { name, aliases: Vec::new(), default: None }).collect()
}

/// Lines for people: the name, what is used with it, and its other names.
#[must_use]
pub fn lines(names: &[Named]) -> Vec<String> {
    let width = names.iter().map(|named| named.name.chars().count()).max().unwrap_or(0);
    let line = |named: &Named| {
        let parts: Vec<String> = named
            .default
            .map(str::to_owned)
            .into_iter()
            .chain([named.aliases.join(", ")])
            .collect();
        format!("{:width$}  {}", named.name, parts.join("; "))
            .trim_end_matches([' ', ';'])
            .to_owned()
    };
    names.iter().map(line).collect()
}

/// Checks a sampler's name, and that of a noise schedule beside it.
///
/// # Errors
/// If there is no sampler or schedule of this name; the hint suggests one.
pub fn check_sampler(sampler: &str, schedule: Option<&str>) -> Result<(), Diagnostic> {
    wayword_diffusion::sigmas::resolve(sampler, schedule, false).map(|_| ()).map_err(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_a_line() {
        for names in [samplers(), noise_schedules(), optimizers(), schedulers()] {
            let lines = lines(&names);
            assert_eq!(lines.len(), names.len());
            assert!(lines.iter().zip(&names).all(|(line, named)| line.starts_with(named.name)));
        }
    }
}
