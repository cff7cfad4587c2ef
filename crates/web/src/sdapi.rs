//! A1111's API: `/sdapi/v1` and `/internal`.
mod draw;
mod fields;
mod image;
mod lists;
pub(crate) mod options;
mod progress;
mod scripts;

use crate::answer::{Answer, Refusal};
use crate::state::App;
use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use std::sync::Arc;

/// The addresses below `/sdapi/v1`.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/txt2img", post(draw::txt2img))
        .route("/img2img", post(draw::img2img))
        .route("/png-info", post(image::png_info))
        .route("/interrogate", post(unsupported))
        .route("/extra-single-image", post(unsupported))
        .route("/extra-batch-images", post(unsupported))
        .route("/progress", get(progress::progress))
        .route("/interrupt", post(progress::interrupt))
        .route("/skip", post(progress::skip))
        .route("/options", get(options::show).post(options::change))
        .route("/cmd-flags", get(lists::cmd_flags))
        .route("/samplers", get(lists::samplers))
        .route("/schedulers", get(lists::schedulers))
        .route("/upscalers", get(lists::upscalers))
        .route("/latent-upscale-modes", get(lists::latent_upscale_modes))
        .route("/sd-models", get(lists::sd_models))
        .route("/sd-vae", get(lists::sd_vae))
        .route("/embeddings", get(lists::embeddings))
        .route("/loras", get(lists::loras))
        .route("/hypernetworks", get(lists::empty))
        .route("/face-restorers", get(lists::empty))
        .route("/realesrgan-models", get(lists::empty))
        .route("/prompt-styles", get(lists::empty))
        .route("/script-info", get(lists::empty))
        .route("/scripts", get(lists::scripts))
        .route("/refresh-checkpoints", post(lists::refresh))
        .route("/refresh-embeddings", post(lists::refresh))
        .route("/refresh-loras", post(lists::refresh))
        .route("/refresh-vae", post(lists::refresh))
        .route("/unload-checkpoint", post(lists::unload))
        .route("/reload-checkpoint", post(lists::reload))
        .route("/memory", get(lists::memory))
}

/// The addresses below `/internal`.
pub(crate) fn internal() -> Router<Arc<App>> {
    Router::new().route("/ping", get(lists::ping)).route("/progress", post(progress::of_task))
}

/// An error in the form of A1111's API.
#[derive(Debug)]
pub(crate) struct Fault(Refusal);

/// A result or an error in the form of A1111's API.
type Reply = Result<Response, Fault>;

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        self.0.into_a1111()
    }
}

async fn unsupported() -> Reply {
    Err(Refusal::unfit("not supported").hint("use another program for this function").into())
}

/// Work that reads files, beside the threads that answer.
async fn blocking(work: impl FnOnce() -> Answer<serde_json::Value> + Send + 'static) -> Reply {
    Ok(crate::api::blocking(work).await?)
}
