//! What each request does, through the libraries below.
pub(crate) mod base;
pub(crate) mod bench;
mod bundled;
mod check;
mod checks;
mod convert;
pub(crate) mod demo;
mod detail;
pub(crate) mod devices;
mod draw;
pub(crate) mod explain;
pub(crate) mod grid;
mod inspect;
mod judge;
pub(crate) mod likeness;
mod pick;
mod pictures;
pub(crate) mod prepare;
mod rerun;
mod settings;
mod texts;
mod train;

pub(crate) use crate::random_seed;
use crate::session::Context;
use crate::{Failure, Outcome, Request};
use std::path::{Path, PathBuf};
pub(crate) use texts::wildcards;
use wayword_formats::atomic;

/// Does what was asked for, with the session's folders, where they are there, after those of the
/// request.
pub(crate) fn run(context: &Context<'_>, mut request: Request) -> Result<Outcome, Failure> {
    if let Some(places) = request.places_mut() {
        let folders = context.core.folders();
        let add = |to: &mut Vec<PathBuf>, from: Vec<PathBuf>| {
            let from: Vec<_> = from.into_iter().filter(|f| f.exists() && !to.contains(f)).collect();
            to.extend(from);
        };
        add(&mut places.embeddings, folders.embeddings);
        add(&mut places.loras, folders.loras);
        add(&mut places.wildcards, folders.wildcards);
    }
    match &request {
        Request::Train(request) => train::run(request, context),
        Request::Check(request) => check::run(request, context),
        Request::Rerun(request) => rerun::run(request, context),
        Request::Pick(request) => pick::run(request, context).map(Box::new).map(Outcome::Pick),
        Request::Prepare(request) => {
            prepare::run(request, context).map(Box::new).map(Outcome::Prepare)
        }
        Request::Draw(request) => draw::run(request, context).map(Outcome::Draw),
        Request::Grid(request) => grid::run(request, context).map(Outcome::Grid),
        Request::Explain(request) => {
            explain::run(request, context).map(Box::new).map(Outcome::Explain)
        }
        Request::Inspect(request) => inspect::run(request, context).map(Outcome::Inspect),
        Request::Convert(request) => convert::run(request).map(Outcome::Convert),
        Request::Likeness(request) => likeness::run(request, context).map(Outcome::Likeness),
        Request::Devices(_) => Ok(Outcome::Devices(devices::run(context))),
        Request::Bench(request) => bench::run(request, context).map(Outcome::Bench),
        Request::Demo(request) => demo::run(request, context).map(Box::new).map(Outcome::Demo),
    }
}

/// Writes a file whole.
fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    atomic::write_bytes(path, bytes).map_err(|e| Failure::io("cannot write", path, &e))
}

/// Makes a folder and those above it, where they are not there.
fn make_folder(folder: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).map_err(|e| Failure::io("cannot make the folder", folder, &e))
}
