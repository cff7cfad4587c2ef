//! Samplers under the names of other programs.
//!
//! Names are compared without case, blanks, hyphens and underscores, `+` being `p`, so `dpmpp_2m` and
//! `DPM++ 2M` are one name already. This table has the others: ComfyUI's and k-diffusion's
//! (`euler_ancestral`), InvokeAI's (`kdpm_2_a`), diffusers' classes, kohya's (`dpmsolver++`),
//! stable-diffusion.cpp's (`dpm++2s_a`), NovelAI's (`k_dpmpp_2s_ancestral`), Draw Things'
//! (`Euler A Trailing`). A1111's, ComfyUI's, InvokeAI's,
//! diffusers' and Civitai's were compared with their sources, the others with copies of their lists in
//! other projects.
use super::names::SamplerKind;
use super::schedule::Schedule;
use SamplerKind as K;

/// Plain names, and what they mean. A schedule stands where the name itself means one.
const NAMES: &[(&str, SamplerKind, Option<Schedule>)] = &[
    ("eulerancestral", K::EulerA, None),
    ("eulerancestraldiscretescheduler", K::EulerA, Some(Schedule::Uniform)),
    ("eulerdiscretescheduler", K::Euler, Some(Schedule::Uniform)),
    ("lmsdiscretescheduler", K::Lms, Some(Schedule::Uniform)),
    ("heundiscretescheduler", K::Heun, Some(Schedule::Uniform)),
    // InvokeAI's names, which have `_k` at the end for Karras' schedule.
    ("kdpm2", K::Dpm2, Some(Schedule::Uniform)),
    ("kdpm2discretescheduler", K::Dpm2, Some(Schedule::Uniform)),
    ("dpm2ancestral", K::Dpm2A, None),
    ("kdpm2a", K::Dpm2A, Some(Schedule::Uniform)),
    ("kdpm2ancestral", K::Dpm2A, Some(Schedule::Uniform)),
    ("kdpm2ancestraldiscretescheduler", K::Dpm2A, Some(Schedule::Uniform)),
    ("dpmpp2sancestral", K::Dpmpp2SA, None),
    ("dpmsolverpp", K::Dpmpp2M, Some(Schedule::Uniform)),
    ("dpmsolvermultistep", K::Dpmpp2M, Some(Schedule::Uniform)),
    ("dpmsolvermultistepscheduler", K::Dpmpp2M, Some(Schedule::Uniform)),
    ("dpmppsdegpu", K::DpmppSde, None),
    ("dpmsolversdescheduler", K::DpmppSde, Some(Schedule::Uniform)),
    ("dpmpp2msdegpu", K::Dpmpp2MSde, None),
    ("dpmpp2msdebt", K::Dpmpp2MSde, None),
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
    ("euleratrailing", K::EulerA, Some(Schedule::SgmUniform)),
    ("dpmpp2mtrailing", K::Dpmpp2M, Some(Schedule::SgmUniform)),
    ("dpmppsdetrailing", K::DpmppSde, Some(Schedule::SgmUniform)),
];

/// Samplers of other programs that are not available here, as plain names.
const MISSING: &[&str] = &[
    "amusedscheduler",
    "cmstochasticiterativescheduler",
    "consistencydecoderscheduler",
    "cosinedpmsolvermultistepscheduler",
    "ddiminversescheduler",
    "ddimparallelscheduler",
    "ddimtrailing",
    "ddpm",
    "ddpmparallelscheduler",
    "ddpmscheduler",
    "deis",
    "deismultistepscheduler",
    "dpmpp2mcfgpp",
    "dpmpp2mv2",
    "dpmpp2s",
    "dpmpp2sancestralcfgpp",
    "dpmpp2sarf",
    "dpmpp3m",
    "dpmppsdesubstep",
    "dpmsingle",
    "dpmsolver",
    "dpmsolvermultistepinversescheduler",
    "dpmsolversinglestep",
    "dpmsolversinglestepscheduler",
    "edmdpmpp2m",
    "edmdpmsolvermultistepscheduler",
    "edmeuler",
    "edmeulerscheduler",
    "edmplaygroundv25",
    "ersde",
    "euleracfgpp",
    "eulerancestralcfgpp",
    "eulerasubstep",
    "eulercfgpp",
    "eulerge",
    "expheun2x0",
    "expheun2x0sde",
    "flowmatcheulerdiscretescheduler",
    "flowmatchheundiscretescheduler",
    "flowmatchlcmscheduler",
    "forgefluxrealistic",
    "forgefluxrealisticslow",
    "gradientestimation",
    "gradientestimationcfgpp",
    "heunpp2",
    "ipndm",
    "ipndmscheduler",
    "ipndmv",
    "karrasvescheduler",
    "naismea",
    "naismeadyn",
    "repaintscheduler",
    "res2m",
    "res2s",
    "res3m",
    "res3s",
    "res5s",
    "resmultistep",
    "resmultistepancestral",
    "resmultistepancestralcfgpp",
    "resmultistepcfgpp",
    "sasolver",
    "sasolverpece",
    "sasolverscheduler",
    "scoresdevescheduler",
    "seeds2",
    "seeds3",
    "tcd",
    "tcdscheduler",
    "tcdtrailing",
    "unclipscheduler",
    "unipcays",
    "unipcbh2",
    "unipctrailing",
    "vqdiffusionscheduler",
];

/// Noise schedules of other programs that are not available here, as plain names.
const MISSING_SCHEDULES: &[&str] = &[
    "alignyoursteps11",
    "alignyoursteps32",
    "alignyourstepsgits",
    "ays30",
    "aysgits",
    "ayssdxl",
    "ayssvd",
    "beta57",
    "bongtangent",
    "cosine",
    "edmplaygroundv25",
    "flux",
    "flux2",
    "gits",
    "karrasexponential",
    "laplace",
    "lcm",
    "linearquadratic",
    "logitnormal",
    "ltx2",
    "ltxv",
    "ltxvimage",
    "phi",
    "smoothstep",
    "tcd",
    "turbo",
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
    let name = plain(name);
    let is_listed = |name: &str| MISSING.contains(&name);
    // InvokeAI's names end with a `k` where the schedule is Karras'.
    is_listed(&name) || name.strip_suffix('k').is_some_and(is_listed)
}

/// The same of a noise schedule.
pub(super) fn is_missing_schedule(name: &str) -> bool {
    MISSING_SCHEDULES.contains(&plain(name).as_str())
}
