//! What is in an embedding: its vectors, their lengths, the words they are nearest to.
use crate::failure::Failure;
use crate::show::Facts;
use serde_json::json;
use std::path::Path;
use wayword_diffusion::tokenizer::Tokenizer;
use wayword_formats::{Checkpoint, Component, Embedding};

/// Words shown for each vector.
const NEAREST: usize = 5;

/// Tells about an embedding; with a base, also which words its vectors are near to.
///
/// # Errors
/// If a file cannot be read, or the widths of embedding and base differ.
pub(super) fn tell(file: &Path, base: Option<&Path>, facts: &mut Facts) -> Result<(), Failure> {
    let embedding = wayword_formats::embedding::read(file)?;
    facts.text("word", embedding.trigger(file));
    facts.text("layout", embedding.layout);
    facts.maybe("key", embedding.key.as_ref());
    facts.text("dtype", format!("{:?}", embedding.dtype).to_lowercase());
    facts.add("vectors", embedding.rows, embedding.rows.to_string());
    facts.add("width", embedding.width, embedding.width.to_string());
    facts.text("checksum", embedding.checksum4());
    facts.maybe("name_inside", embedding.name.as_ref());
    facts.maybe("steps_trained", embedding.step);
    facts.maybe("trained_on", embedding.sd_checkpoint_name.as_ref());
    facts.maybe("trained_on_hash", embedding.sd_checkpoint.as_ref());
    let table = base.map(Table::open).transpose()?;
    if let (Some(table), Some(base)) = (&table, base) {
        embedding.fits(table.width).map_err(|fault| Failure::from(fault.at(file)))?;
        facts.text("base", base.display());
        facts.add("base_mean_norm", table.mean_norm, format!("{:.3}", table.mean_norm));
    }
    let norms = embedding.norms();
    facts.silent("norms", json!(norms));
    let mut nearest = Vec::new();
    for (i, norm) in norms.iter().enumerate() {
        let mut shown = format!("norm {norm:.3}");
        if let Some(table) = &table {
            let words = table.nearest(&embedding, i);
            let list: Vec<String> = words.iter().map(|(w, c)| format!("{w} {c:.2}")).collect();
            shown.push_str(&format!("; nearest: {}", list.join(", ")));
            nearest.push(
                words.iter().map(|(w, c)| json!({ "word": w, "cosine": c })).collect::<Vec<_>>(),
            );
        }
        facts.line(&format!("vector {}", i + 1), shown);
    }
    if table.is_some() {
        facts.silent("nearest", json!(nearest));
    }
    super::metadata(&embedding.metadata, facts);
    Ok(())
}

/// A base's word vectors.
struct Table {
    values: Vec<f32>,
    width: usize,
    mean_norm: f64,
}

fn norm(row: &[f32]) -> f64 {
    row.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt()
}

impl Table {
    /// Reads the token table of a checkpoint, and nothing else of it.
    fn open(base: &Path) -> Result<Table, Failure> {
        let checkpoint = Checkpoint::inspect(base)?;
        let table = checkpoint
            .part(Component::Text)
            .and_then(|part| part.get("text_model.embeddings.token_embedding.weight"))
            .ok_or_else(|| Failure::user(format!("no text encoder in {}", base.display())))?;
        let width = table.array.shape().get(1).copied().unwrap_or(0).max(1);
        let values = table.array.to_f32().map_err(|fault| Failure::from(fault.at(base)))?;
        let norms: Vec<f64> = values.chunks_exact(width).map(norm).collect();
        #[expect(clippy::cast_precision_loss, reason = "a mean of some ten thousands")]
        let mean_norm = norms.iter().sum::<f64>() / norms.len().max(1) as f64;
        Ok(Table { values, width, mean_norm })
    }

    /// The whole words whose vectors point most nearly where this row does, with the cosine.
    fn nearest(&self, embedding: &Embedding, row: usize) -> Vec<(String, f64)> {
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
        found.truncate(NEAREST);
        found
    }
}
