//! Reads safetensors for tests, independently of the program's own reader.
use safetensors::{Dtype, SafeTensors};
use std::collections::BTreeMap;
use std::path::Path;

/// A tensor's shape, dtype and raw little-endian bytes.
#[derive(Debug, Clone)]
pub struct HostTensor {
    /// The dtype as safetensors names it, such as `F32`.
    pub dtype: Dtype,
    /// Outermost dimension first.
    pub shape: Vec<usize>,
    /// Little-endian, row-major.
    pub bytes: Vec<u8>,
}

impl HostTensor {
    /// The values as f32. Integers and f64 are converted.
    #[must_use]
    pub fn f32(&self) -> Vec<f32> {
        self.f64().iter().map(|v| *v as f32).collect()
    }

    /// The values as f64.
    #[must_use]
    pub fn f64(&self) -> Vec<f64> {
        macro_rules! read {
            ($t:ty) => {
                self.bytes
                    .chunks_exact(size_of::<$t>())
                    .map(|c| <$t>::from_le_bytes(c.try_into().unwrap()) as f64)
                    .collect()
            };
        }
        match self.dtype {
            Dtype::F64 => read!(f64),
            Dtype::F32 => read!(f32),
            Dtype::F16 => self.halves(f16_to_f32),
            Dtype::BF16 => self.halves(|h| f32::from_bits(u32::from(h) << 16)),
            Dtype::I64 => read!(i64),
            Dtype::I32 => read!(i32),
            Dtype::U64 => read!(u64),
            Dtype::I8 => read!(i8),
            Dtype::U8 | Dtype::BOOL => read!(u8),
            Dtype::I16 => read!(i16),
            Dtype::U16 => read!(u16),
            Dtype::U32 => read!(u32),
            other => panic!("no test needs dtype {other:?}"),
        }
    }

    /// The values as i64.
    #[must_use]
    pub fn i64(&self) -> Vec<i64> {
        self.f64().iter().map(|v| *v as i64).collect()
    }

    fn halves(&self, widen: impl Fn(u16) -> f32) -> Vec<f64> {
        let pairs = self.bytes.chunks_exact(2);
        pairs.map(|c| f64::from(widen(u16::from_le_bytes([c[0], c[1]])))).collect()
    }
}

fn f16_to_f32(h: u16) -> f32 {
    let sign = if h >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from((h >> 10) & 31), f32::from(h & 1023));
    match exponent {
        0 => sign * fraction * 2f32.powi(-24),
        31 if fraction == 0.0 => sign * f32::INFINITY,
        31 => f32::NAN,
        e => sign * (1.0 + fraction / 1024.0) * 2f32.powi(e - 15),
    }
}

/// All tensors of a safetensors file, by name.
#[derive(Debug)]
pub struct Tensors(BTreeMap<String, HostTensor>);

impl Tensors {
    /// Reads a file.
    ///
    /// # Panics
    /// If it is not there or damaged.
    #[must_use]
    pub fn read(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let file =
            SafeTensors::deserialize(&bytes).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let convert = |v: &safetensors::tensor::TensorView<'_>| HostTensor {
            dtype: v.dtype(),
            shape: v.shape().to_vec(),
            bytes: v.data().to_vec(),
        };
        Self(file.tensors().iter().map(|(name, v)| (name.clone(), convert(v))).collect())
    }

    /// The tensor `name`, if there is one.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&HostTensor> {
        self.0.get(name)
    }

    /// The tensor `name`.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn at(&self, name: &str) -> &HostTensor {
        self.0.get(name).unwrap_or_else(|| panic!("golden file has no tensor {name}"))
    }

    /// All names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}
