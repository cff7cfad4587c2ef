//! `wayword train`: flags for learning a word.
use super::common::{Base, Machine, Size, at_least_one};
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::str::FromStr;

/// Learn a word from a folder of pictures.
///
/// IMAGES is a plain folder of pictures, a folder named `N_class words` (N repeats, as kohya's
/// trainer wants it), or a folder of such folders. The word is written to DIR/NAME.safetensors and,
/// every few hundred steps, to DIR/NAME-step00000200.safetensors; pick the one you like best.
#[derive(Debug, Clone, Args)]
#[command(
    override_usage = "wayword train IMAGES --base CKPT --name NAME --init WORD [OPTIONS]\n       wayword train --resume DIR/NAME.run --base CKPT"
)]
pub(crate) struct Train {
    /// Folders of pictures
    #[arg(value_name = "IMAGES", required_unless_present = "resume")]
    pub(crate) images: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) base: Base,

    /// Name of the word and of its files; what you type in a prompt
    #[arg(long, value_name = "NAME", required_unless_present = "resume", help_heading = "Word")]
    pub(crate) name: Option<String>,

    /// Words to start from, `*`, or an embedding file [default: the class words of the folder]
    #[arg(long, value_name = "WORDS|FILE", help_heading = "Word")]
    pub(crate) init: Option<String>,

    /// What stands for the word in captions [default: NAME]
    #[arg(long, value_name = "TOKEN", help_heading = "Word")]
    pub(crate) token: Option<String>,

    /// Vectors of the word; each takes one of the 75 places of a prompt [default: 1, or as many as
    /// the embedding file of --init has]
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = "Word")]
    pub(crate) vectors: Option<usize>,

    /// Captions: sentences for a thing or a person, sentences for a style, or the caption files
    #[arg(long, value_enum, value_name = "KIND", default_value_t = Template::Object, help_heading = "Pictures")]
    pub(crate) template: Template,

    /// Ending of the caption files, with --template none [default: .txt, then .caption]
    #[arg(long, value_name = "EXT", help_heading = "Pictures")]
    pub(crate) caption_ext: Option<String>,

    /// Size to train at; pictures are scaled to cover it and cropped [default: the base's own]
    #[arg(long, value_name = "W,H", help_heading = "Pictures")]
    pub(crate) resolution: Option<Size>,

    /// Pictures a batch
    #[arg(long, value_name = "N", value_parser = at_least_one, default_value_t = 1, help_heading = "Training")]
    pub(crate) batch: usize,

    /// Batches a step
    #[arg(long, value_name = "N", value_parser = at_least_one, default_value_t = 1, help_heading = "Training")]
    pub(crate) accumulate: usize,

    /// Steps to train [default: 1000]
    #[arg(long, value_name = "N", value_parser = at_least_one, conflicts_with = "epochs", help_heading = "Training")]
    pub(crate) steps: Option<usize>,

    /// Passes through all pictures and their repeats, instead of --steps
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = "Training")]
    pub(crate) epochs: Option<usize>,

    /// A file every N steps; 0: only the last
    #[arg(long, value_name = "N", default_value_t = 200, help_heading = "Output")]
    pub(crate) save_every: usize,

    /// Learning rate [default: 1e-3 on Stable Diffusion 1.5; on other bases scaled by the size of
    /// their word vectors]
    #[arg(long, value_name = "RATE", value_parser = positive, help_heading = "Training")]
    pub(crate) lr: Option<f64>,

    /// How the learning rate goes on after the warm-up
    #[arg(long, value_enum, value_name = "NAME", default_value_t = Scheduler::Constant, help_heading = "Training")]
    pub(crate) scheduler: Scheduler,

    /// Steps in which the learning rate rises from nought: a number, or a share such as 10%
    #[arg(long, value_name = "N|%", default_value = "0", help_heading = "Training")]
    pub(crate) warmup: Warmup,

    /// Optimiser
    #[arg(long, value_name = "NAME", default_value = "AdamW", help_heading = "Training")]
    pub(crate) optimizer: String,

    /// Weight decay [default: the optimiser's own; 0.01 for AdamW]
    #[arg(long, value_name = "X", value_parser = not_negative, help_heading = "Training")]
    pub(crate) weight_decay: Option<f64>,

    /// Longest gradient of the word's vectors; longer ones are shortened; 0: never
    #[arg(long, value_name = "X", value_parser = not_negative, default_value_t = 1.0, help_heading = "Training")]
    pub(crate) max_grad_norm: f64,

    /// Which layer of the text encoder is used, counted from the last; 1 is the last
    #[arg(long, value_name = "N", value_parser = at_least_one, default_value_t = 1, help_heading = "Model")]
    pub(crate) clip_skip: usize,

    /// Seed of everything random [default: a random one, which is recorded]
    #[arg(long, value_name = "N", help_heading = "Training")]
    pub(crate) seed: Option<u64>,

    /// Folder for the word's files
    #[arg(long, value_name = "DIR", default_value = ".", help_heading = "Output")]
    pub(crate) out: PathBuf,

    /// Go on with a run that was stopped; its own options hold
    #[arg(long, value_name = "DIR/NAME.run", conflicts_with_all = ["overwrite", "images", "name"], help_heading = "Output")]
    pub(crate) resume: Option<PathBuf>,

    /// Throw away a run of this name and start again
    #[arg(long, help_heading = "Output")]
    pub(crate) overwrite: bool,

    #[command(flatten)]
    pub(crate) machine: Machine,
}

/// Where captions come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Template {
    /// Sentences such as "a photo of a NAME"
    Object,
    /// Sentences such as "a painting in the style of NAME"
    Style,
    /// Caption files, else the class words
    None,
}

/// The learning rate after the warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scheduler {
    /// Stays
    Constant,
    /// Falls in a straight line to nought
    Linear,
    /// Falls in half a wave to nought
    Cosine,
}

/// How long the learning rate rises.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Warmup {
    /// So many steps.
    Steps(usize),
    /// This share of all steps, below 1.
    Share(f64),
}

impl Warmup {
    /// Steps of warm-up in a run of `steps`, rounded down as kohya's trainer does.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a share below 1 of a count of steps"
    )]
    pub(crate) fn of(self, steps: usize) -> usize {
        match self {
            Warmup::Steps(n) => n,
            Warmup::Share(share) => (share * steps as f64) as usize,
        }
    }
}

impl FromStr for Warmup {
    type Err = String;

    fn from_str(text: &str) -> Result<Warmup, String> {
        let error = || "expected a number of steps, or a share such as 10% or 0.1".to_owned();
        if let Ok(steps) = text.parse() {
            return Ok(Warmup::Steps(steps));
        }
        let share = match text.strip_suffix('%') {
            Some(percent) => percent.trim().parse::<f64>().map(|p| p / 100.0),
            None => text.parse::<f64>(),
        };
        match share {
            Ok(share) if (0.0..1.0).contains(&share) => Ok(Warmup::Share(share)),
            _ => Err(error()),
        }
    }
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(x) if x > 0.0 && x.is_finite() => Ok(x),
        _ => Err("expected a number above 0, as in 5e-4".into()),
    }
}

fn not_negative(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(x) if x >= 0.0 && x.is_finite() => Ok(x),
        _ => Err("expected a number, 0 or above".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warm_up_is_steps_or_a_share() {
        assert_eq!("100".parse(), Ok(Warmup::Steps(100)));
        assert_eq!("10%".parse(), Ok(Warmup::Share(0.1)));
        assert_eq!("0.1".parse(), Ok(Warmup::Share(0.1)));
        assert!("1.0".parse::<Warmup>().is_err());
        assert!("-5".parse::<Warmup>().is_err());
        assert_eq!(Warmup::Share(0.1).of(1005), 100);
    }
}
