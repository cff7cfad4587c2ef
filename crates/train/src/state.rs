//! What a run can go on from: vectors, optimizer and place, in one file that is replaced whole.
//!
//! Random numbers need no place here: they depend on the seed and the step alone
//! ([`crate::rng`]). Steps done after the last saved state are done again, with the same
//! result, so a run that was killed at any instant ends with the bytes of an undisturbed one.
use crate::optim::{StateArray, StateData};
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::path::Path;
use wayword_formats::{Array, Dtype, SafeTensors, safetensors};

/// A saved place in a run.
#[derive(Debug, Clone, PartialEq)]
pub struct SavedState {
    /// Where the run is.
    pub counters: Counters,
    /// The embedding's vectors, `[vectors, width]`.
    pub vectors: Vec<f32>,
    /// The optimizer's arrays.
    pub optimizer: Vec<StateArray>,
}

/// How far a run is: the numbers of a [`SavedState`].
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct Counters {
    /// Updates done.
    pub step: usize,
    /// Micro-batches done.
    #[serde(rename = "micro")]
    pub micro_batches: usize,
    /// Running sum of the losses of this epoch, and how many there are.
    pub losses: (f64, usize),
    /// The evaluation loss before the first step.
    #[serde(rename = "fixed_before")]
    pub evaluation_before: f64,
    /// The evaluation loss after the last step, once it is computed.
    #[serde(rename = "fixed_after")]
    pub evaluation_after: Option<f64>,
    /// Seconds of training so far.
    pub seconds: f64,
    /// Sound bytes of `rows.bin`.
    #[serde(rename = "rows_length")]
    pub vectors_length: u64,
    /// Sound bytes of `log.jsonl`.
    pub log_length: u64,
}

impl SavedState {
    /// Replaces the file at `path`.
    ///
    /// # Errors
    /// If it cannot be written; then the old file is still there.
    pub fn save(&self, path: &Path) -> Result<()> {
        let bad = |e| wayword_formats::Fault::at(e, path);
        let mut arrays = vec![(
            "rows".to_owned(),
            Array::from_f32(vec![self.vectors.len()], &self.vectors).map_err(bad)?,
        )];
        for array in &self.optimizer {
            let (dtype, count, bytes) = to_bytes(&array.data);
            let stored = Array::new(dtype, vec![count], bytes).map_err(bad)?;
            arrays.push((format!("optimizer.{}", array.name), stored));
        }
        let counters = serde_json::to_string(&self.counters)
            .map_err(|e| Error::run(path, "cannot be written").with_source(e))?;
        let metadata = BTreeMap::from([("place".to_owned(), counters)]);
        Ok(safetensors::write(path, &arrays, &metadata)?)
    }

    /// Reads the file at `path`.
    ///
    /// # Errors
    /// If it cannot be read or is no saved state.
    pub fn load(path: &Path) -> Result<Self> {
        let file = SafeTensors::open(path)?;
        let bad =
            |what: String| Error::run(path, what).with_hint("start again with {train.overwrite}");
        let counters =
            file.metadata().get("place").ok_or_else(|| bad("is not a saved state".into()))?;
        let counters = serde_json::from_str(counters)
            .map_err(|e| bad("has bad counters".into()).with_source(e))?;
        let mut state = Self { counters, vectors: Vec::new(), optimizer: Vec::new() };
        for name in file.names() {
            let Some(array) = file.get(name) else { continue };
            let data = from_bytes(array.dtype(), array.bytes());
            let data = data.ok_or_else(|| bad(format!("`{name}` is of type {}", array.dtype())))?;
            match (name.strip_prefix("optimizer."), data) {
                (Some(name), data) => {
                    state.optimizer.push(StateArray { name: name.into(), data });
                }
                (None, StateData::F32(vectors)) if name == "rows" => state.vectors = vectors,
                _ => return Err(bad(format!("`{name}` is not of a state"))),
            }
        }
        Ok(state)
    }
}

fn to_bytes(data: &StateData) -> (Dtype, usize, Vec<u8>) {
    match data {
        StateData::F32(v) => {
            (Dtype::F32, v.len(), v.iter().flat_map(|x| x.to_le_bytes()).collect())
        }
        StateData::F64(v) => {
            (Dtype::F64, v.len(), v.iter().flat_map(|x| x.to_le_bytes()).collect())
        }
        // Safetensors readers of small means know no u32; ids fit i32.
        StateData::U32(v) => {
            (Dtype::I32, v.len(), v.iter().flat_map(|x| x.to_le_bytes()).collect())
        }
        StateData::U8(v) => (Dtype::U8, v.len(), v.clone()),
    }
}

fn from_bytes(dtype: Dtype, bytes: &[u8]) -> Option<StateData> {
    let embeddings = || bytes.as_chunks::<4>().0.iter();
    Some(match dtype {
        Dtype::F32 => StateData::F32(embeddings().map(|b| f32::from_le_bytes(*b)).collect()),
        Dtype::I32 => StateData::U32(embeddings().map(|b| u32::from_le_bytes(*b)).collect()),
        Dtype::F64 => {
            let doubles = bytes.as_chunks::<8>().0.iter();
            StateData::F64(doubles.map(|b| f64::from_le_bytes(*b)).collect())
        }
        Dtype::U8 => StateData::U8(bytes.to_vec()),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resume_state_is_exact() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.safetensors");
        let counters =
            Counters { step: 3, losses: (0.1 + 0.2, 2), seconds: 1.0 / 3.0, ..Counters::default() };
        let array = |name: &str, data| StateArray { name: name.into(), data };
        let optimizer = vec![
            array("count", StateData::F64(vec![0.1])),
            array("m", StateData::F32(vec![f32::MIN_POSITIVE, -0.0, 1.0 / 3.0])),
            array("none", StateData::F32(vec![])),
            array("touched", StateData::U32(vec![49407])),
            array("codes", StateData::U8(vec![0, 255])),
        ];
        let state = SavedState { counters, vectors: vec![0.1, -2.5], optimizer };
        state.save(&path).unwrap();
        let mut got = SavedState::load(&path).unwrap();
        let by_name = |a: &StateArray, b: &StateArray| a.name.cmp(&b.name);
        got.optimizer.sort_by(by_name);
        let mut want = state;
        want.optimizer.sort_by(by_name);
        assert_eq!(got, want);
        std::fs::write(&path, b"{}").unwrap();
        assert!(SavedState::load(&path).is_err());
    }
}
