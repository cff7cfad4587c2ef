//! The command line's names for the fields of requests: `train.learning_rate` is `--lr`.
use std::borrow::Cow;
use wayword_interface::FieldNames;

/// Flags for fields. `any.` stands before the options that several requests share.
pub(crate) struct Flags;

/// Requests whose fields are flags.
const REQUESTS: &[&str] = &[
    "any", "train", "rerun", "draw", "grid", "explain", "inspect", "convert", "likeness", "bench",
];

/// Fields that the command line calls otherwise.
const OTHERWISE: &[(&str, &str)] = &[("learning_rate", "--lr"), ("images", "IMAGES")];

impl FieldNames for Flags {
    fn name(&self, path: &str) -> Option<Cow<'_, str>> {
        let (request, option) = path.split_once('.')?;
        if !REQUESTS.contains(&request) {
            return None;
        }
        let otherwise = OTHERWISE.iter().find(|(field, _)| *field == option);
        Some(match otherwise {
            Some((_, flag)) => Cow::Borrowed(*flag),
            None => format!("--{}", option.replace('_', "-")).into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_flags() {
        assert_eq!(Flags.name("train.save_every").unwrap(), "--save-every");
        assert_eq!(Flags.name("train.learning_rate").unwrap(), "--lr");
        assert!(Flags.name("setting.x").is_none());
    }
}
