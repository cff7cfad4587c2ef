//! The command line's names for the fields of requests: `train.learning_rate` is `--lr`.
use crate::options::FLAGS;
use std::borrow::Cow;
use wayword_interface::FieldNames;

/// Flags for fields. `any.` stands before the options that several requests share.
pub(crate) struct Flags;

impl FieldNames for Flags {
    fn name(&self, path: &str) -> Option<Cow<'_, str>> {
        FLAGS.name(path)
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
