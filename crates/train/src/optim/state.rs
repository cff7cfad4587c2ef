//! An optimizer's state as named arrays, exact to the bit.
use serde::{Deserialize, Serialize};

/// The numbers of a [`StateArray`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum StateData {
    /// Values of 32 bits.
    F32(Vec<f32>),
    /// Codes of 8-bit states.
    U8(Vec<u8>),
    /// Counters and sums.
    F64(Vec<f64>),
    /// Row ids.
    U32(Vec<u32>),
}

/// One array of a state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StateArray {
    /// Unique within the optimizer.
    pub name: String,
    /// Its numbers.
    pub data: StateData,
}

/// A place in an optimizer that is saved and restored.
pub(super) enum Field<'a> {
    /// A vector of numbers that grows with the rows.
    Array(&'static str, &'a mut Vec<f32>),
    /// A vector of codes that grows with the rows.
    Codes(&'static str, &'a mut Vec<u8>),
    /// A single number.
    Number(&'static str, &'a mut f64),
    /// A count.
    Count(&'static str, &'a mut u64),
}

/// Copies the fields.
pub(super) fn save(fields: Vec<Field<'_>>) -> Vec<StateArray> {
    let copy = |field| match field {
        Field::Array(name, values) => (name, StateData::F32(values.clone())),
        Field::Codes(name, codes) => (name, StateData::U8(codes.clone())),
        Field::Number(name, value) => (name, StateData::F64(vec![*value])),
        // A run has far fewer than 2^53 updates.
        Field::Count(name, count) => (name, StateData::F64(vec![*count as f64])),
    };
    let arrays = fields.into_iter().map(copy);
    arrays.map(|(name, data)| StateArray { name: name.into(), data }).collect()
}

/// Sets the fields from arrays of the same names.
pub(super) fn restore(fields: Vec<Field<'_>>, arrays: &[StateArray]) -> Result<(), String> {
    for field in fields {
        let name = match &field {
            Field::Array(n, _) | Field::Codes(n, _) | Field::Number(n, _) | Field::Count(n, _) => {
                *n
            }
        };
        let found = arrays.iter().find(|a| a.name == name);
        let found = found.ok_or_else(|| format!("array `{name}` is missing"))?;
        match (field, &found.data) {
            (Field::Array(_, to), StateData::F32(from)) => to.clone_from(from),
            (Field::Codes(_, to), StateData::U8(from)) => to.clone_from(from),
            (Field::Number(_, to), StateData::F64(from)) if from.len() == 1 => *to = from[0],
            (Field::Count(_, to), StateData::F64(from)) if from.len() == 1 => *to = from[0] as u64,
            _ => return Err(format!("array `{name}` is of another kind")),
        }
    }
    Ok(())
}
