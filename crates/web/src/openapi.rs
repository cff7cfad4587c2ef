//! The OpenAPI document of both APIs.
use crate::answer::json_response;
use axum::response::Response;
use serde_json::{Map, Value, json};
use wayword_session::Request;

/// `GET /openapi.json`.
pub(crate) async fn answer() -> Response {
    json_response(&document())
}

/// A type of a field.
fn of(kind: &str) -> Value {
    // What a client leaves out may also be null.
    json!({ "type": [kind, "null"] })
}

/// Fields of a type.
fn fields(kind: &str, names: &[&str]) -> Map<String, Value> {
    names.iter().map(|name| ((*name).to_owned(), of(kind))).collect()
}

/// The fields of a drawing by A1111's API.
fn drawing(from_image: bool) -> Value {
    let mut all = fields(
        "string",
        &[
            "prompt",
            "negative_prompt",
            "sampler_name",
            "sampler_index",
            "scheduler",
            "script_name",
            "force_task_id",
        ],
    );
    all.extend(fields("integer", &["seed", "subseed", "batch_size", "n_iter", "steps"]));
    all.extend(fields("integer", &["width", "height"]));
    all.extend(fields("number", &["subseed_strength", "cfg_scale", "eta", "denoising_strength"]));
    all.extend(fields(
        "boolean",
        &[
            "send_images",
            "save_images",
            "override_settings_restore_afterwards",
            "restore_faces",
            "tiling",
        ],
    ));
    all.extend(fields("object", &["override_settings", "alwayson_scripts"]));
    if from_image {
        let images = json!({ "type": "array", "items": { "type": "string" } });
        all.insert("init_images".into(), images);
        all.extend(fields("string", &["mask"]));
        all.extend(fields(
            "integer",
            &["resize_mode", "mask_blur", "inpainting_fill", "inpaint_full_res_padding"],
        ));
        all.extend(fields("boolean", &["inpaint_full_res", "inpainting_mask_invert"]));
    } else {
        all.extend(fields("boolean", &["enable_hr"]));
        all.extend(fields("number", &["hr_scale"]));
        all.extend(fields("integer", &["hr_second_pass_steps", "hr_resize_x", "hr_resize_y"]));
        all.extend(fields(
            "string",
            &["hr_upscaler", "hr_sampler_name", "hr_scheduler", "hr_prompt", "hr_negative_prompt"],
        ));
    }
    json!({ "type": "object", "properties": all })
}

/// A request of `/api/v1`: the options of one of the commands.
fn requests() -> Value {
    let each = Request::COMMANDS.iter().filter_map(|command| {
        let mut schema = Request::schema(command)?;
        let map = schema.as_object_mut()?;
        map.remove("$schema");
        map.get_mut("properties")?
            .as_object_mut()?
            .insert("command".into(), json!({ "const": command }));
        let required = map.entry("required").or_insert_with(|| json!([]));
        required.as_array_mut()?.push(json!("command"));
        Some(schema)
    });
    json!({ "oneOf": each.collect::<Vec<_>>() })
}

/// An operation.
struct Operation {
    method: &'static str,
    path: &'static str,
    about: &'static str,
    body: Option<Value>,
    kind: &'static str,
}

impl Operation {
    fn to_json(&self) -> Value {
        let is_ours = self.path.starts_with("/api/") || !self.path.contains("/v1");
        let error = if is_ours { "Diagnostic" } else { "A1111Error" };
        let refused = json!({
            "description": "why not",
            "content": { "application/json": {
                "schema": { "$ref": format!("#/components/schemas/{error}") } } },
        });
        let content = json!({ self.kind: { "schema": {} } });
        let done = json!({ "description": self.about, "content": content });
        let mut told = json!({
            "summary": self.about,
            "responses": { "200": done, "4XX": refused.clone(), "5XX": refused },
        });
        if self.path == "/api/v1/jobs" && self.method == "post" {
            told["responses"]["202"] = done_job();
        }
        if let Some(body) = &self.body {
            let is_file = body["format"] == "binary";
            let kind = if is_file { "application/octet-stream" } else { "application/json" };
            told["requestBody"] =
                json!({ "required": true, "content": { kind: { "schema": body } } });
        }
        let mut names: Vec<Value> = self
            .path
            .split('{')
            .skip(1)
            .filter_map(|rest| rest.split('}').next())
            .map(|name| {
                json!({
                    "name": name, "in": "path", "required": true, "schema": { "type": "string" },
                })
            })
            .collect();
        if self.path.ends_with("/events") {
            names.push(json!({
                "name": "Last-Event-ID", "in": "header", "schema": { "type": "integer" },
                "description": "how many events were seen",
            }));
        }
        if self.path == "/sdapi/v1/progress" {
            names.push(json!({
                "name": "skip_current_image", "in": "query", "schema": { "type": "boolean" },
            }));
        }
        if !names.is_empty() {
            told["parameters"] = names.into();
        }
        told
    }
}

fn done_job() -> Value {
    json!({
        "description": "the job", "content": { "application/json": { "schema": { "type": "object" } } },
    })
}

/// A request of texts that must all be given.
fn texts(names: &[&str]) -> Value {
    let fields: Map<String, Value> =
        names.iter().map(|name| ((*name).to_owned(), json!({ "type": "string" }))).collect();
    json!({ "type": "object", "properties": fields, "required": names })
}

/// All operations.
fn operations() -> Vec<Operation> {
    let get = |path, about| Operation {
        method: "get",
        path,
        about,
        body: None,
        kind: "application/json",
    };
    let post = |path, about, body| Operation {
        method: "post",
        path,
        about,
        body: Some(body),
        kind: "application/json",
    };
    let act = |path, about| Operation {
        method: "post",
        path,
        about,
        body: None,
        kind: "application/json",
    };
    let object = || json!({ "type": "object" });
    let image = || json!({ "type": "object", "properties": { "image": { "type": "string" } } });
    let mut all = vec![
        get("/api/v1/server", "version, folders, default base"),
        get("/api/v1/names", "names of samplers, schedules, upscalers"),
        get("/api/v1/schema/{command}", "JSON schema of a command's options"),
        post("/api/v1/as-text", "a request as command line and TOML", requests()),
        get("/api/v1/jobs", "all jobs"),
        post("/api/v1/jobs", "submit a request", requests()),
        get("/api/v1/jobs/{id}", "state, progress and result of a job"),
        act("/api/v1/jobs/{id}/stop", "stop a job"),
        act(
            "/api/v1/jobs/{id}/skip",
            "end the present images of a drawing or cell of a grid, go on with the next",
        ),
        act("/api/v1/jobs/{id}/forget", "list an interrupted job of an earlier server no more"),
        get("/api/v1/jobs/{id}/result", "the result of a job"),
        get("/api/v1/library", "checkpoints, embeddings, LoRAs, wildcards"),
        act("/api/v1/library/rescan", "look through the folders again"),
        post(
            "/api/v1/library/rename",
            "rename an embedding, file and name within",
            texts(&["path", "name"]),
        ),
        post("/api/v1/library/delete", "move an embedding to the trash", texts(&["path"])),
        post("/api/v1/library/restore", "move it back", texts(&["undo"])),
        post("/api/v1/kohya", "a file of kohya's options in ours", object()),
        get("/api/v1/devices", "devices that can compute"),
        get("/api/v1/runs", "runs in the folder for output"),
        get("/api/v1/runs/{run}", "a run with its curves and files"),
        get("/api/v1/pictures", "drawings with their settings"),
        get("/api/v1/uploads/{set}", "the images of a set"),
        get("/api/v1/prepared/{folder}", "what is done with photos that were prepared"),
        post("/sdapi/v1/txt2img", "draw from a prompt", drawing(false)),
        post("/sdapi/v1/img2img", "draw from an image", drawing(true)),
        post("/sdapi/v1/png-info", "settings in an image", image()),
        post("/sdapi/v1/interrogate", "not supported", image()),
        post("/sdapi/v1/extra-single-image", "not supported", image()),
        get("/sdapi/v1/progress", "how far the drawing is"),
        act("/sdapi/v1/interrupt", "end the drawing"),
        act("/sdapi/v1/skip", "end the present images, go on with the next"),
        get("/sdapi/v1/options", "settings"),
        post("/sdapi/v1/options", "change settings", object()),
        act("/sdapi/v1/unload-checkpoint", "free the memory of bases that no job uses"),
        act("/sdapi/v1/reload-checkpoint", "does nothing: the next drawing loads the base"),
        get("/internal/ping", "whether the server answers"),
        post("/internal/progress", "how far a named drawing is", object()),
    ];
    for (path, about) in LISTS {
        all.push(get(path, about));
    }
    let sides = json!({ "type": ["array", "null"], "items": { "type": "integer", "minimum": 0 },
        "minItems": 4, "maxItems": 4 });
    let choice = json!({ "type": "object", "required": ["turn", "keep"], "properties": {
        "turn": { "enum": [0, 90, 180, 270] }, "keep": { "type": "boolean" }, "crop": sides,
    } });
    for path in REFRESH {
        all.push(act(path, "look through the folders again"));
    }
    all.push(Operation {
        kind: "text/event-stream",
        ..get("/api/v1/jobs/{id}/events", "events of a job, then one named `end`")
    });
    all.push(Operation { kind: "application/octet-stream", ..get("/files/{path}", "a file") });
    all.push(Operation {
        kind: "image/*",
        ..get("/api/v1/library/preview/{kind}/{name}", "the image of a file of the library")
    });
    all.push(Operation {
        kind: "application/octet-stream",
        ..get("/api/v1/photos/{image}", "the photo from which an image is made")
    });
    all.push(Operation {
        method: "put",
        body: Some(json!({ "type": "object", "additionalProperties": choice })),
        ..get(
            "/api/v1/prepared/{folder}",
            "change what is done with photos, by their images' files",
        )
    });
    all.push(Operation {
        method: "put",
        body: Some(json!({ "type": "string", "format": "binary" })),
        ..get("/api/v1/uploads/{set}/{name}", "add an image or a caption to a set")
    });
    all
}

const REFRESH: [&str; 4] = [
    "/sdapi/v1/refresh-checkpoints",
    "/sdapi/v1/refresh-embeddings",
    "/sdapi/v1/refresh-loras",
    "/sdapi/v1/refresh-vae",
];

const LISTS: [(&str, &str); 16] = [
    ("/sdapi/v1/cmd-flags", "how the server was started"),
    ("/sdapi/v1/samplers", "samplers"),
    ("/sdapi/v1/schedulers", "schedules"),
    ("/sdapi/v1/upscalers", "upscalers of pixels"),
    ("/sdapi/v1/latent-upscale-modes", "upscalers of latents"),
    ("/sdapi/v1/sd-models", "checkpoints"),
    ("/sdapi/v1/sd-vae", "VAE files"),
    ("/sdapi/v1/embeddings", "embeddings"),
    ("/sdapi/v1/loras", "LoRAs"),
    ("/sdapi/v1/hypernetworks", "always empty"),
    ("/sdapi/v1/face-restorers", "always empty"),
    ("/sdapi/v1/realesrgan-models", "always empty"),
    ("/sdapi/v1/prompt-styles", "always empty"),
    ("/sdapi/v1/scripts", "always empty"),
    ("/sdapi/v1/script-info", "always empty"),
    ("/sdapi/v1/memory", "memory of the machine"),
];

/// The document.
fn document() -> Value {
    let mut paths = Map::new();
    for operation in operations() {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[operation.method] = operation.to_json();
    }
    let text = || json!({ "type": "string" });
    let maybe = || json!({ "type": ["string", "null"] });
    json!({
        "openapi": "3.1.0",
        "info": { "title": "wayword", "version": env!("CARGO_PKG_VERSION") },
        "paths": paths,
        "components": { "schemas": {
            "Diagnostic": { "type": "object", "required": ["message"], "properties": {
                "message": text(), "hint": maybe(), "field": maybe(),
                "causes": { "type": "array", "items": text() },
            } },
            "A1111Error": { "type": "object", "required": ["error", "detail"], "properties": {
                "error": text(), "detail": text(), "body": text(), "errors": text(),
            } },
        } },
    })
}
