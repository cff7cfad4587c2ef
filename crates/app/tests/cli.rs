//! What people see: help, mistakes, and the commands on the bundled model.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
mod cli {
    mod check;
    mod convert;
    mod demo;
    mod draw;
    mod draw_from;
    mod draw_prompts;
    mod draw_words;
    mod explain;
    mod files;
    mod flags;
    mod grid;
    mod help;
    mod mistakes;
    pub(crate) mod program;
    mod recipes;
    mod rerun;
    mod resume;
    mod scripts;
    mod train;
}
