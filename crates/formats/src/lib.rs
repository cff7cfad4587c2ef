//! Strangers' bytes to named arrays and back.
//!
//! Every reader here treats its file as hostile: sizes are checked before anything is allocated,
//! nothing in a file is ever executed, and what is not understood is refused by name. Readers give
//! arrays and text; no mathematics is done in this crate.

pub mod array;
pub mod atomic;
pub mod checkpoint;
pub mod container;
pub mod embedding;
pub mod endings;
pub mod error;
pub mod exif;
pub mod hash;
pub mod infotext;
pub mod kind;
pub mod known;
pub mod kohya;
pub mod lora;
pub mod map;
pub mod modelspec;
pub mod names;
mod os;
pub mod pickle;
pub mod picture;
pub mod picture_text;
pub mod png_text;
pub mod safetensors;

pub use array::{Array, Bytes, Dtype};
pub use checkpoint::Checkpoint;
pub use container::Container;
pub use embedding::Embedding;
pub use error::{At, Error, Fault};
pub use infotext::Infotext;
pub use kind::{FileKind, kind};
pub use modelspec::ModelSpec;
pub use names::Component;
pub use picture_text::PictureSettings;
pub use safetensors::SafeTensors;

/// What a file that is not of the expected format looks like, from its first bytes.
pub(crate) fn stranger(bytes: &[u8]) -> Option<String> {
    let start = &bytes[..bytes.len().min(512)];
    let text = String::from_utf8_lossy(start).trim_start().to_ascii_lowercase();
    let what = if text.starts_with("version https://git-lfs") {
        "a git-lfs pointer; the file itself was never downloaded (`git lfs pull`)"
    } else if text.starts_with("<!doctype") || text.starts_with("<html") {
        "a saved web page; download the file itself"
    } else if start.starts_with(b"PK\x03\x04") {
        "a zip archive, perhaps a torch .pt"
    } else if start.starts_with(b"\x89PNG") {
        "a PNG image"
    } else if start.starts_with(b"\xff\xd8\xff") {
        "a JPEG image"
    } else if start.starts_with(b"RIFF") && start.get(8..12) == Some(b"WEBP") {
        "a WebP image"
    } else if start.first() == Some(&0x80) && start.get(1).is_some_and(|v| *v <= 5) {
        "a Python pickle, perhaps a torch .pt"
    } else {
        return None;
    };
    Some(what.to_owned())
}

/// The same where a text is not what is expected, either.
pub(crate) fn stranger_or_text(bytes: &[u8]) -> Option<String> {
    let start = &bytes[..bytes.len().min(512)];
    let text = || match start.trim_ascii_start().first() {
        Some(b'{' | b'[') => "a JSON file, such as a configuration or a server's answer",
        _ => "a text file, such as a README",
    };
    let described = || is_text(start).then(|| format!("{}; download the file itself", text()));
    stranger(bytes).or_else(described)
}

/// Whether bytes are text: UTF-8, perhaps cut within a character, without control characters.
fn is_text(start: &[u8]) -> bool {
    let whole = match std::str::from_utf8(start) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&start[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    let control = |c: char| c.is_control() && !['\n', '\r', '\t'].contains(&c);
    !whole.trim().is_empty() && !whole.contains(control)
}
