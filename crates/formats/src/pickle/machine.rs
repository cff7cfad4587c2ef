//! The pickle stack machine: opcodes to a graph of nodes.

use super::globals::{self, Class};
use crate::array::{Array, Dtype};
use crate::error::Fault;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Entries and bytes that calls may copy: a few instructions could double a list again and again.
const COPY_LIMIT: usize = 64 << 20;

/// Index of a node.
pub(super) type Id = usize;

/// A value under construction; containers refer to their parts by index, as lists can be shared.
#[derive(Debug, Clone)]
pub(super) enum Node {
    None,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(Arc<str>),
    Bytes(Arc<[u8]>),
    List(Vec<Id>),
    Tuple(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Class(Class),
    Opaque(Arc<str>),
    Storage(StorageRef),
    Tensor(TensorRef),
    /// `numpy.dtype`: kind and width, such as `f4`.
    NumpyType(Arc<str>),
    /// An array that waits for its state.
    NumpyEmpty,
    Array(Array),
}

impl Node {
    /// How many entries or bytes a copy of it takes.
    fn size(&self) -> usize {
        match self {
            Self::Bytes(b) => b.len(),
            Self::Text(t) => t.len(),
            Self::List(v) | Self::Tuple(v) => v.len(),
            Self::Dict(v) => v.len(),
            _ => 1,
        }
    }
}

/// A storage that a tensor views: `numel` elements from element `skip` of the storage `key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StorageRef {
    pub(super) key: Arc<str>,
    pub(super) dtype: Dtype,
    pub(super) skip: u64,
    pub(super) numel: u64,
}

/// A strided view of a storage, in elements.
#[derive(Debug, Clone)]
pub(super) struct TensorRef {
    pub(super) storage: StorageRef,
    pub(super) offset: u64,
    pub(super) shape: Vec<u64>,
    pub(super) stride: Vec<u64>,
}

/// The finished graph.
pub(super) struct Graph {
    pub(super) nodes: Vec<Node>,
    pub(super) root: Id,
    /// Offset of the byte after the pickle's end.
    pub(super) end: usize,
    /// The element type of each storage that was named.
    pub(super) storages: BTreeMap<Arc<str>, Dtype>,
}

/// Runs one pickle from byte `start`.
pub(super) fn run(bytes: &[u8], start: usize) -> Result<Graph, Fault> {
    let mut m = Machine {
        bytes,
        at: start,
        op_at: start,
        nodes: Vec::new(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: BTreeMap::new(),
        storages: BTreeMap::new(),
        copies: COPY_LIMIT,
    };
    let root = m.run()?;
    Ok(Graph { nodes: m.nodes, root, end: m.at, storages: m.storages })
}

pub(super) struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    // Where the opcode in work began, for messages.
    op_at: usize,
    pub(super) nodes: Vec<Node>,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: BTreeMap<u64, Id>,
    storages: BTreeMap<Arc<str>, Dtype>,
    copies: usize,
}

impl Machine<'_> {
    /// Pays for `n` entries or bytes that are about to be copied.
    pub(super) fn pay(&mut self, n: usize) -> Result<(), Fault> {
        match self.copies.checked_sub(n) {
            Some(left) => self.copies = left,
            None => return Err(self.fault("copies the same data too often")),
        }
        Ok(())
    }

    pub(super) fn fault(&self, what: impl Into<String>) -> Fault {
        Fault::Pickle { offset: self.op_at, what: what.into() }
    }

    pub(super) fn forbidden(&self, global: impl Into<String>) -> Fault {
        Fault::Forbidden { offset: self.op_at, global: global.into() }
    }

    fn take(&mut self, n: u64) -> Result<&[u8], Fault> {
        let end = usize::try_from(n).ok().and_then(|n| self.at.checked_add(n));
        let part = end.and_then(|end| self.bytes.get(self.at..end));
        let part = part.ok_or_else(|| self.fault("the pickle is truncated"))?;
        self.at += part.len();
        Ok(part)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let part = self.take(N as u64)?;
        Ok(*part.first_chunk().expect("take gives exactly N bytes"))
    }

    fn line(&mut self) -> Result<String, Fault> {
        let rest = &self.bytes[self.at..];
        let Some(n) = rest.iter().take(4096).position(|b| *b == b'\n') else {
            return Err(self.fault("a line without an end"));
        };
        let text = std::str::from_utf8(&rest[..n]).map(str::to_owned);
        self.at += n + 1;
        text.map_err(|_| self.fault("a line that is not UTF-8"))
    }

    fn push(&mut self, node: Node) {
        self.nodes.push(node);
        self.stack.push(self.nodes.len() - 1);
    }

    fn pop(&mut self) -> Result<Id, Fault> {
        // A mark is a floor: nothing below it may be taken one by one.
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() <= floor {
            return Err(self.fault("an empty stack"));
        }
        self.stack.pop().ok_or_else(|| self.fault("an empty stack"))
    }

    fn top(&self) -> Result<Id, Fault> {
        self.stack.last().copied().ok_or_else(|| self.fault("an empty stack"))
    }

    fn since_mark(&mut self) -> Result<Vec<Id>, Fault> {
        let mark = self.marks.pop().ok_or_else(|| self.fault("no mark on the stack"))?;
        if mark > self.stack.len() {
            return Err(self.fault("a mark beyond the end of the stack"));
        }
        Ok(self.stack.split_off(mark))
    }

    fn text(&mut self, n: u64) -> Result<Arc<str>, Fault> {
        let part = self.take(n)?;
        // Python passes lone surrogates through; nobody's keys need them.
        let text: Result<Arc<str>, _> = std::str::from_utf8(part).map(Arc::from);
        text.map_err(|_| self.fault("a string that is not UTF-8"))
    }

    /// A Python 2 byte string: text where it is ASCII.
    fn string(&mut self, n: u64) -> Result<Node, Fault> {
        let part = self.take(n)?;
        Ok(match std::str::from_utf8(part) {
            Ok(text) if text.is_ascii() => Node::Text(text.into()),
            _ => Node::Bytes(part.into()),
        })
    }

    fn long(&mut self, n: u64) -> Result<Node, Fault> {
        let part = self.take(n)?;
        if part.len() > 16 {
            return Ok(Node::Opaque("an integer beyond 128 bits".into()));
        }
        let negative = part.last().is_some_and(|b| *b >= 0x80);
        let mut wide = [if negative { 0xff } else { 0 }; 16];
        wide[..part.len()].copy_from_slice(part);
        Ok(Node::Int(i128::from_le_bytes(wide)))
    }

    fn recall(&mut self, n: u64) -> Result<(), Fault> {
        let id = self.memo.get(&n).copied();
        let id = id.ok_or_else(|| self.fault(format!("memo {n} was never set")))?;
        self.stack.push(id);
        Ok(())
    }

    fn remember(&mut self, n: u64) -> Result<(), Fault> {
        let id = self.top()?;
        self.memo.insert(n, id);
        Ok(())
    }

    fn number<T: std::str::FromStr>(&mut self) -> Result<T, Fault> {
        let line = self.line()?;
        line.trim_end_matches('L').parse().map_err(|_| self.fault("a malformed number"))
    }

    fn run(&mut self) -> Result<Id, Fault> {
        loop {
            self.op_at = self.at;
            let op = self.array::<1>()?[0];
            match op {
                b'.' => return self.pop(),
                0x80 => {
                    let version = self.array::<1>()?[0];
                    if version > 5 {
                        return Err(self.fault(format!("protocol {version}, newer than 5")));
                    }
                }
                0x95 => drop(self.array::<8>()?), // FRAME: a hint of length
                b'(' => self.marks.push(self.stack.len()),
                b'0' => {
                    // POP takes a mark where one is on top.
                    if self.marks.last() == Some(&self.stack.len()) {
                        self.marks.pop();
                    } else {
                        self.pop()?;
                    }
                }
                b'1' => drop(self.since_mark()?),
                b'2' => {
                    let id = self.top()?;
                    self.stack.push(id);
                }
                b'N' => self.push(Node::None),
                0x88 => self.push(Node::Bool(true)),
                0x89 => self.push(Node::Bool(false)),
                b'I' => {
                    let line = self.line()?;
                    let node = match line.as_str() {
                        "00" => Node::Bool(false),
                        "01" => Node::Bool(true),
                        n => Node::Int(n.parse().map_err(|_| self.fault("not a number"))?),
                    };
                    self.push(node);
                }
                b'J' => {
                    let n = i32::from_le_bytes(self.array()?);
                    self.push(Node::Int(n.into()));
                }
                b'K' => {
                    let n = self.array::<1>()?[0];
                    self.push(Node::Int(n.into()));
                }
                b'M' => {
                    let n = u16::from_le_bytes(self.array()?);
                    self.push(Node::Int(n.into()));
                }
                b'L' => {
                    let n = self.number()?;
                    self.push(Node::Int(n));
                }
                0x8a => {
                    let n = self.array::<1>()?[0];
                    let node = self.long(n.into())?;
                    self.push(node);
                }
                0x8b => {
                    let n = u32::from_le_bytes(self.array()?);
                    let node = self.long(n.into())?;
                    self.push(node);
                }
                b'F' => {
                    let x = self.number()?;
                    self.push(Node::Float(x));
                }
                b'G' => {
                    let x = f64::from_be_bytes(self.array()?);
                    self.push(Node::Float(x));
                }
                _ => self.data(op)?,
            }
        }
    }

    /// Strings, containers and the memo.
    fn data(&mut self, op: u8) -> Result<(), Fault> {
        let node = match op {
            b'X' => {
                let n = u32::from_le_bytes(self.array()?);
                Node::Text(self.text(n.into())?)
            }
            0x8c => {
                let n = self.array::<1>()?[0];
                Node::Text(self.text(n.into())?)
            }
            0x8d => {
                let n = u64::from_le_bytes(self.array()?);
                Node::Text(self.text(n)?)
            }
            b'V' => Node::Text(self.line()?.into()),
            b'T' => {
                let n = u32::from_le_bytes(self.array()?);
                self.string(n.into())?
            }
            b'U' => {
                let n = self.array::<1>()?[0];
                self.string(n.into())?
            }
            b'B' => {
                let n = u32::from_le_bytes(self.array()?);
                Node::Bytes(self.take(n.into())?.into())
            }
            b'C' => {
                let n = self.array::<1>()?[0];
                Node::Bytes(self.take(n.into())?.into())
            }
            0x8e => {
                let n = u64::from_le_bytes(self.array()?);
                Node::Bytes(self.take(n)?.into())
            }
            b']' | 0x8f => Node::List(Vec::new()),
            b'}' => Node::Dict(Vec::new()),
            b')' => Node::Tuple(Vec::new()),
            b'l' | 0x91 => Node::List(self.since_mark()?),
            b't' => Node::Tuple(self.since_mark()?),
            b'd' => Node::Dict(self.pairs()?),
            0x85..=0x87 => {
                let mut parts = Vec::new();
                for _ in 0..op - 0x84 {
                    parts.push(self.pop()?);
                }
                parts.reverse();
                Node::Tuple(parts)
            }
            _ => return self.change(op),
        };
        self.push(node);
        Ok(())
    }

    fn pairs(&mut self) -> Result<Vec<(Id, Id)>, Fault> {
        let flat = self.since_mark()?;
        let (pairs, rest) = flat.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(self.fault("a key without a value"));
        }
        Ok(pairs.iter().map(|[k, v]| (*k, *v)).collect())
    }

    /// What changes a container, the memo, or asks for a class.
    fn change(&mut self, op: u8) -> Result<(), Fault> {
        match op {
            b'a' | b'e' | 0x90 => {
                let items = if op == b'a' { vec![self.pop()?] } else { self.since_mark()? };
                let list = self.top()?;
                match &mut self.nodes[list] {
                    Node::List(all) => all.extend(items),
                    _ => return Err(self.fault("appends to something other than a list")),
                }
            }
            b's' | b'u' => {
                let pairs = if op == b's' {
                    let value = self.pop()?;
                    vec![(self.pop()?, value)]
                } else {
                    self.pairs()?
                };
                let dict = self.top()?;
                match &mut self.nodes[dict] {
                    Node::Dict(all) => all.extend(pairs),
                    _ => return Err(self.fault("sets items of something other than a dict")),
                }
            }
            b'g' => {
                let n = self.number()?;
                self.recall(n)?;
            }
            b'h' => {
                let n = self.array::<1>()?[0];
                self.recall(n.into())?;
            }
            b'j' => {
                let n = u32::from_le_bytes(self.array()?);
                self.recall(n.into())?;
            }
            b'p' => {
                let n = self.number()?;
                self.remember(n)?;
            }
            b'q' => {
                let n = self.array::<1>()?[0];
                self.remember(n.into())?;
            }
            b'r' => {
                let n = u32::from_le_bytes(self.array()?);
                self.remember(n.into())?;
            }
            0x94 => self.remember(self.memo.len() as u64)?,
            b'c' => {
                let module = self.line()?;
                let name = self.line()?;
                let class = self.class(&module, &name)?;
                self.push(class);
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Node::Text(module), Node::Text(name)) =
                    (self.nodes[module].clone(), self.nodes[name].clone())
                else {
                    return Err(self.fault("a class name that is not a string"));
                };
                let class = self.class(&module, &name)?;
                self.push(class);
            }
            b'R' | 0x81 => {
                let (args, callee) = (self.pop()?, self.pop()?);
                self.pay(self.nodes[args].size())?;
                let Node::Tuple(args) = self.nodes[args].clone() else {
                    return Err(self.fault("a call without a tuple of arguments"));
                };
                let Node::Class(class) = self.nodes[callee].clone() else {
                    return Err(self.fault("a call of something other than a class"));
                };
                let size: usize = args.iter().map(|id| self.nodes[*id].size()).sum();
                self.pay(size)?;
                let node = globals::call(self, &class, &args)?;
                self.push(node);
            }
            b'b' => {
                let state = self.pop()?;
                let object = self.top()?;
                let size = match &self.nodes[state] {
                    Node::Tuple(parts) => parts.iter().map(|id| self.nodes[*id].size()).sum(),
                    Node::Dict(pairs) => pairs.iter().map(|(_, v)| self.nodes[*v].size()).sum(),
                    _ => 0_usize,
                };
                self.pay(size)?;
                globals::build(self, object, state)?;
            }
            b'Q' => {
                let id = self.pop()?;
                let storage = globals::storage(self, id)?;
                let known = self.storages.insert(storage.key.clone(), storage.dtype);
                if known.is_some_and(|d| d != storage.dtype) {
                    let what = format!("storage {} has two element types", storage.key);
                    return Err(self.fault(what));
                }
                self.push(Node::Storage(storage));
            }
            other => {
                return Err(
                    self.fault(format!("opcode {other:#04x} ({}) is not allowed", name(other)))
                );
            }
        }
        Ok(())
    }

    fn class(&self, module: &str, name: &str) -> Result<Node, Fault> {
        globals::find(module, name).ok_or_else(|| self.forbidden(format!("{module}.{name}")))
    }
}

/// The name of an opcode that is refused.
fn name(op: u8) -> &'static str {
    match op {
        b'i' => "INST: creates an object of any class",
        b'o' => "OBJ: creates an object of any class",
        b'P' => "PERSID: a reference by a line of text",
        0x92 => "NEWOBJ_EX: creates an object of any class",
        0x82..=0x84 => "EXT: an object by registered number",
        b'S' => "STRING: a quoted Python string",
        0x96 => "BYTEARRAY8",
        0x97 => "NEXT_BUFFER",
        0x98 => "READONLY_BUFFER",
        _ => "unknown; this is probably not a pickle",
    }
}
