//! Options in their three forms, and what is refused.
use super::*;

fn pairs(options: &KohyaOptions) -> Vec<String> {
    options.entries.iter().map(|e| format!("{}={}", e.key, e.value)).collect()
}

#[test]
fn a_command_line_in_three_shells() {
    for mark in ["\\", "^", "`"] {
        let text = format!(
            "#!/bin/bash\ncd sd-scripts\n# train\naccelerate launch --mixed_precision=fp16 {mark}\n  train_textual_inversion.py {mark} \r\n  --token_string 'my word' --cache_latents --optimizer_args weight_decay=0.1 \"betas=0.9,0.99\" {mark}\n  --adaptive_noise_scale -0.1 --sample_prompts=\"a --n b\"\necho done --well\n"
        );
        let options = parse(text.as_bytes()).unwrap();
        assert_eq!(options.form, Form::CommandLine);
        assert_eq!(options.script.as_deref(), Some("train_textual_inversion.py"));
        assert_eq!(options.launcher.len(), 1);
        assert_eq!(
            pairs(&options),
            [
                "token_string=my word",
                "cache_latents=true",
                "optimizer_args=weight_decay=0.1 betas=0.9,0.99",
                "adaptive_noise_scale=-0.1",
                "sample_prompts=a --n b",
            ]
        );
        assert!(options.stray.is_empty());
    }
}

#[test]
fn paths_of_windows_keep_their_backslashes() {
    let text =
        r#"--train_data_dir "C:\my pictures\img" --output_dir D:\out\ti --init_word "say \"x\"""#;
    let options = parse(text.as_bytes()).unwrap();
    assert_eq!(
        pairs(&options),
        [r"train_data_dir=C:\my pictures\img", r"output_dir=D:\out\ti", r#"init_word=say "x""#]
    );
}

#[test]
fn a_quoted_word_is_no_flag() {
    let options = parse(br#"--token_string "--odd" --seed 1"#).unwrap();
    assert_eq!(pairs(&options), ["token_string=--odd", "seed=1"]);
}

#[test]
fn tables_of_toml_are_flattened() {
    let text = "seed = 3\nlearning_rate = 1e-05\n[a]\noptimizer_args = [\"x=1\", \"y=2\"]\ncache_latents = true\n";
    let options = parse(text.as_bytes()).unwrap();
    assert_eq!(options.form, Form::Toml);
    let mut found = pairs(&options);
    found.sort();
    assert_eq!(
        found,
        ["cache_latents=true", "learning_rate=1e-5", "optimizer_args=x=1 y=2", "seed=3"]
    );
}

#[test]
fn json_keeps_order_and_kinds() {
    let text = "\u{feff}{\"vae\": \"\", \"lr\": 1e-05, \"on\": false, \"none\": null}";
    let options = parse(text.as_bytes()).unwrap();
    assert_eq!(options.form, Form::GuiJson);
    assert_eq!(pairs(&options), ["vae=\"\"", "lr=1e-5", "on=false", "none=null"]);
}

#[test]
fn wide_text_of_powershell_is_read() {
    let bytes: Vec<u8> = [0xff, 0xfe]
        .into_iter()
        .chain("--seed 7".encode_utf16().flat_map(u16::to_le_bytes))
        .collect();
    assert_eq!(pairs(&parse(&bytes).unwrap()), ["seed=7"]);
}

#[test]
fn what_is_no_options_is_refused() {
    let refused = |bytes: &[u8]| parse(bytes).unwrap_err().to_string();
    assert!(refused(b"").contains("empty"));
    assert!(refused(b"hello there").contains("neither JSON, TOML nor a command line"));
    assert!(refused(b"{\"a\": ").contains("line 1"));
    assert!(refused(b"--a 'b").contains("never closed"));
    assert!(refused(b"[general]\n[[datasets]]\n").contains("data sets"));
    assert!(refused(b"<!DOCTYPE html>").contains("web page"));
    assert!(refused(&[0x41, 0xff, 0x42]).contains("UTF-8"));
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_fail_badly(text in "[-{}\\[\\]\"'\\\\^`= a-z\n.1]{0,60}") {
        let _ = parse(text.as_bytes());
    }
}

#[test]
fn the_file_that_a_command_names_is_read_first() {
    let dir = tempfile::tempdir().unwrap();
    let command = dir.path().join("command.txt");
    let text = "accelerate launch train_textual_inversion.py --config_file /gone/run.toml --seed 3";
    std::fs::write(&command, text).unwrap();
    let missing = read(&command).unwrap_err();
    assert!(missing.to_string().contains("/gone/run.toml"), "{missing}");
    std::fs::write(dir.path().join("run.toml"), "seed = 1\ntoken_string = \"hoge\"\n").unwrap();
    let options = read(&command).unwrap();
    let shown = pairs(&options);
    assert_eq!(options.form, Form::CommandLine);
    assert_eq!(shown[..2], ["seed=1", "token_string=hoge"]);
    assert_eq!(shown.last().unwrap(), "seed=3");
}

#[test]
fn a_command_as_pythons_log_prints_it() {
    let text = "['accelerate', 'launch', '--num_processes', '1', '/k/train_textual_inversion.py',\n \
                '--seed', '7', \"--output_name\", 'it\\'s']";
    let options = parse(text.as_bytes()).unwrap();
    assert_eq!(options.script.as_deref(), Some("/k/train_textual_inversion.py"));
    assert_eq!(pairs(&options), ["seed=7", "output_name=it's"]);
    assert_eq!(options.launcher.len(), 1);
    assert!(parse(b"['a', 'b'").is_err());
}

#[test]
fn a_windows_path_in_double_quotes_is_named() {
    let error = parse(b"seed = 1\noutput_dir = \"C:\\Users\\me\"\n").unwrap_err();
    assert!(error.to_string().contains("line 2"), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("single quotes")), "{error:?}");
}
