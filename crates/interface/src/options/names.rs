//! The command line's names for fields: `train.learning_rate` is `--lr`.
use super::OptionSpec;
use crate::FieldNames;
use std::borrow::Cow;

/// Names of fields by the descriptions of requests.
#[derive(Debug, Clone, Default)]
pub struct SpecNames {
    requests: Vec<(&'static str, Vec<&'static OptionSpec>)>,
}

impl SpecNames {
    /// Adds a request's options.
    #[must_use]
    pub fn with<R: super::Options>(mut self) -> Self {
        self.requests.push((R::REQUEST, R::specs()));
        self
    }
}

impl FieldNames for SpecNames {
    fn name(&self, path: &str) -> Option<Cow<'_, str>> {
        let (request, option) = path.split_once('.')?;
        let mut specs =
            self.requests.iter().filter(|(name, _)| *name == request || request == "any");
        let spec = specs.find_map(|(_, specs)| specs.iter().find(|spec| spec.is_called(option)))?;
        Some(if spec.positional {
            Cow::Borrowed(spec.value_name)
        } else {
            Cow::Owned(format!("--{}", spec.flag()))
        })
    }
}
