//! The zip container of torch 1.6 and later: `NAME/data.pkl`, `NAME/data/0` and small notes.

use super::Value;
use super::machine::{self, StorageRef};
use super::tree::{self, Storages};
use crate::array::Bytes;
use crate::error::Fault;
use crate::map::Map;
use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::sync::Arc;
use zip::{CompressionMethod, ZipArchive};

/// The largest `data.pkl`: that of a full checkpoint with optimizer state has about 1 MB.
const PICKLE_LIMIT: u64 = 64 << 20;
/// What all deflated members together may unfold to: this many times the file's length, and 16 MiB.
/// Weights hardly shrink; bombs do, a thousandfold.
const RATIO_LIMIT: u64 = 16;
const FREE_SIZE: u64 = 16 << 20;

/// Notes that torch writes beside the data; none of them is needed to read it.
const NOTES: [&str; 5] =
    ["version", "byteorder", ".data/serialization_id", ".format_version", ".storage_alignment"];

struct Member {
    start: u64,
    packed: u64,
    size: u64,
    method: CompressionMethod,
}

struct Archive {
    map: Arc<Map>,
    members: BTreeMap<String, Member>,
    // Storages that had to be inflated, so that views of one share it.
    inflated: BTreeMap<Arc<str>, Bytes>,
    // Bytes that may still be inflated.
    left: u64,
}

pub(super) fn read(map: &Arc<Map>) -> Result<Value, Fault> {
    let mut archive = Archive::open(map)?;
    if let Some(order) = archive.members.get("byteorder") {
        let order = archive.read(order, 64)?;
        if order.trim_ascii() != b"little" {
            return Err(Fault::container("torch zip: the numbers are not little-endian"));
        }
    }
    let pickle = archive.members.get("data.pkl");
    let pickle = pickle.ok_or_else(|| Fault::container("torch zip: data.pkl is missing"))?;
    let pickle = archive.read(pickle, PICKLE_LIMIT)?;
    let graph = machine::run(&pickle, 0)?;
    if graph.end != pickle.len() {
        return Err(Fault::container("torch zip: data.pkl has bytes after its end"));
    }
    tree::unfold(&graph, &mut archive, map.as_slice().len())
}

impl Archive {
    fn open(map: &Arc<Map>) -> Result<Self, Fault> {
        let broken = |e: zip::result::ZipError| Fault::library("torch zip", e);
        // A zip's directory stands at its end, so a broken download shows there first.
        let mut zip = ZipArchive::new(Cursor::new(map.as_slice()))
            .map_err(|e| Fault::library("torch zip, perhaps truncated", e))?;
        if zip.has_duplicate_names() {
            return Err(Fault::container("torch zip: two members have the same name"));
        }
        let left = (map.as_slice().len() as u64).saturating_mul(RATIO_LIMIT) + FREE_SIZE;
        let mut members = BTreeMap::new();
        let mut root: Option<String> = None;
        for i in 0..zip.len() {
            let file = zip.by_index_raw(i).map_err(broken)?;
            let name = file.name().map_err(broken)?.into_owned();
            let (folder, rest) = name.split_once('/').unwrap_or(("", &name));
            if file.encrypted() || file.is_dir() || !is_known(rest) {
                return Err(Fault::Container(format!("torch zip: unexpected member `{name}`")));
            }
            if *root.get_or_insert_with(|| folder.to_owned()) != folder {
                let what = format!("torch zip: `{name}` is in a second folder");
                return Err(Fault::Container(what));
            }
            let start = file.data_start();
            let start =
                start.ok_or_else(|| Fault::container("torch zip: a member without a position"))?;
            let member = Member {
                start,
                packed: file.compressed_size(),
                size: file.size(),
                method: file.compression(),
            };
            members.insert(rest.to_owned(), member);
        }
        Ok(Self { map: Arc::clone(map), members, inflated: BTreeMap::new(), left })
    }

    /// The member's bytes as they lie in the file.
    fn raw(&self, member: &Member) -> Result<Bytes, Fault> {
        let start = usize::try_from(member.start).ok();
        let end =
            start.zip(usize::try_from(member.packed).ok()).and_then(|(s, n)| s.checked_add(n));
        let bytes = start.zip(end).and_then(|(s, e)| Bytes::mapped(&self.map, s..e));
        bytes.ok_or(Fault::Truncated {
            says: member.start.saturating_add(member.packed),
            has: self.map.as_slice().len() as u64,
        })
    }

    /// The member's contents: a view where it is stored, a copy where it is deflated.
    fn read(&self, member: &Member, limit: u64) -> Result<Bytes, Fault> {
        let raw = self.raw(member)?;
        if member.size > limit {
            let what = format!("torch zip: a member of {} bytes, more than {limit}", member.size);
            return Err(Fault::Container(what));
        }
        match member.method {
            CompressionMethod::Stored if member.size == member.packed => Ok(raw),
            CompressionMethod::Deflated => {
                if member.size > self.left {
                    let what = format!(
                        "torch zip: a member of {} bytes expands to {}; this is a zip bomb, not weights",
                        member.packed, member.size
                    );
                    return Err(Fault::Container(what));
                }
                let mut out = Vec::new();
                let unpack = flate2::read::DeflateDecoder::new(&raw[..]);
                unpack.take(member.size + 1).read_to_end(&mut out)?;
                if out.len() as u64 != member.size {
                    return Err(Fault::container(
                        "torch zip: a member does not have its declared size",
                    ));
                }
                Ok(out.into())
            }
            other => Err(Fault::Container(format!(
                "torch zip: compressed with {other:?}, expected deflate"
            ))),
        }
    }
}

/// Members that torch writes: the pickle, its notes, and `data/KEY` with a plain key.
fn is_known(name: &str) -> bool {
    let plain =
        |key: &str| !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    name == "data.pkl" || NOTES.contains(&name) || name.strip_prefix("data/").is_some_and(plain)
}

impl Storages for Archive {
    fn bytes(&mut self, storage: &StorageRef) -> Result<Bytes, Fault> {
        let name = format!("data/{}", storage.key);
        let member = self.members.get(&name);
        let member =
            member.ok_or_else(|| Fault::Container(format!("torch zip: `{name}` is missing")))?;
        let need = (storage.skip.saturating_add(storage.numel))
            .saturating_mul(storage.dtype.size() as u64);
        if member.size < need {
            let what = format!("torch zip: `{name}` has {} bytes, expected {need}", member.size);
            return Err(Fault::Container(what));
        }
        if let Some(bytes) = self.inflated.get(&storage.key) {
            return Ok(bytes.clone());
        }
        let bytes = self.read(member, u64::MAX)?;
        if member.method != CompressionMethod::Stored {
            self.left = self.left.saturating_sub(member.size);
            self.inflated.insert(storage.key.clone(), bytes.clone());
        }
        Ok(bytes)
    }
}
