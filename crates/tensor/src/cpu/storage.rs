//! Where the processor's tensors lie: buffers that go back to their arena when they are dropped.
//!
//! A network asks for the same sizes again and again. Giving large blocks back to the system and
//! fetching them again costs more than many operations, so the arena keeps them.
use crate::{Data, MemoryUse, Storage};
use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wayword_kernels::{Line, Lines, View, ViewMut};

/// The type of a buffer's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ValueType {
    F32,
    /// For results that only products and norms read, whose own rounding is as coarse.
    Bf16,
    /// Row numbers.
    U32,
}

impl ValueType {
    /// Bytes of one value.
    pub(super) const fn size(self) -> usize {
        match self {
            Self::F32 | Self::U32 => 4,
            Self::Bf16 => 2,
        }
    }
}

/// Lines of a buffer: eight sizes for each power of two, so that nearly equal ones share.
fn buffer_lines(count: usize, size: usize) -> usize {
    let needed = (count * size).div_ceil(size_of::<Line>());
    needed.next_multiple_of((needed.next_power_of_two() / 16).max(1))
}

/// Bytes of a buffer for `count` values of `size` bytes.
pub(super) fn buffer_bytes(count: usize, size: usize) -> usize {
    buffer_lines(count, size) * size_of::<Line>()
}

/// The buffer behind this device's data.
pub(super) fn buffer(data: &Data) -> &Buffer {
    data.as_any().downcast_ref().expect("a tensor of another device")
}

#[derive(Debug, Default)]
struct ArenaState {
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

impl ArenaState {
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
pub(super) struct Arena(Mutex<ArenaState>);

impl Arena {
    fn state(&self) -> MutexGuard<'_, ArenaState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes of tensors and weights now, and the most so far.
    pub(super) fn memory(&self) -> MemoryUse {
        let state = self.state();
        MemoryUse { held: state.now, peak: state.peak }
    }

    /// Counts bytes that lie outside of the arena's buffers.
    pub(super) fn count(self: &Arc<Self>, bytes: usize) -> Counted {
        let mut state = self.state();
        state.now += bytes;
        state.peak = state.peak.max(state.now);
        Counted { bytes, arena: Arc::clone(self) }
    }

    /// Gives idle buffers back as far as `bytes` outside of the arena's buffers need it.
    pub(super) fn make_room(&self, bytes: usize) {
        self.state().make_room(bytes);
    }

    /// A buffer for `count` values, with anything in it.
    pub(super) fn take(self: &Arc<Self>, count: usize, values: ValueType) -> Buffer {
        let size = buffer_lines(count, values.size());
        let mut state = self.state();
        let found = state.free.get_mut(&size).and_then(Vec::pop);
        if found.is_some() {
            state.idle -= size * size_of::<Line>();
        } else {
            state.make_room(size * size_of::<Line>());
        }
        drop(state);
        let lines = found.unwrap_or_else(|| Lines::of::<Line>(size));
        let counted = self.count(size * size_of::<Line>());
        Buffer { lines, count, values, counted }
    }
}

/// Bytes that count until this is dropped.
#[derive(Debug)]
pub(super) struct Counted {
    bytes: usize,
    arena: Arc<Arena>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.arena.state().now -= self.bytes;
    }
}

/// The values of one tensor.
#[derive(Debug)]
pub(super) struct Buffer {
    lines: Lines,
    count: usize,
    values: ValueType,
    counted: Counted,
}

impl Buffer {
    pub(super) fn view(&self) -> View<'_> {
        match self.values {
            ValueType::F32 => View::F32(&bytemuck::cast_slice(&self.lines)[..self.count]),
            ValueType::Bf16 => View::Bf16(&bytemuck::cast_slice(&self.lines)[..self.count]),
            ValueType::U32 => panic!("row numbers are no values"),
        }
    }

    pub(super) fn view_mut(&mut self) -> ViewMut<'_> {
        let lines = &mut self.lines;
        match self.values {
            ValueType::F32 => ViewMut::F32(&mut bytemuck::cast_slice_mut(lines)[..self.count]),
            ValueType::Bf16 => ViewMut::Bf16(&mut bytemuck::cast_slice_mut(lines)[..self.count]),
            ValueType::U32 => panic!("row numbers are no values"),
        }
    }

    pub(super) const fn values(&self) -> ValueType {
        self.values
    }

    /// The values of a buffer that was taken as f32.
    pub(super) fn f32_mut(&mut self) -> &mut [f32] {
        assert_eq!(self.values, ValueType::F32, "taken as f32");
        &mut bytemuck::cast_slice_mut(&mut self.lines)[..self.count]
    }

    /// The row numbers of a buffer that was taken for them.
    pub(super) fn u32(&self) -> &[u32] {
        assert_eq!(self.values, ValueType::U32, "taken for row numbers");
        &bytemuck::cast_slice(&self.lines)[..self.count]
    }

    /// The same, to be written.
    pub(super) fn u32_mut(&mut self) -> &mut [u32] {
        assert_eq!(self.values, ValueType::U32, "taken for row numbers");
        &mut bytemuck::cast_slice_mut(&mut self.lines)[..self.count]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let lines = std::mem::take(&mut self.lines);
        let mut state = self.counted.arena.state();
        state.idle += lines.len() * size_of::<Line>();
        state.free.entry(lines.len()).or_default().push(lines);
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
