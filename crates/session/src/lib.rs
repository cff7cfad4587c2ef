//! All that wayword does, as library calls: requests, the bases on this machine, jobs.
//!
//! Every face (the terminal, a web page, another program) sits on this crate. It prints nothing,
//! ends no process and reads no environment variable: what it needs of the environment is an
//! [`Environment`], which the face fills.
#![forbid(unsafe_code)]

pub mod base_search;
mod environment;
pub mod request;

pub use environment::Environment;

/// A seed that nobody chose. A1111's seeds have 32 bits, and such a seed can be typed.
#[must_use]
pub fn random_seed() -> u64 {
    use std::hash::{BuildHasher as _, Hasher as _};
    std::collections::hash_map::RandomState::new().build_hasher().finish() & 0xffff_ffff
}
