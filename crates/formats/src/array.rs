//! Named arrays as files hold them: element type, shape and little-endian bytes, owned or mapped.

use crate::error::Fault;
use crate::map::Map;
use half::slice::HalfFloatSliceExt as _;
use half::{bf16, f16};
use std::ops::Range;
use std::sync::Arc;

/// Element types that a file may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are the types")]
pub enum Dtype {
    F64,
    F32,
    F16,
    BF16,
    /// Four bits of exponent, three of mantissa, no infinities.
    F8E4M3,
    /// The upper half of an `f16`.
    F8E5M2,
    I64,
    I32,
    I16,
    I8,
    U8,
    Bool,
}

impl Dtype {
    /// Bytes of one element.
    #[must_use]
    pub fn size(self) -> usize {
        match self {
            Self::F64 | Self::I64 => 8,
            Self::F32 | Self::I32 => 4,
            Self::F16 | Self::BF16 | Self::I16 => 2,
            Self::F8E4M3 | Self::F8E5M2 | Self::I8 | Self::U8 | Self::Bool => 1,
        }
    }

    /// Whether it holds fractions.
    #[must_use]
    pub fn is_float(self) -> bool {
        matches!(self, Self::F64 | Self::F32 | Self::F16 | Self::BF16 | Self::F8E4M3 | Self::F8E5M2)
    }

    /// Its name in a safetensors header.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::F64 => "F64",
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::BF16 => "BF16",
            Self::F8E4M3 => "F8_E4M3",
            Self::F8E5M2 => "F8_E5M2",
            Self::I64 => "I64",
            Self::I32 => "I32",
            Self::I16 => "I16",
            Self::I8 => "I8",
            Self::U8 => "U8",
            Self::Bool => "BOOL",
        }
    }

    /// The type of a safetensors name; `None` for those that no Stable Diffusion 1.x file needs.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        const ALL: [Dtype; 12] = [
            Dtype::F64,
            Dtype::F32,
            Dtype::F16,
            Dtype::BF16,
            Dtype::F8E4M3,
            Dtype::F8E5M2,
            Dtype::I64,
            Dtype::I32,
            Dtype::I16,
            Dtype::I8,
            Dtype::U8,
            Dtype::Bool,
        ];
        ALL.into_iter().find(|d| d.name() == name)
    }
}

impl std::fmt::Display for Dtype {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name().to_lowercase())
    }
}

/// A run of bytes, owned or a range of a mapped file; cheap to clone.
#[derive(Clone)]
pub struct Bytes {
    source: ArrayBytes,
    range: Range<usize>,
}

#[derive(Clone)]
enum ArrayBytes {
    Owned(Arc<Vec<u8>>),
    Mapped(Arc<Map>),
}

impl Bytes {
    /// A range of a mapped file; `None` where the file is shorter.
    #[must_use]
    pub fn mapped(map: &Arc<Map>, range: Range<usize>) -> Option<Self> {
        map.as_slice().get(range.clone())?;
        Some(Self { source: ArrayBytes::Mapped(Arc::clone(map)), range })
    }

    /// A part of these bytes, without a copy; `None` where it does not lie within.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Option<Self> {
        self.get(range.clone())?;
        let start = self.range.start;
        let range = start + range.start..start + range.end;
        Some(Self { source: self.source.clone(), range })
    }

    /// Lets the system drop the pages of a mapped file behind these bytes from memory; they come
    /// back from disk when read again. Does nothing for owned bytes.
    pub fn release(&self) {
        if let ArrayBytes::Mapped(map) = &self.source {
            map.release(self.range.clone());
        }
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        let range = 0..bytes.len();
        Self { source: ArrayBytes::Owned(Arc::new(bytes)), range }
    }
}

impl std::ops::Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        let all = match &self.source {
            ArrayBytes::Owned(v) => v.as_slice(),
            ArrayBytes::Mapped(m) => m.as_slice(),
        };
        &all[self.range.clone()]
    }
}

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bytes({})", self.range.len())
    }
}

/// One array of a file: row-major, contiguous, little-endian.
#[derive(Debug, Clone)]
pub struct Array {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Bytes,
}

impl Array {
    /// An array from its bytes.
    ///
    /// # Errors
    /// A `Fault::Tensor` without a key where the byte count is not that of shape and type, or
    /// overflows.
    pub fn new(dtype: Dtype, shape: Vec<usize>, bytes: impl Into<Bytes>) -> Result<Self, Fault> {
        let bytes = bytes.into();
        let need = byte_count(dtype, &shape);
        if need != Some(bytes.len()) {
            let expected = match need {
                Some(n) => format!("{n} bytes for {dtype} {shape:?}"),
                None => format!("a size that fits in memory, not {dtype} {shape:?}"),
            };
            return Err(Fault::tensor("", expected, format!("{} bytes", bytes.len())));
        }
        Ok(Self { dtype, shape, bytes })
    }

    /// An `f32` array.
    ///
    /// # Errors
    /// As [`Array::new`].
    pub fn from_f32(shape: Vec<usize>, values: &[f32]) -> Result<Self, Fault> {
        Self::from_f32_as(Dtype::F32, shape, values)
    }

    /// An array of float type `dtype`, each value rounded to nearest even once.
    ///
    /// # Errors
    /// As [`Array::new`], and where `dtype` is not a float.
    pub fn from_f32_as(dtype: Dtype, shape: Vec<usize>, values: &[f32]) -> Result<Self, Fault> {
        let bytes: Vec<u8> = match dtype {
            Dtype::F64 => values.iter().flat_map(|v| f64::from(*v).to_le_bytes()).collect(),
            Dtype::F32 => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            Dtype::F16 => values.iter().flat_map(|v| f16::from_f32(*v).to_le_bytes()).collect(),
            Dtype::BF16 => values.iter().flat_map(|v| bf16::from_f32(*v).to_le_bytes()).collect(),
            other => return Err(Fault::tensor("", "a float type", other.to_string())),
        };
        Self::new(dtype, shape, bytes)
    }

    /// The element type.
    #[must_use]
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// The shape, outermost first; empty for a scalar.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// How many elements.
    #[must_use]
    pub fn elements(&self) -> usize {
        self.bytes.len() / self.dtype.size()
    }

    /// The elements' bytes, little-endian, row-major.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes as a handle that can be kept, cloned or released.
    #[must_use]
    pub fn storage(&self) -> &Bytes {
        &self.bytes
    }

    /// The values as `f32`; `f64` rounds to nearest.
    ///
    /// # Errors
    /// A `Fault::Tensor` without a key for integers and bools.
    pub fn to_f32(&self) -> Result<Vec<f32>, Fault> {
        let mut out = vec![0.0; self.elements()];
        self.to_f32_into(&mut out)?;
        Ok(out)
    }

    /// As [`Array::to_f32`], into a slice of exactly [`Array::elements`] values.
    ///
    /// # Errors
    /// As [`Array::to_f32`], and where the slice has another length.
    pub fn to_f32_into(&self, out: &mut [f32]) -> Result<(), Fault> {
        if out.len() != self.elements() {
            let (expected, found) = (out.len(), self.elements());
            return Err(Fault::tensor("", format!("{expected} values"), found.to_string()));
        }
        let bytes: &[u8] = &self.bytes;
        match self.dtype {
            Dtype::F64 => {
                for (o, b) in out.iter_mut().zip(bytes.as_chunks::<8>().0) {
                    #[expect(clippy::cast_possible_truncation, reason = "rounding is the job")]
                    let v = f64::from_le_bytes(*b) as f32;
                    *o = v;
                }
            }
            Dtype::F32 => {
                for (o, b) in out.iter_mut().zip(bytes.as_chunks::<4>().0) {
                    *o = f32::from_le_bytes(*b);
                }
            }
            Dtype::F16 => {
                // A thousand at a time: the conversion of a slice knows the processor's
                // instruction for it, and the copy makes their place in the file no matter.
                let mut halves = [f16::ZERO; 1024];
                for (out, bytes) in out.chunks_mut(1024).zip(bytes.chunks(2048)) {
                    let halves = &mut halves[..out.len()];
                    for (half, b) in halves.iter_mut().zip(bytes.as_chunks::<2>().0) {
                        *half = f16::from_le_bytes(*b);
                    }
                    halves.convert_to_f32_slice(out);
                }
            }
            Dtype::BF16 => {
                for (o, b) in out.iter_mut().zip(bytes.as_chunks::<2>().0) {
                    *o = bf16::from_le_bytes(*b).to_f32();
                }
            }
            Dtype::F8E4M3 => out.iter_mut().zip(bytes).for_each(|(o, b)| *o = e4m3(*b)),
            Dtype::F8E5M2 => {
                for (o, b) in out.iter_mut().zip(bytes) {
                    *o = f16::from_bits(u16::from(*b) << 8).to_f32();
                }
            }
            other => return Err(Fault::tensor("", "a float type", other.to_string())),
        }
        Ok(())
    }
}

/// The value of an 8-bit float with four bits of exponent and three of mantissa (`e4m3fn`).
fn e4m3(bits: u8) -> f32 {
    let (exponent, mantissa) = (i32::from(bits >> 3 & 15), f32::from(bits & 7));
    let size = match (exponent, bits & 7) {
        (15, 7) => f32::NAN,
        (0, _) => mantissa * 2_f32.powi(-9),
        _ => (1.0 + mantissa / 8.0) * 2_f32.powi(exponent - 7),
    };
    if bits & 0x80 == 0 { size } else { -size }
}

/// Bytes of `shape` elements of `dtype`; `None` on overflow.
#[must_use]
pub fn byte_count(dtype: Dtype, shape: &[usize]) -> Option<usize> {
    // A zero anywhere makes the whole empty, but the other factors must still be representable.
    shape.iter().try_fold(dtype.size(), |n, d| n.checked_mul(*d))
}
