//! `txt2img` and `img2img`: a drawing's request from the fields of A1111's API, and its answer.
use super::fields::{Fields, unfit};
use super::image::decode;
use super::options::{self, EMPHASIS, Stored};
use super::{Fault, Reply, lists, scripts};
use crate::answer::{Answer, IMAGE_BODY, Refusal, json_response, object};
use crate::confine;
use crate::state::App;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use wayword_formats::picture_text;
use wayword_interface::options::Values;
use wayword_session::{Outcome, Request, lists as names};

/// How often a drawing is looked at.
const PAUSE: Duration = Duration::from_millis(15);

/// `POST /sdapi/v1/txt2img`.
pub(super) async fn txt2img(State(app): State<Arc<App>>, headers: HeaderMap, body: Body) -> Reply {
    draw(app, object(&headers, body, IMAGE_BODY).await?, false).await
}

/// `POST /sdapi/v1/img2img`.
pub(super) async fn img2img(State(app): State<Arc<App>>, headers: HeaderMap, body: Body) -> Reply {
    draw(app, object(&headers, body, IMAGE_BODY).await?, true).await
}

/// A folder for the files of one answer, removed with it.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What is known of a drawing before it begins.
struct Asked {
    /// One, or one for each image of several to begin with.
    requests: Vec<Request>,
    task: Option<String>,
    send_images: bool,
    save_images: bool,
    echo: Values,
}

async fn draw(app: Arc<App>, values: Values, from_image: bool) -> Reply {
    // A client that goes away does not end the drawing: others wait for the same queue.
    let work = tokio::spawn(async move {
        let id = format!("{}-{}", crate::state::now_ms(), wayword_session::random_seed());
        let folder = Temporary(app.opened.out.join(".wayword/temporary").join(id));
        let (asking, place) = (Arc::clone(&app), folder.0.clone());
        let asked = run(move || {
            std::fs::create_dir_all(&place)
                .map_err(|e| internal(&format!("cannot make a folder: {e}")))?;
            ask(&asking, values, from_image, &place)
        })
        .await?;
        let Asked { requests, task, send_images, save_images, echo } = asked;
        let mut files = Vec::new();
        for request in requests {
            let entry = app.submit(request, task.clone(), true)?;
            while !entry.job.state().is_over() {
                tokio::time::sleep(PAUSE).await;
            }
            match entry.job.result() {
                Some(Ok(outcome)) => {
                    if let Outcome::Draw(done) = &*outcome {
                        files.extend(done.iter().cloned());
                    }
                }
                // What was done until the stop is the answer.
                Some(Err(failure)) if failure.is_stop() => {
                    files = pictures(&folder.0);
                    break;
                }
                Some(Err(failure)) => return Err(failure.into()),
                None => {}
            }
        }
        run(move || answer(&app, &files, echo, send_images, save_images)).await
    });
    match work.await {
        Ok(done) => Ok(json_response(&done?)),
        Err(_) => Err(Fault(internal("a fault of this program"))),
    }
}

fn internal(text: &str) -> Refusal {
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, text)
}

/// Work with files, beside the threads that answer.
async fn run<T: Send + 'static>(work: impl FnOnce() -> Answer<T> + Send + 'static) -> Answer<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(_) => Err(internal("a fault of this program")),
    }
}

/// The drawings in a folder; what a client sent lies there too, under other names.
fn pictures(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    files.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(|c: char| c.is_ascii_digit()) && name.ends_with(".png")
    });
    files.sort();
    files
}

/// The request of a drawing; images that were sent become files in `folder`.
fn ask(app: &App, values: Values, from_image: bool, folder: &Path) -> Answer<Asked> {
    let mut echo = values.clone();
    let mut fields = Fields::new(values);
    let f = &mut fields;
    let mut own = json!({ "command": "draw", "out": "pictures" });
    own["prompt"] = f.text("prompt")?.unwrap_or_default().into();
    own["negative"] = f.filled("negative_prompt")?.into();
    own["seed"] = f.whole("seed", -1, i64::MAX)?.unwrap_or(-1).into();
    let subseed = f.whole("subseed", -1, i64::MAX)?.unwrap_or(-1);
    let strength = f.number("subseed_strength")?.unwrap_or(0.0);
    if strength != 0.0 {
        own["subseed"] = subseed.into();
        own["subseed_strength"] = strength.into();
    }
    let (index, sampler) = (f.filled("sampler_index")?, f.filled("sampler_name")?);
    let sampler = sampler.or(index).unwrap_or_else(|| "Euler".into());
    let schedule = f.filled("scheduler")?;
    checked(&sampler, schedule.as_deref())?;
    own["sampler"] = sampler.into();
    own["schedule"] = schedule.into();
    own["steps"] = f.whole("steps", 1, 1000)?.unwrap_or(50).into();
    own["cfg"] = f.number("cfg_scale")?.unwrap_or(7.0).into();
    let width = f.whole("width", 8, 8192)?.unwrap_or(512);
    let height = f.whole("height", 8, 8192)?.unwrap_or(512);
    own["size"] = json!([width, height]);
    let batch = f.whole("batch_size", 1, 64)?.unwrap_or(1);
    let rounds = f.whole("n_iter", 1, 100)?.unwrap_or(1);
    own["batch"] = batch.into();
    own["count"] = (batch * rounds).into();
    own["eta"] = f.number("eta")?.into();
    if let Some(name) = f.filled("script_name")? {
        return Err(Refusal::unfit(format!("script_name: there is no script {name}")));
    }
    scripts::apply(&f.object("alwayson_scripts")?, &mut own)?;
    let mut images = Vec::new();
    if from_image {
        images = begin_with(f, &mut own, folder, batch)?;
        for name in ["init_images", "mask"] {
            if echo.contains_key(name) {
                echo.insert(name.into(), Value::Null);
            }
        }
    } else {
        second_pass(f, &mut own)?;
    }
    // With text alone the API has no use for it.
    f.take("denoising_strength");
    let mut settings = options::current(app);
    settings.set(app, f.object("override_settings")?)?;
    let restore = f.flag("override_settings_restore_afterwards")?.unwrap_or(true);
    let task = f.filled("force_task_id")?;
    let send_images = f.flag("send_images")?.unwrap_or(true);
    let save_images = f.flag("save_images")?.unwrap_or(false);
    fields.rest()?;
    apply(app, &settings, &mut own);
    let each = if images.len() > 1 { one_by_one(&own, &images, rounds) } else { vec![own] };
    let mut requests = Vec::new();
    for own in each {
        let Value::Object(own) = own else { return Err(internal("a request is an object")) };
        let mut request = confine::request(app, own)?;
        if let Request::Draw(draw) = &mut request {
            draw.out = folder.to_path_buf();
        }
        requests.push(request);
    }
    if !restore {
        options::keep(app, settings)?;
    }
    Ok(Asked { requests, task, send_images, save_images, echo })
}

/// A drawing of each image for each round, with the seeds that a batch of them has.
fn one_by_one(own: &Value, images: &[String], rounds: i64) -> Vec<Value> {
    let seed = own["seed"].as_i64().filter(|seed| *seed >= 0);
    let first = seed.unwrap_or_else(|| wayword_session::random_seed().cast_signed());
    let all = (0..rounds).flat_map(|_| images);
    let one = |(seed, image): (i64, &String)| {
        let mut one = own.clone();
        (one["seed"], one["image"]) = (seed.into(), image.clone().into());
        (one["batch"], one["count"]) = (1.into(), 1.into());
        one
    };
    (first..).zip(all).map(one).collect()
}

/// Refuses names of samplers and schedules that are not known, with the names that are.
fn checked(sampler: &str, schedule: Option<&str>) -> Answer<()> {
    names::check_sampler(sampler, schedule).map_err(|diagnostic| {
        let all: Vec<&str> = names::SAMPLERS.iter().map(|one| one.name).collect();
        let schedules: Vec<&str> = names::NOISE_SCHEDULES.iter().map(|one| one.1).collect();
        let hint = format!(
            "take one of the samplers {} and of the schedules {}",
            all.join(", "),
            schedules.join(", ")
        );
        Refusal { status: StatusCode::BAD_REQUEST, diagnostic: diagnostic.with_hint(hint) }
    })
}

/// The second pass.
fn second_pass(f: &mut Fields, own: &mut Value) -> Answer<()> {
    let is_on = f.flag("enable_hr")?.unwrap_or(false);
    let scale = f.number("hr_scale")?.unwrap_or(2.0);
    let upscaler = f.filled("hr_upscaler")?;
    let steps = f.whole("hr_second_pass_steps", 0, 1000)?.unwrap_or(0);
    let width = f.whole("hr_resize_x", 0, 8192)?.unwrap_or(0);
    let height = f.whole("hr_resize_y", 0, 8192)?.unwrap_or(0);
    let sampler = f.filled("hr_sampler_name")?.filter(|name| name != "Use same sampler");
    let schedule = f.filled("hr_scheduler")?.filter(|name| name != "Use same scheduler");
    let (prompt, negative) = (f.filled("hr_prompt")?, f.filled("hr_negative_prompt")?);
    let denoise = f.number("denoising_strength")?;
    if !is_on {
        return Ok(());
    }
    if let Some(sampler) = &sampler {
        checked(sampler, schedule.as_deref())?;
    }
    if width > 0 || height > 0 {
        own["hires_size"] = json!([width, height]);
    } else {
        own["hires_scale"] = scale.into();
    }
    own["hires_steps"] = steps.into();
    own["hires_denoise"] = denoise.unwrap_or(0.75).into();
    own["hires_upscaler"] = upscaler.unwrap_or_else(|| "Latent".into()).into();
    own["hires_sampler"] = sampler.into();
    own["hires_schedule"] = schedule.into();
    own["hires_prompt"] = prompt.into();
    own["hires_negative"] = negative.into();
    Ok(())
}

/// The images to begin with, and their mask. As there, several are the images of a batch, and a
/// batch is no larger than their number.
fn begin_with(f: &mut Fields, own: &mut Value, folder: &Path, batch: i64) -> Answer<Vec<String>> {
    let mut images = Vec::new();
    for image in f.list("init_images")? {
        let Value::String(text) = &image else {
            return Err(unfit("init_images", "images in base64", &image));
        };
        let name = format!("image{}", images.len());
        images.push(written(folder, &name, &decode("init_images", text)?)?);
    }
    let Some(first) = images.first() else {
        return Err(Refusal::missing("init_images: there is no image to begin with"));
    };
    if images.len() > 1 && i64::try_from(images.len()).map_or(true, |count| count > batch) {
        let text = format!(
            "init_images: expected at most as many images as batch_size ({batch}), found {}",
            images.len()
        );
        return Err(Refusal::unfit(text).field("init_images").hint("send a larger batch_size"));
    }
    own["image"] = first.clone().into();
    own["denoise"] = f.number("denoising_strength")?.unwrap_or(0.75).into();
    own["fit"] = match f.whole("resize_mode", 0, 2)?.unwrap_or(0) {
        0 => "stretch",
        1 => "crop",
        _ => "fill",
    }
    .into();
    let mask = f.filled("mask")?;
    let blur = f.number("mask_blur")?;
    let (x, y) = (f.number("mask_blur_x")?, f.number("mask_blur_y")?);
    if let (Some(x), Some(y)) = (x, y)
        && (x - y).abs() > f64::EPSILON
    {
        return Err(Refusal::unfit("mask_blur_x and mask_blur_y: two values are not supported")
            .hint("send mask_blur"));
    }
    let fill = f.whole("inpainting_fill", 0, 3)?.unwrap_or(0);
    let only_masked = f.flag("inpaint_full_res")?.unwrap_or(true);
    let padding = f.whole("inpaint_full_res_padding", 0, 4096)?.unwrap_or(0);
    let invert = f.flag("inpainting_mask_invert")?.unwrap_or(false);
    let Some(mask) = mask else { return Ok(images) };
    own["mask"] = written(folder, "mask", &decode("mask", &mask)?)?.into();
    own["mask_blur"] = blur.or(x).or(y).unwrap_or(4.0).into();
    let fills = ["fill", "original", "latent-noise", "latent-nothing"];
    let fill = usize::try_from(fill).ok().and_then(|fill| fills.get(fill));
    own["fill"] = fill.copied().into();
    own["only_masked"] = only_masked.into();
    own["padding"] = padding.into();
    own["invert_mask"] = invert.into();
    Ok(images)
}

/// A file of an image that was sent.
fn written(folder: &Path, name: &str, bytes: &[u8]) -> Answer<String> {
    let path = folder.join(format!("{name}.img"));
    std::fs::write(&path, bytes).map_err(|e| internal(&format!("cannot write an image: {e}")))?;
    Ok(path.display().to_string())
}

/// Puts the settings of the API into a request.
fn apply(app: &App, settings: &Stored, own: &mut Value) {
    if let Some(path) = settings.checkpoint.as_ref().filter(|path| path.exists()) {
        own["base"] = path.display().to_string().into();
    }
    match settings.vae.as_str() {
        "Automatic" => {}
        // Naming the checkpoint itself means its own VAE, whatever lies beside it.
        "None" => {
            let base = settings.checkpoint.clone().or_else(|| app.base());
            own["vae"] = base.map(|path| path.display().to_string()).into();
        }
        name => own["vae"] = lists::vae(app, name).map(|path| path.display().to_string()).into(),
    }
    if settings.clip_skip != 1 {
        own["clip_skip"] = settings.clip_skip.into();
    }
    let emphasis = EMPHASIS.iter().find(|(theirs, _)| *theirs == settings.emphasis);
    if let Some((_, emphasis)) = emphasis.filter(|(_, emphasis)| *emphasis != "original") {
        own["emphasis"] = (*emphasis).into();
    }
    if settings.noise == "NV" {
        own["noise"] = "nv".into();
    }
    if settings.ensd != 0 {
        own["ensd"] = settings.ensd.into();
    }
    if settings.preview_every > 0 {
        own["preview_every"] = settings.preview_every.into();
    }
}

/// The answer from the files that were drawn.
fn answer(
    app: &App,
    files: &[PathBuf],
    echo: Values,
    send_images: bool,
    save_images: bool,
) -> Answer<Value> {
    let (mut images, mut texts) = (Vec::new(), Vec::new());
    for path in files {
        let bytes =
            std::fs::read(path).map_err(|e| internal(&format!("cannot read a drawing: {e}")))?;
        texts.push(picture_text::from_bytes(&bytes).unwrap_or_default());
        if save_images {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let name = format!("{}-{name}", crate::state::now_ms());
            let to = app.opened.out.join("pictures").join(name);
            std::fs::copy(path, &to)
                .map_err(|e| internal(&format!("cannot save a drawing: {e}")))?;
        }
        if send_images {
            images.push(BASE64.encode(&bytes));
        }
    }
    let info = info(&echo, &texts);
    Ok(json!({ "images": images, "parameters": echo, "info": info.to_string() }))
}

/// What A1111 tells about the pictures, from their own texts.
fn info(echo: &Values, texts: &[picture_text::PictureSettings]) -> Value {
    let first = texts.first().map(|found| &found.infotext);
    let get = |key: &str| first.and_then(|text| text.get(key));
    let number = |key: &str| get(key).and_then(|text| text.parse::<f64>().ok());
    let whole = |text: &str| text.parse::<u64>().ok();
    let all = |key: &str| -> Vec<u64> {
        texts.iter().filter_map(|found| whole(found.infotext.get(key)?)).collect()
    };
    let seeds = all("Seed");
    let mut subseeds = all("Variation seed");
    if subseeds.is_empty() {
        subseeds = seeds.clone();
    }
    let size = first.and_then(|text| text.size("Size"));
    let told = ["Steps", "Sampler", "CFG scale", "Seed", "Size", "Model hash", "Model", "Version"];
    let extra: serde_json::Map<String, Value> = first
        .iter()
        .flat_map(|text| &text.pairs)
        .filter(|(key, _)| !told.contains(&key.as_str()))
        .map(|(key, value)| (key.clone(), value.clone().into()))
        .collect();
    let prompts: Vec<&str> = texts.iter().map(|found| found.infotext.prompt.as_str()).collect();
    let negatives: Vec<&str> = texts.iter().map(|found| found.infotext.negative.as_str()).collect();
    let infotexts: Vec<&str> = texts.iter().map(|found| found.text.as_str()).collect();
    json!({
        "prompt": prompts.first().copied().unwrap_or_default(), "all_prompts": prompts,
        "negative_prompt": negatives.first().copied().unwrap_or_default(),
        "all_negative_prompts": negatives,
        "seed": seeds.first(), "all_seeds": seeds, "subseed": subseeds.first(),
        "all_subseeds": subseeds,
        "subseed_strength": number("Variation seed strength").unwrap_or(0.0),
        "width": size.map(|size| size.0), "height": size.map(|size| size.1),
        "sampler_name": get("Sampler"), "cfg_scale": number("CFG scale"),
        "steps": get("Steps").and_then(whole),
        "batch_size": echo.get("batch_size").cloned().unwrap_or(json!(1)),
        "restore_faces": false, "face_restoration_model": null, "sd_model_name": get("Model"),
        "sd_model_hash": get("Model hash"), "sd_vae_name": get("VAE"),
        "sd_vae_hash": get("VAE hash"), "seed_resize_from_w": -1, "seed_resize_from_h": -1,
        "denoising_strength": number("Denoising strength"), "extra_generation_params": extra,
        "index_of_first_image": 0, "infotexts": infotexts, "styles": [],
        "job_timestamp": crate::state::now_ms().to_string(),
        "clip_skip": get("Clip skip").and_then(whole).unwrap_or(1),
        "is_using_inpainting_conditioning": false, "version": get("Version"),
    })
}
