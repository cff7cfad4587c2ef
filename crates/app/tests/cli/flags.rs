//! Flags of `wayword train` that few need, each on the small model: what they change is looked at.
use super::program::{Program, Run, repository};
use serde_json::Value;
use std::path::Path;
use wayword_formats::embedding;

fn base() -> String {
    repository("golden/tiny-model/model_ldm_fp16.safetensors").to_string_lossy().into_owned()
}

fn paint(path: &Path, width: u32, height: u32, blue: u8) {
    let at = |x: u32, y: u32| image::Rgb([(x * 3) as u8, (y * 3) as u8, blue]);
    image::RgbImage::from_fn(width, height, at).save(path).unwrap();
}

/// Three pictures of two shapes with captions, and a folder of them named as kohya's.
fn pictures(program: &Program) {
    let folder = program.path("img/2_ohwx dog");
    std::fs::create_dir_all(&folder).unwrap();
    for (index, (w, h)) in [(64, 64), (96, 64), (64, 96)].into_iter().enumerate() {
        paint(&folder.join(format!("{index}.png")), w, h, index as u8 * 80);
        std::fs::write(folder.join(format!("{index}.txt")), "a dog-ti, grass\n").unwrap();
    }
}

/// Trains two steps with more flags; the run's plan.
fn trained(program: &Program, more: &[&str]) -> Value {
    let base = base();
    let mut all = vec!["train", "img", "--base", &base, "--name", "dog-ti", "--init", "dog"];
    all.extend(["--resolution", "64,64", "--steps", "2", "--seed", "1", "--out", "out"]);
    all.extend(["--threads", "1", "--overwrite"]);
    program.well(&[&all[..], more].concat());
    plan(program, "dog-ti")
}

fn plan(program: &Program, name: &str) -> Value {
    let text = std::fs::read(program.path(&format!("out/{name}.run/plan.json"))).unwrap();
    serde_json::from_slice(&text).unwrap()
}

fn names(program: &Program) -> Vec<String> {
    let files = std::fs::read_dir(program.path("out")).unwrap();
    let names = files.map(|e| e.unwrap().file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| !name.ends_with(".run")).collect();
    names.sort();
    names
}

#[test]
fn a_word_is_trained_from_each_of_kohyas_files() {
    let program = Program::new();
    pictures(&program);
    let base = base();
    let base = base.as_str();
    let gui = serde_json::json!({
        "pretrained_model_name_or_path": base, "train_data_dir": "img", "output_dir": "out",
        "output_name": "gui", "token_string": "dog-ti", "init_word": "dog", "max_train_steps": 2,
        "max_resolution": "64,64", "learning_rate": 0.001, "lr_scheduler": "cosine", "lr_warmup": 10,
        "template": "object template", "optimizer": "AdamW8bit", "save_model_as": "safetensors",
        "num_vectors_per_token": 2, "save_every_n_epochs": 1, "seed": 7, "mixed_precision": "fp16",
    });
    let toml = format!(
        "pretrained_model_name_or_path = '{base}'\ntrain_data_dir = \"img\"\noutput_dir = \"out\"\noutput_name = \"toml\"\ntoken_string = \"dog-ti\"\ninit_word = \"dog\"\nmax_train_steps = 2\nresolution = \"64,64\"\nlearning_rate = 0.001\nuse_style_template = true\nsave_model_as = \"pt\"\n"
    );
    let command = format!(
        "accelerate launch --num_cpu_threads_per_process 2 train_textual_inversion.py --pretrained_model_name_or_path \"{base}\" --train_data_dir img --output_dir out --output_name command --token_string dog-ti --init_word dog --max_train_steps 2 --resolution 64 --learning_rate 1e-3 --caption_extension .txt --save_model_as safetensors --min_snr_gamma 5 --sample_every_n_steps 1 --sample_prompts prompts.txt\n"
    );
    std::fs::write(program.path("prompts.txt"), "# one\na dog-ti --w 64 --h 64 --s 1 --d 3\n")
        .unwrap();
    for (file, text) in [("gui.json", gui.to_string()), ("run.toml", toml), ("go.sh", command)] {
        std::fs::write(program.path(file), text).unwrap();
        let run = program.well(&["train", "--kohya", file, "--threads", "1"]);
        assert!(run.err.contains("translated from kohya's options"), "{}", run.err);
    }
    let gui = plan(&program, "gui");
    assert_eq!(gui["optimizer"], "AdamW8bit");
    assert_eq!((&gui["scheduler"], &gui["words"][0]["vectors"]), (&"cosine".into(), &2.into()));
    assert_eq!(embedding::read(&program.path("out/gui.safetensors")).unwrap().count, 2);
    assert!(plan(&program, "toml")["sentences"][0].as_str().unwrap().contains("in the style of"));
    assert!(program.path("out/toml.pt").is_file());
    let command = plan(&program, "command");
    assert_eq!(
        (&command["sentences"], &command["loss"]["min_snr_gamma"]),
        (&Value::Null, &5.0.into())
    );
    assert!(program.path("out/command.run/samples/command_000002_00_3.png").is_file());
}

#[test]
fn presets_choose_sentences_and_length() {
    let program = Program::new();
    pictures(&program);
    let style = trained(&program, &["--preset", "style"]);
    assert_eq!(style["sentences"], Value::Null, "a style learns from captions");
    let person = trained(&program, &["--preset", "person"]);
    assert!(person["sentences"].as_array().unwrap().len() == 27, "{person}");
    let wrong = program.run(&["train", "img", "--name", "a", "--preset", "persn"]);
    assert!(wrong.err.contains("person, object or style"), "{}", wrong.err);
}

#[test]
fn two_words_are_learned_at_once() {
    let program = Program::new();
    pictures(&program);
    let text = "images = [\"img\"]\nresolution = 64\nsteps = 2\ntemplate = \"object\"\nout = \"out\"\n[[word]]\nname = \"dog-ti\"\ninit = \"dog\"\nvectors = 2\n[[word]]\nname = \"park-ti\"\ninit = \"park\"\nlr = 5e-4\n";
    std::fs::write(program.path("two.toml"), text).unwrap();
    program.well(&["train", "--config", "two.toml", "--base", &base(), "--threads", "1"]);
    assert_eq!(names(&program), ["dog-ti.safetensors", "park-ti.safetensors"]);
    let rows = |name: &str| embedding::read(&program.path(name)).unwrap().count;
    assert_eq!((rows("out/dog-ti.safetensors"), rows("out/park-ti.safetensors")), (2, 1));
    assert!(plan(&program, "dog-ti")["sentences"].is_array());
}

#[test]
fn masks_regularisation_and_latents() {
    let program = Program::new();
    pictures(&program);
    std::fs::create_dir_all(program.path("masks")).unwrap();
    for index in 0..3 {
        paint(&program.path(&format!("masks/{index}.png")), 64, 64, 200);
    }
    let masked = trained(&program, &["--masks", "masks", "--enable-bucket"]);
    assert!(masked["pictures"][0]["mask"]["sha256"].is_string(), "{masked}");
    assert!(masked["pictures"][1]["bucket"] != masked["pictures"][2]["bucket"], "{masked}");

    std::fs::create_dir_all(program.path("reg/1_dog")).unwrap();
    paint(&program.path("reg/1_dog/a.png"), 64, 64, 9);
    let regular = trained(&program, &["--reg-data-dir", "reg", "--prior-loss-weight", "0.5"]);
    assert_eq!(regular["sets"].as_array().unwrap().len(), 2);
    assert_eq!(regular["pictures"][3]["repeats"], 6, "as many samples as of the word");
    assert_eq!(regular["prior_loss_weight"], 0.5);

    trained(&program, &["--latent-cache", "latents"]);
    let files = || std::fs::read_dir(program.path("latents")).unwrap().count();
    let first = files();
    assert!(first >= 3, "{first} files of latents");
    trained(&program, &["--latent-cache", "latents"]);
    assert_eq!(files(), first, "the second run finds those of the first");
    trained(&program, &["--latent-cache", "latents", "--flip-aug"]);
    assert!(files() > first, "a mirror image has latents of its own");
    let used = trained(&program, &["--kohya-latents"]);
    assert_eq!(used["kohya_latents"], true);
}

#[test]
fn files_have_the_kind_precision_and_age_that_were_asked_for() {
    let program = Program::new();
    pictures(&program);
    let size = |name: &str| std::fs::metadata(program.path(name)).unwrap().len();
    trained(&program, &["--save-format", "pt"]);
    trained(&program, &["--save-format", "ckpt", "--save-precision", "fp16"]);
    paint(&program.path("small.png"), 8, 8, 7);
    let kohyas = "metadata_author = \"A. N.\"\nmetadata_thumbnail = \"small.png\"\nmetadata_merged_from = \"a, b\"\nmetadata_preprocessor = \"none\"\nmetadata_is_negative_embedding = \"True\"\ntraining_comment = \"hi\"\nsave_model_as = \"safetensors\"\n";
    std::fs::write(program.path("kohya.toml"), kohyas).unwrap();
    trained(&program, &["--save-precision", "bf16", "--kohya", "kohya.toml"]);
    // --overwrite takes away what an earlier run left, of every kind.
    assert_eq!(names(&program), ["dog-ti.safetensors"]);
    let half = size("out/dog-ti.safetensors");
    let found = embedding::read(&program.path("out/dog-ti.safetensors")).unwrap();
    for (key, value) in [
        ("modelspec.author", "A. N."),
        ("modelspec.merged_from", "a, b"),
        ("modelspec.preprocessor", "none"),
        ("modelspec.is_negative_embedding", "True"),
        ("ss_training_comment", "hi"),
    ] {
        assert_eq!(found.metadata[key], value);
    }
    let thumbnail = &found.metadata["modelspec.thumbnail"];
    assert!(thumbnail.starts_with("data:image/png;base64,iVBOR"), "{thumbnail}");
    trained(&program, &[]);
    let width = found.width as u64;
    assert!(size("out/dog-ti.safetensors") - half >= 2 * width - 64, "bf16 takes half");

    let more = ["--save-every", "2", "--keep-last-steps", "3", "--save-every-epochs", "1"];
    let more = [&more[..], &["--keep-last-epochs", "1", "--batch", "3", "--steps", "10"]].concat();
    let base = base();
    let mut all = vec!["train", "img", "--base", &base, "--name", "dog-ti", "--init", "dog"];
    all.extend(["--resolution", "64,64", "--out", "out", "--threads", "1", "--overwrite"]);
    program.well(&[&all[..], &more[..]].concat());
    let want = [
        "dog-ti-000004.safetensors",
        "dog-ti-step00000008.safetensors",
        "dog-ti-step00000010.safetensors",
        "dog-ti.safetensors",
    ];
    assert_eq!(names(&program), want);
}

#[test]
fn previews_a_page_and_curves_lie_in_the_runs_folder() {
    let program = Program::new();
    pictures(&program);
    let prompt = "a <b> dog-ti --w 64 --h 64 --s 2 --l 3 --d 5";
    trained(&program, &["--sample-every", "1", "--sample-at-first", "--sample-prompts", prompt]);
    let samples = program.path("out/dog-ti.run/samples");
    for step in 0..=2 {
        let png = std::fs::read(samples.join(format!("dog-ti_{step:06}_00_5.png"))).unwrap();
        let texts = wayword_formats::png_text::read(&png).unwrap();
        assert!(texts[0].text.starts_with("a <b> dog-ti\nSteps: 2"), "{}", texts[0].text);
    }
    let page = std::fs::read_to_string(program.path("out/dog-ti.run/report.html")).unwrap();
    assert!(page.contains("a &lt;b&gt; dog-ti") && page.matches("data:image/jpeg").count() == 6);
    for outside in ["http://", "https://", "src=\"/", "@import", "url("] {
        assert!(!page.contains(outside), "the page needs {outside}");
    }
    let curves = std::fs::read_dir(program.path("out/dog-ti.run/tensorboard")).unwrap();
    let curves: Vec<_> = curves.map(|e| e.unwrap().path()).collect();
    let bytes = std::fs::read(&curves[0]).unwrap();
    for tag in ["brain.Event:2", "loss_fixed_noise", "row_norm_to_vocabulary", "lr"] {
        assert!(bytes.windows(tag.len()).any(|part| part == tag.as_bytes()), "{tag}");
    }
    // A new start throws the old pictures away; a mistake in a prompt is told before anything.
    trained(&program, &[]);
    assert!(!samples.exists());
    let refused = |prompt: &str| -> Run {
        let base = base();
        let mut all = vec!["train", "img", "--base", &base, "--name", "new", "--init", "dog"];
        all.extend(["--out", "out", "--threads", "1", "--sample-every", "1"]);
        all.extend(["--sample-prompts", prompt]);
        program.run(&all)
    };
    let wrong = refused("a dog --q 3");
    assert_eq!(wrong.code, Some(1));
    assert!(wrong.err.contains("there is no `--q`"), "{}", wrong.err);
    assert!(refused("none.txt").err.contains("none.txt"));
}

#[cfg(unix)]
#[test]
fn a_folder_that_must_not_be_written_is_named() {
    use std::os::unix::fs::PermissionsExt as _;
    let program = Program::new();
    pictures(&program);
    let out = program.path("locked");
    std::fs::create_dir(&out).unwrap();
    std::fs::set_permissions(&out, std::fs::Permissions::from_mode(0o555)).unwrap();
    if std::fs::write(out.join("probe"), "").is_ok() {
        // Who may write everywhere, as root may, cannot be refused.
        return;
    }
    let base = base();
    let mut all = vec!["train", "img", "--base", &base, "--name", "dog-ti", "--init", "dog"];
    all.extend(["--resolution", "64,64", "--steps", "2", "--out", "locked", "--threads", "1"]);
    let run = program.run(&all);
    assert_eq!(run.code, Some(1));
    assert!(run.err.contains("locked") && run.err.contains("--out DIR"), "{}", run.err);
}

#[test]
fn two_runs_in_one_folder_are_kept_apart() {
    let program = Program::new();
    pictures(&program);
    trained(&program, &[]);
    let lock = program.path("out/dog-ti.run/lock");
    let held = std::fs::File::options().read(true).write(true).open(lock).unwrap();
    held.lock().unwrap();
    let run = program.run(&["train", "--resume", "out/dog-ti.run", "--threads", "1"]);
    assert_eq!(run.code, Some(1));
    assert!(run.err.contains("another training is running here"), "{}", run.err);
    drop(held);
    program.well(&["train", "--resume", "out/dog-ti.run", "--threads", "1"]);
}
