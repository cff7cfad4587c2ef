//! What can be wrong with an optimizer's or a schedule's options.
use wayword_interface::Diagnostic;

/// A refused optimizer, argument or state.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum OptimError {
    /// An argument is not `key=value` with a literal value.
    #[error("argument `{text}`: {why}")]
    Argument {
        /// As the user wrote it.
        text: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A value is of the wrong kind or out of range.
    #[error("{optimizer}: `{key}` is {found}, expected {expected}")]
    Value {
        /// The optimizer or schedule.
        optimizer: String,
        /// The argument.
        key: String,
        /// Its value.
        found: String,
        /// What it should be.
        expected: &'static str,
    },
    /// The optimizer has no such argument.
    #[error("{optimizer} has no argument `{key}`{}", did_you_mean(.nearest))]
    UnknownArgument {
        /// The optimizer or schedule.
        optimizer: String,
        /// The argument.
        key: String,
        /// The known name nearest to it.
        nearest: Option<String>,
        /// All names it takes.
        known: String,
    },
    /// No optimizer of this name is built in.
    #[error("optimizer `{name}` is not supported{}", did_you_mean(.nearest))]
    UnknownOptimizer {
        /// The name.
        name: String,
        /// The known name nearest to it.
        nearest: Option<String>,
        /// All known names.
        known: String,
    },
    /// A saved state does not belong to this optimizer.
    #[error("saved state of {optimizer}: {what}")]
    State {
        /// The optimizer.
        optimizer: String,
        /// What does not fit.
        what: String,
    },
}

impl From<OptimError> for Diagnostic {
    fn from(error: OptimError) -> Self {
        let hint = match &error {
            OptimError::UnknownArgument { known, .. } => Some(format!("it takes {known}")),
            OptimError::UnknownOptimizer { known, .. } => Some(format!("known are {known}")),
            _ => None,
        };
        Self::of(error).with_hint_if(hint)
    }
}

fn did_you_mean(nearest: &Option<String>) -> String {
    nearest.as_ref().map_or_else(String::new, |n| format!(", did you mean `{n}`?"))
}
