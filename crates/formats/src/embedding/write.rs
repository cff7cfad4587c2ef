//! The embedding files that we write: kohya's, A1111's and diffusers'.

use super::Embedding;
use crate::array::{Array, Dtype};
use crate::error::{At, Error, Fault};
use crate::pickle::{self, Value};
use crate::safetensors;
use std::collections::BTreeMap;
use std::path::Path;

/// Writes rows `[rows.len() / width, width]` as kohya's scripts do: one tensor `emb_params`, in a
/// `.safetensors` with metadata, or a `.pt` or `.ckpt` (which hold no metadata).
///
/// # Errors
/// Where the ending is another, the rows are ragged or not finite, or writing fails.
pub fn write_kohya(
    path: &Path,
    rows: &[f32],
    width: usize,
    dtype: Dtype,
    metadata: &BTreeMap<String, String>,
) -> Result<(), Error> {
    let array = array(rows, width, dtype).at(path)?;
    one_tensor(path, "emb_params", array, metadata)
}

/// Writes an embedding as diffusers does: one tensor whose key is the token, in a `.safetensors` with
/// its metadata, or a `.bin` without.
///
/// # Errors
/// As [`write_kohya`].
pub fn write_diffusers(
    path: &Path,
    embedding: &Embedding,
    token: &str,
    dtype: Dtype,
) -> Result<(), Error> {
    let array = array(&embedding.vectors, embedding.width, dtype).at(path)?;
    one_tensor(path, token, array, &embedding.metadata)
}

/// Writes an embedding in A1111's structure, as a `.pt` or `.bin`.
///
/// # Errors
/// As [`write_kohya`].
pub fn write_a1111(
    path: &Path,
    embedding: &Embedding,
    name: &str,
    dtype: Dtype,
) -> Result<(), Error> {
    match crate::endings::of(path).as_str() {
        "pt" | "bin" => pickle::write(path, &to_a1111(embedding, name, dtype).at(path)?),
        other => Err(wrong_ending(other, ".pt or .bin").at(path)),
    }
}

fn one_tensor(
    path: &Path,
    key: &str,
    array: Array,
    metadata: &BTreeMap<String, String>,
) -> Result<(), Error> {
    match crate::endings::of(path).as_str() {
        "safetensors" => safetensors::write(path, &[(key, array)], metadata),
        "pt" | "ckpt" | "bin" => pickle::write(path, &Value::dict([(key, Value::Tensor(array))])),
        other => Err(wrong_ending(other, ".safetensors, .pt, .ckpt or .bin").at(path)),
    }
}

fn wrong_ending(found: &str, expected: &str) -> Fault {
    Fault::kind(format!("cannot write an embedding as `.{found}`"), format!("use {expected}"))
}

fn array(rows: &[f32], width: usize, dtype: Dtype) -> Result<Array, Fault> {
    if width == 0 || rows.is_empty() || !rows.len().is_multiple_of(width) {
        let found = format!("{} values", rows.len());
        return Err(Fault::tensor("", format!("whole rows of {width}"), found));
    }
    let array = Array::from_f32_as(dtype, vec![rows.len() / width, width], rows)?;
    // Rounding to f16 can overflow, and a saved NaN spoils every picture.
    if array.to_f32()?.iter().any(|v| !v.is_finite()) {
        let expected = format!("values that are finite as {dtype}");
        return Err(Fault::tensor("", expected, "some that are not"));
    }
    Ok(array)
}

/// A1111's structure: `string_to_param` under `*`, and the notes beside it.
///
/// # Errors
/// Where a value is not finite in `dtype`.
pub fn to_a1111(embedding: &Embedding, name: &str, dtype: Dtype) -> Result<Value, Fault> {
    let array = array(&embedding.vectors, embedding.width, dtype)?;
    let text = |t: &Option<String>| t.as_deref().map_or(Value::None, Value::text);
    Ok(Value::dict([
        ("string_to_token", Value::dict([("*", Value::Int(265))])),
        ("string_to_param", Value::dict([("*", Value::Tensor(array))])),
        ("name", Value::text(name)),
        ("step", embedding.step.map_or(Value::None, Value::Int)),
        ("sd_checkpoint", text(&embedding.sd_checkpoint)),
        ("sd_checkpoint_name", text(&embedding.sd_checkpoint_name)),
    ]))
}

/// Diffusers' structure: the token and its tensor.
///
/// # Errors
/// As [`to_a1111`].
pub fn to_diffusers(embedding: &Embedding, token: &str, dtype: Dtype) -> Result<Value, Fault> {
    let array = array(&embedding.vectors, embedding.width, dtype)?;
    Ok(Value::dict([(token, Value::Tensor(array))]))
}
