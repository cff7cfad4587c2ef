//! A command line as text: quotes, continued lines of three shells, and what belongs to which flag.
use super::{Entry, Form, KohyaOptions, Value};
use crate::error::Fault;

/// The words of a command as Python prints a list, which kohya's log has: `['accelerate', 'launch']`.
pub(super) fn python_list(text: &str) -> Option<Vec<String>> {
    let mut rest = text.strip_prefix('[')?.trim_start();
    let mut words = Vec::new();
    loop {
        let quote = rest.chars().next().filter(|c| *c == '\'' || *c == '"')?;
        let (mut word, mut letters) = (String::new(), rest[1..].char_indices());
        let end = loop {
            match letters.next()? {
                (at, c) if c == quote => break at + 2,
                (_, '\\') => word.push(letters.next()?.1),
                (_, c) => word.push(c),
            }
        };
        words.push(word);
        rest = rest[end..].trim_start();
        match rest.strip_prefix(',') {
            Some(more) => rest = more.trim_start(),
            None => return rest.strip_prefix(']')?.trim().is_empty().then_some(words),
        }
    }
}

/// Reads a command whose words are known.
pub(super) fn of_words(words: Vec<String>) -> Result<KohyaOptions, Fault> {
    let word = |text: String| ShellWord { text, quoted: false };
    first(&[words.into_iter().map(word).collect()])
}

/// Reads the first command of a text that has options.
pub(super) fn parse(text: &str) -> Result<KohyaOptions, Fault> {
    first(&split(text)?)
}

fn first(commands: &[Vec<ShellWord>]) -> Result<KohyaOptions, Fault> {
    let has_options = |words: &&Vec<ShellWord>| words.iter().any(ShellWord::is_flag);
    let trains = |words: &&Vec<ShellWord>| words.iter().any(|word| word.is_script());
    let words = commands.iter().find(trains).or_else(|| commands.iter().find(has_options));
    let words = words.ok_or_else(|| Fault::container("no command with options"))?;
    let at = words.iter().position(ShellWord::is_script);
    let (before, after) = at.map_or((&[][..], &words[..]), |at| (&words[..at], &words[at + 1..]));
    let (launcher, _) = options(before);
    let (entries, stray) = options(after);
    Ok(KohyaOptions {
        form: Form::CommandLine,
        script: at.map(|at| words[at].text.clone()),
        launcher,
        entries,
        stray,
    })
}

/// A word of a command; a quoted one is never a flag.
struct ShellWord {
    text: String,
    quoted: bool,
}

impl ShellWord {
    fn is_flag(&self) -> bool {
        !self.quoted && self.text.len() > 2 && self.text.starts_with("--")
    }

    fn is_script(&self) -> bool {
        self.text.ends_with(".py")
    }
}

/// Flags with the words that follow them; words before the first flag belong to none.
fn options(words: &[ShellWord]) -> (Vec<Entry>, Vec<String>) {
    let mut entries = Vec::new();
    let mut stray = Vec::new();
    let mut rest = words;
    while let Some((word, after)) = rest.split_first() {
        rest = after;
        if !word.is_flag() {
            stray.push(word.text.clone());
            continue;
        }
        let name = word.text.trim_start_matches('-');
        let count = rest.iter().take_while(|word| !word.is_flag()).count();
        let mut values: Vec<String> = rest[..count].iter().map(|w| w.text.clone()).collect();
        rest = &rest[count..];
        let key = match name.split_once('=') {
            Some((key, value)) => {
                values.insert(0, value.to_owned());
                key
            }
            None => name,
        };
        let value = match values.len() {
            0 => Value::Bool(true),
            1 => Value::Text(values.remove(0)),
            _ => Value::List(values),
        };
        entries.push(Entry { key: key.to_owned(), value });
    }
    (entries, stray)
}

/// Commands of words, as the shells split them: a line goes on after `\`, `^` or a backtick.
fn split(text: &str) -> Result<Vec<Vec<ShellWord>>, Fault> {
    let mut commands = vec![Vec::new()];
    let mut word: Option<ShellWord> = None;
    let mut letters = text.chars().peekable();
    let mut line = 1;
    let end = |word: &mut Option<ShellWord>, commands: &mut Vec<Vec<ShellWord>>| {
        if let (Some(word), Some(command)) = (word.take(), commands.last_mut()) {
            command.push(word);
        }
    };
    let add = |word: &mut Option<ShellWord>, letter: char| {
        word.get_or_insert_with(|| ShellWord { text: String::new(), quoted: false })
            .text
            .push(letter);
    };
    while let Some(letter) = letters.next() {
        match letter {
            '\n' => {
                line += 1;
                end(&mut word, &mut commands);
                commands.push(Vec::new());
            }
            // A comment lasts until the line's end.
            '#' if word.is_none() => while letters.next_if(|c| *c != '\n').is_some() {},
            letter if letter.is_whitespace() => end(&mut word, &mut commands),
            '\\' | '^' | '`' if goes_on(&mut letters) => {
                line += 1;
                end(&mut word, &mut commands);
            }
            // Windows' paths are full of backslashes: only what needs an escape is escaped.
            '\\' if letters.peek().is_some_and(|c| " \"'\\$".contains(*c)) => {
                add(&mut word, letters.next().unwrap_or('\\'));
            }
            quote @ ('"' | '\'') => {
                let begun = line;
                let quoted = word.is_none();
                let into = word.get_or_insert_with(|| ShellWord { text: String::new(), quoted });
                loop {
                    match letters.next() {
                        None => {
                            let what = format!("line {begun}: the quote {quote} is never closed");
                            return Err(Fault::container(what));
                        }
                        Some(letter) if letter == quote => break,
                        Some('\\')
                            if quote == '"'
                                && letters.peek().is_some_and(|c| "\"$`".contains(*c)) =>
                        {
                            into.text.extend(letters.next());
                        }
                        Some(letter) => {
                            line += usize::from(letter == '\n');
                            into.text.push(letter);
                        }
                    }
                }
            }
            letter => add(&mut word, letter),
        }
    }
    end(&mut word, &mut commands);
    Ok(commands)
}

/// Takes the line's end, with blanks before it, if nothing else is left of the line.
fn goes_on(letters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> bool {
    let mut ahead = letters.clone();
    loop {
        match ahead.next() {
            Some('\n') => {
                *letters = ahead;
                return true;
            }
            Some(letter) if letter.is_whitespace() => {}
            _ => return false,
        }
    }
}
