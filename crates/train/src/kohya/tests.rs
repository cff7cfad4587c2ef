//! Translations of each form, and the traps that are told.
use super::*;
use crate::config::{self, parse as layer};
use crate::plan::{TemplateChoice, TrainOptions};
use wayword_formats::kohya::parse;
use wayword_testing::Report;

fn of(text: &str) -> Translation {
    translate(&parse(text.as_bytes()).unwrap()).unwrap()
}

fn train(translation: &Translation) -> TrainOptions {
    translation.layer.read::<Train>().unwrap().options
}

fn warned(translation: &Translation, part: &str) -> bool {
    let notes = translation.notes.iter().any(|note| note.contains(part));
    notes || translation.warnings.iter().any(|w| w.message().contains(part))
}

/// Every field of the GUI's tab, at its default, as its saved file has them.
const GUI: &str = r#"{"adaptive_noise_scale":0,"additional_parameters":"","author":"","bucket_no_upscale":true,"bucket_reso_steps":64,"cache_latents":true,"cache_latents_to_disk":false,"caption_dropout_every_n_epochs":0,"caption_dropout_rate":0,"caption_extension":".txt","clip_skip":1,"color_aug":false,"dataset_config":"","debiased_estimation_loss":false,"description":"","dynamo_backend":"no","dynamo_mode":"default","dynamo_use_dynamic":false,"dynamo_use_fullgraph":false,"enable_bucket":true,"epoch":8,"extra_accelerate_launch_args":"","flip_aug":false,"fp8_base":false,"fp8_base_unet":false,"full_bf16":false,"full_fp16":false,"gpu_ids":"","gradient_accumulation_steps":1,"gradient_checkpointing":false,"highvram":false,"huber_c":0.1,"huber_scale":1,"huber_schedule":"snr","huggingface_path_in_repo":"","huggingface_repo_id":"","huggingface_repo_type":"","huggingface_repo_visibility":"","huggingface_token":"","init_word":"*","ip_noise_gamma":0,"ip_noise_gamma_random_strength":false,"keep_tokens":0,"learning_rate":1e-05,"license":"","log_config":false,"log_tracker_config":"","log_tracker_name":"","log_with":"","logging_dir":"","loss_type":"l2","lr_scheduler":"cosine","lr_scheduler_args":"","lr_scheduler_num_cycles":1,"lr_scheduler_power":1,"lr_scheduler_type":"","lr_warmup":10,"lr_warmup_steps":0,"main_process_port":0,"masked_loss":false,"max_bucket_reso":2048,"max_data_loader_n_workers":0,"max_grad_norm":1,"max_resolution":"512,512","max_timestep":1000,"max_token_length":75,"max_train_epochs":0,"max_train_steps":1600,"mem_eff_attn":false,"min_bucket_reso":256,"min_snr_gamma":0,"min_timestep":0,"mixed_precision":"fp16","multi_gpu":false,"multires_noise_discount":0.3,"multires_noise_iterations":0,"no_token_padding":false,"noise_offset":0,"noise_offset_random_strength":false,"noise_offset_type":"Original","num_cpu_threads_per_process":2,"num_machines":1,"num_processes":1,"num_vectors_per_token":1,"optimizer":"AdamW8bit","optimizer_args":"","output_dir":"/out","output_name":"last","persistent_data_loader_workers":false,"pretrained_model_name_or_path":"runwayml/stable-diffusion-v1-5","prior_loss_weight":1,"random_crop":false,"reg_data_dir":"","resume":"","resume_from_huggingface":"","sample_every_n_epochs":0,"sample_every_n_steps":0,"sample_prompts":"","sample_sampler":"euler_a","save_every_n_epochs":1,"save_every_n_steps":0,"save_last_n_epochs":0,"save_last_n_epochs_state":0,"save_last_n_steps":0,"save_last_n_steps_state":0,"save_model_as":"safetensors","save_precision":"fp16","save_state":false,"save_state_on_train_end":false,"save_state_to_huggingface":false,"scale_v_pred_loss_like_noise_pred":false,"sdxl":false,"seed":0,"show_timesteps":"","shuffle_caption":false,"skip_cache_check":false,"stop_text_encoder_training":0,"tags":"","template":"caption","title":"","token_string":"ohwx","train_batch_size":1,"train_data_dir":"/img","training_comment":"","no_half_vae":false,"disable_mmap_load_safetensors":false,"blocks_to_swap":0,"v2":false,"v_parameterization":false,"v_pred_like_loss":0,"vae":"","vae_batch_size":0,"wandb_api_key":"","wandb_run_name":"","weighted_captions":false,"weights":"","xformers":"xformers"}"#;

#[test]
fn the_guis_defaults() {
    let found = of(GUI);
    assert!(found.unknown.is_empty(), "{:?}", found.unknown);
    let options = train(&found);
    assert_eq!(options.images, [std::path::PathBuf::from("/img")]);
    assert_eq!((options.name.as_deref(), options.token.as_deref()), (Some("last"), Some("ohwx")));
    assert_eq!(options.init.as_deref(), Some("*"));
    assert_eq!((options.steps, options.epochs, options.seed), (Some(1600), None, None));
    assert_eq!(options.warmup, "10%");
    assert_eq!(
        (options.optimizer.as_str(), options.scheduler.as_deref()),
        ("AdamW8bit", Some("cosine"))
    );
    assert_eq!((options.save_every, options.save_every_epochs), (0, 1));
    assert_eq!(options.template, TemplateChoice::None);
    assert_eq!(options.resolution, Some((512, 512)));
    assert_eq!(options.min_snr_gamma, None);
    for part in [
        "without the word `ohwx`",
        "epoch = 8 had no effect",
        "1600 steps are kohya's default",
        "learning_rate 1e-5 can hardly teach",
        "448 x 448",
        "EXIF",
        "`last` calls the word",
        "writes a file after each epoch",
    ] {
        assert!(warned(&found, part), "{part}: {:#?}", found.warnings);
    }
    assert!(!warned(&found, "fails"), "{:#?}", found.warnings);
    // Nobody can do anything about what the GUI always sets: only the rate and the name are worth warnings.
    assert_eq!(found.warnings.len(), 2, "{:#?}", found.warnings);
}

#[test]
fn what_the_gui_loses_and_adds() {
    let found = of(r#"{"learning_rate": 0, "max_train_steps": 0, "epoch": 4, "token_string": "x",
        "template": "style template", "max_grad_norm": 5, "lr_warmup": 10, "lr_warmup_steps": 30,
        "optimizer": "Adafactor", "optimizer_args": "relative_step=False \"scale_parameter=False\"",
        "additional_parameters": "--zero_terminal_snr --train_batch_size 3", "train_batch_size": 2,
        "wandb_api_key": "secret"}"#);
    let options = train(&found);
    assert_eq!((options.steps, options.epochs, options.batch), (None, Some(4), 3));
    assert_eq!((options.warmup.as_str(), options.max_grad_norm), ("30", 1.0));
    assert_eq!(options.template, TemplateChoice::Style);
    assert_eq!(options.optimizer_args, ["relative_step=False", "scale_parameter=False"]);
    assert!(options.zero_terminal_snr);
    assert!(warned(&found, "learning_rate = 0 never left the GUI"));
    assert!(found.ignored.iter().any(|(what, _)| what == "max_grad_norm = 5"));
    assert!(!format!("{found:?}").contains("secret"));
}

/// ceil(3 * 2 pictures / batch 4 * 3 epochs * 2 with regularization), whatever the sizes.
#[test]
fn the_gui_counts_steps_from_the_folder() {
    let dir = tempfile::tempdir().unwrap();
    for (folder, files) in
        [("3_x dog", ["a.jpg", "b.PNG", "c.bmp"]), ("other", ["a.jpg", "b.png", "c"])]
    {
        std::fs::create_dir(dir.path().join(folder)).unwrap();
        files.iter().for_each(|f| std::fs::write(dir.path().join(folder).join(f), "").unwrap());
    }
    let fields = |more: &str| {
        let folder = serde_json::to_string(dir.path()).unwrap();
        of(&format!(
            r#"{{"max_train_steps": 0, "epoch": 3, "token_string": "x", "train_batch_size": 4, "train_data_dir": {folder}{more}}}"#
        ))
    };
    assert_eq!(train(&fields("")).steps, Some(5));
    assert_eq!(train(&fields(r#", "reg_data_dir": "r""#)).steps, Some(9));
    let of_file = fields(r#", "dataset_config": "d.toml""#);
    assert_eq!((train(&of_file).steps, train(&of_file).epochs), (Some(1600), None));
}

#[test]
fn previews_and_what_stays() {
    let found = of(
        "token_string = \"w\"\nsample_every_n_steps = 50\nsample_at_first = true\nsample_prompts = \"out/sample/prompt.txt\"\nsample_sampler = \"k_euler_a\"\nsave_last_n_steps = 0\nsave_last_n_epochs = 0\n",
    );
    let options = train(&found);
    assert_eq!((options.sample_every, options.sample_every_epochs), (50, 0));
    assert!(options.sample_at_first);
    assert_eq!(options.sample_prompts.as_deref(), Some("out/sample/prompt.txt"));
    assert_eq!(options.sample_sampler.as_deref(), Some("k_euler_a"));
    assert_eq!((options.sample_steps, options.sample_cfg), (30, 7.5));
    assert_eq!((options.keep_last_steps, options.keep_last_epochs), (1, 0));
    let found = of("sample_every_n_steps = 50\nsample_every_n_epochs = 2\ntoken_string = \"w\"\n");
    let options = train(&found);
    assert_eq!((options.sample_every, options.sample_every_epochs), (0, 2));
    assert_eq!(options.sample_sampler.as_deref(), Some("ddim"));
    assert!(found.assumed.iter().any(|(_, ours)| ours == "sample_steps = 30"));
    assert!(found.ignored.iter().any(|(_, why)| why.contains("sample_every_n_epochs wins")));
}

#[test]
fn a_runs_toml() {
    let found = of(
        "token_string = \"w\"\nlearning_rate = 0.005\nmax_train_epochs = 3\nmax_train_steps = 1600\n[x]\nlr_warmup_steps = 0.1\nlr_scheduler = \"constant\"\noptimizer_args = [\"weight_decay=0.1\"]\nuse_object_template = true\nseed = 4\ninit_word = \"no\"\n",
    );
    let options = train(&found);
    assert_eq!((options.epochs, options.steps), (Some(3), None));
    assert_eq!((options.name.as_deref(), options.seed), (Some("w"), Some(4)));
    assert_eq!((options.warmup.as_str(), options.init.as_deref()), ("0.1", Some("no")));
    assert!(warned(&found, "constant_with_warmup"));
    assert!(!warned(&found, "can hardly teach"));
}

#[test]
fn a_command_with_defaults_and_slips() {
    let found = of(
        "accelerate launch --num_processes 1 train_textual_inversion.py --token_str w --train_batch_size 2 --learnin_rate 1e-6 --network_dim 8 --pretrained_model_name_or_path a.ckpt --optimizer_type Adafactor --lr_warmup_steps 5 --no_such_thing",
    );
    let options = train(&found);
    assert_eq!((options.token.as_deref(), options.batch), (Some("w"), 2));
    assert_eq!((options.learning_rate.as_deref(), options.steps), (Some("2e-6"), Some(1600)));
    assert_eq!(found.unknown[0], ("learnin_rate = 1e-6".into(), Some("learning_rate".into())));
    assert_eq!((found.assumed.len(), options.scheduler.as_deref()), (7, Some("constant")));
    assert!(warned(&found, "LoRA") && warned(&found, "fails with Adafactor"));
    assert!(found.layer.get("base").is_some());
    let wrong = parse(b"--train_batch_size many").unwrap();
    let text = translate(&wrong).unwrap_err().to_string();
    assert!(text.starts_with("train_batch_size = many: no value for train.batch: "), "{text}");
}

#[test]
fn flags_and_files_win_over_it() {
    let found = of("--token_string w --max_train_epochs 9 --learning_rate 1e-6");
    let file = layer("steps = 10\nlr = 0.001", "t").unwrap();
    let options = config::merge([found.layer, file]).read::<Train>().unwrap().options;
    assert_eq!(
        (options.steps, options.epochs, options.learning_rate.as_deref()),
        (Some(10), None, Some("0.001"))
    );
}

#[test]
fn no_key_stands_twice_and_each_has_a_meaning() {
    let mut all: Vec<&str> = known().collect();
    let count = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), count);
    assert!(count > 190, "{count}");
    let ours = Train::specs();
    let there = |key: &&str| match meaning(key).unwrap() {
        Meaning::Text(name) | Meaning::List(name) | Meaning::Switch(name) => {
            ours.iter().any(|spec| spec.name == name)
        }
        Meaning::Special | Meaning::No(_) => true,
    };
    assert_eq!(all.iter().find(|key| !there(key)), None);
}

/// Each trace's command is understood in every word, and says what the trace's own options say.
#[test]
fn golden_kohya_trace_command_lines() {
    let Some(topic) = wayword_testing::topic("kohya-trace") else { return };
    let mut report = Report::new("kohya-trace: command lines");
    for path in topic.files("json") {
        let text = std::fs::read_to_string(&path).unwrap();
        let case: serde_json::Value = serde_json::from_str(&text).unwrap();
        let Some(command) = case["command_line"].as_str() else { continue };
        let found = of(command);
        assert!(found.unknown.is_empty(), "{}: {:?}", path.display(), found.unknown);
        let options = train(&found);
        let token = case["token_string"].as_str();
        assert_eq!(options.token.as_deref(), token, "{}", path.display());
        report.ran();
    }
    report.finish();
}

#[test]
fn other_families_are_refused_by_name() {
    let refused = |text: &str| translate(&parse(text.as_bytes()).unwrap()).unwrap_err().to_string();
    assert!(refused("python sdxl_train_textual_inversion.py --seed 1").contains("SDXL"));
    assert!(refused("sdxl = true\nseed = 1\n").contains("SDXL"));
    assert!(refused("python C:\\k\\flux_train_network.py --seed 1").contains("Flux"));
    assert!(refused(&GUI.replace("\"sdxl\":false", "\"sdxl\":true")).contains("SDXL"));
    let _ = of("python train_textual_inversion.py --seed 1");
}

#[test]
fn the_gui_sends_epoch_as_cycles() {
    let restarts = |cycles: &str| {
        let text =
            GUI.replace("\"lr_scheduler\":\"cosine\"", "\"lr_scheduler\":\"cosine_with_restarts\"");
        let found = of(&text.replace(
            "\"lr_scheduler_num_cycles\":1",
            &format!("\"lr_scheduler_num_cycles\":{cycles}"),
        ));
        (train(&found).lr_scheduler_num_cycles, warned(&found, "had no effect"))
    };
    assert_eq!(
        restarts("\"\"").0,
        train(&of("lr_scheduler_num_cycles = 8\n")).lr_scheduler_num_cycles
    );
    assert!(!restarts("\"\"").1);
    assert_eq!(
        restarts("3").0,
        train(&of("lr_scheduler_num_cycles = 3\n")).lr_scheduler_num_cycles
    );
}
