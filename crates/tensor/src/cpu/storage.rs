//! Where the processor's tensors lie: buffers that go back to their arena when they are dropped.
//!
//! A network asks for the same sizes again and again. Giving large blocks back to the system and
//! fetching them again costs more than many operations, so the arena keeps them.
use crate::{MemoryUse, Storage};
use half::bf16;
use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wayword_kernels::{Line, Lines, View, ViewMut};

/// The type of a tensor's values in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Full.
    F32,
    /// Upper halves: for what only products and norms read, and their rounding swallows.
    Bf16,
}

#[derive(Debug, Default)]
struct Books {
    /// Buffers that nobody uses, by their number of lines.
    free: BTreeMap<usize, Vec<Lines>>,
    /// Bytes in `free`.
    idle: usize,
    /// Bytes of tensors and weights.
    now: usize,
    peak: usize,
}

/// Bytes that may lie idle beyond the most that was ever in use: what one operation frees and the
/// next of another size asks for.
const SPARE: usize = 32 << 20;

impl Books {
    /// Gives idle buffers back to the system, the largest first, until with `bytes` more in use all
    /// together are hardly more than the most that was ever in use.
    fn make_room(&mut self, bytes: usize) {
        let now = self.now + bytes;
        let most = self.peak.max(now) + SPARE;
        while now + self.idle > most {
            let Some(mut entry) = self.free.last_entry() else { break };
            let lines = entry.get_mut().pop();
            self.idle -= lines.map_or(0, |lines| lines.len() * size_of::<Line>());
            if entry.get().is_empty() {
                entry.remove();
            }
        }
    }
}

/// The buffers of one device.
#[derive(Debug, Default)]
pub(crate) struct Arena(Mutex<Books>);

impl Arena {
    fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes of tensors and weights now, and the most so far.
    pub(crate) fn memory(&self) -> MemoryUse {
        let books = self.books();
        MemoryUse { held: books.now, peak: books.peak }
    }

    /// Counts bytes that lie outside of the arena's buffers.
    pub(crate) fn count(self: &Arc<Self>, bytes: usize) -> Counted {
        let mut books = self.books();
        books.now += bytes;
        books.peak = books.peak.max(books.now);
        Counted { bytes, arena: Arc::clone(self) }
    }

    /// Gives idle buffers back as far as `bytes` outside of the arena's buffers need it.
    pub(crate) fn make_room(&self, bytes: usize) {
        self.books().make_room(bytes);
    }

    /// A buffer for `count` values, with anything in it.
    pub(crate) fn take(self: &Arc<Self>, count: usize, kind: Kind) -> Buffer {
        let each = match kind {
            Kind::F32 => size_of::<f32>(),
            Kind::Bf16 => size_of::<bf16>(),
        };
        let needed = (count * each).div_ceil(size_of::<Line>());
        // Eight sizes for each power of two, so that nearly equal ones share.
        let step = (needed.next_power_of_two() / 16).max(1);
        let size = needed.next_multiple_of(step);
        let mut books = self.books();
        let found = books.free.get_mut(&size).and_then(Vec::pop);
        if found.is_some() {
            books.idle -= size * size_of::<Line>();
        } else {
            books.make_room(size * size_of::<Line>());
        }
        drop(books);
        let lines = found.unwrap_or_else(|| Lines::of::<Line>(size));
        let counted = self.count(size * size_of::<Line>());
        Buffer { lines, count, kind, counted }
    }
}

/// Bytes that count until this is dropped.
#[derive(Debug)]
pub(crate) struct Counted {
    bytes: usize,
    arena: Arc<Arena>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.arena.books().now -= self.bytes;
    }
}

/// The values of one tensor.
#[derive(Debug)]
pub(crate) struct Buffer {
    lines: Lines,
    count: usize,
    kind: Kind,
    counted: Counted,
}

impl Buffer {
    pub(crate) fn view(&self) -> View<'_> {
        match self.kind {
            Kind::F32 => View::F32(&bytemuck::cast_slice(&self.lines)[..self.count]),
            Kind::Bf16 => View::Bf16(&bytemuck::cast_slice(&self.lines)[..self.count]),
        }
    }

    pub(crate) fn view_mut(&mut self) -> ViewMut<'_> {
        let lines = &mut self.lines;
        match self.kind {
            Kind::F32 => ViewMut::F32(&mut bytemuck::cast_slice_mut(lines)[..self.count]),
            Kind::Bf16 => ViewMut::Bf16(&mut bytemuck::cast_slice_mut(lines)[..self.count]),
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// The values of a buffer that was taken as f32.
    pub(crate) fn f32_mut(&mut self) -> &mut [f32] {
        assert_eq!(self.kind, Kind::F32, "taken as f32");
        &mut bytemuck::cast_slice_mut(&mut self.lines)[..self.count]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let lines = std::mem::take(&mut self.lines);
        let mut books = self.counted.arena.books();
        books.idle += lines.len() * size_of::<Line>();
        books.free.entry(lines.len()).or_default().push(lines);
    }
}

impl Storage for Buffer {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn bytes(&self) -> usize {
        self.counted.bytes
    }
}
