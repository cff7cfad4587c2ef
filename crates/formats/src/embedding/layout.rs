//! Which tensor of a file holds the rows, and whether its values can be used.

use super::{Embedding, Layout, MOST_VECTORS};
use crate::array::Array;
use crate::error::Fault;
use crate::kind::{self, FileKind};
use crate::pickle::Value;
use std::collections::BTreeMap;

/// Reads an embedding from a torch file's contents, whatever its values are.
///
/// # Errors
/// Where it holds no rows, several candidates, or is another kind of file.
pub fn from_value(value: &Value) -> Result<Embedding, Fault> {
    if let Value::Tensor(array) = value {
        return rows(array, None, Layout::Bare);
    }
    let Some(entries) = value.entries() else {
        return Err(Fault::kind(
            format!("not an embedding: the file contains {}", value.kind()),
            "an embedding is a dict with one tensor, or has A1111's structure",
        ));
    };
    if let Some(params) = value.get("string_to_param") {
        return a1111(value, params);
    }
    if value.get("state_dict").is_some() {
        return Err(other_kind(FileKind::Checkpoint, entries.len()));
    }
    let tensors: Vec<(&str, Array)> =
        entries.iter().filter_map(|(k, v)| Some((k.as_text()?, v.as_tensor()?.clone()))).collect();
    if tensors.len() != entries.len() && kind::of_value(value) != FileKind::Lora {
        return Err(Fault::kind(
            format!("not an embedding: {} entries, {} tensors", entries.len(), tensors.len()),
            "an embedding is a dict with one tensor, or has A1111's structure",
        ));
    }
    from_tensors(&tensors)
}

/// A1111's structure: one entry in `string_to_param`, notes beside it.
fn a1111(value: &Value, params: &Value) -> Result<Embedding, Fault> {
    let entries = params.entries().unwrap_or_default();
    let [(key, tensor)] = entries else {
        let what = format!("`string_to_param` has {} entries, expected one", entries.len());
        return Err(Fault::Container(what));
    };
    let Some(array) = tensor.as_tensor() else {
        return Err(Fault::Container(format!(
            "`string_to_param` contains {}, expected a tensor",
            tensor.kind()
        )));
    };
    let text = |key: &str| value.get(key).and_then(Value::as_text).map(str::to_owned);
    Ok(Embedding {
        name: text("name"),
        step: value.get("step").and_then(Value::as_int),
        sd_checkpoint: text("sd_checkpoint"),
        sd_checkpoint_name: text("sd_checkpoint_name"),
        ..rows(array, key.as_text(), Layout::A1111)?
    })
}

/// Reads an embedding from named tensors: there must be exactly one.
pub(super) fn from_tensors(tensors: &[(&str, Array)]) -> Result<Embedding, Fault> {
    match tensors {
        [("emb_params", array)] => rows(array, Some("emb_params"), Layout::Kohya),
        [(key, array)] => match kind::of_names([*key].into_iter()) {
            FileKind::Embedding => rows(array, Some(key), Layout::OneTensor),
            other => Err(other_kind(other, 1)),
        },
        _ => {
            let names = || tensors.iter().map(|(n, _)| *n);
            if names().any(|n| n == "clip_g") {
                return Err(Fault::kind(
                    "an SDXL embedding (`clip_g`, 1280 values per vector)",
                    "it works with SDXL models only",
                ));
            }
            if names().any(|n| n == "t5xxl" || n == "t5") {
                return Err(Fault::kind(
                    "an embedding for a model with a T5 text encoder",
                    "it works with SD 3 or Flux only",
                ));
            }
            Err(other_kind(kind::of_names(names()), tensors.len()))
        }
    }
}

/// The refusal of a file that belongs elsewhere.
fn other_kind(kind: FileKind, count: usize) -> Fault {
    let (what, hint): (String, &str) = match kind {
        FileKind::Lora => {
            ("this is a LoRA, not an embedding".into(), "it belongs in the LoRA folder")
        }
        FileKind::Checkpoint => {
            ("this is a checkpoint, not an embedding".into(), "it belongs in the model folder")
        }
        FileKind::Vae => ("this is a VAE, not an embedding".into(), "pass it with {any.vae}"),
        FileKind::TextEncoder => {
            ("this is a text encoder, not an embedding".into(), "it is one part of a model")
        }
        _ if count == 0 => ("it contains no tensors".into(), "the file is empty"),
        _ => (
            format!("{count} tensors, and none can be identified as the embedding"),
            "an embedding file contains one tensor",
        ),
    };
    Fault::kind(what, hint)
}

/// Checks the shape of the tensor of rows.
pub(super) fn rows(array: &Array, key: Option<&str>, layout: Layout) -> Result<Embedding, Fault> {
    let name = key.unwrap_or_default();
    let (count, width) = match *array.shape() {
        [width] => (1, width),
        [count, width] => (count, width),
        ref other => {
            let found = format!("{other:?}");
            return Err(Fault::tensor(name, "vectors [n, width]", found));
        }
    };
    if count == 0 || width == 0 {
        return Err(Fault::tensor(name, "at least one row", format!("{:?}", array.shape())));
    }
    if count > MOST_VECTORS {
        let expected = format!("at most {MOST_VECTORS} vectors, as many as a prompt has tokens");
        return Err(Fault::tensor(name, expected, count.to_string()));
    }
    if width > 1 << 20 {
        return Err(Fault::tensor(name, "at most 2^20 values per vector", width.to_string()));
    }
    let vectors = array.to_f32().map_err(|f| f.key(name))?;
    Ok(Embedding {
        vectors,
        count,
        width,
        layout,
        dtype: array.dtype(),
        key: key.map(str::to_owned),
        name: None,
        step: None,
        sd_checkpoint: None,
        sd_checkpoint_name: None,
        metadata: BTreeMap::new(),
    })
}
