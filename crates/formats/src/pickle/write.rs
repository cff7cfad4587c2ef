//! Writing what `torch.load(..., weights_only=True)` and the A1111 web UI read: the zip container
//! with plain dicts and tensors.

use super::Value;
use crate::array::{Array, Dtype};
use crate::atomic;
use crate::error::{At, Error, Fault};
use std::io::{Cursor, Write};
use std::path::Path;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// Writes a torch zip file, whole or not at all.
///
/// # Errors
/// Where the value holds something opaque, an integer or text does not fit, or writing fails.
pub fn write(path: &Path, value: &Value) -> Result<(), Error> {
    let bytes = to_bytes(value).at(path)?;
    atomic::write_bytes(path, &bytes).at(path)
}

/// A torch zip file's bytes.
///
/// # Errors
/// As [`write()`], without the path.
pub fn to_bytes(value: &Value) -> Result<Vec<u8>, Fault> {
    let mut out = Writer { pickle: vec![0x80, 2], storages: Vec::new() };
    out.value(value, 0)?;
    out.pickle.push(b'.');
    zip(&out).map_err(|e| Fault::library("torch zip", e))
}

fn zip(parts: &Writer<'_>) -> zip::result::ZipResult<Vec<u8>> {
    // No clock and no names: the same tensors give the same bytes. Torch aligns storages to 64.
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default())
        .with_alignment(64);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let mut member = |name: &str, bytes: &[u8]| {
        zip.start_file(format!("archive/{name}"), options)?;
        zip.write_all(bytes).map_err(zip::result::ZipError::from)
    };
    member("data.pkl", &parts.pickle)?;
    member("byteorder", b"little")?;
    for (i, array) in parts.storages.iter().enumerate() {
        member(&format!("data/{i}"), array.bytes())?;
    }
    member("version", b"3\n")?;
    Ok(zip.finish()?.into_inner())
}

struct Writer<'a> {
    pickle: Vec<u8>,
    storages: Vec<&'a Array>,
}

impl<'a> Writer<'a> {
    fn value(&mut self, value: &'a Value, depth: usize) -> Result<(), Fault> {
        if depth > 64 {
            return Err(Fault::container("nested too deep to write"));
        }
        match value {
            Value::None => self.pickle.push(b'N'),
            Value::Bool(b) => self.pickle.push(if *b { 0x88 } else { 0x89 }),
            Value::Int(n) => self.int(*n),
            Value::Float(x) => {
                self.pickle.push(b'G');
                self.pickle.extend_from_slice(&x.to_be_bytes());
            }
            Value::Text(t) => self.text(t)?,
            Value::List(items) => {
                self.pickle.extend_from_slice(b"](");
                items.iter().try_for_each(|v| self.value(v, depth + 1))?;
                self.pickle.push(b'e');
            }
            Value::Tuple(items) => {
                self.pickle.push(b'(');
                items.iter().try_for_each(|v| self.value(v, depth + 1))?;
                self.pickle.push(b't');
            }
            Value::Dict(pairs) => {
                self.pickle.extend_from_slice(b"}(");
                for (k, v) in pairs {
                    self.value(k, depth + 1)?;
                    self.value(v, depth + 1)?;
                }
                self.pickle.push(b'u');
            }
            Value::Tensor(array) => self.tensor(array)?,
            Value::Bytes(_) | Value::Opaque(_) => {
                return Err(Fault::Container(format!("{} cannot be written", value.kind())));
            }
        }
        Ok(())
    }

    fn int(&mut self, n: i64) {
        if let Ok(small) = i32::try_from(n) {
            self.pickle.push(b'J');
            self.pickle.extend_from_slice(&small.to_le_bytes());
        } else {
            self.pickle.extend_from_slice(&[0x8a, 8]);
            self.pickle.extend_from_slice(&n.to_le_bytes());
        }
    }

    fn text(&mut self, text: &str) -> Result<(), Fault> {
        let length = u32::try_from(text.len());
        let length = length.map_err(|_| Fault::container("a string larger than 4 GB"))?;
        self.pickle.push(b'X');
        self.pickle.extend_from_slice(&length.to_le_bytes());
        self.pickle.extend_from_slice(text.as_bytes());
        Ok(())
    }

    fn global(&mut self, module: &str, name: &str) {
        self.pickle.extend_from_slice(format!("c{module}\n{name}\n").as_bytes());
    }

    /// `_rebuild_tensor_v2(storage, 0, shape, stride, False, OrderedDict())`.
    fn tensor(&mut self, array: &'a Array) -> Result<(), Fault> {
        let key = self.storages.len().to_string();
        self.storages.push(array);
        let count = |n: usize| i64::try_from(n).map_err(|_| Fault::container("a size beyond 2^63"));
        self.global("torch._utils", "_rebuild_tensor_v2");
        self.pickle.extend_from_slice(b"((");
        self.text("storage")?;
        self.global("torch", storage_name(array.dtype()));
        self.text(&key)?;
        self.text("cpu")?;
        self.int(count(array.elements())?);
        self.pickle.extend_from_slice(b"tQ");
        self.int(0);
        self.pickle.push(b'(');
        for d in array.shape() {
            self.int(count(*d)?);
        }
        self.pickle.extend_from_slice(b"t(");
        for i in 0..array.shape().len() {
            // An empty tensor's strides are counted as if each size were at least one.
            let stride = array.shape()[i + 1..].iter().map(|d| (*d).max(1)).product();
            self.int(count(stride)?);
        }
        self.pickle.extend_from_slice(b"t\x89");
        self.global("collections", "OrderedDict");
        self.pickle.extend_from_slice(b")RtR");
        Ok(())
    }
}

fn storage_name(dtype: Dtype) -> &'static str {
    match dtype {
        Dtype::F64 => "DoubleStorage",
        Dtype::F32 => "FloatStorage",
        Dtype::F16 => "HalfStorage",
        Dtype::BF16 => "BFloat16Storage",
        Dtype::F8E4M3 => "Float8_e4m3fnStorage",
        Dtype::F8E5M2 => "Float8_e5m2Storage",
        Dtype::I64 => "LongStorage",
        Dtype::I32 => "IntStorage",
        Dtype::I16 => "ShortStorage",
        Dtype::I8 => "CharStorage",
        Dtype::U8 => "ByteStorage",
        Dtype::Bool => "BoolStorage",
    }
}
