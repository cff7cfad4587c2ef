//! The folders that the server opened: what requests may read and where they may write.
use crate::answer::{Answer, Refusal};
use std::path::{Component, Path, PathBuf};
use wayword_interface::Diagnostic;
use wayword_session::request::Serve;
use wayword_session::{Environment, Folders};

/// Folders, all canonical.
#[derive(Debug)]
pub(crate) struct Opened {
    /// Where everything is written.
    pub(crate) out: PathBuf,
    /// What may be read beside that: folders, and the base's file.
    readable: Vec<PathBuf>,
    /// Folders of images, as they were given.
    pub(crate) pictures: Vec<PathBuf>,
}

/// Opens the folders of the options and those of A1111 and ComfyUI that are found.
///
/// # Errors
/// If a folder does not exist or that for output cannot be made.
pub(crate) fn open(
    options: &Serve,
    environment: &Environment,
) -> Result<(Opened, Folders), Diagnostic> {
    let at = |what: &str, path: &Path, error: std::io::Error| {
        Diagnostic::new(format!("{what} {}", path.display())).with_source(error)
    };
    for folder in ["embeddings", "pictures", "grids", "uploads", ".wayword"] {
        let path = options.out.join(folder);
        std::fs::create_dir_all(&path)
            .map_err(|e| at("cannot make the folder", &path, e).with_field("serve.out"))?;
    }
    let real = |path: &Path, field: &str| {
        path.canonicalize().map_err(|e| {
            at("cannot open", path, e)
                .with_field(field)
                .with_hint(format!("give a folder that exists as {{{field}}}"))
        })
    };
    let out = real(&options.out, "serve.out")?;
    let mut readable = vec![out.clone()];
    let mut folders = Folders { embeddings: vec![out.join("embeddings")], ..Folders::default() };
    for folder in &options.models {
        let folder = real(folder, "serve.models")?;
        add_models(&folder, &mut folders);
        readable.push(folder);
    }
    let mut pictures = Vec::new();
    for folder in &options.pictures {
        let folder = real(folder, "serve.pictures")?;
        readable.push(folder.clone());
        pictures.push(folder);
    }
    if let Some(base) = options.base.as_ref().filter(|base| base.exists()) {
        readable.push(real(base, "serve.base")?);
    }
    // What the session finds by itself may be read, too.
    let found = Folders::of_programs(environment);
    folders.embeddings.extend(found.embeddings);
    folders.loras.extend(found.loras);
    folders.wildcards.extend(found.wildcards);
    folders.vaes.extend(found.vaes);
    let networks = [&folders.embeddings, &folders.loras, &folders.wildcards, &folders.vaes];
    readable.extend(networks.into_iter().flatten().cloned());
    let checkpoints = environment.checkpoint_folders();
    readable.extend(checkpoints.iter().filter_map(|folder| folder.canonicalize().ok()));
    Ok((Opened { out, readable, pictures }, folders))
}

/// The folders of one that was given: those with the usual names in it, or itself.
fn add_models(folder: &Path, folders: &mut Folders) {
    folders.checkpoints.push(folder.to_path_buf());
    let (embeddings, loras) = (folders.embeddings.len(), folders.loras.len());
    for root in [folder.to_path_buf(), folder.join("models")] {
        folders.add_usual(&root);
    }
    if folders.embeddings.len() == embeddings {
        folders.embeddings.push(folder.to_path_buf());
    }
    if folders.loras.len() == loras {
        folders.loras.push(folder.to_path_buf());
    }
}

impl Opened {
    /// A path of a request that is read.
    ///
    /// # Errors
    /// If it leads out of the opened folders.
    pub(crate) fn read(&self, text: &str) -> Answer<PathBuf> {
        let path = self.place(text)?;
        if self.readable.iter().any(|root| path.starts_with(root)) {
            return Ok(path);
        }
        Err(Refusal::outside(format!("{text} is outside the folders of this server"))
            .hint("start the server with {serve.models} or {serve.pictures} for the folder"))
    }

    /// A path of a request that is written.
    ///
    /// # Errors
    /// If it leads out of the folder for output.
    pub(crate) fn write(&self, text: &str) -> Answer<PathBuf> {
        let path = self.place(text)?;
        // What the server itself keeps there is not for requests.
        if path.starts_with(&self.out) && !path.starts_with(self.out.join(".wayword")) {
            return Ok(path);
        }
        Err(Refusal::outside(format!("{text} is outside the folder for output"))
            .hint(format!("name a place in {}", self.out.display())))
    }

    /// Where a path really lies; relative ones begin at the folder for output.
    fn place(&self, text: &str) -> Answer<PathBuf> {
        if text.is_empty() || text.chars().any(char::is_control) {
            return Err(Refusal::unfit("a path is empty or has control characters in it"));
        }
        let given = self.out.join(text);
        if given.components().any(|part| part == Component::ParentDir) {
            return Err(Refusal::outside(format!("{text} has .. in it")));
        }
        // What is not there yet lies where its folder does.
        let mut there = given.as_path();
        let mut rest = Vec::new();
        loop {
            if let Ok(real) = there.canonicalize() {
                return Ok(rest.iter().rev().fold(real, |path: PathBuf, part| path.join(part)));
            }
            // A link that leads nowhere could lead anywhere once something is written.
            let dangling = there.symlink_metadata().is_ok();
            match (there.parent(), there.file_name()) {
                (Some(parent), Some(name)) if !dangling => {
                    rest.push(name.to_os_string());
                    there = parent;
                }
                _ => return Err(Refusal::outside(format!("{text} cannot be opened"))),
            }
        }
    }
}
