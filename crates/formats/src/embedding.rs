//! Textual-inversion embeddings: every known file to one struct, and the files we write.
//!
//! The word that calls an embedding is the name of its file, whatever name is stored inside; only
//! pictures bring their own name. Values are checked where others do not: not-a-number, infinity,
//! integers, no rows, and more rows than a prompt has places are refused.

mod layout;
mod picture;
mod scan;
mod write;

pub use layout::from_value;
pub use picture::from_bytes as from_picture;
pub use scan::{NamedEmbedding, Scan, Skipped, is_run, scan, scan_called};
pub use write::{to_a1111, to_diffusers, write_a1111, write_diffusers, write_kohya};

use crate::array::{Array, Dtype};
use crate::error::{At, Error, Fault};
use crate::{Container, SafeTensors, endings, pickle};
use std::collections::BTreeMap;
use std::path::Path;

/// The most vectors that fit between the start and end token of a prompt.
pub const MOST_VECTORS: usize = 75;

/// How a file holds its vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// A1111's structure with `string_to_param`.
    A1111,
    /// One tensor under the key `emb_params`, as kohya's scripts write it.
    Kohya,
    /// One tensor under another key, which diffusers takes as the token.
    OneTensor,
    /// A tensor and nothing else.
    Bare,
    /// A1111's structure in a PNG's text chunk.
    PictureText,
    /// A1111's structure in the low bits of a picture.
    PicturePixels,
}

impl std::fmt::Display for Layout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::A1111 => "A1111 (string_to_param)",
            Self::Kohya => "kohya (emb_params)",
            Self::OneTensor => "one tensor",
            Self::Bare => "bare tensor",
            Self::PictureText => "image, text chunk",
            Self::PicturePixels => "image, low bits",
        })
    }
}

/// Rows for a text encoder's token table, and what their file says about them.
#[derive(Debug, Clone)]
pub struct Embedding {
    /// The vectors, `[count, width]` row-major; finite but for those of [`read_any`].
    pub vectors: Vec<f32>,
    /// How many vectors, 1 to 75.
    pub count: usize,
    /// Values a row: 768 for SD 1.x.
    pub width: usize,
    /// How the file holds them.
    pub layout: Layout,
    /// The element type in the file.
    pub dtype: Dtype,
    /// The tensor's key: `emb_params`, a token such as `<cat>`, or `*`.
    pub key: Option<String>,
    /// The name stored inside (A1111's structure).
    pub name: Option<String>,
    /// Training steps done (A1111's structure).
    pub step: Option<i64>,
    /// Short hash of the model that it was trained on (A1111's structure).
    pub sd_checkpoint: Option<String>,
    /// Name of the model that it was trained on (A1111's structure).
    pub sd_checkpoint_name: Option<String>,
    /// A safetensors header's metadata.
    pub metadata: BTreeMap<String, String>,
}

impl Embedding {
    /// One row.
    ///
    /// # Panics
    /// Where `i` is not below [`Embedding::count`].
    #[must_use]
    pub fn row(&self, i: usize) -> &[f32] {
        &self.vectors[i * self.width..(i + 1) * self.width]
    }

    /// The length (L2 norm) of each row.
    #[must_use]
    pub fn norms(&self) -> Vec<f64> {
        let norm = |row: &[f32]| row.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
        self.vectors.chunks_exact(self.width).map(norm).collect()
    }

    /// A1111's old four-digit checksum of the values.
    #[must_use]
    pub fn checksum4(&self) -> String {
        let mut r = 0_u32;
        for v in &self.vectors {
            let v = v * 100.0;
            // Python's unbounded int, modulo 2^32: beyond 2^62 a float is a multiple of 2^38.
            #[expect(clippy::cast_possible_truncation, reason = "int(v) cuts fractions off")]
            let n = if v.abs() < 4.6e18 { v as i64 } else { 0 };
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "mod 2^32")]
            let n = n.wrapping_mul(997) as u32;
            r = r.wrapping_mul(281) ^ n;
        }
        format!("{:04x}", r & 0xffff)
    }

    /// Whether all values are numbers that a model can use.
    ///
    /// # Errors
    /// A fault that names the first value that is none, and its place.
    pub fn finite(&self) -> Result<(), Fault> {
        let Some(i) = self.vectors.iter().position(|v| !v.is_finite()) else { return Ok(()) };
        let (row, column) = (i / self.width, i % self.width);
        let found = format!("{} in row {row}, column {column}", self.vectors[i]);
        Err(Fault::tensor(self.key.as_deref().unwrap_or_default(), "finite values", found))
    }

    /// The word that calls it in a prompt: the stored name of a picture, else the file's name
    /// without its ending.
    #[must_use]
    pub fn trigger(&self, path: &Path) -> String {
        let stored = match self.layout {
            Layout::PictureText | Layout::PicturePixels => self.name.clone(),
            _ => None,
        };
        stored.filter(|n| !n.is_empty()).unwrap_or_else(|| stem(path))
    }

    /// Whether it fits a model whose token rows have `width` values.
    ///
    /// # Errors
    /// A fault that names both widths and the family that the file is for.
    pub fn fits(&self, width: usize) -> Result<(), Fault> {
        if self.width == width {
            return Ok(());
        }
        let what = format!(
            "its vectors have {} values ({}), but this model's have {width}",
            self.width,
            family(self.width)
        );
        Err(Fault::kind(what, "an embedding works only with the model family it was trained on"))
    }
}

fn family(width: usize) -> &'static str {
    match width {
        768 => "Stable Diffusion 1.x",
        1024 => "Stable Diffusion 2.x",
        1280 | 2048 => "SDXL",
        4096 => "a T5 model such as SD 3 or Flux",
        _ => "no known model",
    }
}

/// A file's name without its ending.
pub(crate) fn stem(path: &Path) -> String {
    path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Reads an embedding of any known kind, by its content.
///
/// # Errors
/// Where the file is broken, hostile, of another kind, or holds values that no model can use.
pub fn read(path: &Path) -> Result<Embedding, Error> {
    let found = read_any(path)?;
    found.finite().at(path)?;
    Ok(found)
}

/// Reads an embedding whatever its values are, to look at; [`Embedding::finite`] says whether they
/// can be used.
///
/// # Errors
/// Where the file is broken, hostile, or of another kind.
pub fn read_any(path: &Path) -> Result<Embedding, Error> {
    match Container::of(path)? {
        Some(Container::SafeTensors) => from_safetensors(&SafeTensors::open(path)?).at(path),
        Some(Container::Torch) => from_value(&pickle::read(path)?).at(path),
        Some(Container::Picture) => from_picture(&std::fs::read(path).at(path)?).at(path),
        Some(Container::OtherPicture) | None => Err(Fault::kind(
            format!("`.{}` is not a supported embedding format", endings::of(path)),
            "supported formats are .safetensors, .pt, .bin, .ckpt, .pth, .png and .webp",
        )
        .at(path)),
    }
}

/// An embedding from its tensor alone, such as one that comes with a LoRA under the name `key`.
///
/// # Errors
/// Where shape or values are unusable.
pub(crate) fn from_array(array: &Array, key: &str) -> Result<Embedding, Fault> {
    let found = layout::rows(array, Some(key), Layout::OneTensor)?;
    found.finite()?;
    Ok(found)
}

/// Reads an embedding from an open safetensors file, whatever its values are.
///
/// # Errors
/// As [`read_any`], without the path.
pub fn from_safetensors(file: &SafeTensors) -> Result<Embedding, Fault> {
    let tensors: Vec<(&str, Array)> =
        file.names().filter_map(|n| file.get(n).map(|a| (n, a))).collect();
    let mut embedding = layout::from_tensors(&tensors)?;
    embedding.metadata = file.metadata().clone();
    Ok(embedding)
}
