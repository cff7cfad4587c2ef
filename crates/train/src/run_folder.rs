//! A run's folder `DIR/NAME.run/`: what lies in it, who may write to it.
//!
//! | file | what |
//! |---|---|
//! | `plan.json` | the checked plan; a step that is picked later is added to it, and steps by which the run is made longer |
//! | `rows.bin` | the embedding's vectors after every step, appended ([`vectors`]) |
//! | `log.jsonl` | what happened, one JSON object a line, appended |
//! | `state.safetensors` | all that the next step depends on, replaced whole ([`crate::state`]) |
//! | `starts.json` | the short runs under `fast` that are done, with their losses |
//! | `samples/` | previews, where they were asked for ([`crate::previews`]) |
//! | `tensorboard/` | the log's numbers for TensorBoard, made from the log at every start ([`tensorboard`]) |
//! | `report.html` | the run on one page, written with every file ([`crate::report`]) |
//! | `pick.html`, `pick.json`, `pick.png` | which step is best, where that was asked ([`crate::pick`]) |
//! | `lock` | held by the process that writes here; the system frees it when that process ends |
pub mod curves;
pub mod kept;
pub mod log;
pub mod seen;
pub mod steps;
pub mod tensorboard;
pub mod vectors;

use crate::error::AtFile;
use crate::{Error, Result, checkpoint};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use wayword_formats::atomic;

/// A run's folder, locked for this process.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    // Unlocked when dropped.
    _lock: File,
}

impl RunFolder {
    /// Where the run `name` lies below `out`.
    #[must_use]
    pub fn place(out: &Path, name: &str) -> PathBuf {
        out.join(format!("{name}.run"))
    }

    /// Makes the folder of a new run and writes its plan.
    ///
    /// # Errors
    /// If there is a run already and `overwrite` is not set, another process works in it, or the
    /// folder cannot be written.
    pub fn create<P: Serialize>(path: &Path, plan: &P, overwrite: bool) -> Result<Self> {
        std::fs::create_dir_all(path).at(path)?;
        let run = Self { path: path.into(), _lock: lock(path)? };
        run.sweep()?;
        if run.file("plan.json").exists() && !overwrite {
            return Err(Error::run(path, "a run of this name already exists").with_hint(format!(
                "resume it with {{train.resume}} \"{}\", or delete it with {{train.overwrite}}",
                path.display()
            )));
        }
        for name in [
            "plan.json",
            "state.safetensors",
            "rows.bin",
            "log.jsonl",
            "report.html",
            "starts.json",
            "similarity.jsonl",
            "pick.html",
            "pick.json",
            "pick.png",
        ] {
            let old = run.file(name);
            if old.exists() {
                std::fs::remove_file(&old).at(&old)?;
            }
        }
        for name in [crate::previews::FOLDER, "tensorboard"] {
            let old = run.file(name);
            if old.is_dir() {
                std::fs::remove_dir_all(&old).at(&old)?;
            }
        }
        run.write_plan(plan)?;
        Ok(run)
    }

    /// Writes the plan.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn write_plan<P: Serialize>(&self, plan: &P) -> Result<()> {
        let text = serde_json::to_string_pretty(plan).map_err(std::io::Error::other);
        let file = self.file("plan.json");
        atomic::write_bytes(&file, text.at(&file)?.as_bytes()).at(&file)
    }

    /// Opens the folder of a run that was begun, and reads its plan.
    ///
    /// # Errors
    /// If it is no run's folder, another process works in it, or its plan cannot be read.
    pub fn open<P: DeserializeOwned>(path: &Path) -> Result<(Self, P)> {
        plan_file(path)?;
        let run = Self { path: path.into(), _lock: lock(path)? };
        run.sweep()?;
        let plan = read_plan(path)?;
        Ok((run, plan))
    }

    /// Removes what a killed process left half-written; nobody else writes here.
    fn sweep(&self) -> Result<()> {
        for folder in ["", crate::previews::FOLDER, "latents"] {
            remove_half_written(&self.path.join(folder), |_| true)?;
        }
        Ok(())
    }

    /// Removes what a killed process left half-written in the folder of the embeddings' files: only files
    /// that this run alone writes, since others may be written there at this moment.
    ///
    /// # Errors
    /// If the folder cannot be listed or such a file not be removed.
    pub fn sweep_beside(&self, out: &Path, embeddings: &[&str]) -> Result<()> {
        let of_the_run =
            |file: &str| embeddings.iter().any(|embedding| checkpoint::is_of(embedding, file));
        remove_half_written(out, of_the_run)
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file in it.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

/// The plan's file of a run's folder.
fn plan_file(run: &Path) -> Result<PathBuf> {
    let file = run.join("plan.json");
    if file.is_file() {
        return Ok(file);
    }
    Err(Error::run(run, "no run found here: it holds no plan.json")
        .with_hint("give the folder NAME.run that a training made beside its files"))
}

/// Reads the plan of a run's folder, whoever writes there.
///
/// # Errors
/// If it is no run's folder, or its plan cannot be read.
pub fn read_plan<P: DeserializeOwned>(run: &Path) -> Result<P> {
    let file = plan_file(run)?;
    let text = std::fs::read_to_string(&file).at(&file)?;
    serde_json::from_str(&text).map_err(|e| Error::run(&file, "cannot be read").with_source(e))
}

/// Removes the half-written files of a folder that were to become what `which` says.
fn remove_half_written(folder: &Path, which: impl Fn(&str) -> bool) -> Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in std::fs::read_dir(folder).at(folder)? {
        let path = entry.at(folder)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if atomic::half_written(name).is_some_and(&which) {
            std::fs::remove_file(&path).at(&path)?;
        }
    }
    Ok(())
}

/// Takes the lock, or says who has it.
fn lock(path: &Path) -> Result<File> {
    let name = path.join("lock");
    let options = File::options().create(true).read(true).write(true).truncate(false).clone();
    let mut file = options.open(&name).at(&name)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut owner = String::new();
            // Some systems keep a locked file from being read; then the number is not told.
            let _ = file.read_to_string(&mut owner);
            let who = match owner.trim() {
                "" => String::new(),
                pid => format!(" (process {pid})"),
            };
            return Err(Error::run(path, format!("another training is running here{who}"))
                .with_hint("wait for it, stop it, or train under another {train.name}"));
        }
        Err(TryLockError::Error(source)) => return Err(Error::File { path: name, source }),
    }
    let written = file.set_len(0).and_then(|()| {
        file.rewind()?;
        write!(file, "{}", std::process::id())
    });
    written.at(&name)?;
    Ok(file)
}

/// Opens a file for appending and cuts it to `length` bytes, which must be there.
fn append_at(path: &Path, length: u64) -> Result<File> {
    let file = File::options().create(true).append(true).read(true).open(path).at(path)?;
    let has = file.metadata().at(path)?.len();
    if has < length {
        let what = format!("has {has} bytes where the saved state says {length}");
        return Err(Error::run(path, what)
            .with_hint("the file was changed; start again with {train.overwrite}"));
    }
    file.set_len(length).at(path)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_start_and_a_second_process_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = RunFolder::place(dir.path(), "zarva-ti");
        let run = RunFolder::create(&path, &7, false).unwrap();
        let busy = RunFolder::open::<i32>(&path).unwrap_err();
        assert!(busy.to_string().contains("another training"), "{busy}");
        assert!(RunFolder::create(&path, &8, true).is_err(), "in use, overwritten or not");
        drop(run);
        let again = RunFolder::create(&path, &8, false).unwrap_err();
        assert!(again.hint().unwrap().contains("{train.resume}"), "{again}");
        assert!(again.hint().unwrap().contains("{train.overwrite}"), "{again}");
        assert_eq!(RunFolder::open::<i32>(&path).unwrap().1, 7);
        assert!(RunFolder::create(&path, &8, true).is_ok());
        assert_eq!(RunFolder::open::<i32>(&path).unwrap().1, 8);
        let half = |folder: &Path, name: &str| {
            let path = folder.join(format!(".wayword-{name}-1-0.tmp"));
            std::fs::write(&path, b"half").unwrap();
            path
        };
        let (own, step) = (half(&path, "state.safetensors"), "zarva-ti-step00000002.pt");
        let (beside, other) = (half(dir.path(), step), half(dir.path(), "zarva-ti2.pt"));
        let run = RunFolder::open::<i32>(&path).unwrap().0;
        assert!(!own.exists() && beside.exists(), "another run may be writing there");
        run.sweep_beside(dir.path(), &["zarva-ti"]).unwrap();
        assert!(!beside.exists() && other.exists(), "a file of another word");
        let none = RunFolder::open::<i32>(dir.path()).unwrap_err();
        assert!(none.to_string().contains("plan.json"), "{none}");
    }
}
