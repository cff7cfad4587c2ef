//! What is drawn: one job, or one for each line of a file of prompts.
use crate::commands::settings;
use crate::commands::texts::Texts;
use crate::failure::Failure;
use crate::options::Draw as Options;
use std::ops::{Deref, DerefMut};
use wayword_diffusion::DrawSettings;

/// Settings with their prompts.
pub(super) struct Job {
    pub(super) settings: DrawSettings,
    /// Whether its line names the size.
    pub(super) sized: bool,
}

impl Deref for Job {
    type Target = DrawSettings;

    fn deref(&self) -> &DrawSettings {
        &self.settings
    }
}

impl DerefMut for Job {
    fn deref_mut(&mut self) -> &mut DrawSettings {
        &mut self.settings
    }
}

/// All jobs of a command.
pub(super) fn all(
    options: &Options,
    plain: &DrawSettings,
    texts: &mut Texts,
) -> Result<Vec<Job>, Failure> {
    let negative = options.settings.negative.as_ref().unwrap_or(&plain.negatives[0]);
    let Some(path) = &options.prompts else {
        let mut settings = plain.clone();
        let prompt = options.prompt.as_ref().unwrap_or(&plain.prompts[0]);
        // What a picture says of itself was drawn already; only what is new is a template.
        let hires = &options.hires;
        let texts_given = [&options.prompt, &options.settings.negative];
        let texts_given =
            texts_given.into_iter().chain([&hires.hires_prompt, &hires.hires_negative]);
        if options.from.is_some() && texts_given.flatten().next().is_none() {
            return Ok(vec![Job { settings, sized: false }]);
        }
        texts.fill(&mut settings, prompt, negative)?;
        return Ok(vec![Job { settings, sized: false }]);
    };
    let file = std::fs::read_to_string(path).map_err(|e| Failure::io("cannot read", path, &e))?;
    let file = file.strip_prefix('\u{feff}').unwrap_or(&file);
    let mut jobs = Vec::new();
    for (place, line) in file.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        let mut job = Job { settings: plain.clone(), sized: false };
        let (mut prompt, mut against) = (line.to_owned(), negative.clone());
        if line.starts_with("--") {
            let at = |what: String| {
                Failure::user(format!("{}, line {}: {what}", path.display(), place + 1))
            };
            prompt = String::new();
            let (mut runs, mut at_once): (Option<usize>, Option<usize>) = (None, None);
            for (key, value) in flags(line).map_err(at)? {
                match key.as_str() {
                    "prompt" => prompt = value,
                    "negative_prompt" => against = value,
                    "n_iter" => runs = Some(number(&key, &value).map_err(at)?),
                    "batch_size" => at_once = Some(number(&key, &value).map_err(at)?),
                    _ => one(&mut job, &key, &value).map_err(at)?,
                }
            }
            // As there, so many runs of so many pictures.
            if runs.is_some() || at_once.is_some() {
                job.batch = at_once.unwrap_or(job.batch).max(1);
                job.count = runs.unwrap_or(1).max(1) * at_once.unwrap_or(1).max(1);
            }
        }
        texts.fill(&mut job.settings, &prompt, &against)?;
        jobs.push(job);
    }
    if jobs.is_empty() {
        return Err(Failure::user(format!("{}: the file holds no prompt", path.display())));
    }
    Ok(jobs)
}

/// A line of flags, `--key value` or `--key "a value"`, as A1111's script "prompts from file" takes
/// them.
fn flags(line: &str) -> Result<Vec<(String, String)>, String> {
    let mut words = words(line)?.into_iter();
    let mut out = Vec::new();
    while let Some(word) = words.next() {
        let key = word.strip_prefix("--").ok_or(format!("expected --name, found {word:?}"))?;
        let value = words.next().ok_or(format!("--{key} has no value"))?;
        out.push((key.replace('-', "_"), value));
    }
    Ok(out)
}

/// A line cut at spaces, but not inside quotes; a backslash protects the next character.
fn words(line: &str) -> Result<Vec<String>, String> {
    let (mut out, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        match (c, quote) {
            (c, Some(open)) if c == open => quote = None,
            ('\\', None | Some('"')) => {
                let next = rest.next().ok_or("a backslash at the end")?;
                // Inside quotes it protects only the quote and itself.
                let word = word.get_or_insert_default();
                if quote.is_some() && !matches!(next, '"' | '\\') {
                    word.push('\\');
                }
                word.push(next);
            }
            (c, Some(_)) => word.get_or_insert_default().push(c),
            ('"' | '\'', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (c, None) if c.is_whitespace() => out.extend(word.take()),
            (c, None) => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        return Err("a quote is not closed".into());
    }
    out.extend(word);
    Ok(out)
}

fn number<T: std::str::FromStr>(key: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("--{key} {value}: not a number that fits"))
}

/// One flag of a line.
fn one(job: &mut Job, key: &str, value: &str) -> Result<(), String> {
    match key {
        "seed" => job.seed = number(key, value)?,
        "subseed" => {
            let strength = job.variation.map_or(0.0, |v| v.1);
            job.variation = Some((number(key, value)?, strength));
        }
        "subseed_strength" => {
            let seed = job.variation.map_or(0, |v| v.0);
            job.variation = Some((seed, number(key, value)?));
        }
        "steps" => job.steps = number(key, value)?,
        "cfg_scale" => job.cfg = number(key, value)?,
        "width" => (job.width, job.sized) = (number(key, value)?, true),
        "height" => (job.height, job.sized) = (number(key, value)?, true),
        "sampler_name" | "sampler_index" => {
            settings::sampler(Some(value), None, &mut job.settings)
                .map_err(|failure| failure.message().to_owned())?;
        }
        "prompt_for_display" | "outpath_samples" => {}
        _ => return Err(format!("--{key} is not supported in a file of prompts")),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_as_in_a_shell() {
        let line = r#"--prompt "a \"big\" cat, a\b" --seed 5 --negative-prompt 'it''s'"#;
        let got = flags(line).unwrap();
        let want = [("prompt", r#"a "big" cat, a\b"#), ("seed", "5"), ("negative_prompt", "its")];
        let want: Vec<_> = want.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        assert_eq!(got, want);
        for (line, word) in
            [("--prompt \"a", "closed"), ("--prompt", "no value"), ("--a b c", "\"c\"")]
        {
            assert!(flags(line).unwrap_err().contains(word), "{line}");
        }
    }
}
