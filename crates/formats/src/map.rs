//! File mapping: the only unsafe code outside the kernels.
//!
//! A mapped file is read-only and shared, so its bytes cost no memory of their own and the system
//! may drop and reload its pages. The price is a promise that we cannot keep alone: nobody may
//! shorten the file while it is mapped. We never write into a file in place (`atomic.rs` renames a
//! finished one over it, which leaves the old bytes alive under the map), and files that another
//! program truncates under us end the process with a bus error rather than with wrong numbers.
#![expect(unsafe_code, reason = "mapping a file is unsafe because others can change it")]

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// A file's bytes in memory, loaded by the system page by page as they are read.
#[derive(Debug)]
pub struct Map {
    inner: Inner,
}

#[derive(Debug)]
enum Inner {
    File(memmap2::Mmap),
    // Also an empty file, which has nothing to map.
    Memory(Vec<u8>),
}

impl From<Vec<u8>> for Map {
    /// Bytes that are in memory already, in the place of a file.
    fn from(bytes: Vec<u8>) -> Self {
        Self { inner: Inner::Memory(bytes) }
    }
}

impl Map {
    /// Maps a whole file, read-only.
    ///
    /// # Errors
    /// Where it cannot be opened or mapped, or is a folder.
    pub fn open(path: &Path) -> io::Result<Arc<Self>> {
        let file = File::open(path)?;
        let about = file.metadata()?;
        if about.is_dir() {
            return Err(io::Error::new(io::ErrorKind::IsADirectory, "is a folder, not a file"));
        }
        if about.len() == 0 {
            return Ok(Arc::new(Vec::new().into()));
        }
        // SAFETY: the map is read-only and only handed out as `&[u8]` for its own lifetime. That
        // no other program shortens the file meanwhile is the promise of the module's doc.
        let map = unsafe { memmap2::Mmap::map(&file)? };
        Ok(Arc::new(Self { inner: Inner::File(map) }))
    }

    /// All bytes.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        match &self.inner {
            Inner::File(map) => map,
            Inner::Memory(bytes) => bytes,
        }
    }

    /// Lets the system take back the memory of the whole pages within `range`. They are read from
    /// disk again when touched. Best effort; does nothing outside unix.
    pub fn release(&self, range: Range<usize>) {
        #[cfg(unix)]
        if let Inner::File(map) = &self.inner {
            const PAGE: usize = 4096;
            let start = range.start.next_multiple_of(PAGE);
            let end = range.end.min(map.len()) / PAGE * PAGE;
            if start < end {
                // SAFETY: the pages are of a shared read-only file mapping, so dropping them loses
                // nothing: the next read brings the same bytes back from the file.
                let done = unsafe {
                    map.unchecked_advise_range(
                        memmap2::UncheckedAdvice::DontNeed,
                        start,
                        end - start,
                    )
                };
                // A system that refuses merely keeps the pages.
                drop(done);
            }
        }
        #[cfg(not(unix))]
        let _ = range;
    }
}
