//! TensorBoard's event file: curves for those who watch runs there (`tensorboard --logdir NAME.run`).
//!
//! The file is a chain of records: the length as u64, its checksum, the data, their checksum, all
//! little-endian. The data are a protocol buffer `Event` (wall time, step, values by tag); only the
//! few fields that curves need are written, by hand.
use crate::Result;
use crate::error::AtFile as _;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Appends points to curves.
#[derive(Debug)]
pub struct EventFile {
    file: File,
    path: PathBuf,
}

impl EventFile {
    /// A new file at `path`; `started` is in seconds since 1970.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn create(path: &Path, started: f64) -> Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).at(folder)?;
        }
        let mut file = Self { file: File::create(path).at(path)?, path: path.into() };
        let mut event = Vec::new();
        double(&mut event, 1, started);
        bytes(&mut event, 3, b"brain.Event:2");
        file.append(&record(&event))?;
        Ok(file)
    }

    /// Adds a point to each of some curves; what is not finite is left out.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn points(&mut self, wall: f64, step: usize, values: &[(&str, f64)]) -> Result<()> {
        self.append(&points(wall, step, values))
    }

    /// The same for many steps at once: bytes of [`points`].
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn append(&mut self, records: &[u8]) -> Result<()> {
        self.file.write_all(records).at(&self.path)
    }
}

/// The record of a step's points.
#[must_use]
pub fn points(wall: f64, step: usize, values: &[(&str, f64)]) -> Vec<u8> {
    let mut summary = Vec::new();
    for (tag, value) in values.iter().filter(|(_, value)| value.is_finite()) {
        let mut entry = Vec::new();
        bytes(&mut entry, 1, tag.as_bytes());
        #[expect(clippy::cast_possible_truncation, reason = "the format has 32 bits")]
        float(&mut entry, 2, *value as f32);
        bytes(&mut summary, 1, &entry);
    }
    let mut event = Vec::new();
    double(&mut event, 1, wall);
    key(&mut event, 2, 0);
    varint(&mut event, step as u64);
    bytes(&mut event, 5, &summary);
    record(&event)
}

fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let mut out = length.to_vec();
    out.extend(masked(&length).to_le_bytes());
    out.extend(data);
    out.extend(masked(data).to_le_bytes());
    out
}

/// Field number and kind: 0 a whole number, 1 eight bytes, 2 a length and bytes, 5 four bytes.
fn key(out: &mut Vec<u8>, field: u64, kind: u64) {
    varint(out, field << 3 | kind);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn double(out: &mut Vec<u8>, field: u64, value: f64) {
    key(out, field, 1);
    out.extend(value.to_le_bytes());
}

fn float(out: &mut Vec<u8>, field: u64, value: f32) {
    key(out, field, 5);
    out.extend(value.to_le_bytes());
}

fn bytes(out: &mut Vec<u8>, field: u64, value: &[u8]) {
    key(out, field, 2);
    varint(out, value.len() as u64);
    out.extend(value);
}

/// CRC-32C (Castagnoli), rotated and shifted by a constant as the format wants it, so that a
/// checksum of data that hold checksums is not degenerate.
fn masked(data: &[u8]) -> u32 {
    crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

fn crc32c(data: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut i = 0;
        while i < 256 {
            let (mut value, mut bit) = (i as u32, 0);
            while bit < 8 {
                let low = value & 1;
                value >>= 1;
                if low == 1 {
                    value ^= 0x82f6_3b78;
                }
                bit += 1;
            }
            table[i] = value;
            i += 1;
        }
        table
    };
    !data.iter().fold(!0, |crc, b| TABLE[(crc as u8 ^ b) as usize] ^ crc >> 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_castagnolis() {
        // The check value of the CRC catalogue, and RFC 3720's 32 zeros.
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
    }

    #[test]
    fn records_can_be_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tensorboard/events.out.tfevents.1.wayword");
        let mut file = EventFile::create(&path, 1.5).unwrap();
        file.points(2.0, 300, &[("loss", 0.25), ("lr", f64::NAN)]).unwrap();
        let all = std::fs::read(&path).unwrap();
        let mut rest = &all[..];
        let mut found = Vec::new();
        while let Some((head, tail)) = rest.split_at_checked(12) {
            let length = u64::from_le_bytes(*head.first_chunk().unwrap()) as usize;
            assert_eq!(masked(&head[..8]).to_le_bytes(), head[8..]);
            assert_eq!(masked(&tail[..length]).to_le_bytes(), tail[length..length + 4]);
            found.push(tail[..length].to_vec());
            rest = &tail[length + 4..];
        }
        assert!(rest.is_empty());
        let version = [&[9][..], &1.5f64.to_le_bytes(), b"\x1a\x0dbrain.Event:2"].concat();
        let value = [b"\x0a\x04loss\x15", &0.25f32.to_le_bytes()[..]].concat();
        let summary = [&[10, value.len() as u8][..], &value].concat();
        let event = [
            &[9][..],
            &2f64.to_le_bytes(),
            &[0x10, 0xac, 0x02],
            &[42, summary.len() as u8],
            &summary,
        ];
        assert_eq!(found, [version, event.concat()]);
    }
}
