//! The container before torch 1.6: five pickles in a row, then the storages.
//!
//! The pickles are a magic number, a protocol version, a note of the machine's byte order, the
//! object itself, and the list of storage keys. Each storage follows as a 64-bit element count and
//! its elements.

use super::Value;
use super::machine::{self, Graph, Node, StorageRef};
use super::tree::{self, Storages};
use crate::array::Bytes;
use crate::error::Fault;
use crate::map::Map;
use std::collections::BTreeMap;
use std::sync::Arc;

const MAGIC: i128 = 0x1950_a86a_20f9_469c_fc6c;
const PROTOCOL: i128 = 1001;

pub(super) fn read(map: &Arc<Map>) -> Result<Value, Fault> {
    let bytes = map.as_slice();
    let magic = machine::run(bytes, 0).map_err(|fault| match fault {
        // The very first byte makes no sense as a pickle.
        Fault::Pickle { offset: 0, .. } => {
            Fault::container("not a torch file: neither a zip archive nor a pickle")
        }
        other => other,
    })?;
    if !matches!(magic.nodes[magic.root], Node::Int(MAGIC)) {
        return Err(Fault::container("a Python pickle, but not one that torch wrote"));
    }
    let protocol = machine::run(bytes, magic.end)?;
    if !matches!(protocol.nodes[protocol.root], Node::Int(PROTOCOL)) {
        return Err(Fault::container("an unknown version of torch's old file format"));
    }
    let system = machine::run(bytes, protocol.end)?;
    if !is_little_endian(&system) {
        return Err(Fault::container("the numbers are not little-endian"));
    }
    let object = machine::run(bytes, system.end)?;
    let keys = machine::run(bytes, object.end)?;
    let mut storages = After { found: BTreeMap::new() };
    let mut at = keys.end;
    for key in texts(&keys)? {
        let dtype = object.storages.get(&key);
        let dtype = dtype
            .ok_or_else(|| Fault::Container(format!("storage {key} is listed but never used")))?;
        let has = bytes.len() as u64;
        let cut = |says: u64| Fault::Truncated { says, has };
        let count = bytes.get(at..).and_then(<[u8]>::first_chunk).ok_or(cut(at as u64 + 8))?;
        at += 8;
        let size = u64::from_le_bytes(*count).checked_mul(dtype.size() as u64);
        let end = size.and_then(|n| n.checked_add(at as u64)).unwrap_or(u64::MAX);
        let part = usize::try_from(end).ok().and_then(|end| Bytes::mapped(map, at..end));
        let part = part.ok_or(cut(end))?;
        at += part.len();
        if storages.found.insert(key.clone(), part).is_some() {
            return Err(Fault::Container(format!("storage {key} is listed twice")));
        }
    }
    tree::unfold(&object, &mut storages, bytes.len())
}

fn is_little_endian(graph: &Graph) -> bool {
    let Node::Dict(pairs) = &graph.nodes[graph.root] else { return false };
    pairs.iter().any(|(k, v)| {
        matches!(&graph.nodes[*k], Node::Text(t) if t.as_ref() == "little_endian")
            && matches!(graph.nodes[*v], Node::Bool(true))
    })
}

fn texts(graph: &Graph) -> Result<Vec<Arc<str>>, Fault> {
    let wrong = || Fault::container("the list of storages is not a list of strings");
    let Node::List(items) = &graph.nodes[graph.root] else { return Err(wrong()) };
    let text = |id: &usize| match &graph.nodes[*id] {
        Node::Text(t) => Ok(t.clone()),
        _ => Err(wrong()),
    };
    items.iter().map(text).collect()
}

struct After {
    found: BTreeMap<Arc<str>, Bytes>,
}

impl Storages for After {
    fn bytes(&mut self, storage: &StorageRef) -> Result<Bytes, Fault> {
        let bytes = self.found.get(&storage.key).cloned();
        let bytes =
            bytes.ok_or_else(|| Fault::Container(format!("storage {} is missing", storage.key)))?;
        let need = (storage.skip.saturating_add(storage.numel))
            .saturating_mul(storage.dtype.size() as u64);
        if (bytes.len() as u64) < need {
            let what =
                format!("storage {} has {} bytes, expected {need}", storage.key, bytes.len());
            return Err(Fault::Container(what));
        }
        Ok(bytes)
    }
}
