//! Torch's `.pt`, `.ckpt` and `.bin`: Python pickles, read by an interpreter that runs nothing.
//!
//! A pickle is a program for a small stack machine that may import and call any Python function.
//! This reader knows the opcodes that build plain data and, by name, the dozen classes that
//! `torch.save` and old Lightning checkpoints need to describe tensors; it turns each into data and
//! refuses every other opcode and name, saying which. No crate does that for all these files:
//! `candle-core` and `tch` read the zip form only or through libtorch, `serde-pickle` knows neither
//! persistent ids nor storages and ignores what it does not understand.
//!
//! Two containers exist. Since 1.6 torch writes a zip archive (`zipped`) with one member a
//! storage; those stored uncompressed are views of the mapped file, so a checkpoint of four
//! gigabytes is not copied. Before, one file held five pickles and then the storages (`legacy`).
//!
//! The interpreter builds a graph of nodes (`machine`); lists may be shared or even contain
//! themselves there. The graph is then unfolded to a tree of bounded size and depth (`tree`).

mod globals;
mod legacy;
mod machine;
mod tree;
mod write;
mod zipped;

pub use write::{to_bytes, write};

use crate::array::Array;
use crate::error::{At, Error, Fault};
use crate::map::Map;
use std::path::Path;
use std::sync::Arc;

/// What a pickle holds, as a tree.
#[derive(Debug, Clone)]
pub enum Value {
    /// Python's `None`.
    None,
    /// A truth value.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A float.
    Float(f64),
    /// A string.
    Text(Arc<str>),
    /// A byte string.
    Bytes(Arc<[u8]>),
    /// A list or set.
    List(Vec<Value>),
    /// A tuple.
    Tuple(Vec<Value>),
    /// A dict, `OrderedDict` or `ParameterDict`, in the file's order. No text key comes twice.
    Dict(Vec<(Value, Value)>),
    /// A tensor or array.
    Tensor(Array),
    /// Something harmless that this reader only names: a class used as a key, a torch dtype, an
    /// integer beyond 64 bits.
    Opaque(Arc<str>),
}

impl Value {
    /// The value of a dict's text key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entries()?.iter().find(|(k, _)| k.as_text() == Some(key)).map(|(_, v)| v)
    }

    /// A dict's entries, in the file's order.
    #[must_use]
    pub fn entries(&self) -> Option<&[(Self, Self)]> {
        match self {
            Self::Dict(entries) => Some(entries),
            _ => None,
        }
    }

    /// The text of a string.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(t) => Some(t),
            _ => None,
        }
    }

    /// The value of an integer.
    #[must_use]
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(i) => Some(*i),
            _ => None,
        }
    }

    /// The array of a tensor.
    #[must_use]
    pub fn as_tensor(&self) -> Option<&Array> {
        match self {
            Self::Tensor(a) => Some(a),
            _ => None,
        }
    }

    /// What kind of thing it is, for messages.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Bool(_) => "a bool",
            Self::Int(_) => "an int",
            Self::Float(_) => "a float",
            Self::Text(_) => "a string",
            Self::Bytes(_) => "bytes",
            Self::List(_) => "a list",
            Self::Tuple(_) => "a tuple",
            Self::Dict(_) => "a dict",
            Self::Tensor(_) => "a tensor",
            Self::Opaque(_) => "an object",
        }
    }

    /// A string.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::Text(text.into())
    }

    /// A dict with text keys.
    #[must_use]
    pub fn dict<const N: usize>(entries: [(&str, Self); N]) -> Self {
        Self::Dict(entries.map(|(k, v)| (Self::text(k), v)).into())
    }
}

/// Reads a torch file of either container.
///
/// # Errors
/// Where it cannot be read, is broken, or names anything outside the list of harmless classes.
pub fn read(path: &Path) -> Result<Value, Error> {
    from_map(&Map::open(path).at(path)?).at(path)
}

/// As [`read`], for a file that is mapped already.
///
/// # Errors
/// As [`read`], without the path.
pub fn from_map(map: &Arc<Map>) -> Result<Value, Fault> {
    let bytes = map.as_slice();
    if bytes.starts_with(b"PK\x03\x04") {
        return zipped::read(map);
    }
    if let Some(what) = crate::stranger_or_text(bytes).filter(|_| bytes.first() != Some(&0x80)) {
        return Err(Fault::Container(format!("not a torch file: {what}")));
    }
    legacy::read(map)
}

#[cfg(test)]
mod tests;
