//! The prompt language, wildcards and caption templates: text in, text and weights out.
//!
//! | form | example | module |
//! |---|---|---|
//! | weight | `(word:1.2)`, `((word))`, `[word]` | [`attention`] |
//! | new window | `a BREAK b` | [`attention`] |
//! | several prompts | `a AND b :0.5` | [`and`] |
//! | network | `<lora:name:0.8>` | [`nets`] |
//! | from, to, when | `[from:to:0.4]` | [`schedule`] |
//! | alternation | `[a\|b]` | [`schedule`] |
//! | wildcard, variant | `__hats__`, `{a\|b}` | [`wildcards`] |
//! | caption | `a photo of a {}` | [`caption`], [`template`] |
#![forbid(unsafe_code)]

pub mod caption;
pub mod error;
pub mod folder_name;
pub mod random;
pub mod template;
#[expect(dead_code, reason = "the prompt grammar follows")]
pub(crate) mod unicode;

pub use error::PromptError;
pub use random::RandomSource;
