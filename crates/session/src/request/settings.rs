//! How pictures are drawn, one as the cells of a grid, and the files that prompts may name.
use std::path::PathBuf;
use wayword_interface::options::{Seed, Size};
use wayword_interface::{choices, options};

options! {
    /// Words, LoRAs and wildcards that prompts may use.
    pub struct Places("any") {
        "Prompt" COMMON {
            /// Folder of embeddings, or one file; may be repeated. The folder of your last training and
            /// those of A1111, Forge and ComfyUI are searched, too
            embeddings: Vec<PathBuf> => value_name: "DIR", aliases: &["embeddings_dir"];
            /// Folder of LoRAs, for `<lora:name:0.8>` in prompts; may be repeated. Those of A1111, Forge
            /// and ComfyUI are searched, too
            loras: Vec<PathBuf> => value_name: "DIR", aliases: &["lora_dir"];
            /// Folder of wildcard files, for `__name__` and `{a|b}` in prompts; may be repeated.
            /// Those of A1111 and Forge are searched, too
            wildcards: Vec<PathBuf> => value_name: "DIR";
        }
    }
}

options! {
    /// What is done where memory is short.
    pub struct Memory("any") {
        "Machine" RARE {
            /// Draw even if the memory forecast says that it does not fit
            force: bool => scope: Scope::Request;
        }
    }
}

options! {
    /// How pictures are drawn; what is left out is as usual, or as a repeated picture says.
    pub struct Settings("any") {
        "Prompt" COMMON {
            /// Negative prompt
            negative: Option<String> => value_name: "PROMPT", aliases: &["negative_prompt"];
            /// Effect of weights in brackets [default: original]
            emphasis: Option<Emphasis> => value_name: "MODE";
            /// Reproduce A1111's accidental behavior; docs/prompts.md lists it
            a1111_quirks: bool;
        }
        "Image" COMMON {
            /// Seed of the first image, and of all cells of a grid; -1 is random [default: -1]
            seed: Option<Seed> => value_name: "N";
            /// Variation seed [default: -1]
            subseed: Option<Seed> => value_name: "N", requires: "subseed_strength";
            /// Variation strength, 0 to 1; all images then have the same seed
            subseed_strength: Option<f64> => value_name: "X", min: 0.0, max: 1.0;
            /// Sampling steps [default: 20]
            steps: Option<usize> => value_name: "N", min: 1.0, aliases: &["sampling_steps", "num_inference_steps"];
            /// CFG scale: how strongly the prompt is followed [default: 7]
            cfg: Option<f64> => value_name: "X", aliases: &["cfg_scale", "guidance_scale"];
            /// Sampler, by its name in A1111 or another program; `wayword samplers` lists them
            /// [default: DPM++ 2M Karras]
            sampler: Option<String> => value_name: "NAME", aliases: &["sampler_name", "sampling_method"];
            /// Noise schedule, such as "SGM Uniform" [default: the sampler's own]
            schedule: Option<String> => value_name: "NAME", aliases: &["scheduler", "schedule_type"];
            /// Share of fresh noise at each step [default: 1, DDIM 0]
            eta: Option<f64> => value_name: "X";
            /// Added to the seed of all noise after the first (A1111's ENSD) [default: 0]
            ensd: Option<i64> => value_name: "N", aliases: &["eta_noise_seed_delta"];
            /// Random number generator: A1111's CPU source, or that of NVIDIA cards [default: cpu]
            noise: Option<Noise> => value_name: "SOURCE";
            /// Image size in pixels [default: the base's own, or close to {any.image}'s]
            size: Option<Size> => value_name: "W,H";
        }
        "Model" COMMON {
            /// Text encoder layer to use, counted from the last; 1 is the last [default: 1]
            clip_skip: Option<usize> => value_name: "N", min: 1.0;
        }
    }
}

choices! {
    /// What weights in brackets do.
    pub enum Emphasis {
        /// Scale the hidden states and restore their mean
        Original = "original",
        /// Scale the hidden states
        NoNorm = "no-norm",
        /// Remove the brackets, without weights
        Ignore = "ignore",
        /// Read brackets as text
        None = "none",
    }
}

choices! {
    /// Whose random numbers.
    pub enum Noise {
        /// torch's generator for processors
        Cpu = "cpu",
        /// The generator of NVIDIA cards
        Nv = "nv",
    }
}
