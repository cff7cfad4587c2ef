//! Known traps of kohya's trainer that a file of options walks into.
use super::{Given, Translation};
use wayword_formats::kohya::Form;

/// Root mean square of the numbers of Stable Diffusion 1.5's token table.
const TOKEN_RMS: f64 = 0.0144;

/// Adds what the user should know.
pub(super) fn find(form: Form, given: &Given, out: &mut Translation) {
    captions(given, out);
    length(given, out);
    rate(given, out);
    warmup(given, out);
    pictures(given, out);
    files(form, given, out);
    if given.keys().any(|key| key.starts_with("network_") || key == "LoRA_type") {
        let text = "these are the options of a LoRA's training; a word is trained here";
        out.warn(text, Some("its own options (network_...) mean nothing here"));
    }
}

fn captions(given: &Given, out: &mut Translation) {
    let token = given.text("token_string").unwrap_or_default();
    let template = given.on("use_object_template") || given.on("use_style_template");
    if !template {
        let text = format!(
            "captions are used: one without the word `{token}` teaches nothing, and kohya's trainer never says so"
        );
        out.note(text, "it is checked before the training");
        if !given.on("caption_extension") && !given.on("caption_extention") {
            let text = "no caption_extension: kohya reads only .caption files; here .txt files are read as well";
            out.note(text, "{train.caption_ext} .caption leaves the .txt files out");
        }
    }
    if template && given.on("reg_data_dir") {
        let text = "with a template, kohya uses the embedding's sentences for the regularization images too: the embedding learns them";
        out.warn(text, Some("leave reg_data_dir out"));
    }
    let name = given.text("output_name").unwrap_or_else(|| token.clone());
    if !token.is_empty() && name != token {
        let text = format!(
            "the file is called `{name}`, so `{name}` calls the word in prompts, not `{token}`"
        );
        out.warn(text, Some("--name gives it another name"));
    }
    if given.text("init_word").is_none() && given.text("weights").is_none() {
        let text = "no init_word: kohya starts at the mean of all words; here the folder's class word is taken";
        out.warn(text, Some("give --init a word close to what the images show"));
    }
}

fn length(given: &Given, out: &mut Translation) {
    let epochs = given.number("max_train_epochs").is_some_and(|n| n > 0.0);
    let steps = given.number("max_train_steps").filter(|n| *n > 0.0);
    if !epochs && steps.is_none_or(|n| n == 1600.0) {
        let text =
            "1600 steps are kohya's default, whatever the number of images and their repeats";
        out.note(text, "{train.save_every} 200 writes files on the way, to compare");
    }
}

/// How far an optimizer of Adam's kind can move a number: at most the rate at each step.
fn rate(given: &Given, out: &mut Translation) {
    let optimizer = given.text("optimizer_type").unwrap_or_default().to_lowercase();
    let steady = ["", "adam", "lion", "paged", "radam", "nadam"];
    let adaptive = ["prodigy", "dadapt", "adafactor", "sgd", "schedulefree"];
    let steady = steady.iter().any(|name| optimizer.starts_with(name))
        && !adaptive.iter().any(|name| optimizer.contains(name));
    let epochs = given.number("max_train_epochs").is_some_and(|n| n > 0.0);
    if !steady || epochs {
        return;
    }
    let rate = given.number("learning_rate").filter(|lr| *lr > 0.0).unwrap_or(2e-6);
    let steps = given.number("max_train_steps").filter(|n| *n > 0.0).unwrap_or(1600.0);
    let scheduler = given.text("lr_scheduler").unwrap_or_default().to_lowercase();
    let falling = ["cosine", "linear", "polynomial"].iter().any(|n| scheduler.starts_with(n));
    let reach = rate * steps * if falling { 0.5 } else { 1.0 };
    if reach < TOKEN_RMS {
        let text = format!(
            "learning_rate {rate:e} can hardly teach anything: a step of Adam moves a number by at most the rate, {steps} steps{} by at most {reach:.2e}, {:.0}% of the usual size {TOKEN_RMS} of a word's numbers",
            if falling { " of a falling rate" } else { "" },
            100.0 * reach / TOKEN_RMS
        );
        out.warn(text, Some("5e-4 to 5e-3 are usual for Stable Diffusion 1.5: try --lr 1e-3"));
    }
}

fn warmup(given: &Given, out: &mut Translation) {
    let warm = given.text("lr_warmup_steps").unwrap_or_default();
    let warm = warm.trim_end_matches('%').trim().parse().unwrap_or(0.0) > 0.0;
    let optimizer = given.text("optimizer_type").unwrap_or_default().to_lowercase();
    let args = given.0.iter().find(|entry| entry.key == "optimizer_args");
    let args = args.map_or(String::new(), |entry| entry.value.to_string().to_lowercase());
    if !warm {
        return;
    }
    let scheduler = given.text("lr_scheduler").unwrap_or_else(|| "constant".into());
    if optimizer == "adafactor" && !args.contains("relative_step=false") {
        let text = "kohya's trainer fails with Adafactor and a warm-up, unless relative_step=False";
        out.warn(text, Some("give --warmup 0, or --optimizer-args relative_step=False"));
    } else if given.on("lr_scheduler_type") {
        out.warn("kohya's trainer fails with lr_scheduler_type and a warm-up", Some("--warmup 0"));
    } else if scheduler.eq_ignore_ascii_case("constant") {
        let text =
            "kohya's trainer fails with `constant` and a warm-up; here it is constant_with_warmup";
        out.warn(text, Some("--warmup 0 if none is meant"));
    }
}

fn pictures(given: &Given, out: &mut Translation) {
    let text = "kohya's trainer does not turn photos as the camera says (EXIF): those taken upright lie on their side; here they are turned";
    out.note(text, "{train.kohya_numbers} takes them as kohya does, and its other numbers too");
    if given.on("enable_bucket") && given.on("bucket_no_upscale") {
        let text = "bucket_no_upscale rounds each side down: an image of 513 x 515 is trained at 448 x 448";
        out.note(text, "it is for images that are smaller than the resolution");
    }
    let steps = given.number("bucket_reso_steps").unwrap_or(64.0);
    if given.on("enable_bucket") && steps > 0.0 && steps % 64.0 != 0.0 {
        let text = format!("bucket_reso_steps {steps}: kohya's trainer takes only multiples of 64");
        out.warn(text, None);
    }
    for key in ["color_aug", "random_crop"] {
        if given.on(key) && given.on("cache_latents") {
            out.warn(format!("kohya's trainer refuses {key} with cache_latents"), None);
        }
    }
    if given.on("persistent_data_loader_workers")
        && given.number("max_data_loader_n_workers") == Some(0.0)
    {
        let text = "kohya's trainer fails with persistent_data_loader_workers and 0 workers";
        out.warn(text, None);
    }
}

fn files(form: Form, given: &Given, out: &mut Translation) {
    if given.number("save_last_n_steps").is_some_and(|n| n > 0.0) {
        let text = "save_last_n_steps is a distance in steps, not a number of files";
        out.warn(text, None);
    }
    let each = given.number("save_every_n_epochs") == Some(1.0);
    if form == Form::GuiJson && each && !given.on("save_last_n_epochs") {
        let text = "save_every_n_epochs 1, the GUI's default, writes a file after each epoch";
        out.note(text, "{train.save_every_epochs} 0 and {train.save_every} 200 write fewer");
    }
    if form != Form::GuiJson && !given.on("save_model_as") {
        let text = "no save_model_as: kohya writes .pt; here it is .safetensors";
        out.warn(text, Some("{train.save_format} pt is kohya's"));
    }
    for key in ["v2", "sdxl"] {
        if given.on(key) {
            let text = format!("{key}: only checkpoints of Stable Diffusion 1.x can be trained");
            out.warn(text, None);
        }
    }
}
