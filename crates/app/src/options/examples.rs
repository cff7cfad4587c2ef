//! Examples at the head of each command's help. They can be pasted into any shell.

/// Commands and their examples.
const EXAMPLES: &[(&str, [&str; 3])] = &[
    (
        "prepare",
        [
            r#"wayword prepare photos --out "100_evagreen woman""#,
            r#"wayword prepare photos --out "100_evagreen woman" --framing portrait --masks"#,
            r#"wayword prepare photos --out "100_evagreen woman" --dry-run"#,
        ],
    ),
    (
        "train",
        [
            r#"wayword train photos --base sd15.safetensors --name eva-ti --init woman"#,
            r#"wayword train "100_sks cat" --base sd15.safetensors --name tom-ti --init cat"#,
            r#"wayword train --resume eva-ti.run"#,
        ],
    ),
    (
        "check",
        [
            r#"wayword check photos --base sd15.safetensors --name eva-ti --init woman"#,
            r#"wayword check --kohya settings.json --base sd15.safetensors --strict"#,
            r#"wayword check photos --base sd15.safetensors --name eva-ti --init woman --json"#,
        ],
    ),
    (
        "rerun",
        [
            r#"wayword rerun eva-ti.safetensors --out again"#,
            r#"wayword rerun eva-ti.safetensors photos --base sd15.safetensors --out again"#,
            r#"wayword rerun eva-ti.run --out again --threads 4"#,
        ],
    ),
    (
        "draw",
        [
            r#"wayword draw "photo of (eva-ti:0.8) at the beach" --base sd15.safetensors"#,
            r#"wayword draw "a cat <lora:film:0.6>" --base sd15.safetensors --loras loras"#,
            r#"wayword draw --from 00003-1234.png --base sd15.safetensors --steps 30"#,
        ],
    ),
    (
        "grid",
        [
            r#"wayword grid "photo of eva-ti" --base sd15.safetensors --x "weight: 0.6, 1""#,
            r#"wayword grid eva-ti --base sd15.safetensors --run eva-ti.run --x "step: all""#,
            r#"wayword grid "a hat" --base sd15.safetensors --x "cfg: 5, 7" --y "seed: 1-3""#,
        ],
    ),
    (
        "explain",
        [
            r#"wayword explain "photo of (eva-ti:0.8), [rain:snow:0.5]" --embeddings ."#,
            r#"wayword explain "a __color__ hat" --wildcards wildcards"#,
            r#"wayword explain "photo <lora:film:0.6>" --loras loras --json"#,
        ],
    ),
    (
        "demo",
        ["wayword demo", "wayword demo --out my-demo --seed 2", "wayword demo --threads 1 --json"],
    ),
    (
        "likeness",
        [
            r#"wayword likeness drawn --to photos --judge dino.onnx"#,
            r#"wayword likeness one.png two.png --to photos --judge auto"#,
            r#"wayword likeness wayword-demo --to wayword-demo --json"#,
        ],
    ),
    (
        "inspect",
        [
            "wayword inspect eva-ti.safetensors",
            "wayword inspect 00003-1234.png",
            "wayword inspect sd15.safetensors --no-hash",
        ],
    ),
    (
        "pick",
        [
            "wayword pick out/eva-ti.run",
            "wayword pick out/eva-ti.run --by fidelity --write",
            "wayword pick out/eva-ti.run --judge face.onnx",
        ],
    ),
    (
        "convert",
        [
            "wayword convert eva-ti.safetensors eva-ti.pt",
            "wayword convert eva-ti.safetensors eva.safetensors --for diffusers",
            "wayword convert old.bin new.safetensors --dtype f16",
        ],
    ),
    (
        "bench",
        [
            "wayword bench step",
            "wayword bench draw --size 512",
            "wayword bench step --base sd15.safetensors",
        ],
    ),
    ("devices", ["wayword devices", "wayword devices --json", "wayword draw --help"]),
];

/// The examples of a command as its help shows them.
pub(super) fn of(command: &str) -> Option<String> {
    let (_, lines) = EXAMPLES.iter().find(|(name, _)| *name == command)?;
    Some(format!("Examples:\n  {}", lines.join("\n  ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::error::ErrorKind;

    /// Words as every shell splits them: blanks divide, double quotes keep together.
    fn words(line: &str) -> Vec<String> {
        let (mut words, mut quoted) = (vec![String::new()], false);
        for c in line.chars() {
            match c {
                '"' => quoted = !quoted,
                ' ' if !quoted => words.push(String::new()),
                other => words.last_mut().unwrap().push(other),
            }
        }
        words
    }

    #[test]
    fn every_command_has_examples_that_can_be_pasted() {
        for command in wayword_session::Request::COMMANDS {
            assert!(of(command).is_some(), "{command} has no examples");
        }
        for line in EXAMPLES.iter().flat_map(|(_, lines)| lines) {
            // A line that a terminal of 80 columns breaks cannot be pasted.
            assert!(line.len() <= 78, "{} columns: {line}", line.len());
            assert!(!line.contains(['\'', '\\', '$', '`', '!', '%']), "{line}");
            match super::super::program().try_get_matches_from(words(line)) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::DisplayHelp => {}
                Err(error) => panic!("{line}\n{error}"),
            }
        }
    }
}
