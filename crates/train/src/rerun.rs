//! Runs that are repeated from what their files say: finds the manifest, the base and the pictures, and
//! refuses where one of them is another than it was.
use crate::embedding::Init;
use crate::error::AtFile;
use crate::manifest;
use crate::plan::{PlannedFile, TrainPlan, file_name};
use crate::run_folder::RunFolder;
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use walkdir::WalkDir;
use wayword_formats::{SafeTensors, hash};

/// Files that are named in an error; more are counted.
const NAMED: usize = 5;

/// A recorded run.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// Its plan; files that are not at hand have their names in the place of paths.
    pub plan: TrainPlan,
    /// Where the manifest was found.
    pub from: PathBuf,
}

impl Recorded {
    /// Reads a run from an embedding's file, a run's folder, or a `plan.json`. An embedding's file with its run's
    /// folder beside it takes the paths from there.
    ///
    /// # Errors
    /// If there is no manifest, or it cannot be read.
    pub fn read(path: &Path) -> Result<Self> {
        if path.is_dir() {
            let plan = path.join("plan.json");
            return if plan.is_file() {
                Self::of_plan(&plan)
            } else {
                Err(Error::run(path, "no run found here: it holds no plan.json")
                    .with_hint("give a word's file, or the folder NAME.run beside it"))
            };
        }
        if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("json")) {
            return Self::of_plan(path);
        }
        let is_tensors = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("safetensors"));
        if !is_tensors && path.exists() {
            return Err(Error::run(path, "files of this kind have no run manifest")
                .with_hint("give the folder NAME.run beside it"));
        }
        let file = SafeTensors::open(path)?;
        let Some(text) = file.metadata().get(manifest::KEY) else {
            return Err(Error::run(path, format!("has no run manifest: no `{}`", manifest::KEY))
                .with_hint("only words that `wayword train` made can be repeated"));
        };
        let bad = |e| Error::run(path, "its run manifest cannot be read").with_source(e);
        let found = serde_json::from_str(text).map_err(bad)?;
        let plan = manifest::plan(&found).map_err(bad)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let beside = RunFolder::place(folder, &plan.name).join("plan.json");
        if let Ok(mut whole) = Self::of_plan(&beside) {
            // The folder's plan says what was picked last, the file what it has itself.
            whole.plan.chosen = plan.chosen;
            if manifest::manifest(&whole.plan, whole.plan.chosen) == found {
                return Ok(whole);
            }
        }
        Ok(Self { plan, from: path.into() })
    }

    fn of_plan(path: &Path) -> Result<Self> {
        let text = std::fs::read(path).at(path)?;
        let plan = serde_json::from_slice(&text);
        let plan = plan.map_err(|e| Error::run(path, "cannot be read").with_source(e))?;
        Ok(Self { plan, from: path.into() })
    }

    /// Refuses a base of another content; `found` is its fingerprint.
    ///
    /// # Errors
    /// If it is another, or the run knows no hash.
    pub fn check_base(&self, path: &Path, found: &str) -> Result<()> {
        let base = &self.plan.base;
        let Some(wanted) = &base.sha256 else {
            return Err(Error::run(&self.from, "the run did not write down its base's hash"));
        };
        if found.eq_ignore_ascii_case(wanted) {
            return Ok(());
        }
        let what = format!(
            "{} is not the base of this run: its SHA-256 is {found}, expected {wanted}",
            path.display()
        );
        let name = base.known.as_ref().unwrap_or(&base.name);
        Err(Error::data(what)
            .with_hint(format!("give the run's own base by {{train.base}}: {name}")))
    }

    /// Finds every picture, mask and start file by its hash: below `folders`, or where the run had
    /// them.
    ///
    /// # Errors
    /// If one was changed or is missing; they are named.
    pub fn find_files(&mut self, folders: &[PathBuf]) -> Result<()> {
        let mut finder = Finder { found: index(folders)?, given: !folders.is_empty(), bad: vec![] };
        for picture in &mut self.plan.pictures {
            let name = picture.name.clone();
            finder.place(&mut picture.path, &picture.sha256, &name)?;
            for file in [&mut picture.mask, &mut picture.latents] {
                let Some(PlannedFile { path, sha256 }) = file else { continue };
                let name = file_name(path);
                finder.place(path, sha256, &name)?;
            }
        }
        for embedding in &mut self.plan.embeddings {
            if let (Init::File(path), Some(sha256)) = (&mut embedding.init, &embedding.init_sha256)
            {
                let name = file_name(path);
                finder.place(path, sha256, &name)?;
            }
        }
        if let Some(PlannedFile { path, sha256 }) = &mut self.plan.base.vae {
            let name = file_name(path);
            finder.place(path, sha256, &name)?;
        }
        finder.end()
    }

    /// The plan of the run that begins now: the program's version and the date are its own.
    #[must_use]
    pub fn again(mut self, out: &Path) -> TrainPlan {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        self.plan.started = now.map_or(0, |d| d.as_secs());
        self.plan.version = env!("CARGO_PKG_VERSION").into();
        self.plan.out = std::path::absolute(out).unwrap_or_else(|_| out.into());
        self.plan
    }
}

/// All files below folders, by their hash and by their name.
#[derive(Default)]
struct Index {
    by_hash: BTreeMap<String, PathBuf>,
    names: BTreeMap<String, PathBuf>,
}

fn index(folders: &[PathBuf]) -> Result<Index> {
    let mut index = Index::default();
    for folder in folders {
        for entry in WalkDir::new(folder).follow_links(true).sort_by_file_name() {
            let entry = entry.map_err(|e| Error::File {
                path: e.path().unwrap_or(folder).into(),
                source: e.into(),
            })?;
            if entry.file_type().is_file() {
                let path = std::path::absolute(entry.path()).at(entry.path())?;
                index.names.entry(file_name(&path)).or_insert_with(|| path.clone());
                index.by_hash.entry(hash::sha256(&path)?).or_insert(path);
            }
        }
    }
    Ok(index)
}

struct Finder {
    found: Index,
    /// Whether folders were given to look in.
    given: bool,
    /// What is the matter with files that do not fit.
    bad: Vec<String>,
}

impl Finder {
    fn place(&mut self, path: &mut PathBuf, sha256: &str, name: &str) -> Result<()> {
        if let Some(found) = self.found.by_hash.get(sha256) {
            path.clone_from(found);
            return Ok(());
        }
        if path.is_file() && hash::sha256(path)? == sha256 {
            return Ok(());
        }
        let last = name.rsplit('/').next().unwrap_or(name);
        let changed = if self.given { self.found.names.contains_key(last) } else { path.is_file() };
        self.bad.push(format!("{name} {}", if changed { "was changed" } else { "is missing" }));
        Ok(())
    }

    fn end(mut self) -> Result<()> {
        if self.bad.is_empty() {
            return Ok(());
        }
        let all = self.bad.len();
        self.bad.truncate(NAMED);
        let more = if all > NAMED { format!(", and {} more", all - NAMED) } else { String::new() };
        let what = format!("not the files of this run: {}{more}", self.bad.join(", "));
        let hint = if self.given {
            "put the run's own files there; names do not matter, contents do"
        } else {
            "give the folder that holds them: wayword rerun FILE IMAGES"
        };
        Err(Error::data(what).with_hint(hint))
    }
}
