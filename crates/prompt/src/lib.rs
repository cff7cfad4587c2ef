//! The prompt language, wildcards and caption templates: text in, text and weights out.
//!
//! | form | example | module |
//! |---|---|---|
//! | weight | `(word:1.2)`, `((word))`, `[word]` | [`attention`] |
//! | new window | `a BREAK b` | [`attention`] |
//! | several prompts | `a AND b :0.5` | [`and`] |
//! | network | `<lora:name:0.8>` | [`extra_networks`] |
//! | from, to, when | `[from:to:0.4]` | [`schedule`] |
//! | alternation | `[a\|b]` | [`schedule`] |
//! | wildcard, variant | `__hats__`, `{a\|b}` | [`wildcards`] |
//! | caption | `a photo of a {}` | [`caption`], [`template`] |
#![forbid(unsafe_code)]

pub mod and;
pub mod attention;
pub mod caption;
pub mod edit;
pub mod error;
pub mod extra_networks;
pub mod folder_name;
pub mod list;
pub mod plan;
pub mod python_random;
pub mod random;
pub mod schedule;
pub mod template;
pub(crate) mod unicode;
pub mod wildcards;

pub use attention::{Attention, Emphasis};
pub use error::PromptError;
pub use plan::{Language, PromptPlan};
pub use random::RandomSource;

/// Whether A1111's accidents are kept: what fails its job, drops something without a word, or
/// depends on chance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Quirks {
    /// The sane reading.
    #[default]
    Sane,
    /// As A1111 does it (`--a1111-quirks`).
    A1111,
}
