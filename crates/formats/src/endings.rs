//! The endings of files' names, one list for each kind of file.
//!
//! An ending only selects the files of a folder. What a file is follows from its content: see
//! [`crate::container`].

use std::path::Path;

/// Files of tensors: embeddings, LoRAs and models. The last two are ComfyUI's names for safetensors
/// and pickles.
pub const TENSORS: &[&str] = &["safetensors", "pt", "ckpt", "bin", "pth", "sft", "pkl"];

/// Pictures that can hold an embedding.
pub const EMBEDDING_PICTURES: &[&str] = &["png", "webp"];

/// Pictures in which A1111 may have hidden an embedding, and which are not read.
pub const UNREAD_EMBEDDING_PICTURES: &[&str] = &["jxl", "avif"];

/// Pictures that are read. JPEG has five endings, BMP two.
pub const PICTURES: &[&str] =
    &["png", "jpg", "jpeg", "webp", "bmp", "jfif", "jpe", "jif", "pjpeg", "dib", "apng"];

/// Pictures that other programs read, and this one does not.
pub const UNREAD_PICTURES: &[&str] = &[
    "avif", "avifs", "jxl", "gif", "tif", "tiff", "heic", "heif", "hif", "jp2", "dng", "cr2",
    "cr3", "nef", "arw", "raf", "orf", "rw2", "psd", "tga", "svg",
];

/// Texts with one entry a line.
pub const TEXTS: &[&str] = &["txt", "caption", "tags", "cap"];

/// The ending of a file's name in lower case, without the dot; empty where there is none.
#[must_use]
pub fn of(path: &Path) -> String {
    path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default()
}

/// Whether a file's name has one of these endings, in any case.
#[must_use]
pub fn has(path: &Path, endings: &[&str]) -> bool {
    endings.contains(&of(path).as_str())
}

/// Whether a file is one that systems leave in folders beside the user's own: macOS' `._NAME` and
/// `.DS_Store`, Windows' `Thumbs.db` and `desktop.ini`, and whatever begins with a dot.
#[must_use]
pub fn is_hidden(path: &Path) -> bool {
    let name = path.file_name().map(|n| n.to_string_lossy().to_lowercase()).unwrap_or_default();
    name.starts_with('.') || ["thumbs.db", "ehthumbs.db", "desktop.ini"].contains(&name.as_str())
}

#[cfg(test)]
mod tests {
    use super::{PICTURES, TENSORS, UNREAD_PICTURES, has, is_hidden};
    use std::path::Path;

    #[test]
    fn endings_of_every_case() {
        for name in ["a.jfif", "a.JPE", "b.c.Png"] {
            assert!(has(Path::new(name), PICTURES), "{name}");
        }
        for name in ["word.ckpt", "word.sft", "word.PKL"] {
            assert!(has(Path::new(name), TENSORS), "{name}");
        }
        assert!(!has(Path::new("png"), PICTURES));
        assert!(PICTURES.iter().all(|e| !UNREAD_PICTURES.contains(e)));
    }

    #[test]
    fn files_of_the_system_are_no_files_of_the_user() {
        for name in ["x/._1.jpg", "x/.DS_Store", "x/Thumbs.db", "Desktop.ini"] {
            assert!(is_hidden(Path::new(name)), "{name}");
        }
        assert!(!is_hidden(Path::new(".x/1.jpg")));
    }
}
