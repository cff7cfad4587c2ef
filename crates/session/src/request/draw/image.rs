//! Drawing from a picture, into a part of it, and a second time at a larger size.
use std::path::PathBuf;
use wayword_interface::options::Sides;
use wayword_interface::{choices, options};

options! {
    /// A picture to begin with.
    pub struct Image("any") {
        "Image to image" COMMON {
            /// Initial image (img2img)
            image: Option<PathBuf> => value_name: "FILE", aliases: &["init_image", "init_img"];
            /// Denoising strength: how much the image is changed, 0 to 1 [default: 0.75]
            denoise: Option<f64> => value_name: "X", min: 0.0, max: 1.0, requires: "image", aliases: &["denoising_strength", "strength"];
            /// How the image is brought to {any.size} [default: stretch]
            fit: Option<ResizeMode> => value_name: "HOW", requires: "image";
            /// Mask of the part to redraw (inpainting): white, or opaque in an image with
            /// transparency; the same size as the image
            mask: Option<PathBuf> => value_name: "FILE", requires: "image";
            /// Redraw what the mask leaves out
            invert_mask: bool => requires: "mask";
            /// Blur of the mask's edge in pixels [default: 4]
            mask_blur: Option<f64> => value_name: "X", requires: "mask";
            /// Redraw the masked part at full size and paste it back
            only_masked: bool => requires: "mask", aliases: &["inpaint_full_res"];
            /// Pixels around the masked part to include [default: 32]
            padding: Option<u32> => value_name: "N", requires: "mask", aliases: &["inpaint_full_res_padding"];
            /// Initial content of the masked part [default: original]
            fill: Option<Content> => value_name: "WHAT", requires: "mask";
        }
    }
}

options! {
    /// A second pass at a larger size.
    pub struct Hires("any") {
        "Hires pass" COMMON {
            /// Hires pass: enlarge the image by this factor and redraw it (A1111's hires fix)
            hires_scale: Option<f64> => value_name: "X", aliases: &["hr_scale"];
            /// Size of the hires pass instead of a factor; 0 for one side keeps the aspect ratio
            hires_size: Option<Sides> => value_name: "W,H", conflicts: &["hires_scale"];
            /// Sampling steps of the hires pass [default: as {any.steps}]
            hires_steps: Option<u32> => value_name: "N", aliases: &["hr_second_pass_steps"];
            /// Denoising strength of the hires pass, 0 to 1 [default: 0.7]
            hires_denoise: Option<f64> => value_name: "X", min: 0.0, max: 1.0;
            /// Upscaler: Latent, "Latent (bicubic)", "Latent (nearest-exact)", Lanczos, … [default:
            /// Latent]
            hires_upscaler: Option<String> => value_name: "NAME", aliases: &["hr_upscaler"];
            /// Sampler of the hires pass [default: {any.sampler}]
            hires_sampler: Option<String> => value_name: "NAME", aliases: &["hr_sampler_name"];
            /// Noise schedule of the hires pass [default: {any.schedule}, or {any.hires_sampler}'s
            /// own]
            hires_schedule: Option<String> => value_name: "NAME", aliases: &["hr_scheduler"];
            /// Prompt of the hires pass [default: the prompt]
            hires_prompt: Option<String> => value_name: "PROMPT", aliases: &["hr_prompt"];
            /// Negative prompt of the hires pass [default: {any.negative}]
            hires_negative: Option<String> => value_name: "PROMPT", aliases: &["hr_negative_prompt"];
        }
    }
}

choices! {
    /// What happens where a picture has another shape.
    pub enum ResizeMode {
        /// Stretch it
        Stretch = "stretch",
        /// Scale it to cover the size, and crop
        Crop = "crop",
        /// Scale it to fit into the size, and repeat its border
        Fill = "fill",
    }
}

choices! {
    /// What a masked part begins with.
    pub enum Content {
        /// The colors around it
        Fill = "fill",
        /// What is there
        Original = "original",
        /// Noise in the latents
        LatentNoise = "latent-noise",
        /// Zeros in the latents
        LatentNothing = "latent-nothing",
    }
}
