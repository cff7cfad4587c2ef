//! What is drawn: one job, or one for each line of a file of prompts.
mod line;

use crate::Failure;
use crate::commands::random_seed;
use crate::commands::texts::Texts;
use crate::request::Draw as Options;
use wayword_diffusion::DrawSettings;
use wayword_interface::text_file;

/// Settings with their prompts.
pub(super) struct DrawJob {
    pub(super) settings: DrawSettings,
    /// Whether its line names the width and the height.
    pub(super) sized: (bool, bool),
    /// Its line of the file, which mistakes in it are told with.
    pub(super) place: Option<String>,
}

/// All jobs of a command.
pub(super) fn all(
    options: &Options,
    plain: &DrawSettings,
    texts: &mut Texts,
) -> Result<Vec<DrawJob>, Failure> {
    let negative = options.settings.negative.as_ref().unwrap_or(&plain.negatives[0]);
    let Some(path) = &options.prompts else {
        let mut settings = plain.clone();
        let prompt = options.prompt.as_ref().unwrap_or(&plain.prompts[0]);
        texts.fill(&mut settings, prompt, negative)?;
        return Ok(vec![DrawJob { settings, sized: (false, false), place: None }]);
    };
    let file = text_file::read(path).map_err(|e| Failure::io("cannot read", path, &e))?;
    let mut jobs = Vec::new();
    for (number, line) in file.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        let place = format!("{}, line {}", path.display(), number + 1);
        let mut job = DrawJob { settings: plain.clone(), sized: (false, false), place: None };
        if options.settings.seed.is_none() {
            // As there, each line has a seed of its own.
            job.settings.seed = random_seed();
        }
        let (mut prompt, mut against) = (line.to_owned(), negative.clone());
        if line.starts_with("--") {
            let applied = flags(line).and_then(|flags| line::apply(&mut job, options, flags));
            let applied = applied.map_err(|what| Failure::user(format!("{place}: {what}")))?;
            prompt = applied.prompt.unwrap_or_default();
            against = applied.negative.unwrap_or(against);
        }
        texts.fill(&mut job.settings, &prompt, &against).map_err(|f| f.at(&place))?;
        jobs.push(DrawJob { place: Some(place), ..job });
    }
    if jobs.is_empty() {
        return Err(Failure::user(format!("{}: the file holds no prompt", path.display())));
    }
    Ok(jobs)
}

/// A line of flags, `--key value` or `--key "a value"`, as A1111's script "prompts from file" takes
/// them: the words of a prompt need no quotes.
fn flags(line: &str) -> Result<Vec<(String, String)>, String> {
    let mut words = words(line)?.into_iter().peekable();
    let mut out = Vec::new();
    while let Some(word) = words.next() {
        let key = word.strip_prefix("--").ok_or(format!("expected --name, found {word:?}"))?;
        let mut value = words.next().ok_or(format!("--{key} has no value"))?;
        let key = key.replace('-', "_");
        while key.ends_with("prompt")
            && let Some(more) = words.next_if(|word| !word.starts_with("--"))
        {
            value.push(' ');
            value.push_str(&more);
        }
        out.push((key, value));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_as_in_a_shell() {
        let line = r#"--prompt "a \"big\" cat, a\b" --seed 5 --negative-prompt 'it''s'"#;
        let got = flags(line).unwrap();
        let want = [("prompt", r#"a "big" cat, a\b"#), ("seed", "5"), ("negative_prompt", "its")];
        let owned = |(k, v): &(&str, &str)| ((*k).to_owned(), (*v).to_owned());
        assert_eq!(got, want.iter().map(owned).collect::<Vec<_>>());
        let got = flags("--prompt a dog in snow --seed -1").unwrap();
        let want = [("prompt", "a dog in snow"), ("seed", "-1")];
        assert_eq!(got, want.iter().map(owned).collect::<Vec<_>>());
        for (line, word) in
            [("--prompt \"a", "closed"), ("--prompt", "no value"), ("--a b c", "\"c\"")]
        {
            assert!(flags(line).unwrap_err().contains(word), "{line}");
        }
    }
}
