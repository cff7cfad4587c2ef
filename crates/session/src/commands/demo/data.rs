//! What the demo needs, inside the program: model, pictures, and a word of another concept.
use crate::Failure;
use crate::commands::make_folder;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

const MODEL: &[u8] = include_bytes!("../../../../../demo/wayword-mini.safetensors");
const OTHER: &[u8] = include_bytes!("../../../../../demo/words/mirabo-ti.safetensors");
const NOTICE: &str = include_str!("../../../../../demo/NOTICE");

/// The pictures of the person to learn, whom the model never saw.
pub(super) const PICTURES: [&[u8]; 15] = [
    include_bytes!("../../../../../demo/concepts/100_zarva woman/01.png"),
    include_bytes!("../../../../../demo/concepts/100_zarva woman/02.png"),
    include_bytes!("../../../../../demo/concepts/100_zarva woman/03.png"),
    include_bytes!("../../../../../demo/concepts/100_zarva woman/04.png"),
    include_bytes!("../../../../../demo/concepts/100_zarva woman/05.png"),
    include_bytes!("../../../../../demo/concepts/100_zarva woman/06.png"),
    include_bytes!("../../../../../demo/concepts/100_zarva woman/07.png"),
    include_bytes!("../../../../../demo/concepts/100_zarva woman/08.png"),
    include_bytes!("../../../../../demo/concepts/100_zarva woman/09.png"),
    include_bytes!("../../../../../demo/concepts/100_zarva woman/10.png"),
    include_bytes!("../../../../../demo/concepts/100_zarva woman/11.png"),
    include_bytes!("../../../../../demo/concepts/100_zarva woman/12.png"),
    include_bytes!("../../../../../demo/concepts/100_zarva woman/13.png"),
    include_bytes!("../../../../../demo/concepts/100_zarva woman/14.png"),
    include_bytes!("../../../../../demo/concepts/100_zarva woman/15.png"),
];

/// The SHA-256 of the bundled model.
pub(super) fn model_sha256() -> &'static str {
    static HASH: OnceLock<String> = OnceLock::new();
    HASH.get_or_init(|| wayword_formats::hash::sha256_bytes(MODEL))
}

/// Where the bundled files were put.
pub(super) struct Bundled {
    /// The model.
    pub(super) model: PathBuf,
    /// The folder of pictures, named as kohya's trainer wants it.
    pub(super) pictures: PathBuf,
}

/// Puts the bundled files below `out/data`, so that everything can be done again by hand.
///
/// # Errors
/// If they cannot be written.
pub(super) fn unpack(out: &Path) -> Result<Bundled, Failure> {
    let data = out.join("data");
    let pictures = data.join("100_zarva woman");
    make_folder(&pictures)?;
    let model = data.join("wayword-mini.safetensors");
    write(&model, MODEL)?;
    write(&data.join("NOTICE"), NOTICE.as_bytes())?;
    for (number, picture) in (1..).zip(PICTURES) {
        write(&pictures.join(format!("{number:02}.png")), picture)?;
    }
    Ok(Bundled { model, pictures })
}

/// The rows of the word of another concept.
///
/// # Errors
/// If they are damaged, which a test would have noticed.
pub(super) fn other_word(out: &Path) -> Result<wayword_formats::Embedding, Failure> {
    let path = out.join("data/mirabo-ti.safetensors");
    write(&path, OTHER)?;
    Ok(wayword_formats::embedding::read(&path)?)
}

/// Writes a file unless it already exists with these bytes.
fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    if std::fs::read(path).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    crate::commands::write(path, bytes)
}
