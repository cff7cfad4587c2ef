//! `wayword train`: flags for learning a word.
mod layers;
mod more;

use super::common::{Base, Machine, Size, at_least_one};
use clap::Args;
use layers::{Layers, Typed};
use more::More;
use std::path::PathBuf;
use wayword_train::plan::TrainOptions;

/// Learn a word from a folder of pictures.
///
/// IMAGES is a plain folder of pictures, a folder named `N_class words` (N repeats, as kohya's
/// trainer wants it), or a folder of such folders. The word is written to DIR/NAME.safetensors and,
/// every few hundred steps, to DIR/NAME-step00000200.safetensors; pick the one you like best.
#[derive(Debug, Clone, Args)]
#[command(
    override_usage = "wayword train IMAGES --base CKPT --name NAME --init WORD [OPTIONS]\n       wayword train --resume DIR/NAME.run [--base CKPT]"
)]
pub struct Train {
    // The first, because the others take their values out of what clap found.
    #[command(flatten)]
    pub typed: Typed,

    #[command(flatten)]
    pub layers: Layers,

    /// Folders of pictures
    #[arg(value_name = "IMAGES", required_unless_present_any = ["resume", "config", "kohya", "dataset_config", "in_json"])]
    pub images: Vec<PathBuf>,

    #[command(flatten)]
    pub base: Base,

    /// Name of the word and of its files; what you type in a prompt
    #[arg(long, value_name = "NAME", required_unless_present_any = ["resume", "config", "kohya"], help_heading = "Word")]
    pub name: Option<String>,

    /// Words to start from, `*`, or an embedding file [default: the class words of the folder]
    #[arg(long, value_name = "WORDS|FILE", help_heading = "Word")]
    pub init: Option<String>,

    /// What stands for the word in captions [default: NAME]
    #[arg(long, value_name = "TOKEN", help_heading = "Word")]
    pub token: Option<String>,

    /// Vectors of the word; each takes one of the 75 places of a prompt [default: 1, or as many as
    /// the embedding file of --init has]
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = "Word")]
    pub vectors: Option<usize>,

    /// Captions: `object` (sentences for a thing or a person), `style` (sentences for a style),
    /// `none` (the caption files, else the class words), or a file with a sentence a line, in which
    /// `[name]` is the word and `[filewords]` the picture's own caption
    #[arg(long, value_name = "KIND", default_value = "object", help_heading = "Pictures")]
    pub template: String,

    /// Ending of the caption files, with --template none [default: .txt, then .caption]
    #[arg(long, value_name = "EXT", help_heading = "Pictures")]
    pub caption_ext: Option<String>,

    /// Size to train at; pictures are scaled to cover it and cropped [default: the base's own]
    #[arg(long, value_name = "W,H", help_heading = "Pictures")]
    pub resolution: Option<Size>,

    /// Pictures a batch
    #[arg(long, value_name = "N", value_parser = at_least_one, default_value_t = 1, help_heading = "Training")]
    pub batch: usize,

    /// Batches a step
    #[arg(long, value_name = "N", value_parser = at_least_one, default_value_t = 1, help_heading = "Training")]
    pub accumulate: usize,

    /// Steps to train [default: 1000]
    #[arg(long, value_name = "N", value_parser = at_least_one, conflicts_with = "epochs", help_heading = "Training")]
    pub steps: Option<usize>,

    /// Passes through all pictures and their repeats, instead of --steps
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = "Training")]
    pub epochs: Option<usize>,

    /// A file every N steps; 0: only the last
    #[arg(long, value_name = "N", default_value_t = 200, help_heading = "Output")]
    pub save_every: usize,

    /// Learning rate [default: 1e-3 on Stable Diffusion 1.5; on other bases scaled by the size of
    /// their word vectors]
    #[arg(long, value_name = "RATE", help_heading = "Training")]
    pub lr: Option<String>,

    /// How the learning rate goes on after the warm-up: `constant`, `linear` (falls to nought) or
    /// `cosine` (falls in half a wave) [default: cosine]
    #[arg(long, value_name = "NAME", help_heading = "Training")]
    pub scheduler: Option<String>,

    /// Steps in which the learning rate rises from nought: a number, or a share such as 10%
    #[arg(long, value_name = "N|%", default_value = "0", help_heading = "Training")]
    pub warmup: String,

    /// Optimiser
    #[arg(long, value_name = "NAME", default_value = "AdamW", help_heading = "Training")]
    pub optimizer: String,

    /// Weight decay [default: the optimiser's own; 0.01 for AdamW]
    #[arg(long, value_name = "X", value_parser = not_negative, help_heading = "Training")]
    pub weight_decay: Option<f64>,

    /// Longest gradient of the word's vectors; longer ones are shortened; 0: never
    #[arg(long, value_name = "X", value_parser = not_negative, default_value_t = 1.0, help_heading = "Training")]
    pub max_grad_norm: f64,

    /// Which layer of the text encoder is used, counted from the last; 1 is the last
    /// [default: 1]
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = "Model")]
    pub clip_skip: Option<usize>,

    /// Learn the word on top of this LoRA: its name or file, and how much of it; may be given more
    /// than once. The word is then for use with it
    #[arg(long, value_name = "NAME:WEIGHT", hide_short_help = true, help_heading = "Model")]
    pub lora: Vec<String>,

    /// Folder of LoRA files, for --lora; may be given more than once
    #[arg(long, value_name = "DIR", hide_short_help = true, help_heading = "Model")]
    pub loras: Vec<PathBuf>,

    /// Seed of everything random [default: a random one, which is recorded]
    #[arg(long, value_name = "N", help_heading = "Training")]
    pub seed: Option<u64>,

    /// Exactly kohya's numbers where ours are saner; docs/training.md says which
    #[arg(long, help_heading = "Training")]
    pub kohya_numbers: bool,

    /// Folder for the word's files
    #[arg(long, value_name = "DIR", default_value = ".", help_heading = "Output")]
    pub out: PathBuf,

    /// Go on with a run that was stopped; its own options hold
    #[arg(long, value_name = "DIR/NAME.run", conflicts_with_all = ["overwrite", "images", "name"], help_heading = "Output")]
    pub resume: Option<PathBuf>,

    /// Throw away a run of this name and start again
    #[arg(long, help_heading = "Output")]
    pub overwrite: bool,

    /// Refuse to begin where anything is found that would otherwise be a warning
    #[arg(long, hide_short_help = true, help_heading = "Pictures")]
    pub strict: bool,

    /// Compute the UNet's blocks a second time in backward instead of keeping what they need: less
    /// memory, a third more time, the same word; chosen by itself where memory is short
    #[arg(long, hide_short_help = true, help_heading = "Machine")]
    pub low_memory: bool,

    #[command(flatten)]
    pub more: More,

    #[command(flatten)]
    pub machine: Machine,
}

fn not_negative(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(x) if x >= 0.0 && x.is_finite() => Ok(x),
        _ => Err("expected a number, 0 or above".into()),
    }
}

impl Train {
    /// As the library takes them; what is left out is decided there.
    pub fn to_library(&self) -> TrainOptions {
        let mut options = TrainOptions {
            images: self.images.clone(),
            name: self.name.clone(),
            token: self.token.clone(),
            init: self.init.clone(),
            vectors: self.vectors,
            template: self.template.clone().into(),
            caption_ext: self.caption_ext.clone(),
            resolution: self.resolution.map(|s| (s.width, s.height)),
            batch: self.batch,
            accumulate: self.accumulate,
            steps: self.steps,
            epochs: self.epochs,
            lr: self.lr.clone(),
            scheduler: self.scheduler.clone(),
            warmup: self.warmup.clone(),
            optimizer: self.optimizer.clone(),
            weight_decay: self.weight_decay,
            max_grad_norm: self.max_grad_norm,
            clip_skip: self.clip_skip,
            lora: self.lora.clone(),
            loras: self.loras.clone(),
            seed: self.seed,
            out: self.out.clone(),
            save_every: self.save_every,
            kohya_numbers: self.kohya_numbers,
            ..TrainOptions::default()
        };
        self.more.apply(&mut options);
        options
    }
}
