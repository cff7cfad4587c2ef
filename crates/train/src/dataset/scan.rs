//! Finds pictures and captions: kohya's parent of `{repeats}_{class words}` folders, or any folder of pictures.
use super::reads::PictureReads;
use crate::error::{AtFile, Error, Result};
use std::path::{Path, PathBuf};
use wayword_formats::endings::{self, PICTURES, UNREAD_PICTURES};
use wayword_formats::picture::PictureRecord;
use wayword_prompt::caption::{caption_file_candidates, read_caption_file};
use wayword_prompt::folder_name::FolderName;

/// How folders are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanOptions {
    /// Endings of caption files; the first file that exists counts.
    pub caption_extensions: Vec<String>,
    /// All lines of a caption file are kept, one is drawn for each use.
    pub wildcard_lines: bool,
    /// Sizes are those after the camera's orientation.
    pub orient: bool,
    /// How often the pictures of a folder whose name does not say it are seen in an epoch.
    pub repeats: u64,
    /// What is read of pictures, for those who need more of them.
    pub reads: PictureReads,
}

impl Default for ScanOptions {
    fn default() -> Self {
        Self {
            caption_extensions: vec![".txt".into(), ".caption".into()],
            wildcard_lines: false,
            orient: true,
            repeats: 1,
            reads: PictureReads::default(),
        }
    }
}

/// One picture file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PictureFile {
    /// The file.
    pub path: PathBuf,
    /// Width and height.
    pub size: (usize, usize),
    /// SHA-256 of the file.
    pub sha256: String,
    /// The text of its caption file, where it has one.
    pub caption: Option<String>,
    /// A mask beside a data set, white where the loss counts in full.
    pub mask: Option<PathBuf>,
}

impl PictureFile {
    /// The file's name, for people.
    #[must_use]
    pub fn name(&self) -> String {
        self.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
    }
}

/// The pictures of one folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// The folder.
    pub path: PathBuf,
    /// How often each picture is seen in an epoch, at least 1.
    pub repeats: u64,
    /// The class words, which caption a picture without caption file; may be empty.
    pub class: Option<String>,
    /// At least one picture, sorted by path.
    pub pictures: Vec<PictureFile>,
}

impl Folder {
    /// Pictures times repeats.
    #[must_use]
    pub fn samples(&self) -> u64 {
        self.repeats.saturating_mul(self.pictures.len() as u64)
    }
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scan {
    /// Folders with pictures, sorted by path.
    pub folders: Vec<Folder>,
    /// What was left out, and why.
    pub notes: Vec<String>,
}

impl Scan {
    /// All pictures, in order.
    pub fn pictures(&self) -> impl Iterator<Item = &PictureFile> {
        self.folders.iter().flat_map(|f| &f.pictures)
    }

    /// Pictures times repeats over all folders.
    #[must_use]
    pub fn samples(&self) -> u64 {
        self.folders.iter().map(Folder::samples).sum()
    }

    /// The class words of the first folder that has some.
    #[must_use]
    pub fn class(&self) -> Option<&str> {
        self.folders.iter().filter_map(|f| f.class.as_deref()).find(|c| !c.is_empty())
    }
}

/// Finds the pictures of `paths`, each a folder of pictures or kohya's parent of such folders.
///
/// A folder that is given itself may also be called `{repeats}_{class words}`.
///
/// # Errors
/// If a path is no folder, holds no picture, or a picture or caption in it cannot be read.
pub fn scan(paths: &[PathBuf], options: &ScanOptions) -> Result<Scan> {
    let mut scan = Scan::default();
    for path in paths {
        scan_path(path, options, &mut scan)?;
    }
    let mut seen: Vec<PathBuf> = Vec::new();
    let notes = &mut scan.notes;
    scan.folders.retain(|folder| {
        let real = folder.path.canonicalize().unwrap_or_else(|_| folder.path.clone());
        let again = seen.contains(&real);
        if again {
            notes.push(format!("{}: given twice, the second is left out", folder.path.display()));
        }
        seen.push(real);
        !again
    });
    Ok(scan)
}

/// The folders that hold the photos of `paths`: the `{repeats}_{class words}` folders in each, else
/// itself.
///
/// # Errors
/// If a path is no folder or cannot be read.
pub fn photo_folders(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in paths {
        let (_, mut inner) = entries(path)?;
        inner.retain(|folder| {
            matches!(FolderName::parse(&file_name(folder)), FolderName::Accepted { .. })
                && entries(folder).is_ok_and(|(files, _)| count(&files) > 0)
        });
        if inner.is_empty() {
            inner.push(path.clone());
        }
        found.extend(inner);
    }
    Ok(found)
}

fn scan_path(path: &Path, options: &ScanOptions, scan: &mut Scan) -> Result<()> {
    if path.is_file() {
        return Err(Error::data(format!(
            "{}: is a file, expected a folder of images",
            path.display()
        ))
        .with_hint("pass the folder that contains the image"));
    }
    let (files, folders) = entries(path)?;
    let here = count(&files);
    let mut named = Vec::new();
    let mut unnamed = Vec::new();
    for folder in folders {
        match FolderName::parse(&file_name(&folder)) {
            FolderName::Accepted { repeats, class } => named.push((folder, repeats, class)),
            _ => unnamed.push(folder),
        }
    }
    let mut found = Vec::new();
    for (folder, repeats, class) in named {
        let pictures = pictures(&folder, options, &mut scan.notes)?;
        if pictures.is_empty() {
            scan.notes.push(format!("{}: no images, left out", folder.display()));
        } else {
            found.push(Folder { path: folder, repeats, class: Some(class), pictures });
        }
    }
    let mut without_name = Vec::new();
    for folder in &unnamed {
        if count(&entries(folder)?.0) > 0 {
            without_name.push(file_name(folder));
        }
    }
    if !found.is_empty() {
        if here > 0 {
            scan.notes.push(format!(
                "{}: its own {here} images are left out, because its folders are the dataset",
                path.display()
            ));
        }
        for name in without_name {
            scan.notes.push(format!(
                "{}: left out, its name does not start with a number of repeats and `_`",
                path.join(name).display()
            ));
        }
        scan.folders.extend(found);
        return Ok(());
    }
    if here == 0 {
        let error = Error::data(format!("{}: no images found", path.display()));
        return Err(if without_name.is_empty() {
            let unread = files.iter().filter(|f| endings::has(f, UNREAD_PICTURES)).count();
            let also = if unread > 0 {
                format!(" ({unread} files of other kinds)")
            } else {
                String::new()
            };
            error.with_hint(format!("images end in {}{also}", PICTURES[..5].join(", ")))
        } else {
            error.with_hint(format!(
                "it has folders with images: name one itself, or rename it as {}",
                without_name.iter().map(|n| format!("10_{n}")).collect::<Vec<_>>().join(", ")
            ))
        });
    }
    let (repeats, class) = match FolderName::parse(&file_name(path)) {
        FolderName::Accepted { repeats, class } => (repeats, Some(class)),
        _ => (options.repeats, None),
    };
    let pictures = pictures(path, options, &mut scan.notes)?;
    scan.folders.push(Folder { path: path.into(), repeats, class, pictures });
    Ok(())
}

/// The pictures of a folder, not of those in it, sorted by path. Used by itself for data sets that
/// name their folders.
///
/// # Errors
/// If the folder, a picture or a caption cannot be read.
pub fn pictures(
    folder: &Path,
    options: &ScanOptions,
    notes: &mut Vec<String>,
) -> Result<Vec<PictureFile>> {
    let (files, _) = entries(folder)?;
    let unread = files.iter().filter(|f| endings::has(f, UNREAD_PICTURES));
    let unread: Vec<String> = unread.map(|f| file_name(f)).collect();
    let place = folder.display();
    match unread.as_slice() {
        [] => {}
        [one] => notes.push(format!("{place}: {one} is of an unsupported kind and is left out")),
        [first, .., last] => notes.push(format!(
            "{place}: {} images, {first} to {last}, are of unsupported kinds and are left out ({} are supported)",
            unread.len(),
            PICTURES[..5].join(", ")
        )),
    }
    let mut found = Vec::new();
    for path in files.into_iter().filter(|f| endings::has(f, PICTURES)) {
        let caption = caption(&path, options)?;
        let PictureRecord { size, sha256 } = options.reads.record(&path, options.orient)?;
        found.push(PictureFile { size, sha256, caption, path, mask: None });
    }
    Ok(found)
}

fn caption(picture: &Path, options: &ScanOptions) -> Result<Option<String>> {
    let text = picture.to_string_lossy();
    for extension in &options.caption_extensions {
        for candidate in caption_file_candidates(&text, extension) {
            let candidate = PathBuf::from(candidate);
            if !candidate.is_file() {
                continue;
            }
            let bytes = std::fs::read(&candidate).at(&candidate)?;
            return match read_caption_file(&bytes, options.wildcard_lines) {
                Ok(text) => Ok(Some(text)),
                Err(e) => Err(Error::run(&candidate, &e).with_hint(e.hint())),
            };
        }
    }
    Ok(None)
}

/// Files and folders of a folder, each sorted; hidden ones and what archives leave behind are not
/// among them.
fn entries(folder: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let (mut files, mut folders) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(folder).at(folder)? {
        let path = entry.at(folder)?.path();
        let name = file_name(&path);
        if endings::is_hidden(&path) || name == "__MACOSX" {
            continue;
        }
        if path.is_dir() { &mut folders } else { &mut files }.push(path);
    }
    files.sort();
    folders.sort();
    Ok((files, folders))
}

fn count(files: &[PathBuf]) -> usize {
    files.iter().filter(|f| endings::has(f, PICTURES)).count()
}

/// The last part of a path; of `.` and `..`, which have no name, that of the folder they lead to.
#[must_use]
pub fn file_name(path: &Path) -> String {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned());
    name.or_else(|| {
        let real = path.canonicalize().ok()?;
        real.file_name().map(|n| n.to_string_lossy().into_owned())
    })
    .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(folder: &Path, name: &str) {
        std::fs::create_dir_all(folder).unwrap();
        image::RgbImage::new(4, 2).save(folder.join(name)).unwrap();
    }

    fn found(path: &Path) -> Result<Scan> {
        scan(&[path.into()], &ScanOptions::default())
    }

    #[test]
    fn kohyas_parent() {
        let dir = tempfile::tempdir().unwrap();
        picture(&dir.path().join("3_my dog"), "b.PNG");
        picture(&dir.path().join("3_my dog"), "a.png");
        std::fs::write(dir.path().join("3_my dog/a.txt"), "hoge sits\n").unwrap();
        picture(&dir.path().join("cat"), "a.png");
        picture(dir.path(), "loose.png");
        std::fs::create_dir(dir.path().join("2_empty")).unwrap();
        std::fs::create_dir(dir.path().join(".ipynb_checkpoints")).unwrap();
        let scan = found(dir.path()).unwrap();
        assert_eq!((scan.folders.len(), scan.samples(), scan.class()), (1, 6, Some("my dog")));
        let pictures: Vec<_> = scan.pictures().collect();
        assert_eq!(pictures[0].caption.as_deref(), Some("hoge sits"));
        assert_eq!((pictures[1].name().as_str(), pictures[1].size), ("b.PNG", (4, 2)));
        assert_eq!(scan.notes.len(), 3, "{:?}", scan.notes);
    }

    #[test]
    fn a_folder_itself() {
        let dir = tempfile::tempdir().unwrap();
        let plain = dir.path().join("dogs");
        picture(&plain, "a.png");
        let scan = found(&plain).unwrap();
        assert_eq!((scan.samples(), scan.class()), (1, None));
        let named = dir.path().join("100_zarva woman");
        picture(&named, "a.png");
        let scan = found(&named).unwrap();
        assert_eq!((scan.samples(), scan.class()), (100, Some("zarva woman")));
    }

    #[test]
    fn errors_say_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let error = found(&dir.path().join("none")).unwrap_err();
        assert!(error.to_string().contains("none"));
        let inner = dir.path().join("shots");
        picture(&inner, "a.png");
        let error = found(dir.path()).unwrap_err();
        assert!(error.hint().unwrap().contains("10_shots"));
        std::fs::write(inner.join("a.txt"), "").unwrap();
        let error = found(&inner).unwrap_err();
        assert!(error.to_string().contains("a.txt"));
        let error = found(&inner.join("a.png")).unwrap_err();
        assert!(error.to_string().contains("is a file"));
    }
}
