//! wayword in the browser, and for programs that speak the API of A1111's web UI.
//!
//! A face of [`wayword_session`]: requests come as JSON over HTTP and become jobs of one session,
//! whose events and results are served. It decides nothing about models.
#![forbid(unsafe_code)]

mod answer;
mod api;
mod confine;
mod connections;
mod files;
mod folders;
mod guard;
mod jobs;
mod journal;
mod kohya;
mod library;
mod openapi;
mod page;
mod prepared;
mod sdapi;
mod server;
mod state;
mod stream;
mod trash;

pub use server::{Server, Stopper};
