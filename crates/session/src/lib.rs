//! All that wayword does, as library calls: requests, the bases on this machine, jobs.
//!
//! Every face (the terminal, a web page, another program) sits on this crate. It prints nothing,
//! ends no process and reads no environment variable: what it needs of the environment is an
//! [`Environment`], which the face fills.
//!
//! Teaches the bundled model an embedding and draws with it:
//!
//! ```
//! use std::time::Duration;
//! use wayword_session::request::{Base, Draw, Places, Settings, Train, TrainOptions};
//! use wayword_session::{Environment, Outcome, Request, Session};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let session = Session::new(Environment::default());
//! let folder = tempfile::tempdir()?;
//! let out = folder.path().to_owned();
//! let base = Base { base: Some("../../demo/wayword-mini.safetensors".into()), ..Base::default() };
//! let options = TrainOptions {
//!     images: vec!["../../demo/concepts/100_zarva woman".into()],
//!     name: Some("zarva-ti".into()),
//!     steps: Some(3),
//!     out: out.clone(),
//!     ..TrainOptions::default()
//! };
//! let train = Train { base: base.clone(), options, ..Train::default() };
//! let training = session.submit(Request::try_from(train)?);
//! // The job works by itself; who wants to watch it asks for its events and its progress.
//! let mut seen = 0;
//! while !training.state().is_over() {
//!     let (events, _) = training.wait_for_events(seen, Duration::from_secs(1));
//!     seen += events.len();
//!     let progress = training.progress();
//!     assert!(progress.of == 0 || progress.done <= progress.of);
//! }
//! training.wait().map_err(|failure| failure.diagnostic)?;
//!
//! let draw = Draw {
//!     prompt: Some("photo of (zarva-ti:0.9)".into()),
//!     base, // kept from the training, and not loaded again
//!     places: Places { embeddings: vec![out.clone()], ..Places::default() },
//!     settings: Settings { steps: Some(4), ..Settings::default() },
//!     out,
//!     ..Draw::default()
//! };
//! let drawn = session.submit(draw).wait().map_err(|failure| failure.diagnostic)?;
//! let Outcome::Draw(files) = &*drawn else { return Err("a drawing gives pictures".into()) };
//! assert!(files[0].is_file());
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod base_search;
mod commands;
mod environment;
mod event;
mod facts;
mod failure;
mod job;
mod library;
pub mod lists;
pub mod numbers;
mod outcome;
mod queue;
pub mod request;
pub mod schema;
mod session;
mod sheet;

pub use commands::bench::BenchReport;
pub use commands::demo::DemoReport;
pub use commands::devices::{DeviceFacts, DeviceList};
pub use commands::explain::Explained;
pub use commands::grid::GridFiles;
pub use commands::likeness::LikenessReport;
pub use commands::prepare::{Balance, Choice, PrepareReport, PreparedPicture, PreparedSet};
pub use environment::Environment;
pub use event::Event;
pub use facts::Facts;
pub use failure::{Failure, FailureKind};
pub use job::{Job, JobProgress, JobState};
pub use library::{Folders, Library, Listed};
pub use outcome::{Outcome, Trained};
pub use request::Request;
pub use session::Session;
pub use wayword_diffusion::detail::{MOST_TABS, tab_ending};
pub use wayword_diffusion::{DeviceInfo, devices};
pub use wayword_train::event::{StartReport, StepReport};
pub use wayword_train::kohya;
pub use wayword_train::pick::{By, Candidate, Pick};
pub use wayword_train::plan::{Estimate, PlanSummary, PreparedPhoto, PreparedPhotos};
pub use wayword_train::recipe::{HighNoise, Starts};
pub use wayword_train::run_folder::seen::SeenRun;

/// A seed that nobody chose. A1111's seeds have 32 bits, and such a seed can be typed.
#[must_use]
pub fn random_seed() -> u64 {
    use std::hash::{BuildHasher as _, Hasher as _};
    std::collections::hash_map::RandomState::new().build_hasher().finish() & 0xffff_ffff
}
