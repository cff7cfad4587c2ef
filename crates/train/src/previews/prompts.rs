//! What previews show: lines in kohya's syntax (`a cat --w 512 --h 768 --d 7`), TOML or JSON.
use super::PreviewPrompt;
use crate::error::AtFile as _;
use crate::optim::nearest;
use crate::{Error, Result};
use std::path::Path;
use toml::{Table, Value};
use wayword_diffusion::sigmas::{Schedule, resolve};
use wayword_formats::endings;
use wayword_interface::Diagnostic;
use wayword_interface::text_file;

/// Flags of a line, what they are in a table, and in words.
const FLAGS: &[(&str, &str, &str)] = &[
    ("n", "negative_prompt", "a text"),
    ("w", "width", "a whole number of pixels"),
    ("h", "height", "a whole number of pixels"),
    ("d", "seed", "a whole number"),
    ("s", "sample_steps", "a whole number from 1 to 1000"),
    ("l", "scale", "a number"),
    ("ss", "sample_sampler", "a sampler's name"),
    ("g", "guidance_scale", "a number, which changes nothing here as in kohya's trainer"),
];

/// The prompts of a file, or of the lines themselves; `plain` is what they leave out. The seeds of
/// those that name none count on.
///
/// # Errors
/// If the file cannot be read, or there is something unknown in it.
pub(super) fn read(given: &str, plain: &PreviewPrompt) -> Result<Vec<PreviewPrompt>> {
    let path = Path::new(given.trim());
    let ending = endings::of(path);
    let is_name = ["txt", "toml", "json"].contains(&ending.as_str());
    let one_line = !given.trim().contains('\n');
    let (text, name) = if one_line && (is_name || path.is_file()) {
        (text_file::read(path).at(path)?, path.display().to_string())
    } else {
        (given.to_owned(), "{train.sample_prompts}".into())
    };
    let text = text.as_str();
    let found = match ending.as_str() {
        "toml" if one_line => tables(toml_list(text), &name, plain)?,
        "json" if one_line => tables(json_list(text), &name, plain)?,
        _ => lines(text, &name, plain)?,
    };
    if found.is_empty() {
        return Err(Error::data(format!("{name}: there is no prompt in it"))
            .with_hint("write one prompt a line, such as: photo of evagreen-ti --d 1 --s 20"));
    }
    Ok(found)
}

fn lines(text: &str, name: &str, plain: &PreviewPrompt) -> Result<Vec<PreviewPrompt>> {
    let mut found = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let place = format!("{name}, line {}", at + 1);
        found.push(of_line(line, &place, &next(plain, found.len()))?);
    }
    Ok(found)
}

/// What a prompt leaves out, with a seed of its own.
fn next(plain: &PreviewPrompt, place: usize) -> PreviewPrompt {
    PreviewPrompt { seed: plain.seed.wrapping_add(place as u64), ..plain.clone() }
}

fn of_line(line: &str, place: &str, plain: &PreviewPrompt) -> Result<PreviewPrompt> {
    // A flag in front is a line without a prompt.
    let line = format!(" {}", line.trim());
    let mut parts = line.split(" --");
    let mut prompt = plain.clone();
    prompt.prompt = parts.next().unwrap_or_default().trim().into();
    for part in parts {
        let (flag, value) = part.split_once(char::is_whitespace).unwrap_or((part, ""));
        let flag = flag.to_lowercase();
        let Some((_, key, _)) = FLAGS.iter().find(|(known, ..)| *known == flag) else {
            let known: Vec<String> = FLAGS.iter().map(|(f, ..)| format!("--{f}")).collect();
            return Err(Error::data(format!(
                "{place}: there is no `--{flag}` in a preview's prompt"
            ))
            .with_hint(format!("known are {}", known.join(" "))));
        };
        set(&mut prompt, key, value.trim()).map_err(|expected| {
            Error::data(format!("{place}: --{flag} expects {expected}, found `{}`", value.trim()))
        })?;
    }
    Ok(prompt)
}

/// Sets what a flag or a key says; on failure, what would have been right.
fn set(prompt: &mut PreviewPrompt, key: &str, value: &str) -> std::result::Result<(), String> {
    let expected = || FLAGS.iter().find(|(_, k, _)| *k == key).map_or("", |(.., what)| what);
    fn number<T: std::str::FromStr>(value: &str, expected: &str) -> std::result::Result<T, String> {
        value.parse().map_err(|_| expected.to_owned())
    }
    // As the trainer rounds sizes.
    let side = |value| Ok::<u32, String>((number::<u32>(value, expected())? / 8 * 8).max(64));
    match key {
        "prompt" => prompt.prompt = value.into(),
        "negative_prompt" => prompt.negative = value.into(),
        "width" => prompt.width = side(value)?,
        "height" => prompt.height = side(value)?,
        "seed" => prompt.seed = number(value, expected())?,
        "sample_steps" => {
            prompt.steps = number(value, expected())?;
            if !(1..=1000).contains(&prompt.steps) {
                return Err(expected().into());
            }
        }
        "scale" => {
            prompt.cfg = number(value, expected())?;
            if !prompt.cfg.is_finite() {
                return Err(expected().into());
            }
        }
        "guidance_scale" => drop(number::<f64>(value, expected())?),
        "sample_sampler" => {
            prompt.sampler = sampler("", value).map_err(|e| match e.hint() {
                Some(hint) => format!("{} ({hint})", expected()),
                None => expected().into(),
            })?;
        }
        _ => return Err(format!("one of prompt, {}", keys().join(", "))),
    }
    Ok(())
}

fn keys() -> Vec<&'static str> {
    FLAGS.iter().map(|(_, key, _)| *key).collect()
}

/// A sampler by our name or another program's, with its schedule where that is not its own.
pub(super) fn sampler(option: &str, name: &str) -> Result<String> {
    match resolve(name, None, false) {
        Ok((info, Schedule::Automatic)) => Ok(info.name.into()),
        Ok((info, schedule)) => Ok(format!("{} {}", info.name, schedule.label())),
        Err(unknown) => {
            let error = Error::option(option, "a sampler's name", format!("`{name}`"));
            Err(error.with_hint(unknown.hint))
        }
    }
}

/// `[prompt]`, with each of `[[prompt.subset]]` on top of it.
fn toml_list(text: &str) -> std::result::Result<Vec<Value>, Diagnostic> {
    let table = text.parse::<Table>().map_err(|e| Diagnostic::new(e.message()))?;
    let missing = || Diagnostic::new("no table [prompt] with [[prompt.subset]] in it");
    let general = table.get("prompt").and_then(Value::as_table).ok_or_else(missing)?;
    let mut general = general.clone();
    let Some(subsets) = general.remove("subset") else { return Ok(vec![Value::Table(general)]) };
    let subsets = subsets.as_array().ok_or_else(missing)?.clone();
    let merged = |subset: Value| match subset {
        Value::Table(changes) => {
            let mut combined = general.clone();
            combined.extend(changes);
            Value::Table(combined)
        }
        other => other,
    };
    Ok(subsets.into_iter().map(merged).collect())
}

fn json_list(text: &str) -> std::result::Result<Vec<Value>, Diagnostic> {
    serde_json::from_str(text).map_err(Diagnostic::of)
}

fn tables(
    list: std::result::Result<Vec<Value>, Diagnostic>,
    name: &str,
    plain: &PreviewPrompt,
) -> Result<Vec<PreviewPrompt>> {
    let list = list.map_err(|e| e.in_context(format!("{name} cannot be read")))?;
    let mut found = Vec::new();
    for (at, value) in list.into_iter().enumerate() {
        let (place, plain) = (format!("{name}, prompt {}", at + 1), next(plain, at));
        let table = match value {
            Value::String(line) => {
                found.push(of_line(&line, &place, &plain)?);
                continue;
            }
            Value::Table(table) => table,
            other => {
                return Err(Error::data(format!("{place}: expected a table, found {other}")));
            }
        };
        let mut prompt = plain;
        for (key, value) in table {
            if key != "prompt" && !keys().contains(&key.as_str()) {
                let error = Error::data(format!("{place}: there is no `{key}`"));
                return Err(match nearest(&key, &keys()) {
                    Some(near) => error.with_hint(format!("did you mean `{near}`?")),
                    None => error.with_hint(format!("known are prompt, {}", keys().join(", "))),
                });
            }
            let text = match &value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            set(&mut prompt, &key, &text).map_err(|expected| {
                Error::data(format!("{place}: {key} expects {expected}, found {value}"))
            })?;
        }
        found.push(prompt);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain() -> PreviewPrompt {
        PreviewPrompt {
            prompt: String::new(),
            negative: String::new(),
            width: 512,
            height: 512,
            seed: 40,
            steps: 20,
            cfg: 7.0,
            sampler: String::new(),
        }
    }

    #[test]
    fn lines_are_read_as_kohya_writes_them() {
        let text = "# previews\n\na cat, w 5 --W 519 --h 768 --d 7 --s 30 --l 7.5 --n ugly, bad --ss k_euler_a\n\nphoto of x";
        let found = read(text, &plain()).unwrap();
        let want = PreviewPrompt {
            prompt: "a cat, w 5".into(),
            negative: "ugly, bad".into(),
            width: 512,
            height: 768,
            seed: 7,
            steps: 30,
            cfg: 7.5,
            sampler: "Euler a".into(),
        };
        assert_eq!(found[0], want);
        assert_eq!(found[1], PreviewPrompt { prompt: "photo of x".into(), seed: 41, ..plain() });
        for name in ["ddim", "pndm", "k_lms", "heun", "dpm_2", "k_dpm_2_a", "dpmsolver++", "euler"]
        {
            assert!(sampler("", name).is_ok(), "{name}");
        }
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        let refused = |text: &str| {
            let error = read(text, &plain()).unwrap_err();
            format!("{error} | {}", error.hint().unwrap_or_default())
        };
        assert!(refused("a b\nc d --cn x.png").contains("line 2: there is no `--cn`"));
        assert!(refused("a b --w big").contains("--w expects a whole number"));
        assert!(refused("a b --s 0").contains("from 1 to 1000"));
        assert!(refused("a b --ss dpmsingle").contains("a sampler's name"));
        assert!(refused("# only this\n ").contains("no prompt"));
        assert!(refused("none-such.txt").contains("none-such.txt"));
    }

    #[test]
    fn tables_of_toml_and_json_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            read(&path.to_string_lossy(), &plain())
        };
        let found = file(
            "p.toml",
            "[prompt]\nwidth = 768\nscale = 5\n[[prompt.subset]]\nprompt = \"a b\"\nseed = 3\n[[prompt.subset]]\nprompt = \"c\"\nscale = 2.5\n",
        )
        .unwrap();
        assert_eq!((found[0].width, found[0].cfg, found[0].seed), (768, 5.0, 3));
        assert_eq!((found[1].prompt.as_str(), found[1].cfg, found[1].seed), ("c", 2.5, 41));
        let found = file("p.json", r#"["a b --d 2", {"prompt": "c", "sample_steps": 4}]"#).unwrap();
        assert_eq!((found[0].seed, found[1].steps), (2, 4));
        let error = file("q.json", r#"[{"promt": "c"}]"#).unwrap_err();
        assert!(error.hint().unwrap().contains("prompt"), "{error}");
    }
}
