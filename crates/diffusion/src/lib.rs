//! Stable Diffusion 1.x: tokenizer, text encoder, UNet, VAE, samplers, generation.
#![forbid(unsafe_code)]

pub mod adapters;
pub mod base;
pub mod embeddings;
mod error;
mod event;
pub mod forecast;
pub mod generate;
pub mod hires;
pub mod measure;
pub mod pictures;
pub mod pixels;
pub mod plan;
pub mod repeat;
mod report;
mod resnet;
pub mod synthetic;
pub mod text_encoder;
pub mod unet;
pub mod vae;
mod weights;

pub mod brownian;
pub mod conditioning;
pub mod detail;
pub mod image_rng;
pub mod img2img;
pub mod noise;
pub mod samplers;
pub mod sigmas;
pub mod tokenizer;

pub use adapters::{AdapterGuard, JobSize, Loras, Network};
pub use base::{Base, BaseInfo, BaseOptions, Prediction};
pub use embeddings::{Embeddings, LoadedEmbedding};
pub use error::{Error, Result};
pub use event::Event;
pub use generate::{Picture, draw};
pub use plan::{DrawPlan, DrawSettings};
pub use report::{LoadReport, Missing, WrongShape};
pub use resnet::Resnet;
pub use text_encoder::TextEncoder;
pub use unet::Unet;
pub use vae::Vae;
/// Instruction sets, for [`CpuOptions::level`].
pub use wayword_tensor::Level;
/// Where a base is loaded to, for callers that know no tensors.
pub use wayword_tensor::random::NoiseKind;
pub use wayword_tensor::{CpuOptions, Device, DeviceInfo, DeviceOptions, Memory, Precision};
pub use wayword_tensor::{cpu, devices, find_device, profiling};
