//! `wayword check`: the flags of a training, of which nothing is trained.
use super::train::Train;
use clap::Args;

/// See what a training would do and take, and what is wrong with its pictures; nothing is written.
///
/// It takes every flag of `wayword train`. It looks for pictures that are there twice, blurred,
/// tiny or cropped too much, and for captions without the word, shows the captions as they will be
/// read, and measures one step for a forecast of time and memory. With --strict a warning is an
/// error.
#[derive(Debug, Clone, Args)]
#[command(override_usage = "wayword check IMAGES --base CKPT --name NAME --init WORD [OPTIONS]", mut_args = brief)]
pub struct Check {
    #[command(flatten)]
    pub train: Train,
}

/// The help shows the flags that matter here; the others are those of `wayword train`.
fn brief(argument: clap::Arg) -> clap::Arg {
    const SHOWN: &[&str] = &[
        "images",
        "base",
        "name",
        "init",
        "token",
        "template",
        "resolution",
        "enable_bucket",
        "batch",
        "config",
        "kohya",
        "preset",
        "strict",
        "low_memory",
        "precision",
        "threads",
        "json",
    ];
    let hidden = !SHOWN.contains(&argument.get_id().as_str());
    argument.hide(hidden)
}
