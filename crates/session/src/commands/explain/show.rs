//! What is told of a prompt, as lines for people.
use super::Explained;
use super::read::{Branch, ExplainedPart, Lora, Side, Stretch, Token, Window};
use std::path::PathBuf;
use wayword_interface::counted;

/// Columns of a line of tokens.
const COLUMNS: usize = 96;

/// All lines.
pub(super) fn lines(explained: &Explained) -> Vec<String> {
    let mut out = Vec::new();
    side("prompt", &explained.prompt, &mut out);
    if let Some(negative) = &explained.negative {
        out.push(String::new());
        side("negative prompt", negative, &mut out);
    }
    if !explained.left_out.is_empty() {
        out.push(String::new());
        out.push("files left out".into());
        out.extend(explained.left_out.iter().flat_map(|text| indented(text, 1)));
    }
    out
}

fn side(name: &str, side: &Side, out: &mut Vec<String>) {
    out.push(format!("{name}: {}", side.text));
    if let Some(filled) = &side.filled {
        out.push(format!("filled in: {filled}"));
    }
    let several = side.parts.len() > 1;
    for (i, one) in side.parts.iter().enumerate() {
        if several {
            out.push(format!("part {} of {}, weight {}", i + 1, side.parts.len(), one.weight));
        }
        part(one, out);
    }
    let from = |path: &Option<PathBuf>| {
        path.as_ref().map_or_else(String::new, |path| format!(", {}", path.display()))
    };
    if !side.words.is_empty() {
        out.push("learned words".into());
        for word in &side.words {
            out.push(format!("  {}: {}{}", word.name, vectors(word.vectors), from(&word.file)));
        }
    }
    if !side.loras.is_empty() {
        out.push("LoRAs".into());
        side.loras.iter().for_each(|used| lora(used, from(&used.file), out));
    }
    if !side.unknown.is_empty() {
        out.push("unknown".into());
        for unknown in &side.unknown {
            let meant = unknown.did_you_mean.as_ref();
            let meant = meant.map_or_else(String::new, |m| format!(": did you mean `{m}`?"));
            out.push(format!("  {}{meant}", unknown.text));
        }
    }
    if !side.notes.is_empty() {
        out.push("notes".into());
        out.extend(side.notes.iter().flat_map(|note| indented(note, 1)));
    }
}

fn lora(lora: &Lora, file: String, out: &mut Vec<String>) {
    let weights = if lora.text_encoder == lora.unet {
        format!("weight {}", lora.unet)
    } else {
        format!("text encoder {}, UNet {}", lora.text_encoder, lora.unet)
    };
    let modules = lora.modules.map_or_else(String::new, |n| format!(", {n} modules"));
    out.push(format!("  {}: {weights}{modules}{file}", lora.name));
    if !lora.brings.is_empty() {
        out.push(format!("    brings {}", lora.brings.join(", ")));
    }
    if let Some(problem) = &lora.problem {
        out.push(format!("    {problem}"));
    }
    if let Some(hint) = &lora.hint {
        out.push(format!("    hint: {hint}"));
    }
}

fn part(part: &ExplainedPart, out: &mut Vec<String>) {
    out.push("tree".into());
    tree(&part.tree, 1, out);
    let several = part.steps.len() > 1;
    for stretch in &part.steps {
        stretches(stretch, several, out);
    }
}

fn tree(branches: &[Branch], depth: usize, out: &mut Vec<String>) {
    let indent = "  ".repeat(depth);
    for branch in branches {
        let quoted = format!("{:?}", branch.text);
        let value = branch.value.as_deref().unwrap_or_default();
        let head = match branch.kind {
            "text" => format!("text {quoted}"),
            "weight" => format!("weight {value}"),
            "schedule" => format!("schedule at {value}"),
            _ => "alternate, one a step".to_owned(),
        };
        out.push(format!("{indent}{head}"));
        for (i, option) in branch.options.iter().enumerate() {
            let label = match (branch.kind, i) {
                ("schedule", 0) => Some("before".to_owned()),
                ("schedule", _) => Some("then".to_owned()),
                ("alternate", i) => Some(format!("{}", i + 1)),
                _ => None,
            };
            let deeper = depth + 1 + usize::from(label.is_some());
            if let Some(label) = label {
                let nothing = if option.is_empty() { ": nothing" } else { "" };
                out.push(format!("{indent}  {label}{nothing}"));
            }
            tree(option, deeper, out);
        }
    }
}

/// `step 3`, `steps 1 to 7`, `steps 1, 3, 5, …, 19`.
fn step_numbers(ranges: &[[i64; 2]]) -> String {
    let range = |[first, last]: &[i64; 2]| {
        if first == last { first.to_string() } else { format!("{first} to {last}") }
    };
    let mut listed: Vec<String> = ranges.iter().map(range).collect();
    if listed.len() > 6 {
        listed.splice(3..listed.len() - 1, ["…".to_owned()]);
    }
    let noun = if ranges.len() == 1 && ranges[0][0] == ranges[0][1] { "step" } else { "steps" };
    format!("{noun} {}", listed.join(", "))
}

fn stretches(stretch: &Stretch, several: bool, out: &mut Vec<String>) {
    if several {
        out.push(format!("{}: {}", step_numbers(&stretch.steps), stretch.text));
    }
    for (i, window) in stretch.windows.iter().enumerate() {
        out.push(format!("window {}: {} of 75 tokens", i + 1, window.used));
        out.extend(tokens(window));
    }
}

/// Words parted by `|`, the pieces of a word by `+`; a weight stands behind what it weights.
fn tokens(window: &Window) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    for (i, token) in window.tokens.iter().enumerate() {
        word.push_str(&piece(token));
        let next = window.tokens.get(i + 1);
        if !token.ends_word && next.is_some_and(|next| next.vectors.is_none()) {
            word.push('+');
            continue;
        }
        if token.weight != 1.0 {
            word.push_str(&format!(":{}", round(token.weight)));
        }
        words.push(std::mem::take(&mut word));
    }
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in words {
        if !line.is_empty() && line.chars().count() + 3 + word.chars().count() > COLUMNS {
            lines.push(format!("  {line} |"));
            line.clear();
        }
        if !line.is_empty() {
            line.push_str(" | ");
        }
        line.push_str(&word);
    }
    if !line.is_empty() {
        lines.push(format!("  {line}"));
    }
    lines
}

fn piece(token: &Token) -> String {
    match token.vectors {
        Some(n) => format!("{{{}, {}}}", token.text, vectors(n)),
        None => token.text.clone(),
    }
}

fn vectors(n: usize) -> String {
    counted(n, "vector")
}

/// A weight without the noise of products in 32 bits.
fn round(weight: f32) -> f64 {
    (f64::from(weight) * 1e4).round() / 1e4
}

fn indented(text: &str, depth: usize) -> Vec<String> {
    let indent = "  ".repeat(depth);
    text.lines().map(|line| format!("{indent}{line}")).collect()
}
