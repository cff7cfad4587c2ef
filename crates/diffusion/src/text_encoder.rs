//! CLIP's text encoder: token ids to the states that the UNet attends to (Radford et al. 2021).
//!
//! Rows of the token table plus rows of the position table, then layers of causal self-attention
//! and a feed-forward with quick GELU, then the final norm on every token. There is no padding
//! mask. The token rows are a step of their own ([`TextEncoder::embed`]): they are what learns.
use crate::Result;
use crate::tokenizer::POSITIONS;
use crate::weights::Cursor;
use std::sync::Arc;
use wayword_formats::Array;
use wayword_interface::Diagnostic;
use wayword_tensor::ops::{self, Heads};
use wayword_tensor::{Constants, Device, Indices, Shape, Tensor, Weight, block};

/// Added to the variance of layer norms.
const EPS: f32 = 1e-5;

/// Values of the token table that are made f32 at a time.
const PART: usize = 1 << 16;

/// The text encoder.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names are those of transformers' CLIPTextModel")]
pub struct TextEncoder {
    pub token_embedding: Weight,
    pub position_embedding: Weight,
    pub layers: Vec<TextLayer>,
    pub final_layer_norm: Weight,
    /// The token table on the host, a view of the file where it is mapped.
    table: Array,
    device: Device,
    /// Position ids by batch and tokens.
    position_ids: Arc<Constants<[usize; 2], Indices>>,
    /// Rows of joined windows by batch and windows.
    joined_rows: Arc<Constants<[usize; 2], Indices>>,
}

/// One layer.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names are those of transformers' CLIPTextModel")]
pub struct TextLayer {
    pub layer_norm1: Weight,
    pub q_proj: Weight,
    pub k_proj: Weight,
    pub v_proj: Weight,
    pub out_proj: Weight,
    pub layer_norm2: Weight,
    pub fc1: Weight,
    pub fc2: Weight,
    pub heads: usize,
}

/// The number of attention heads for a width, where no configuration tells it: CLIP's heads are 64
/// channels wide (12 heads of 768), and encoders too narrow for four of these have four.
#[must_use]
pub const fn heads_for_width(width: usize) -> usize {
    let heads = width / 64;
    if heads < 4 { 4 } else { heads }
}

impl TextEncoder {
    pub(crate) fn load(
        device: &Device,
        root: &Cursor<'_>,
        heads: Option<usize>,
        table: Array,
    ) -> Self {
        let at = root.at("text_model");
        let tokens = at.at("embeddings").at("token_embedding");
        let width = tokens.inputs();
        let heads = heads.unwrap_or_else(|| heads_for_width(width));
        if !width.is_multiple_of(heads) {
            tokens.wrong(format!("[any, a multiple of {heads} heads]"), format!("[any, {width}]"));
        }
        let layers = at.at("encoder").at("layers");
        let count = layers.count().max(1);
        let layers = (0..count).map(|i| TextLayer::load(&layers.at(i), width, heads)).collect();
        Self {
            token_embedding: tokens.table(width),
            position_embedding: at.at("embeddings").at("position_embedding").table(width),
            layers,
            final_layer_norm: at.at("final_layer_norm").layer_norm(width),
            table,
            device: device.clone(),
            position_ids: Arc::default(),
            joined_rows: Arc::default(),
        }
    }

    /// Channels of a token.
    #[must_use]
    pub fn width(&self) -> usize {
        self.token_embedding.inputs()
    }

    /// Number of tokens in the vocabulary.
    #[must_use]
    pub fn vocabulary(&self) -> usize {
        self.token_embedding.outputs()
    }

    /// The largest number of positions.
    #[must_use]
    pub fn positions(&self) -> usize {
        self.position_embedding.outputs()
    }

    /// Rows of the token table by id, `[batch, ids / batch, width]`; an id from the vocabulary's
    /// end on means a row of `extra` `[1, n, width]`. Watch the result to learn rows.
    ///
    /// # Errors
    /// If the device fails.
    pub fn embed(&self, ids: &[u32], batch: usize, extra: Option<&Tensor>) -> Result<Tensor> {
        let ids = Indices::from_host(&self.device, ids)?;
        Ok(ops::lookup(&self.token_embedding, extra, &ids, batch))
    }

    /// Embedded tokens `[batch, n, width]` to states of the same shape. `clip_skip` 1 uses all
    /// layers, 2 all but the last, as the web UI and kohya count; the final norm always follows.
    ///
    /// # Errors
    /// If the device fails.
    pub fn encode(&self, embedded: &Tensor, clip_skip: usize) -> Result<Tensor> {
        let mut h = self.with_positions(embedded)?;
        let used = self.layers.len().saturating_sub(clip_skip.max(1) - 1);
        for layer in &self.layers[..used] {
            let layer = layer.clone();
            h = block(&[&h], move |v| layer.forward(&v[0]));
        }
        Ok(ops::layer_norm(&h, EPS, &self.final_layer_norm))
    }

    /// Adds the position rows 0, 1, 2, … to embedded tokens.
    ///
    /// # Errors
    /// If the device fails.
    pub fn with_positions(&self, embedded: &Tensor) -> Result<Tensor> {
        let Shape { batch, tokens, .. } = embedded.shape();
        let ids = self.position_ids.get([batch, tokens], |_| {
            let last = u32::try_from(tokens).expect("a text has fewer tokens than u32 counts");
            let ids: Vec<u32> = (0..batch).flat_map(|_| 0..last).collect();
            Indices::from_host(&self.device, &ids)
        })?;
        let positions = ops::lookup(&self.position_embedding, None, &ids, batch);
        Ok(ops::add(embedded, &positions))
    }

    /// States `[batch * windows, 77, width]` as one text each, `[batch, 75 * windows + 2, width]`:
    /// the first state of the first window, the 75 inner ones of each, the last state of the last,
    /// as kohya joins them.
    ///
    /// # Errors
    /// If the device fails.
    pub fn join_windows(&self, states: &Tensor, batch: usize, windows: usize) -> Result<Tensor> {
        if windows == 1 {
            return Ok(states.clone());
        }
        let rows = self.joined_rows.get([batch, windows], |_| {
            let rows: Vec<u32> = (0..batch).flat_map(|sample| joined(sample, windows)).collect();
            Indices::from_host(&self.device, &rows)
        })?;
        Ok(ops::gather(states, &rows, batch))
    }

    /// One row of the token table.
    ///
    /// # Errors
    /// If there is no such token.
    pub fn token_row(&self, id: u32) -> Result<Vec<f32>> {
        let width = self.width();
        let outside = || {
            let all = self.vocabulary();
            Diagnostic::new(format!("the token id {id} is not below the vocabulary size of {all}"))
        };
        let size = self.table.dtype().size() * width;
        let start = (id as usize).checked_mul(size).ok_or_else(outside)?;
        let bytes = self.table.storage().slice(start..start + size).ok_or_else(outside)?;
        let row = Array::new(self.table.dtype(), vec![width], bytes);
        let row = row.and_then(|row| row.to_f32());
        Ok(row.expect("the table is of floats: it was prepared as a weight"))
    }

    /// Root mean square of the token table's values.
    pub(crate) fn table_rms(&self) -> f32 {
        // In parts, because the whole in f32 would be 150 MB for a moment.
        let (mut sum, mut part) = (0.0, vec![0.0; PART]);
        let (bytes, dtype) = (self.table.storage(), self.table.dtype());
        let count = self.table.elements();
        for start in (0..count).step_by(PART) {
            let end = count.min(start + PART);
            let part = &mut part[..end - start];
            let values = bytes.slice(start * dtype.size()..end * dtype.size());
            let values = values.and_then(|v| Array::new(dtype, vec![end - start], v).ok());
            let read = values.and_then(|values| values.to_f32_into(part).ok());
            read.expect("a part of a table of floats: it became a weight");
            for value in part {
                sum += f64::from(*value).powi(2);
            }
        }
        bytes.release();
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a mean")]
        let rms = (sum / count as f64).sqrt() as f32;
        rms
    }

    /// The whole token table on the host, `vocabulary * width` values.
    #[must_use]
    pub fn table(&self) -> Vec<f32> {
        let values = self.table.to_f32().expect("the table is of floats: it became a weight");
        self.table.storage().release();
        values
    }
}

/// The rows of a sample's windows that [`TextEncoder::join_windows`] takes.
fn joined(sample: usize, windows: usize) -> impl Iterator<Item = u32> {
    let first = sample * windows * POSITIONS;
    let inner = move |window| (1..POSITIONS - 1).map(move |row| first + window * POSITIONS + row);
    let rows = std::iter::once(first).chain((0..windows).flat_map(inner));
    rows.chain([first + windows * POSITIONS - 1]).map(|row| row as u32)
}

impl TextLayer {
    fn load(at: &Cursor<'_>, width: usize, heads: usize) -> Self {
        let attention = at.at("self_attn");
        let inner = at.at("mlp").at("fc1").outputs();
        Self {
            layer_norm1: at.at("layer_norm1").layer_norm(width),
            q_proj: attention.at("q_proj").linear(width, width),
            k_proj: attention.at("k_proj").linear(width, width),
            v_proj: attention.at("v_proj").linear(width, width),
            out_proj: attention.at("out_proj").linear(width, width),
            layer_norm2: at.at("layer_norm2").layer_norm(width),
            fc1: at.at("mlp").at("fc1").linear(width, inner),
            fc2: at.at("mlp").at("fc2").linear(inner, width),
            heads,
        }
    }

    /// `[batch, n, width]` to the same shape.
    #[must_use]
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let n = ops::layer_norm(x, EPS, &self.layer_norm1);
        let (q, k) = (ops::linear(&n, &self.q_proj), ops::linear(&n, &self.k_proj));
        let v = ops::linear(&n, &self.v_proj);
        let seen = ops::attention(&q, &k, &v, Heads { count: self.heads, causal: true });
        let x = ops::linear_add(&seen, &self.out_proj, x);
        let n = ops::layer_norm(&x, EPS, &self.layer_norm2);
        let inner = ops::quick_gelu(&ops::linear(&n, &self.fc1));
        ops::linear_add(&inner, &self.fc2, &x)
    }
}
