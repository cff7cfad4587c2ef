//! What a measurement of this machine is asked.
use super::Machine;
use std::path::PathBuf;
use wayword_interface::{choices, options};

options! {
    /// Measure the speed of this machine on a model of Stable Diffusion 1.5's size, or on a checkpoint.
    ///
    /// Without {bench.base} the weights are synthetic; making them is not timed. The first run warms up,
    /// and the median of the others is reported. With {bench.base} a whole training step, text encoder
    /// included, or a whole image is measured.
    pub struct Bench("bench") {
        "" COMMON {
            /// What to measure
            work: Work => value_name: "WORK", positional: true, need: Need::Always;
            /// Checkpoint for `step`, `draw` or `load`
            base: Option<PathBuf> => value_name: "CKPT";
            /// Image width and height in pixels, a multiple of 64 [default: 512, or the base's own]
            size: Option<usize> => value_name: "PIXELS", min: 64.0, max: 2048.0, multiple_of: 64;
            /// Sampling steps of an image drawn with {bench.base}
            steps: usize = 20 => value_name: "N", min: 1.0;
            /// File that `load` writes its checkpoint of 2 GB to and keeps [default: a temporary
            /// file]
            write: Option<PathBuf> => value_name: "FILE", conflicts: &["base"];
            /// Batch size
            batch: usize = 1 => value_name: "N", min: 1.0;
            /// Number of timed runs
            repeats: usize = 3 => value_name: "N", min: 1.0;
        }
        "Machine" COMMON {
            + machine: Machine;
            /// Highest instruction set to use, for comparison [default: the best available]
            instructions: Option<Instructions> => value_name: "NAME", conflicts: &["device"];
            /// Gradient checkpointing
            low_memory: bool;
        }
    }
}

choices! {
    /// What is measured.
    pub enum Work {
        /// A training step: the UNet forward, and backward to the text
        Step = "step",
        /// A denoising step with guidance: the UNet for two samples
        Draw = "draw",
        /// The text encoder, prompt and negative prompt
        Text = "text",
        /// The VAE: image to latents, latents to image
        Vae = "vae",
        /// A checkpoint from its file into the form that the processor wants
        Load = "load",
    }
}

choices! {
    /// Instruction sets, each with those before it.
    pub enum Instructions {
        /// What every processor of the kind has
        Portable = "portable",
        /// AVX2, FMA and F16C
        Avx2 = "avx2",
        /// AVX-512 without bf16 products
        Avx512 = "avx512",
        /// AVX-512 with bf16 products
        Avx512Bf16 = "avx512bf16",
        /// The same and AMX tiles
        Amx = "amx",
    }
}
