//! Wildcards and dynamic prompts: `__name__`, `{a|b}`, `{2$$a|b|c}`, `${x=a}`, in the grammar of
//! sd-dynamic-prompts; and A1111's own small wildcard extension.
mod command;
mod expand;
mod files;
mod parse;
mod sample;
mod simple;
mod store;

pub use expand::{Expanded, Mode, expand};
pub use files::{read_folder, read_simple_folder};
pub use simple::{SimpleWildcards, simple};
pub use store::{Value, Wildcards};

#[cfg(test)]
mod tests;
