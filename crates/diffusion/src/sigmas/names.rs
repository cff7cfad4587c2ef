//! Samplers by name: their defaults, and what old and foreign names mean.
use super::foreign;
use super::schedule::{SCHEDULES, Schedule};
use wayword_interface::Diagnostic;

/// A sampler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SamplerKind {
    /// DPM-Solver++ of second order, multistep.
    Dpmpp2M,
    /// DPM-Solver++ as a stochastic equation, single step.
    DpmppSde,
    /// The same, multistep of second order.
    Dpmpp2MSde,
    /// The same with Heun's factor.
    Dpmpp2MSdeHeun,
    /// DPM-Solver++ of second order, single step, ancestral.
    Dpmpp2SA,
    /// As a stochastic equation, multistep of third order.
    Dpmpp3MSde,
    /// Euler, ancestral.
    EulerA,
    /// Euler.
    Euler,
    /// Linear multistep of order 4.
    Lms,
    /// Heun.
    Heun,
    /// Midpoint in logarithm.
    Dpm2,
    /// The same, ancestral.
    Dpm2A,
    /// DPM-Solver with a fixed number of calls.
    DpmFast,
    /// DPM-Solver with adaptive steps.
    DpmAdaptive,
    /// Heun with jumps back (Xu and others 2023).
    Restart,
    /// DDIM.
    Ddim,
    /// DDIM with CFG++ (Chung and others 2024).
    DdimCfgPp,
    /// Pseudo linear multistep.
    Plms,
    /// UniPC.
    UniPc,
    /// Latent consistency.
    Lcm,
}

/// What belongs to a sampler's name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SamplerInfo {
    /// Which it is.
    pub kind: SamplerKind,
    /// The name that users see and infotexts hold.
    pub name: &'static str,
    /// Other names.
    pub aliases: &'static [&'static str],
    /// What `Automatic` means for it: `Uniform` where A1111 sets none.
    pub schedule: Schedule,
    /// Whether a prompt's schedule counts two model calls a step.
    pub second_order: bool,
    /// Whether its schedule is built with one step more, less the next to last level.
    pub discard_next_to_last: bool,
    /// Whether its noise comes from a Brownian tree.
    pub brownian: bool,
    /// Whether infotexts name the seed delta of later noise.
    pub uses_ensd: bool,
}

impl SamplerInfo {
    const fn new(kind: SamplerKind, name: &'static str, aliases: &'static [&'static str]) -> Self {
        Self {
            kind,
            name,
            aliases,
            schedule: Schedule::Uniform,
            second_order: false,
            discard_next_to_last: false,
            brownian: false,
            uses_ensd: false,
        }
    }

    const fn schedule(self, schedule: Schedule) -> Self {
        Self { schedule, ..self }
    }

    const fn second_order(self) -> Self {
        Self { second_order: true, ..self }
    }

    const fn discard(self) -> Self {
        Self { discard_next_to_last: true, ..self }
    }

    const fn brownian(self) -> Self {
        Self { brownian: true, ..self }
    }

    const fn ensd(self) -> Self {
        Self { uses_ensd: true, ..self }
    }

    /// Whether it works on timesteps and predicted noise; schedules do not apply then.
    #[must_use]
    pub fn on_timesteps(&self) -> bool {
        matches!(
            self.kind,
            SamplerKind::Ddim | SamplerKind::DdimCfgPp | SamplerKind::Plms | SamplerKind::UniPc
        )
    }

    /// The key under which infotexts hold its share of new noise, and the usual share; `None` where
    /// it takes none.
    #[must_use]
    pub fn eta(&self) -> Option<(&'static str, f64)> {
        use SamplerKind as K;
        match self.kind {
            K::Ddim | K::DdimCfgPp => Some(("Eta DDIM", 0.0)),
            K::EulerA | K::Dpm2A | K::Dpmpp2SA | K::DpmppSde | K::DpmFast | K::DpmAdaptive => {
                Some(("Eta", 1.0))
            }
            K::Dpmpp2MSde | K::Dpmpp2MSdeHeun | K::Dpmpp3MSde => Some(("Eta", 1.0)),
            _ => None,
        }
    }

    /// The schedule that is used when `chosen` is asked for.
    #[must_use]
    pub fn effective(&self, chosen: Schedule) -> Schedule {
        if chosen == Schedule::Automatic { self.schedule } else { chosen }
    }
}

/// All samplers in A1111's order; the first is the default.
pub const SAMPLERS: [SamplerInfo; 20] = {
    use SamplerKind as K;
    use Schedule as S;
    [
        SamplerInfo::new(K::Dpmpp2M, "DPM++ 2M", &["k_dpmpp_2m"]).schedule(S::Karras),
        SamplerInfo::new(K::DpmppSde, "DPM++ SDE", &["k_dpmpp_sde"])
            .schedule(S::Karras)
            .second_order()
            .brownian(),
        SamplerInfo::new(K::Dpmpp2MSde, "DPM++ 2M SDE", &["k_dpmpp_2m_sde"])
            .schedule(S::Exponential)
            .brownian(),
        SamplerInfo::new(K::Dpmpp2MSdeHeun, "DPM++ 2M SDE Heun", &["k_dpmpp_2m_sde_heun"])
            .schedule(S::Exponential)
            .brownian(),
        SamplerInfo::new(K::Dpmpp2SA, "DPM++ 2S a", &["k_dpmpp_2s_a"])
            .schedule(S::Karras)
            .ensd()
            .second_order(),
        SamplerInfo::new(K::Dpmpp3MSde, "DPM++ 3M SDE", &["k_dpmpp_3m_sde"])
            .schedule(S::Exponential)
            .discard()
            .brownian(),
        SamplerInfo::new(K::EulerA, "Euler a", &["k_euler_a", "k_euler_ancestral"]).ensd(),
        SamplerInfo::new(K::Euler, "Euler", &["k_euler"]),
        SamplerInfo::new(K::Lms, "LMS", &["k_lms"]),
        SamplerInfo::new(K::Heun, "Heun", &["k_heun"]).second_order(),
        SamplerInfo::new(K::Dpm2, "DPM2", &["k_dpm_2"])
            .schedule(S::Karras)
            .discard()
            .second_order(),
        SamplerInfo::new(K::Dpm2A, "DPM2 a", &["k_dpm_2_a"])
            .schedule(S::Karras)
            .discard()
            .ensd()
            .second_order(),
        SamplerInfo::new(K::DpmFast, "DPM fast", &["k_dpm_fast"]).ensd(),
        SamplerInfo::new(K::DpmAdaptive, "DPM adaptive", &["k_dpm_ad"]).ensd(),
        SamplerInfo::new(K::Restart, "Restart", &["restart"]).schedule(S::Karras).second_order(),
        SamplerInfo::new(K::Ddim, "DDIM", &["ddim"]),
        SamplerInfo::new(K::DdimCfgPp, "DDIM CFG++", &["ddim_cfgpp"]),
        SamplerInfo::new(K::Plms, "PLMS", &["plms"]),
        SamplerInfo::new(K::UniPc, "UniPC", &["unipc"]),
        SamplerInfo::new(K::Lcm, "LCM", &["k_lcm"]),
    ]
};

impl SamplerKind {
    /// What belongs to it.
    #[must_use]
    pub fn info(self) -> &'static SamplerInfo {
        SAMPLERS.iter().find(|s| s.kind == self).unwrap_or(&SAMPLERS[0])
    }
}

/// DPM++ 2M, as in A1111.
#[must_use]
pub fn default_sampler() -> &'static SamplerInfo {
    &SAMPLERS[0]
}

/// A name that no sampler or schedule has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} `{name}`")]
pub struct UnknownName {
    /// `sampler` or `schedule`.
    pub what: &'static str,
    /// What was asked for.
    pub name: String,
    /// The most alike of the known names, or all of them.
    pub hint: String,
}

impl From<UnknownName> for Diagnostic {
    fn from(unknown: UnknownName) -> Self {
        let hint = unknown.hint.clone();
        Self::of(unknown).with_hint(hint)
    }
}

/// The sampler and schedule of names as people and old infotexts write them: combined names
/// (`DPM++ 2M Karras`), aliases (`k_euler_a`), the names of other programs (`dpmpp_2m_karras`,
/// `EulerDiscreteScheduler`), any case. An empty sampler is the default one. A schedule that is the
/// sampler's own becomes `Automatic`.
///
/// With `quirks`, as A1111 reads them: an unknown sampler is the default one, an unknown schedule
/// is `Automatic`, aliases and other cases are unknown, and of `Euler SGM Uniform` only
/// ` Uniform` is read.
///
/// # Errors
/// Without `quirks`, if a name is unknown.
pub fn resolve(
    sampler: &str,
    schedule: Option<&str>,
    quirks: bool,
) -> Result<(&'static SamplerInfo, Schedule), UnknownName> {
    let (info, schedule) =
        if quirks { literally(sampler, schedule) } else { generously(sampler, schedule)? };
    let is_default = info.schedule == schedule && schedule != Schedule::Uniform;
    Ok((info, if is_default { Schedule::Automatic } else { schedule }))
}

fn literally(sampler: &str, schedule: Option<&str>) -> (&'static SamplerInfo, Schedule) {
    let asked = schedule.unwrap_or_default();
    let known = SCHEDULES.iter().find(|s| s.1 == asked || s.2 == asked);
    let mut schedule = known.map_or(Schedule::Automatic, |s| s.0);
    let mut name = if sampler.is_empty() { SAMPLERS[0].name } else { sampler };
    for (kind, label, id, aliases) in SCHEDULES {
        let options = [label, id].into_iter().chain(aliases.iter().copied());
        let stripped = options.map(|o| strip_word(name, o)).find_map(|rest| rest);
        if let Some(rest) = stripped {
            (schedule, name) = (kind, rest);
        }
    }
    let info = SAMPLERS.iter().find(|s| s.name == name).unwrap_or(&SAMPLERS[0]);
    (info, schedule)
}

fn strip_word<'a>(name: &'a str, word: &str) -> Option<&'a str> {
    name.strip_suffix(word)?.strip_suffix(' ')
}

fn generously(
    sampler: &str,
    schedule: Option<&str>,
) -> Result<(&'static SamplerInfo, Schedule), UnknownName> {
    let asked = schedule.filter(|s| !s.trim().is_empty());
    let explicit = asked.map(|name| {
        let names = || SCHEDULES.iter().map(|s| s.1);
        let hint = || match foreign::is_missing_schedule(name) {
            true => elsewhere("schedules", names()),
            false => instead(name, names()),
        };
        Schedule::from_name(name).ok_or_else(|| UnknownName {
            what: "schedule",
            name: name.into(),
            hint: hint(),
        })
    });
    let explicit = explicit.transpose()?.unwrap_or_default();
    let name = sampler.trim();
    if name.is_empty() {
        return Ok((&SAMPLERS[0], explicit));
    }
    if let Some((info, own)) = by_name(name) {
        let schedule = if explicit == Schedule::Automatic { own } else { explicit };
        return Ok((info, schedule));
    }
    let names = || SAMPLERS.iter().map(|s| s.name);
    let unknown = |hint| Err(UnknownName { what: "sampler", name: name.into(), hint });
    if foreign::is_missing(name) {
        return unknown(elsewhere("samplers", names()));
    }
    // The longest schedule at the end first, so that SGM Uniform is not taken for Uniform.
    let lower = name.to_lowercase();
    let mut endings: Vec<(&str, Schedule)> = SCHEDULES
        .iter()
        .flat_map(|s| [s.1, s.2].into_iter().chain(s.3.iter().copied()).map(|o| (o, s.0)))
        // InvokeAI's `_k`, and those of A1111's older aliases.
        .chain([("k", Schedule::Karras), ("ka", Schedule::Karras), ("exp", Schedule::Exponential)])
        .collect();
    endings.sort_by_key(|(ending, _)| std::cmp::Reverse(ending.len()));
    for (ending, kind) in endings {
        let rest = lower.strip_suffix(&ending.to_lowercase());
        let rest = rest.and_then(|r| r.strip_suffix([' ', '_', '-']));
        if let Some((info, _)) = rest.and_then(by_name) {
            return Ok((info, kind));
        }
    }
    unknown(instead(name, names()))
}

/// The sampler of a name, and the schedule that the name itself means, else `Automatic`.
fn by_name(name: &str) -> Option<(&'static SamplerInfo, Schedule)> {
    let wanted = foreign::plain(name);
    let same = |other: &str| foreign::plain(other) == wanted;
    let known = SAMPLERS.iter().find(|s| same(s.name) || s.aliases.iter().any(|a| same(a)));
    known.map(|info| (info, Schedule::Automatic)).or_else(|| {
        let (kind, schedule) = foreign::find(name)?;
        Some((kind.info(), schedule.unwrap_or_default()))
    })
}

/// What to write instead of a name that only other programs know.
fn elsewhere(what: &str, known: impl Iterator<Item = &'static str>) -> String {
    let known = Vec::from_iter(known).join(", ");
    format!("other programs have it, but here the {what} are {known}")
}

/// What to write instead: the name that is meant, where one is a slip of the finger away, else any
/// of them. A digit more or less is another sampler.
fn instead(name: &str, known: impl Iterator<Item = &'static str>) -> String {
    let (wanted, known) = (foreign::plain(name), Vec::from_iter(known));
    let digits = |name: &str| name.chars().filter(char::is_ascii_digit).collect::<String>();
    // `++` is left out more often than mistyped: `dpm2m` is DPM++ 2M, not DPM2.
    let short = |name: &str| name.replace("dpmpp", "dpm");
    if let Some(meant) = known.iter().find(|other| short(&foreign::plain(other)) == short(&wanted))
    {
        return format!("did you mean {meant:?}?");
    }
    let distance = |other: &str| strsim::osa_distance(&wanted, &foreign::plain(other));
    let near = |other: &&&str| {
        distance(other) <= 1 + wanted.chars().count() / 6 && digits(&wanted) == digits(other)
    };
    match known.iter().filter(near).min_by_key(|other| (distance(other), other.len())) {
        Some(nearest) => format!("did you mean {nearest:?}?"),
        None => format!("known are {}", known.join(", ")),
    }
}
