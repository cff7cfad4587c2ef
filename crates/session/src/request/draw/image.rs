//! Drawing from a picture, into a part of it, and a second time at a larger size.
use std::path::PathBuf;
use wayword_interface::options::Sides;
use wayword_interface::{choices, options};

options! {
    /// A picture to begin with.
    pub struct Image("any") {
        "From a picture" COMMON {
            /// Draw from a picture instead of noise alone
            image: Option<PathBuf> => value_name: "FILE";
            /// How much of the picture is changed, 0 to 1 [default: 0.75]
            denoise: Option<f64> => value_name: "X", min: 0.0, max: 1.0, requires: "image";
            /// What happens where the picture has another shape than {any.size} [default: stretch]
            fit: Option<Shape> => value_name: "HOW", requires: "image";
            /// Draw only what is white in this picture of the same size, or opaque if it has transparency
            mask: Option<PathBuf> => value_name: "FILE", requires: "image";
            /// Draw what the mask leaves out instead
            invert_mask: bool => requires: "mask";
            /// Blur of the mask's edge in pixels [default: 4]
            mask_blur: Option<f64> => value_name: "X", requires: "mask";
            /// Draw the masked part alone at the full size, and paste it back
            only_masked: bool => requires: "mask";
            /// Pixels around the masked part that are drawn with it [default: 32]
            padding: Option<u32> => value_name: "N", requires: "mask";
            /// What the masked part begins with [default: original]
            fill: Option<Content> => value_name: "WHAT", requires: "mask";
        }
    }
}

options! {
    /// A second pass at a larger size.
    pub struct Hires("any") {
        "Second pass" COMMON {
            /// Enlarge the picture this many times and draw over it (A1111's hires fix)
            hires_scale: Option<f64> => value_name: "X";
            /// The second pass's size instead of a multiple; 0 for one side keeps the shape
            hires_size: Option<Sides> => value_name: "W,H", conflicts: &["hires_scale"];
            /// Steps of the second pass [default: as many as {any.steps}]
            hires_steps: Option<u32> => value_name: "N";
            /// How much the second pass changes, 0 to 1 [default: 0.7]
            hires_denoise: Option<f64> => value_name: "X", min: 0.0, max: 1.0;
            /// How the picture is enlarged: Latent, "Latent (bicubic)", "Latent (nearest-exact)", Lanczos …
            /// [default: Latent]
            hires_upscaler: Option<String> => value_name: "NAME";
            /// Another sampler for the second pass [default: {any.sampler}]
            hires_sampler: Option<String> => value_name: "NAME";
            /// Another schedule for the second pass [default: {any.schedule}, or {any.hires_sampler}'s own]
            hires_schedule: Option<String> => value_name: "NAME";
            /// Another prompt for the second pass [default: the first's]
            hires_prompt: Option<String> => value_name: "PROMPT";
            /// Another negative prompt for the second pass [default: {any.negative}]
            hires_negative: Option<String> => value_name: "PROMPT";
        }
    }
}

choices! {
    /// What happens where a picture has another shape.
    pub enum Shape {
        /// It is stretched
        Stretch = "stretch",
        /// What sticks out is cut off
        Crop = "crop",
        /// What is missing is filled with its border
        Fill = "fill",
    }
}

choices! {
    /// What a masked part begins with.
    pub enum Content {
        /// The colours around it
        Fill = "fill",
        /// What is there
        Original = "original",
        /// Noise in the latents
        LatentNoise = "latent-noise",
        /// Zeros in the latents
        LatentNothing = "latent-nothing",
    }
}
