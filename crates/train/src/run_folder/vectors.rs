//! `rows.bin`: the embedding's vectors after every step, in one file that only grows.
//!
//! Little-endian: the eight bytes `wayrows1`, the number of vectors and their width as u32; then one
//! record a step: step u32, loss f32, the vectors as f32, and the 64-bit FNV-1a hash of the record so
//! far. A record that was not written to its end does not match its hash: reading stops there.
use super::append_at;
use crate::error::AtFile;
use crate::{Error, Result};
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 8] = b"wayrows1";
const HEAD: usize = 16;

/// One step's record.
#[derive(Debug, Clone, PartialEq)]
pub struct StepVectors {
    /// Steps done.
    pub step: u32,
    /// Loss of the step.
    pub loss: f32,
    /// `[vectors, width]`.
    pub vectors: Vec<f32>,
}

/// Appends records.
#[derive(Debug)]
pub struct VectorsWriter {
    file: File,
    path: PathBuf,
    length: u64,
}

impl VectorsWriter {
    /// A new file for `vectors` vectors of `width` values.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn create(path: &Path, vectors: usize, width: usize) -> Result<Self> {
        let mut writer = Self { file: append_at(path, 0)?, path: path.into(), length: 0 };
        let mut head = MAGIC.to_vec();
        head.extend((vectors as u32).to_le_bytes());
        head.extend((width as u32).to_le_bytes());
        writer.append(&head)?;
        Ok(writer)
    }

    /// Goes on at `length` bytes; what lies behind is cut off.
    ///
    /// # Errors
    /// If the file is shorter or cannot be written.
    pub fn resume(path: &Path, length: u64) -> Result<Self> {
        Ok(Self { file: append_at(path, length)?, path: path.into(), length })
    }

    /// Adds a step.
    ///
    /// # Errors
    /// If it cannot be written; the file's sound part stays readable.
    pub fn push(&mut self, step: u32, loss: f32, vectors: &[f32]) -> Result<()> {
        let mut record = Vec::with_capacity(16 + vectors.len() * 4);
        record.extend(step.to_le_bytes());
        record.extend(loss.to_le_bytes());
        record.extend(vectors.iter().flat_map(|v| v.to_le_bytes()));
        record.extend(fnv1a(&record).to_le_bytes());
        self.append(&record)
    }

    /// Bytes written.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Waits until all is on disk.
    ///
    /// # Errors
    /// If the system cannot promise it.
    pub fn sync(&self) -> Result<()> {
        self.file.sync_data().at(&self.path)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).at(&self.path)?;
        self.length += bytes.len() as u64;
        Ok(())
    }
}

/// All sound records of a file, in order, with the number of vectors and their width.
#[derive(Debug, Clone, PartialEq)]
pub struct VectorsFile {
    /// How many vectors a record has.
    pub count: usize,
    /// Values of a vector.
    pub width: usize,
    /// The records.
    pub steps: Vec<StepVectors>,
}

/// Reads a file up to its end or the first record that is not sound.
///
/// # Errors
/// If it cannot be read or is no such file.
pub fn read(path: &Path) -> Result<VectorsFile> {
    parsed(path, &std::fs::read(path).at(path)?)
}

/// Reads the first record alone, however long the file is; none where there is none.
///
/// # Errors
/// As [`read`].
pub fn read_first(path: &Path) -> Result<Option<StepVectors>> {
    let mut head = Vec::new();
    let mut file = File::open(path).at(path)?;
    Read::take(&mut file, HEAD as u64).read_to_end(&mut head).at(path)?;
    let found = parsed(path, &head)?;
    let size = (8 + found.count * found.width * 4 + 8) as u64;
    file.take(size).read_to_end(&mut head).at(path)?;
    Ok(parsed(path, &head)?.steps.pop())
}

fn parsed(path: &Path, bytes: &[u8]) -> Result<VectorsFile> {
    let embedding = |at: usize| {
        let four = bytes.get(at..at + 4).and_then(|b| <[u8; 4]>::try_from(b).ok());
        four.map(u32::from_le_bytes)
    };
    let (Some(count), Some(width), true) = (embedding(8), embedding(12), bytes.starts_with(MAGIC))
    else {
        return Err(Error::run(path, "is no file of a run's rows"));
    };
    let (count, width) = (count as usize, width as usize);
    let values = count.checked_mul(width).filter(|n| (1..1 << 24).contains(n));
    let values =
        values.ok_or_else(|| Error::run(path, format!("claims {count} rows of {width} values")))?;
    let size = 8 + values * 4;
    let mut steps = Vec::new();
    for record in bytes[HEAD..].chunks_exact(size + 8) {
        let (body, hash) = record.split_at(size);
        if fnv1a(body).to_le_bytes() != hash {
            break;
        }
        let mut embeddings = body.as_chunks::<4>().0.iter();
        let step = embeddings.next().map_or(0, |b| u32::from_le_bytes(*b));
        let loss = embeddings.next().map_or(0.0, |b| f32::from_le_bytes(*b));
        steps.push(StepVectors {
            step,
            loss,
            vectors: embeddings.map(|b| f32::from_le_bytes(*b)).collect(),
        });
    }
    Ok(VectorsFile { count, width, steps })
}

/// FNV-1a, 64 bits: enough to notice a record that was cut short.
fn fnv1a(bytes: &[u8]) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325u64;
    bytes.iter().fold(start, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_tail_is_left_out_and_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rows.bin");
        let mut writer = VectorsWriter::create(&path, 2, 3).unwrap();
        let record = |step: u32| StepVectors { step, loss: 0.5, vectors: vec![step as f32; 6] };
        for step in 1..=3 {
            writer.push(step, 0.5, &record(step).vectors).unwrap();
        }
        let two = HEAD as u64 + 2 * (8 + 24 + 8);
        drop(writer);
        let whole = std::fs::read(&path).unwrap();
        for cut in 1..40 {
            std::fs::write(&path, &whole[..whole.len() - cut]).unwrap();
            let got = read(&path).unwrap();
            assert_eq!((got.count, got.width), (2, 3));
            assert_eq!(got.steps, [record(1), record(2)], "{cut}");
            assert_eq!(read_first(&path).unwrap(), Some(record(1)));
        }
        let mut writer = VectorsWriter::resume(&path, two).unwrap();
        writer.push(3, 0.5, &record(3).vectors).unwrap();
        writer.sync().unwrap();
        assert_eq!(writer.length(), whole.len() as u64);
        assert_eq!(std::fs::read(&path).unwrap(), whole);
        assert!(VectorsWriter::resume(&path, 1 << 20).is_err());
        std::fs::write(&path, b"something else entirely").unwrap();
        assert!(read(&path).is_err());
    }
}
