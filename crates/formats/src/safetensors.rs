//! Safetensors: a JSON header of names, types, shapes and byte ranges, then the bytes.
//!
//! The reader is our own and small. The `safetensors` crate takes the same key twice where the two
//! entries agree, and keeps no way to notice; which tensor a name means must never depend on the
//! reader, so here every duplicate is refused, with all of the crate's other checks: header size,
//! nesting, order, overlap, holes, sizes with checked arithmetic, and bytes after the end.

use crate::array::{Array, Bytes, Dtype, byte_count};
use crate::atomic;
use crate::error::{At, Error, Fault};
use crate::map::Map;
use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use std::collections::BTreeMap;
use std::io::Write;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// The largest header that is read.
const HEADER_LIMIT: u64 = 100_000_000;

/// An open safetensors file; arrays are views of the mapped file.
#[derive(Debug, Clone)]
pub struct SafeTensors {
    entries: BTreeMap<String, Entry>,
    metadata: BTreeMap<String, String>,
    map: Arc<Map>,
    // Where the tensors' bytes begin.
    data: usize,
}

#[derive(Debug, Clone)]
struct Entry {
    dtype: Dtype,
    shape: Vec<usize>,
    range: Range<usize>,
}

impl SafeTensors {
    /// Opens a file and checks its whole header; no tensor is read yet.
    ///
    /// # Errors
    /// Where it cannot be read or is not a sound safetensors file.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Self::from_map(Map::open(path).at(path)?).at(path)
    }

    /// The metadata of a file whose header can be read, though its tensors may be cut off.
    #[must_use]
    pub fn metadata_of(path: &Path) -> BTreeMap<String, String> {
        let header = |map: Arc<Map>| {
            let (header, _) = split(map.as_slice()).ok()?;
            serde_json::from_slice::<Header>(header).ok()
        };
        Map::open(path).ok().and_then(header).map(|h| h.metadata).unwrap_or_default()
    }

    /// As [`SafeTensors::open`], for a file that is mapped already.
    ///
    /// # Errors
    /// As [`SafeTensors::open`].
    pub fn from_map(map: Arc<Map>) -> Result<Self, Fault> {
        let bytes = map.as_slice();
        let (header, data) = split(bytes)?;
        let header: Header =
            serde_json::from_slice(header).map_err(|e| Fault::library("safetensors header", e))?;
        let entries = check(header.tensors, data as u64, bytes.len() as u64)?;
        Ok(Self { entries, metadata: header.metadata, map, data })
    }

    /// The tensors' names, sorted.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// Whether there is a tensor of that name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// Type and shape of a tensor.
    #[must_use]
    pub fn about(&self, name: &str) -> Option<(Dtype, &[usize])> {
        self.entries.get(name).map(|e| (e.dtype, e.shape.as_slice()))
    }

    /// A tensor, as a view of the mapped file.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Array> {
        let entry = self.entries.get(name)?;
        let range = self.data + entry.range.start..self.data + entry.range.end;
        let bytes = Bytes::mapped(&self.map, range)?;
        Array::new(entry.dtype, entry.shape.clone(), bytes).ok()
    }

    /// The header's `__metadata__`; empty where there is none.
    #[must_use]
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// Where the tensors' bytes begin in the file: kohya's network hash starts there.
    #[must_use]
    pub fn data_start(&self) -> usize {
        self.data
    }
}

/// Splits a file into its header and the offset of what follows.
fn split(bytes: &[u8]) -> Result<(&[u8], usize), Fault> {
    let has = bytes.len() as u64;
    let Some((length, rest)) = bytes.split_first_chunk::<8>() else {
        return Err(Fault::Container(format!("not a safetensors file: only {has} bytes")));
    };
    let length = u64::from_le_bytes(*length);
    if length > HEADER_LIMIT {
        let what = crate::stranger_or_text(bytes).unwrap_or_else(|| {
            format!("header of {length} bytes, more than the {HEADER_LIMIT} allowed")
        });
        return Err(Fault::Container(format!("not a safetensors file: {what}")));
    }
    let header = usize::try_from(length).ok().and_then(|n| rest.get(..n));
    let header = header.ok_or(Fault::Truncated { says: length + 8, has })?;
    if header.first() != Some(&b'{') {
        return Err(Fault::container("not a safetensors file: the header is not a JSON object"));
    }
    Ok((header, 8 + header.len()))
}

/// Checks that the ranges tile the bytes after `data` exactly and fit shapes and types.
fn check(
    tensors: BTreeMap<String, Info>,
    data: u64,
    file: u64,
) -> Result<BTreeMap<String, Entry>, Fault> {
    let mut order: Vec<(&str, &Info)> = tensors.iter().map(|(k, v)| (k.as_str(), v)).collect();
    order.sort_by_key(|(_, info)| info.data_offsets);
    let mut end = 0;
    for (name, info) in order {
        let (from, to) = info.data_offsets;
        if to < from {
            return Err(Fault::tensor(
                name,
                "an end that is not before its start",
                format!("{from}..{to}"),
            ));
        }
        if from != end {
            let what = if from < end { "overlaps another" } else { "leaves a hole before it" };
            let expected = format!("bytes from {end}");
            return Err(Fault::tensor(name, expected, format!("{from}..{to}, which {what}")));
        }
        end = to;
    }
    let says = data.saturating_add(end);
    if says > file {
        return Err(Fault::Truncated { says, has: file });
    }
    if says < file {
        let what = format!("{} bytes after the last tensor", file - says);
        return Err(Fault::Container(what));
    }
    let entry = |(name, info): (String, Info)| {
        let dtype = Dtype::from_name(&info.dtype).ok_or_else(|| {
            Fault::tensor(&name, "f64, f32, f16, bf16 or an integer type", info.dtype.clone())
        })?;
        let (from, to) = info.data_offsets;
        // Both lie within the mapped file, so they fit.
        #[expect(clippy::cast_possible_truncation, reason = "checked against the file's size")]
        let range = from as usize..to as usize;
        if byte_count(dtype, &info.shape) != Some(range.len()) {
            let expected = format!("the bytes of {dtype} {:?}", info.shape);
            return Err(Fault::tensor(&name, expected, format!("{} bytes", range.len())));
        }
        Ok((name, Entry { dtype, shape: info.shape, range }))
    };
    tensors.into_iter().map(entry).collect()
}

#[derive(Deserialize)]
struct Info {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: (u64, u64),
}

#[derive(Default)]
struct Header {
    metadata: BTreeMap<String, String>,
    tensors: BTreeMap<String, Info>,
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Header;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object of tensors")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
                let mut header = Header::default();
                let mut seen = false;
                while let Some(key) = map.next_key::<String>()? {
                    let double = if key == "__metadata__" {
                        header.metadata = map.next_value::<Strings>()?.0;
                        std::mem::replace(&mut seen, true)
                    } else {
                        let info = map.next_value()?;
                        header.tensors.insert(key.clone(), info).is_some()
                    };
                    if double {
                        let what = format!("`{key}` appears twice");
                        return Err(serde::de::Error::custom(what));
                    }
                }
                Ok(header)
            }
        }
        d.deserialize_map(V)
    }
}

/// A map of strings without duplicates.
struct Strings(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Strings {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Strings;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object of strings")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Strings, A::Error> {
                let mut out = BTreeMap::new();
                while let Some((key, value)) = map.next_entry::<String, String>()? {
                    if out.insert(key.clone(), value).is_some() {
                        let what = format!("metadata `{key}` appears twice");
                        return Err(serde::de::Error::custom(what));
                    }
                }
                Ok(Strings(out))
            }
        }
        d.deserialize_map(V)
    }
}

/// Writes a file, whole or not at all. Tensors are laid out as the reference writer does: larger
/// element types first, then by name; the header is padded with blanks to a multiple of eight.
///
/// # Errors
/// Where two tensors have one name, a name is `__metadata__`, or writing fails.
pub fn write<N: AsRef<str>>(
    path: &Path,
    tensors: &[(N, Array)],
    metadata: &BTreeMap<String, String>,
) -> Result<(), Error> {
    let (header, order) = layout(tensors, metadata).at(path)?;
    atomic::write(path, |out| {
        out.write_all(&(header.len() as u64).to_le_bytes())?;
        out.write_all(header.as_bytes())?;
        order.iter().try_for_each(|a| out.write_all(a.bytes()))
    })
    .at(path)
}

/// A whole file's bytes; see [`write()`].
///
/// # Errors
/// As [`write()`], without the path.
pub fn to_bytes<N: AsRef<str>>(
    tensors: &[(N, Array)],
    metadata: &BTreeMap<String, String>,
) -> Result<Vec<u8>, Fault> {
    let (header, order) = layout(tensors, metadata)?;
    let mut out = (header.len() as u64).to_le_bytes().to_vec();
    out.extend_from_slice(header.as_bytes());
    order.iter().for_each(|a| out.extend_from_slice(a.bytes()));
    Ok(out)
}

fn layout<'a, N: AsRef<str>>(
    tensors: &'a [(N, Array)],
    metadata: &BTreeMap<String, String>,
) -> Result<(String, Vec<&'a Array>), Fault> {
    let mut order: Vec<(&str, &Array)> = tensors.iter().map(|(n, a)| (n.as_ref(), a)).collect();
    order.sort_by_key(|(name, a)| (std::cmp::Reverse(a.dtype().size()), a.dtype(), *name));
    let mut header = serde_json::Map::new();
    if !metadata.is_empty() {
        header.insert("__metadata__".into(), serde_json::json!(metadata));
    }
    let mut end = 0;
    for (name, array) in &order {
        let start = end;
        end += array.bytes().len();
        let info = serde_json::json!({
            "dtype": array.dtype().name(), "shape": array.shape(), "data_offsets": [start, end],
        });
        if *name == "__metadata__" || header.insert((*name).to_owned(), info).is_some() {
            return Err(Fault::tensor(name, "a unique name", "the same name twice"));
        }
    }
    let mut text = serde_json::Value::Object(header).to_string();
    text.extend(std::iter::repeat_n(' ', text.len().next_multiple_of(8) - text.len()));
    Ok((text, order.into_iter().map(|(_, a)| a).collect()))
}
