//! How pictures are drawn, one as the cells of a grid, and the files that prompts may name.
use std::path::PathBuf;
use wayword_interface::options::{Seed, Size};
use wayword_interface::{choices, options};

options! {
    /// Words, LoRAs and wildcards that prompts may use.
    pub struct Places("any") {
        "Prompt" COMMON {
            /// Folder of embedding files, or one file; may be given more than once
            embeddings: Vec<PathBuf> => value_name: "DIR";
            /// Folder of LoRA files, for `<lora:name:0.8>` in the prompt; may be given more than once
            loras: Vec<PathBuf> => value_name: "DIR";
            /// Folder of wildcard files, for `__name__` and `{a|b}` in prompts; may be given more than once
            wildcards: Vec<PathBuf> => value_name: "DIR";
        }
    }
}

options! {
    /// How pictures are drawn; what is left out is as usual, or as a repeated picture says.
    pub struct Settings("any") {
        "Prompt" COMMON {
            /// What to stay away from
            negative: Option<String> => value_name: "PROMPT";
            /// What weights in brackets do [default: original]
            emphasis: Option<Emphasis> => value_name: "MODE";
            /// Keep what A1111 does by accident; docs/prompts.md lists it
            a1111_quirks: bool;
        }
        "Picture" COMMON {
            /// Seed of the first picture, and of all cells of a grid; -1 is a random one [default: -1]
            seed: Option<Seed> => value_name: "N";
            /// Second seed, for variations of the first [default: -1]
            subseed: Option<Seed> => value_name: "N", requires: "subseed_strength";
            /// How far the noise goes to the second seed's, 0 to 1; all pictures have the same seed then
            subseed_strength: Option<f64> => value_name: "X", min: 0.0, max: 1.0;
            /// Denoising steps [default: 20]
            steps: Option<usize> => value_name: "N", min: 1.0;
            /// How strongly the prompt guides [default: 7]
            cfg: Option<f64> => value_name: "X";
            /// Sampler, by its name in A1111, such as "Euler a" [default: DPM++ 2M Karras]
            sampler: Option<String> => value_name: "NAME";
            /// Where the steps lie, by A1111's name, such as "SGM Uniform" [default: the sampler's own]
            schedule: Option<String> => value_name: "NAME";
            /// Share of noise that is made anew at each step [default: 1, DDIM 0]
            eta: Option<f64> => value_name: "X";
            /// Added to the seed for all noise after the first (A1111's ENSD) [default: 0]
            ensd: Option<i64> => value_name: "N";
            /// Whose random numbers: A1111's on a processor, or those of an NVIDIA card [default: cpu]
            noise: Option<Noise> => value_name: "SOURCE";
            /// Size [default: the base's own, or near {any.image}'s]
            size: Option<Size> => value_name: "W,H";
        }
        "Model" COMMON {
            /// Which layer of the text encoder is used, counted from the last; 1 is the last [default: 1]
            clip_skip: Option<usize> => value_name: "N", min: 1.0;
        }
    }
}

choices! {
    /// What weights in brackets do.
    pub enum Emphasis {
        /// They scale the states, and the mean is restored
        Original = "original",
        /// They scale the states
        NoNorm = "no-norm",
        /// Brackets vanish, and nothing is weighted
        Ignore = "ignore",
        /// Brackets are text
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
