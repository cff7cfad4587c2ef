//! A1111's API against the demo model: the same bytes as the session draws, and errors by their form.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
mod common;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use common::{Running, demo};
use serde_json::{Value, json};
use wayword_session::request::{Base, Draw, Places, Seed, Settings, Size};
use wayword_session::{Environment, Outcome, Session};

fn images(answer: &Value) -> Vec<Vec<u8>> {
    let images = answer["images"].as_array().unwrap();
    images.iter().map(|one| BASE64.decode(one.as_str().unwrap()).unwrap()).collect()
}

fn small(prompt: &str) -> Value {
    json!({
        "prompt": prompt, "seed": 7, "steps": 3, "width": 64, "height": 64, "cfg_scale": 5,
        "sampler_name": "Euler a", "n_iter": 2,
    })
}

#[test]
fn txt2img_is_the_sessions_drawing_byte_for_byte() {
    let (server, dir) = Running::new();
    let answer = server.post("/sdapi/v1/txt2img", &small("photo of pascoe-ti"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.header("x-process-time").unwrap().parse::<f64>().unwrap() > 0.0);
    let got = answer.json();

    let draw = Draw {
        prompt: Some("photo of pascoe-ti".into()),
        base: Base { base: Some(demo().join("wayword-mini.safetensors")), ..Base::default() },
        places: Places { embeddings: vec![demo().join("words")], ..Places::default() },
        settings: Settings {
            seed: serde_json::from_value::<Option<Seed>>(json!(7)).unwrap(),
            steps: Some(3),
            cfg: Some(5.0),
            sampler: Some("Euler a".into()),
            size: serde_json::from_value::<Option<Size>>(json!([64, 64])).unwrap(),
            ..Settings::default()
        },
        count: Some(2),
        out: dir.path().join("same"),
        ..Draw::default()
    };
    let outcome = Session::new(Environment::default()).submit(draw).wait().unwrap();
    let Outcome::Draw(files) = &*outcome else { panic!("a drawing gives pictures") };
    let want: Vec<Vec<u8>> = files.iter().map(|path| std::fs::read(path).unwrap()).collect();
    assert_eq!(images(&got), want);

    let info: Value = serde_json::from_str(got["info"].as_str().unwrap()).unwrap();
    assert_eq!(info["all_seeds"], json!([7, 8]));
    assert_eq!(info["sampler_name"], "Euler a");
    assert_eq!((&info["width"], &info["steps"]), (&json!(64), &json!(3)));
    assert!(info["infotexts"][1].as_str().unwrap().contains("TI hashes: \"pascoe-ti"));
    // Nothing is left of what the answer needed.
    let left = std::fs::read_dir(dir.path().join("out/.wayword/temporary")).unwrap().count();
    assert_eq!(left, 0);
}

#[test]
fn img2img_begins_with_the_image_and_png_info_reads_it_back() {
    let (server, _dir) = Running::new();
    let mut first = small("photo of a woman");
    first["n_iter"] = json!(1);
    first["save_images"] = json!(true);
    let first = server.post("/sdapi/v1/txt2img", &first).json();
    let image = first["images"][0].as_str().unwrap();
    assert_eq!(server.get("/api/v1/pictures").json()["pictures"].as_array().unwrap().len(), 1);

    let info = server.post("/sdapi/v1/png-info", &json!({ "image": image })).json();
    assert!(info["info"].as_str().unwrap().starts_with("photo of a woman\n"), "{info}");
    assert_eq!(info["parameters"]["Seed"], "7");

    let mut again = small("photo of a woman");
    again["n_iter"] = json!(1);
    again["init_images"] = json!([format!("data:image/png;base64,{image}")]);
    again["denoising_strength"] = json!(0.0);
    // What a popular client sends along.
    again["image_cfg_scale"] = json!(1.5);
    again["initial_noise_multiplier"] = json!(1);
    let answer = server.post("/sdapi/v1/img2img", &again);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let same = images(&answer.json());
    assert_eq!(same.len(), 1);
    again["denoising_strength"] = json!(0.9);
    let answer = server.post("/sdapi/v1/img2img", &again).json();
    assert_ne!(images(&answer), same, "the strength counts");
    assert_eq!(answer["parameters"]["init_images"], Value::Null);
    again["mask"] = json!(image);
    assert_eq!(server.post("/sdapi/v1/img2img", &again).status, 200);
}

#[test]
fn several_images_to_begin_with_are_drawn_as_a_batch() {
    let (server, _dir) = Running::new();
    let mut body = small("photo of a woman");
    let first = server.post("/sdapi/v1/txt2img", &body).json();
    body["init_images"] = first["images"].clone();
    body["denoising_strength"] = json!(0.6);
    body["batch_size"] = json!(2);
    let all = server.post("/sdapi/v1/img2img", &body).json();
    let info: Value = serde_json::from_str(all["info"].as_str().unwrap()).unwrap();
    assert_eq!(info["all_seeds"], json!([7, 8, 9, 10]), "two rounds of two images");
    let all = images(&all);
    let alone = |image: usize, seed: i64| {
        let mut body = body.clone();
        body["init_images"] = json!([first["images"][image]]);
        (body["seed"], body["batch_size"], body["n_iter"]) = (json!(seed), json!(1), json!(1));
        images(&server.post("/sdapi/v1/img2img", &body).json()).remove(0)
    };
    let want = [(0, 7), (1, 8), (0, 9), (1, 10)].map(|(image, seed)| alone(image, seed));
    assert_eq!(all, want);
    body["batch_size"] = json!(1);
    let refused = server.post("/sdapi/v1/img2img", &body);
    assert_eq!(refused.status, 422, "{}", refused.text());
    assert!(refused.json()["detail"].as_str().unwrap().starts_with("init_images"));
}

#[test]
fn what_cannot_be_done_is_said_in_a1111s_form() {
    let (server, _dir) = Running::new();
    let refused = |path: &str, body: Value, status: u16, word: &str| {
        let answer = server.post(&format!("/sdapi/v1/{path}"), &body);
        assert_eq!(answer.status, status, "{path} {body}: {}", answer.text());
        let told = answer.json();
        for key in ["error", "detail", "body", "errors"] {
            assert!(told.get(key).is_some(), "{told}");
        }
        let text = format!("{} {}", told["detail"], told["errors"]);
        assert!(text.contains(word), "{word} is not in {text}");
    };
    let with = |name: &str, value: Value| {
        let mut body = small("a");
        body[name] = value;
        body
    };
    refused("txt2img", with("sampler_name", json!("Eulr")), 400, "DPM++ 2M");
    refused("txt2img", with("scheduler", json!("nope")), 400, "Karras");
    refused("txt2img", with("alwayson_scripts", json!({ "ADetailer": {} })), 422, "ADetailer");
    let unknown = json!({ "Dynamic": { "args": [1] } });
    refused("txt2img", with("alwayson_scripts", unknown), 422, "there is no script Dynamic");
    let restored = json!({ "ADetailer": { "args": [{ "ad_model": "face_yolov8n.pt", "ad_restore_face": true }] } });
    refused("txt2img", with("alwayson_scripts", restored), 422, "ad_restore_face");
    refused("txt2img", with("script_name", json!("X/Y/Z plot")), 422, "X/Y/Z plot");
    refused("txt2img", with("restore_faces", json!(true)), 422, "restore_faces");
    refused("txt2img", with("steps", json!("many")), 422, "steps");
    refused("txt2img", with("steps", json!(1e300)), 422, "steps");
    refused("txt2img", with("prompt", json!(5)), 422, "prompt");
    refused("txt2img", with("width", json!(63)), 422, "multiple");
    refused("txt2img", with("width", json!(100_000)), 422, "width");
    refused("txt2img", with("override_settings", json!({ "sd_vae": "x" })), 422, "sd_vae");
    refused("img2img", with("init_images", json!([])), 404, "init_images");
    refused("img2img", with("init_images", json!(["@@@"])), 400, "base64");
    let text = BASE64.encode("no picture");
    refused("img2img", with("init_images", json!([text])), 422, "init_images");
    refused("png-info", json!({ "image": "%" }), 400, "base64");
    refused("interrogate", json!({ "image": "" }), 422, "not supported");
    refused("options", json!({ "sd_model_checkpoint": "other" }), 500, "other");
    refused("options", json!({ "samples_format": "gif" }), 422, "samples_format");
    refused("nothing", json!({}), 404, "nothing");
}

#[test]
fn lists_and_settings_have_the_forms_that_clients_read() {
    let (server, dir) = Running::new();
    let get = |path: &str| {
        let answer = server.get(&format!("/sdapi/v1/{path}"));
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()
    };
    let models = get("sd-models");
    assert_eq!(models[0]["model_name"], "wayword-mini", "{models}");
    assert_eq!(
        models.as_array().unwrap().len(),
        1,
        "embeddings and LoRAs are not listed: {models}"
    );
    let title = models[0]["title"].clone();
    assert_eq!(get("options")["sd_model_checkpoint"], title);
    let embeddings = get("embeddings");
    assert_eq!(embeddings["loaded"]["pascoe-ti"]["vectors"], 1, "{embeddings}");
    let loras = get("loras");
    assert!(loras.as_array().unwrap().iter().any(|one| one["name"] == "tamsyn-lora"), "{loras}");
    assert_eq!(get("samplers")[0]["name"], "DPM++ 2M");
    assert_eq!(get("schedulers")[2]["default_rho"], 7.0);
    assert_eq!(get("scripts"), json!({ "txt2img": [], "img2img": [] }));
    for empty in ["hypernetworks", "face-restorers", "realesrgan-models", "prompt-styles"] {
        assert_eq!(get(empty), json!([]));
    }
    for path in ["upscalers", "latent-upscale-modes", "sd-vae", "cmd-flags", "memory"] {
        get(path);
    }
    assert_eq!(get("progress")["progress"], 0.0);
    for path in [
        "refresh-checkpoints",
        "refresh-embeddings",
        "refresh-loras",
        "refresh-vae",
        "unload-checkpoint",
        "reload-checkpoint",
        "interrupt",
        "skip",
    ] {
        assert_eq!(server.post(&format!("/sdapi/v1/{path}"), &json!({})).status, 200, "{path}");
    }
    // Settings that are sent back as they were got, with one changed, are kept.
    let mut all = get("options");
    all["CLIP_stop_at_last_layers"] = json!(2);
    assert_eq!(server.post("/sdapi/v1/options", &all).status, 200);
    assert_eq!(get("options")["CLIP_stop_at_last_layers"], 2);
    drop(server);
    let server = Running::start(&common::options(dir.path()));
    let options = server.get("/sdapi/v1/options").json();
    assert_eq!(options["CLIP_stop_at_last_layers"], 2, "they outlive the server");
    let none = server.post("/internal/progress", &json!({ "id_task": "x" })).json();
    assert_eq!(none["active"], false);
    assert_eq!(server.get("/internal/ping").status, 200);
}

#[test]
fn a_vae_of_any_folder_that_drawing_searches_is_listed_and_can_be_set() {
    let dir = common::Folder::new();
    let folder = dir.path().join("webui/models/VAE");
    std::fs::create_dir_all(&folder).unwrap();
    let vae = demo().parent().unwrap().join("golden/tiny-model/vae2_ldm.safetensors");
    std::fs::copy(vae, folder.join("warm.vae.safetensors")).unwrap();
    std::fs::copy(demo().join("words/pascoe-ti.safetensors"), folder.join("no-vae.safetensors"))
        .unwrap();
    let mut options = common::options(dir.path());
    options.models.push(dir.path().join("webui"));
    let server = Running::start(&options);
    let vaes = server.get("/sdapi/v1/sd-vae").json();
    let names: Vec<&str> =
        vaes.as_array().unwrap().iter().map(|one| one["model_name"].as_str().unwrap()).collect();
    assert_eq!(names, ["warm.vae.safetensors"]);
    let set = json!({ "sd_vae": "warm.vae.safetensors" });
    assert_eq!(server.post("/sdapi/v1/options", &set).status, 200);
    assert_eq!(server.get("/sdapi/v1/options").json()["sd_vae"], "warm.vae.safetensors");
}

#[test]
fn an_interrupted_drawing_answers_with_what_is_done() {
    let (server, _dir) = Running::new();
    let mut body = small("a");
    body["n_iter"] = json!(100);
    body["steps"] = json!(20);
    body["force_task_id"] = json!("task-1");
    std::thread::scope(|scope| {
        let drawing = scope.spawn(|| server.post("/sdapi/v1/txt2img", &body));
        loop {
            let told = server.get("/sdapi/v1/progress").json();
            let done = told["state"]["job_no"].as_u64().unwrap() > 0;
            let named = server.post("/internal/progress", &json!({ "id_task": "task-1" })).json();
            if done && named["active"] == true {
                assert!(told["progress"].as_f64().unwrap() > 0.0, "{told}");
                break;
            }
            assert_ne!(named["completed"], true, "it was too fast to be interrupted");
        }
        server.post("/sdapi/v1/interrupt", &json!({}));
        let answer = drawing.join().unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        let count = images(&answer.json()).len();
        assert!((1..100).contains(&count), "{count}");
    });
}

#[test]
fn a_skipped_image_ends_early_and_the_next_ones_are_whole() {
    let (server, _dir) = Running::new();
    let mut body = small("photo of a woman");
    (body["steps"], body["n_iter"]) = (json!(120), json!(3));
    let skipped = std::thread::scope(|scope| {
        let drawing = scope.spawn(|| server.post("/sdapi/v1/txt2img", &body));
        loop {
            let state = server.get("/sdapi/v1/progress").json()["state"].clone();
            assert_eq!(state["job_no"], 0, "it was too fast to be skipped");
            if state["sampling_step"].as_u64().unwrap() > 0 {
                break;
            }
        }
        assert_eq!(server.post("/sdapi/v1/skip", &json!({})).status, 200);
        images(&drawing.join().unwrap().json())
    });
    assert_eq!(skipped.len(), 3, "the skipped one is there as far as it was");
    (body["seed"], body["n_iter"]) = (json!(8), json!(2));
    let whole = images(&server.post("/sdapi/v1/txt2img", &body).json());
    assert_eq!(skipped[1..], whole, "the next ones are those of a drawing without a skip");
    (body["seed"], body["n_iter"]) = (json!(7), json!(1));
    let first = images(&server.post("/sdapi/v1/txt2img", &body).json());
    assert_ne!(skipped[..1], first);
    assert_eq!(server.get("/sdapi/v1/progress").json()["state"]["skipped"], false);
}

#[test]
fn adetailer_is_the_face_detailer() {
    let (server, _dir) = Running::new();
    let mut body = small("photo of a woman");
    let told = |body: &Value| server.post("/sdapi/v1/txt2img", body);
    let off = json!({ "ADetailer": { "args": [false, { "ad_model": "face_yolov8n.pt" }] } });
    for scripts in [json!({ "ControlNet": { "args": [] } }), off] {
        body["alwayson_scripts"] = scripts;
        assert_eq!(told(&body).status, 200, "{body}");
    }
    let tab = json!({ "ad_model": "face_yolov8n.pt", "ad_confidence": 0.5, "ad_mask_blur": 8 });
    body["alwayson_scripts"] = json!({ "ADetailer": { "args": [true, false, tab] } });
    let answer = told(&body);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let info: Value = serde_json::from_str(answer.json()["info"].as_str().unwrap()).unwrap();
    assert!(info["seed"].is_number(), "{info}");
    // A second tab runs on what the first left; one that is switched off does not count.
    let tabs = json!([
        true,
        false,
        { "ad_model": "face_yolov8n.pt" },
        { "ad_model": "face_yolov8n.pt", "ad_tab_enable": false },
        { "ad_model": "face_yolov8s.pt", "ad_confidence": 0.7, "ad_prompt": "[PROMPT], old" },
    ]);
    body["alwayson_scripts"] = json!({ "ADetailer": { "args": tabs } });
    let answer = told(&body);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let info: Value = serde_json::from_str(answer.json()["info"].as_str().unwrap()).unwrap();
    let text = info["infotexts"][0].as_str().unwrap();
    assert!(text.contains("ADetailer confidence 2nd: 0.7"), "{text}");
    assert!(text.contains("ADetailer prompt 2nd: \"[PROMPT], old\""), "{text}");
    assert!(!text.contains("3rd"), "{text}");
}
