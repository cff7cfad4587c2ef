//! The flags of one line of a file of prompts.
use super::DrawJob;
use crate::commands::{random_seed, settings};
use crate::request::Draw as Options;
use std::str::FromStr;

/// The texts of a line.
#[derive(Default)]
pub(super) struct LineFlags {
    pub(super) prompt: Option<String>,
    pub(super) negative: Option<String>,
}

/// Puts a line's flags into its job.
pub(super) fn apply(
    job: &mut DrawJob,
    options: &Options,
    flags: Vec<(String, String)>,
) -> Result<LineFlags, String> {
    let mut flags_of_line = LineFlags::default();
    let (mut runs, mut at_once): (Option<usize>, Option<usize>) = (None, None);
    let (mut subseed, mut strength) = (None, None);
    let mut resize = (0i64, 0i64);
    let schedule = options.settings.schedule.as_deref();
    let s = &mut job.settings;
    for (key, value) in flags {
        match key.as_str() {
            "prompt" => flags_of_line.prompt = Some(value),
            "negative_prompt" => flags_of_line.negative = Some(value),
            "seed" => s.seed = seed(&key, &value)?,
            "subseed" => subseed = Some(seed(&key, &value)?),
            "subseed_strength" => strength = Some(number(&key, &value)?),
            "seed_resize_from_w" => resize.0 = number(&key, &value)?,
            "seed_resize_from_h" => resize.1 = number(&key, &value)?,
            "steps" => s.steps = number(&key, &value)?,
            "cfg_scale" => s.cfg = number(&key, &value)?,
            "width" => (s.width, job.sized.0) = (number(&key, &value)?, true),
            "height" => (s.height, job.sized.1) = (number(&key, &value)?, true),
            "n_iter" => runs = Some(number(&key, &value)?),
            "batch_size" => at_once = Some(number(&key, &value)?),
            "sampler_name" | "sampler_index" => settings::sampler(Some(&value), schedule, s)
                .map_err(|failure| failure.message().to_owned())?,
            "restore_faces" | "tiling" if value != "true" => {}
            // Names of files and folders are ours.
            "prompt_for_display"
            | "outpath_samples"
            | "outpath_grids"
            | "do_not_save_samples"
            | "do_not_save_grid" => {}
            _ => return Err(format!("--{key} is not supported in a file of prompts")),
        }
    }
    let strength = strength.or(s.variation.map(|v| v.1)).filter(|strength| *strength != 0.0);
    let subseed = subseed.or(s.variation.map(|v| v.0));
    s.variation = strength.map(|strength| (subseed.unwrap_or_else(random_seed), strength));
    if let (Ok(w @ 1..), Ok(h @ 1..)) = (u32::try_from(resize.0), u32::try_from(resize.1)) {
        s.seed_resize = Some((w, h));
    }
    // As there, so many runs of so many pictures.
    if runs.is_some() || at_once.is_some() {
        s.batch = at_once.unwrap_or(s.batch).max(1);
        s.count = runs.unwrap_or(1).max(1) * at_once.unwrap_or(1).max(1);
    }
    Ok(flags_of_line)
}

/// A seed; -1 is a random one.
fn seed(key: &str, value: &str) -> Result<u64, String> {
    if value == "-1" { Ok(random_seed()) } else { number(key, value) }
}

fn number<T: FromStr>(key: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("--{key} {value}: not a number that fits"))
}
