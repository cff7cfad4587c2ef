//! Samplers under the names of other programs.
//!
//! Names are compared without case, blanks, hyphens and underscores, `+` being `p`, so `dpmpp_2m` and
//! `DPM++ 2M` are one name already. This table has the others: ComfyUI's and k-diffusion's
//! (`euler_ancestral`), InvokeAI's (`kdpm_2_a`), diffusers' classes, kohya's (`dpmsolver++`),
//! stable-diffusion.cpp's (`dpm++2s_a`), NovelAI's (`k_dpmpp_2s_ancestral`).
use super::names::SamplerKind;
use super::schedule::Schedule;
use SamplerKind as K;

/// Plain names, and what they mean. A schedule stands where the name itself means one.
const NAMES: [(&str, SamplerKind, Option<Schedule>); 29] = [
    ("eulerancestral", K::EulerA, None),
    ("eulerancestraldiscretescheduler", K::EulerA, Some(Schedule::Uniform)),
    ("eulerdiscretescheduler", K::Euler, Some(Schedule::Uniform)),
    ("lmsdiscretescheduler", K::Lms, Some(Schedule::Uniform)),
    ("heundiscretescheduler", K::Heun, Some(Schedule::Uniform)),
    ("kdpm2", K::Dpm2, None),
    ("kdpm2discretescheduler", K::Dpm2, Some(Schedule::Uniform)),
    ("dpm2ancestral", K::Dpm2A, None),
    ("kdpm2a", K::Dpm2A, None),
    ("kdpm2ancestral", K::Dpm2A, None),
    ("kdpm2ancestraldiscretescheduler", K::Dpm2A, Some(Schedule::Uniform)),
    ("dpmpp2sancestral", K::Dpmpp2SA, None),
    ("dpmsolverpp", K::Dpmpp2M, Some(Schedule::Uniform)),
    ("dpmsolvermultistep", K::Dpmpp2M, Some(Schedule::Uniform)),
    ("dpmsolvermultistepscheduler", K::Dpmpp2M, Some(Schedule::Uniform)),
    ("dpmppsdegpu", K::DpmppSde, None),
    ("dpmsolversdescheduler", K::DpmppSde, Some(Schedule::Uniform)),
    ("dpmpp2msdegpu", K::Dpmpp2MSde, None),
    ("dpmpp2msdeheungpu", K::Dpmpp2MSdeHeun, None),
    ("dpmpp3msdegpu", K::Dpmpp3MSde, None),
    ("ddimscheduler", K::Ddim, None),
    ("ddimuniform", K::Ddim, None),
    ("ddimv3", K::Ddim, None),
    ("pndm", K::Plms, None),
    ("pndmscheduler", K::Plms, None),
    ("unipcmultistep", K::UniPc, None),
    ("unipcmultistepscheduler", K::UniPc, None),
    ("lcmscheduler", K::Lcm, None),
    ("lcmsolver", K::Lcm, None),
];

/// Samplers of other programs that are not available here, as plain names.
const MISSING: [&str; 30] = [
    "ddpm",
    "ddpmscheduler",
    "deis",
    "deisk",
    "deismultistepscheduler",
    "dpmpp2mcfgpp",
    "dpmpp2mv2",
    "dpmpp2s",
    "dpmpp2sancestralcfgpp",
    "dpmpp3m",
    "dpmsingle",
    "dpmsolver",
    "dpmsolversinglestep",
    "dpmsolversinglestepscheduler",
    "ersde",
    "eulerancestralcfgpp",
    "eulercfgpp",
    "gradientestimation",
    "heunpp2",
    "ipndm",
    "ipndmv",
    "resmultistep",
    "resmultistepancestral",
    "resmultistepcfgpp",
    "sasolver",
    "seeds2",
    "seeds3",
    "tcd",
    "tcdscheduler",
    "unipcbh2",
];

/// A name without what programs write differently.
pub(super) fn plain(name: &str) -> String {
    let name = name.trim().to_lowercase();
    let name = name.strip_prefix("k_").unwrap_or(&name).replace('+', "p");
    name.chars().filter(|c| c.is_alphanumeric()).collect()
}

/// The sampler of another program's name.
pub(super) fn find(name: &str) -> Option<(SamplerKind, Option<Schedule>)> {
    let name = plain(name);
    NAMES.iter().find(|n| n.0 == name).map(|n| (n.1, n.2))
}

/// Whether a name is that of a sampler that other programs have and this one has not.
pub(super) fn is_missing(name: &str) -> bool {
    MISSING.contains(&plain(name).as_str())
}
