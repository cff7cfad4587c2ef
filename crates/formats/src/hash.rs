//! Hashes of files: SHA-256 whole, after a safetensors header, and A1111's short forms.

use crate::atomic;
use crate::error::{At, Error, Fault};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;
use wayword_interface::Stop;

/// SHA-256 of a whole file, 64 hex digits.
///
/// # Errors
/// Where it cannot be read.
pub fn sha256(path: &Path) -> Result<String, Error> {
    digest(File::open(path).at(path)?).at(path)
}

/// The same, `None` where a stop was requested before the end.
///
/// # Errors
/// Where it cannot be read.
pub fn sha256_unless_stopped(path: &Path, stop: &Stop) -> Result<Option<String>, Error> {
    digest_unless_stopped(File::open(path).at(path)?, stop).at(path)
}

/// SHA-256 of a safetensors file after its header: the hash by which kohya's tools and A1111 know a
/// network, as it does not change with the metadata.
///
/// # Errors
/// Where it cannot be read or is no safetensors file.
pub fn sha256_after_header(path: &Path) -> Result<String, Error> {
    let start = crate::SafeTensors::open(path)?.data_start();
    let mut file = File::open(path).at(path)?;
    file.seek(SeekFrom::Start(start as u64)).at(path)?;
    digest(file).at(path)
}

/// A1111's old model hash: eight hex digits of the SHA-256 of 0x10000 bytes from 0x100000.
///
/// # Errors
/// Where it cannot be read.
pub fn old_model_hash(path: &Path) -> Result<String, Error> {
    let mut file = File::open(path).at(path)?;
    file.seek(SeekFrom::Start(0x10_0000)).at(path)?;
    let mut full = digest(file.take(0x1_0000)).at(path)?;
    full.truncate(8);
    Ok(full)
}

/// A1111's short hash of a model: the first ten hex digits.
#[must_use]
pub fn short_model(sha256: &str) -> &str {
    &sha256[..sha256.len().min(10)]
}

/// A1111's short hash of an embedding or LoRA: the first twelve hex digits.
#[must_use]
pub fn short_network(sha256: &str) -> &str {
    &sha256[..sha256.len().min(12)]
}

/// SHA-256 of bytes in memory, 64 hex digits.
#[must_use]
pub fn sha256_bytes(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// SHA-256 of what is left to read.
pub(crate) fn digest(from: impl Read) -> Result<String, Fault> {
    Ok(digest_unless_stopped(from, &Stop::default())?.unwrap_or_default())
}

fn digest_unless_stopped(mut from: impl Read, stop: &Stop) -> Result<Option<String>, Fault> {
    let mut sum = Sha256::new();
    // What fits into the second cache is not read from memory twice.
    let mut buffer = vec![0; 1 << 17];
    loop {
        if stop.is_requested() {
            return Ok(None);
        }
        match from.read(&mut buffer)? {
            0 => return Ok(Some(hex(&sum.finalize()))),
            n => sum.update(&buffer[..n]),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Hashes already known, by path, size and time of change; kept in a small JSON file.
#[derive(Debug)]
pub struct HashCache {
    file: PathBuf,
    known: BTreeMap<String, Known>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    size: u64,
    // Nanoseconds since 1970, as text: JSON numbers end at 2^53.
    changed: String,
    sha256: String,
}

impl HashCache {
    /// Opens the cache kept in `file`. A missing or broken file is an empty cache: everything in it
    /// can be computed again.
    #[must_use]
    pub fn open(file: &Path) -> Self {
        let text = std::fs::read(file).unwrap_or_default();
        let known = serde_json::from_slice(&text).unwrap_or_default();
        Self { file: file.to_owned(), known }
    }

    /// SHA-256 of a file, from the cache where size and time are those of the last reading. A new
    /// hash is saved at once; where that fails, only the time is lost.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn sha256(&mut self, path: &Path) -> Result<String, Error> {
        Ok(self.sha256_unless_stopped(path, &Stop::default())?.unwrap_or_default())
    }

    /// The same, `None` where a stop was requested before the end.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn sha256_unless_stopped(
        &mut self,
        path: &Path,
        stop: &Stop,
    ) -> Result<Option<String>, Error> {
        if let Some(known) = self.known(path) {
            return Ok(Some(known));
        }
        let (key, size, changed) = about(path)?;
        let Some(sha256) = sha256_unless_stopped(path, stop)? else { return Ok(None) };
        // A file that grew while it was read must not be remembered.
        if about(path)? == (key.clone(), size, changed.clone()) {
            self.known.insert(key, Known { size, changed, sha256: sha256.clone() });
            let text = serde_json::to_vec_pretty(&self.known).unwrap_or_default();
            let _ = atomic::write_bytes(&self.file, &text);
        }
        Ok(Some(sha256))
    }

    /// One hash for the weights of a diffusers folder: over the names and hashes of the files below
    /// its parts for text, noise and pixels; `None` where a stop was requested.
    ///
    /// # Errors
    /// Where a file cannot be read.
    pub fn sha256_of_folder(
        &mut self,
        folder: &Path,
        stop: &Stop,
    ) -> Result<Option<String>, Error> {
        let mut all = String::new();
        for part in ["text_encoder", "unet", "vae"] {
            let part_folder = folder.join(part);
            let mut files = Vec::new();
            for entry in std::fs::read_dir(&part_folder).at(&part_folder)? {
                let path = entry.at(&part_folder)?.path();
                if path.is_file() {
                    files.push(path);
                }
            }
            files.sort();
            for file in files {
                let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let Some(hash) = self.sha256_unless_stopped(&file, stop)? else {
                    return Ok(None);
                };
                all.push_str(&format!("{part}/{name} {hash}\n"));
            }
        }
        Ok(Some(sha256_bytes(all.as_bytes())))
    }

    /// The hash, if it is known already.
    #[must_use]
    pub fn known(&self, path: &Path) -> Option<String> {
        let (key, size, changed) = about(path).ok()?;
        let known = self.known.get(&key)?;
        (known.size == size && known.changed == changed).then(|| known.sha256.clone())
    }
}

fn about(path: &Path) -> Result<(String, u64, String), Error> {
    let full = std::fs::canonicalize(path).at(path)?;
    let about = std::fs::metadata(&full).at(path)?;
    let changed = about.modified().at(path)?.duration_since(UNIX_EPOCH);
    let changed = changed.map_or(0, |d| d.as_nanos()).to_string();
    Ok((full.to_string_lossy().into_owned(), about.len(), changed))
}

#[cfg(test)]
mod tests {
    use super::{HashCache, Stop, sha256, sha256_unless_stopped};

    #[test]
    fn hashing_ends_where_a_stop_was_requested() {
        let dir = tempfile::tempdir().unwrap();
        let (file, cache) = (dir.path().join("a"), dir.path().join("hashes.json"));
        std::fs::write(&file, b"one").unwrap();
        let stop = Stop::default();
        let whole = sha256_unless_stopped(&file, &stop).unwrap();
        assert_eq!(whole, Some(sha256(&file).unwrap()));
        stop.request();
        assert_eq!(sha256_unless_stopped(&file, &stop).unwrap(), None);
        let mut cache = HashCache::open(&cache);
        assert_eq!(cache.sha256_unless_stopped(&file, &stop).unwrap(), None);
        assert_eq!(cache.known(&file), None);
    }

    #[test]
    fn a_changed_file_is_hashed_again() {
        let dir = tempfile::tempdir().unwrap();
        let (file, cache) = (dir.path().join("a"), dir.path().join("hashes.json"));
        std::fs::write(&file, b"one").unwrap();
        let one = HashCache::open(&cache).sha256(&file).unwrap();
        assert_eq!(one, sha256(&file).unwrap());
        assert_eq!(HashCache::open(&cache).known(&file), Some(one.clone()));
        std::fs::write(&file, b"other").unwrap();
        let mut again = HashCache::open(&cache);
        assert_eq!(again.known(&file), None);
        assert_ne!(again.sha256(&file).unwrap(), one);
        std::fs::write(&cache, b"broken").unwrap();
        assert_eq!(HashCache::open(&cache).known(&file), None);
    }
}
