//! A base's table of word vectors, read without the rest of the model.
use crate::Failure;
use std::path::Path;
use wayword_diffusion::tokenizer::Tokenizer;
use wayword_formats::checkpoint::Entries;
use wayword_formats::{Array, Checkpoint, Component, Embedding};

/// A base's word vectors.
pub(super) struct Table {
    values: Vec<f32>,
    /// Values of a word.
    pub(super) width: usize,
    /// Mean length of a word's vector.
    pub(super) mean_norm: f64,
}

/// Values of a base's word, without reading the words.
///
/// # Errors
/// If the checkpoint cannot be read or has no text encoder.
pub(crate) fn token_width(base: &Path) -> Result<usize, Failure> {
    read(base).map(|array| width(&array))
}

fn read(base: &Path) -> Result<Array, Failure> {
    let checkpoint = Checkpoint::inspect(base)?;
    let table = |part: &Entries| {
        Some(part.get("text_model.embeddings.token_embedding.weight")?.array.clone())
    };
    let table = checkpoint.part(Component::Text).and_then(table);
    table.ok_or_else(|| Failure::user(format!("no text encoder in {}", base.display())))
}

fn width(table: &Array) -> usize {
    table.shape().get(1).copied().unwrap_or(0).max(1)
}

fn norm(row: &[f32]) -> f64 {
    row.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt()
}

impl Table {
    /// Reads the token table of a checkpoint, and nothing else of it.
    pub(super) fn open(base: &Path) -> Result<Table, Failure> {
        let array = read(base)?;
        let width = width(&array);
        let values = array.to_f32().map_err(|fault| Failure::from(fault.at(base)))?;
        let norms: Vec<f64> = values.chunks_exact(width).map(norm).collect();
        #[expect(clippy::cast_precision_loss, reason = "a mean of some ten thousands")]
        let mean_norm = norms.iter().sum::<f64>() / norms.len().max(1) as f64;
        Ok(Table { values, width, mean_norm })
    }

    /// The whole words whose vectors point most nearly where this row does, with the cosine.
    pub(super) fn nearest(
        &self,
        embedding: &Embedding,
        row: usize,
        count: usize,
    ) -> Vec<(String, f64)> {
        let row = embedding.row(row);
        let length = norm(row);
        let mut found: Vec<(String, f64)> = Tokenizer::new()
            .whole_words()
            .filter_map(|(word, id)| {
                let at = usize::try_from(id).ok()? * self.width;
                let other = self.values.get(at..at + self.width)?;
                let dot: f64 =
                    row.iter().zip(other).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
                let cosine = dot / (length * norm(other));
                cosine.is_finite().then_some((word, cosine))
            })
            .collect();
        found.sort_by(|a, b| b.1.total_cmp(&a.1));
        found.truncate(count);
        found
    }
}
