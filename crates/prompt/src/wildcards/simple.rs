//! A1111's own wildcard extension: `__name__` becomes a line of `name.txt`, nothing more.
use crate::Quirks;
use crate::error::{PromptError, did_you_mean};
use crate::python_random::PythonRandom;
use crate::random::choose;
use std::collections::BTreeMap;

/// Files' names without `.txt`, and all their lines, blank ones too.
pub type SimpleWildcards = BTreeMap<String, Vec<String>>;

/// Replaces each `__name__` by a line drawn with the picture's seed, from left to right.
///
/// With [`Quirks::A1111`] every `__` vanishes, and a piece outside of two of them is replaced too if
/// it happens to be a file's name.
///
/// # Errors
/// In the sane reading, a name that no file has.
pub fn simple(
    prompt: &str,
    files: &SimpleWildcards,
    seed: u64,
    quirks: Quirks,
) -> Result<String, PromptError> {
    let mut random = PythonRandom::new(seed);
    let mut out = String::new();
    let pieces: Vec<&str> = prompt.split("__").collect();
    let mut at = 0;
    for (i, piece) in pieces.iter().enumerate() {
        let enclosed = i % 2 == 1 && i + 1 < pieces.len();
        let named = !piece.is_empty() && !piece.contains(' ');
        let lines = files.get(*piece).filter(|_| named && (enclosed || quirks == Quirks::A1111));
        if let Some(lines) = lines {
            out.push_str(choose(lines, &mut random).map_or(*piece, String::as_str));
        } else if enclosed && named && quirks == Quirks::Sane {
            let message = format!("no wildcard called `{piece}`");
            let error = PromptError::new(message, prompt, at..at + piece.len());
            return Err(match did_you_mean(piece, files.keys().map(String::as_str)) {
                Some(meant) => error.hint(format!("did you mean `__{meant}__`?")),
                None => error,
            });
        } else if quirks == Quirks::Sane && i % 2 == 1 {
            out.push_str("__");
            out.push_str(piece);
            out.push_str(if enclosed { "__" } else { "" });
        } else {
            out.push_str(piece);
        }
        at += piece.len() + 2;
    }
    Ok(out)
}
