//! Settings of A1111's API: those that can be set, kept in the folder for output.
use super::fields::{Fields, unfit};
use super::{Reply, blocking};
use crate::answer::{Answer, IMAGE_BODY, Refusal, json_response, object};
use crate::sdapi::lists;
use crate::state::App;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use wayword_formats::atomic::write_bytes;
use wayword_interface::options::Values;

/// What can be set. A request's `override_settings` change a copy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Stored {
    /// The base that was chosen.
    pub(crate) checkpoint: Option<PathBuf>,
    /// A VAE's file, `Automatic`, or `None`: the checkpoint's own.
    pub(crate) vae: String,
    pub(crate) clip_skip: i64,
    /// As A1111 spells it.
    pub(crate) emphasis: String,
    /// `CPU` or `NV`.
    pub(crate) noise: String,
    pub(crate) ensd: i64,
    /// Sampler steps from one live preview to the next; 0: none.
    pub(crate) preview_every: i64,
}

impl Default for Stored {
    fn default() -> Self {
        Self {
            checkpoint: None,
            vae: "Automatic".into(),
            clip_skip: 1,
            emphasis: "Original".into(),
            noise: "CPU".into(),
            ensd: 0,
            preview_every: 10,
        }
    }
}

/// A1111's names of emphasis modes, and ours.
pub(super) const EMPHASIS: [(&str, &str); 4] =
    [("None", "none"), ("Ignore", "ignore"), ("Original", "original"), ("No norm", "no-norm")];

fn file(out: &Path) -> PathBuf {
    out.join(".wayword/options.json")
}

impl Stored {
    /// Those of the last server; the usual ones where they cannot be read.
    pub(crate) fn read(out: &Path) -> Self {
        let bytes = std::fs::read(file(out)).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    fn write(&self, out: &Path) -> Answer<()> {
        let bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        write_bytes(&file(out), &bytes).map_err(|error| {
            let text = format!("cannot write the options: {error}");
            Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, text)
        })
    }

    /// Sets what is named; values that change nothing are accepted for all names.
    ///
    /// # Errors
    /// If a value cannot be used, or a setting that is not here is to change.
    pub(super) fn set(&mut self, app: &App, values: Values) -> Answer<()> {
        let shown = self.show(app);
        let mut fields = Fields::new(values);
        if let Some(name) = fields.filled("sd_model_checkpoint")? {
            let found = lists::checkpoint(app, &name).ok_or_else(|| {
                // A1111 answers so, and clients rely on it.
                let text = format!("sd_model_checkpoint: there is no checkpoint {name}");
                Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, text)
                    .hint("take a title of /sdapi/v1/sd-models")
            })?;
            self.checkpoint = Some(found);
        }
        if let Some(name) = fields.filled("sd_vae")? {
            let known = ["Automatic", "None"].contains(&name.as_str());
            if !known && lists::vae(app, &name).is_none() {
                return Err(Refusal::unfit(format!("sd_vae: there is no VAE {name}"))
                    .hint("take a name of /sdapi/v1/sd-vae, Automatic or None"));
            }
            self.vae = name;
        }
        if let Some(skip) = fields.whole("CLIP_stop_at_last_layers", 1, 12)? {
            self.clip_skip = skip;
        }
        if let Some(name) = fields.filled("emphasis")? {
            let known = EMPHASIS.iter().find(|(known, _)| known.eq_ignore_ascii_case(&name));
            let known = known.ok_or_else(|| {
                unfit("emphasis", "None, Ignore, Original or No norm", &name.clone().into())
            })?;
            self.emphasis = known.0.into();
        }
        if let Some(name) = fields.filled("randn_source")? {
            let known = ["CPU", "NV"].into_iter().find(|known| known.eq_ignore_ascii_case(&name));
            let known = known.ok_or_else(|| {
                unfit("randn_source", "CPU or NV", &name.clone().into())
                    .hint("use NV for the random numbers of an NVIDIA card")
            })?;
            self.noise = known.into();
        }
        if let Some(delta) = fields.whole("eta_noise_seed_delta", -(1 << 53), 1 << 53)? {
            self.ensd = delta;
        }
        if let Some(every) = fields.whole("show_progress_every_n_steps", -1, 1000)? {
            self.preview_every = every.max(0);
        }
        // A client may send all settings back as it got them.
        let same = shown.as_object().cloned().unwrap_or_default();
        for (name, value) in same {
            if let Some(given) = fields.take(&name)
                && given != value
            {
                return Err(unfit(&name, &value.to_string(), &given));
            }
        }
        fields.rest()
    }

    /// All settings.
    fn show(&self, app: &App) -> Value {
        let checkpoint = self.checkpoint.clone().or_else(|| app.base());
        let (title, sha256) = match &checkpoint {
            Some(path) => (Some(lists::title(app, path)), app.session.known_hash(path)),
            None => (None, None),
        };
        json!({
            "sd_model_checkpoint": title, "sd_checkpoint_hash": sha256, "sd_vae": self.vae,
            "CLIP_stop_at_last_layers": self.clip_skip, "emphasis": self.emphasis,
            "randn_source": self.noise, "eta_noise_seed_delta": self.ensd,
            "show_progress_every_n_steps": self.preview_every, "samples_format": "png",
            "samples_save": false, "enable_pnginfo": true, "live_previews_enable": true,
        })
    }
}

/// The settings as they are.
pub(super) fn current(app: &App) -> Stored {
    app.options.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Keeps settings.
pub(super) fn keep(app: &App, stored: Stored) -> Answer<()> {
    stored.write(&app.opened.out)?;
    *app.options.lock().unwrap_or_else(PoisonError::into_inner) = stored;
    Ok(())
}

/// `GET /sdapi/v1/options`.
pub(super) async fn show(State(app): State<Arc<App>>) -> Reply {
    blocking(move || Ok(current(&app).show(&app))).await
}

/// `POST /sdapi/v1/options`.
pub(super) async fn change(State(app): State<Arc<App>>, headers: HeaderMap, body: Body) -> Reply {
    let values = object(&headers, body, IMAGE_BODY).await?;
    let mut stored = current(&app);
    stored.set(&app, values)?;
    keep(&app, stored)?;
    Ok(json_response(&Value::Null))
}
