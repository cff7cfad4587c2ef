//! Stable Diffusion 1.x: tokenizer, text encoder, UNet, VAE, samplers, generation.
#![forbid(unsafe_code)]

pub mod tokenizer;
