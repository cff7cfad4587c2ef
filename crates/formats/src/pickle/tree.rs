//! The graph of nodes unfolded to a tree, with tensors fetched from their storages.

use super::Value;
use super::globals::Class;
use super::machine::{Graph, Id, Node, StorageRef, TensorRef};
use crate::array::{Array, Bytes};
use crate::error::Fault;
use std::collections::BTreeSet;

/// Nodes that a tree may have: a checkpoint with optimizer states has some ten thousand.
const NODE_LIMIT: usize = 2_000_000;
/// How deep lists and dicts may nest: real files stay below ten.
const DEPTH_LIMIT: usize = 64;

/// Where a container keeps the bytes of its storages.
pub(super) trait Storages {
    /// At least `storage.skip + storage.numel` elements of the storage `storage.key`.
    fn bytes(&mut self, storage: &StorageRef) -> Result<Bytes, Fault>;
}

/// Unfolds the graph from its root.
///
/// `file` is the file's length: tensors whose elements do not lie in a row are copied, and all
/// copies together may be twice that long.
pub(super) fn unfold(
    graph: &Graph,
    storages: &mut dyn Storages,
    file: usize,
) -> Result<Value, Fault> {
    let copies = file.saturating_mul(2).saturating_add(16 << 20);
    Unfold { graph, storages, left: NODE_LIMIT, copies }.value(graph.root, 0)
}

struct Unfold<'a> {
    graph: &'a Graph,
    storages: &'a mut dyn Storages,
    // Values and bytes of copied tensors that may still come.
    left: usize,
    copies: usize,
}

impl Unfold<'_> {
    fn fault(&self, what: impl Into<String>) -> Fault {
        Fault::Pickle { offset: self.graph.end, what: what.into() }
    }

    fn value(&mut self, id: Id, depth: usize) -> Result<Value, Fault> {
        if depth > DEPTH_LIMIT {
            return Err(self.fault(format!("nested deeper than {DEPTH_LIMIT} levels")));
        }
        self.left = match self.left.checked_sub(1) {
            Some(left) => left,
            None => return Err(self.fault(format!("more than {NODE_LIMIT} values"))),
        };
        let graph = self.graph;
        Ok(match &graph.nodes[id] {
            Node::None => Value::None,
            Node::Bool(b) => Value::Bool(*b),
            Node::Int(n) => match i64::try_from(*n) {
                Ok(n) => Value::Int(n),
                Err(_) => Value::Opaque(n.to_string().into()),
            },
            Node::Float(x) => Value::Float(*x),
            Node::Text(t) => Value::Text(t.clone()),
            Node::Bytes(b) => Value::Bytes(b.clone()),
            Node::List(items) => Value::List(self.values(items, depth)?),
            Node::Tuple(items) => Value::Tuple(self.values(items, depth)?),
            Node::Dict(pairs) => self.dict(pairs, depth)?,
            Node::Class(Class::Inert(name)) => Value::Opaque(name.clone()),
            Node::Class(class) => Value::Opaque(format!("{class:?}").into()),
            Node::Opaque(what) => Value::Opaque(what.clone()),
            Node::Storage(s) => Value::Opaque(format!("storage {}", s.key).into()),
            Node::Tensor(t) => Value::Tensor(self.tensor(t)?),
            Node::NumpyType(t) => Value::Opaque(format!("numpy.{t}").into()),
            Node::NumpyEmpty => return Err(self.fault("a numpy array without its state")),
            Node::Array(a) => Value::Tensor(a.clone()),
        })
    }

    fn values(&mut self, items: &[Id], depth: usize) -> Result<Vec<Value>, Fault> {
        items.iter().map(|id| self.value(*id, depth + 1)).collect()
    }

    fn dict(&mut self, pairs: &[(Id, Id)], depth: usize) -> Result<Value, Fault> {
        let mut seen = BTreeSet::new();
        let mut out = Vec::with_capacity(pairs.len());
        for (key, value) in pairs {
            let key = self.value(*key, depth + 1)?;
            if let Value::Text(text) = &key
                && !seen.insert(text.clone())
            {
                return Err(self.fault(format!("the key `{text}` appears twice")));
            }
            out.push((key, self.value(*value, depth + 1)?));
        }
        Ok(Value::Dict(out))
    }

    fn tensor(&mut self, t: &TensorRef) -> Result<Array, Fault> {
        let size = t.storage.dtype.size();
        let count = t.shape.iter().try_fold(1_u64, |n, d| n.checked_mul(*d));
        let numel = t.storage.numel;
        // A stride of 0 could make a giant of one element, so a view may not be larger than its
        // storage.
        let pickle_end = self.graph.end;
        let too_large = || Fault::Pickle {
            offset: pickle_end,
            what: format!("a tensor {:?} larger than its storage of {numel} elements", t.shape),
        };
        let count = count.filter(|n| *n <= numel).ok_or_else(too_large)?;
        let last =
            t.shape.iter().zip(&t.stride).try_fold(t.offset, |at, (d, s)| {
                at.checked_add(d.saturating_sub(1).checked_mul(*s)?)
            });
        if count > 0 && last.is_none_or(|last| last >= numel) {
            return Err(too_large());
        }
        let shape: Result<Vec<usize>, _> = t.shape.iter().map(|d| usize::try_from(*d)).collect();
        let shape = shape.map_err(|_| too_large())?;
        if count == 0 {
            return Array::new(t.storage.dtype, shape, Vec::new());
        }
        let stored = self.storages.bytes(&t.storage)?;
        let at = |element: u64| {
            let element = usize::try_from(t.storage.skip.checked_add(element)?).ok()?;
            element.checked_mul(size)
        };
        let (first, end) = (at(t.offset), at(t.offset.saturating_add(count)));
        if is_contiguous(&shape, &t.stride) {
            let part = first.zip(end).and_then(|(a, b)| stored.slice(a..b));
            let part = part.ok_or_else(|| self.fault("a tensor extends beyond its storage"))?;
            return Array::new(t.storage.dtype, shape, part);
        }
        let count = usize::try_from(count).map_err(|_| too_large())?;
        self.copies = match self.copies.checked_sub(count.saturating_mul(size)) {
            Some(left) => left,
            None => return Err(self.fault("strided tensors with more bytes than the file")),
        };
        let mut bytes = Vec::with_capacity(count * size);
        let mut index = vec![0_u64; shape.len()];
        for _ in 0..count {
            let element = index.iter().zip(&t.stride).fold(t.offset, |at, (i, s)| at + i * s);
            let start = at(element).and_then(|a| stored.get(a..a + size));
            bytes.extend_from_slice(
                start.ok_or_else(|| self.fault("a tensor extends beyond its storage"))?,
            );
            for (i, d) in index.iter_mut().zip(&t.shape).rev() {
                *i += 1;
                if *i < *d {
                    break;
                }
                *i = 0;
            }
        }
        Array::new(t.storage.dtype, shape, bytes)
    }
}

fn is_contiguous(shape: &[usize], stride: &[u64]) -> bool {
    let mut want = 1_u64;
    for (d, s) in shape.iter().zip(stride).rev() {
        // The stride of a dimension of one is never used.
        if *d != 1 && *s != want {
            return false;
        }
        want = want.saturating_mul(*d as u64);
    }
    true
}
