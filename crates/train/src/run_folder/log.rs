//! `log.jsonl`: what happened in a run, one JSON object a line.
use super::append_at;
use crate::Result;
use crate::error::AtFile;
use serde::Serialize;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Appends lines.
#[derive(Debug)]
pub struct LogWriter {
    file: File,
    path: PathBuf,
    length: u64,
}

impl LogWriter {
    /// Goes on at `length` bytes (0: a new file); what lies behind is cut off.
    ///
    /// # Errors
    /// If the file is shorter or cannot be written.
    pub fn open(path: &Path, length: u64) -> Result<Self> {
        Ok(Self { file: append_at(path, length)?, path: path.into(), length })
    }

    /// Adds a line.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn push(&mut self, entry: &impl Serialize) -> Result<()> {
        let line = serde_json::to_string(entry).map_err(std::io::Error::other).at(&self.path)?;
        let line = format!("{line}\n");
        self.file.write_all(line.as_bytes()).at(&self.path)?;
        self.length += line.len() as u64;
        Ok(())
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
}
