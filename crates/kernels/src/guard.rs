//! Slices that end where unreadable memory begins, for tests: a read or write past the end of one
//! ends the test's process.
use std::ops::{Deref, DerefMut};

/// Values directly before a page that may not be touched (on systems that can do it; elsewhere
/// just values).
pub(crate) struct Guarded<T: Copy> {
    start: *mut T,
    len: usize,
    map: *mut u8,
    bytes: usize,
}

#[cfg(unix)]
mod sys {
    use std::ffi::{c_int, c_void};
    // These three are in the C library that the standard library links already.
    unsafe extern "C" {
        pub(super) fn mmap(
            at: *mut c_void,
            bytes: usize,
            protection: c_int,
            flags: c_int,
            file: c_int,
            offset: i64,
        ) -> *mut c_void;
        pub(super) fn mprotect(at: *mut c_void, bytes: usize, protection: c_int) -> c_int;
        pub(super) fn munmap(at: *mut c_void, bytes: usize) -> c_int;
    }
    pub(super) const READ_WRITE: c_int = 3;
    pub(super) const NONE: c_int = 0;
    #[cfg(target_os = "linux")]
    pub(super) const PRIVATE_ANONYMOUS: c_int = 0x22;
    #[cfg(not(target_os = "linux"))]
    pub(super) const PRIVATE_ANONYMOUS: c_int = 0x1002;
}

/// A multiple of every usual page size.
const PAGE: usize = 64 * 1024;

impl<T: Copy> Guarded<T> {
    /// The values, with a guard behind them.
    pub(crate) fn new(values: impl IntoIterator<Item = T>) -> Self {
        let values: Vec<T> = values.into_iter().collect();
        let size = size_of_val(values.as_slice());
        let bytes = size.next_multiple_of(PAGE) + PAGE;
        // SAFETY: a fresh private map; its last page is made unreadable; the values end at that
        // page, aligned because a page is a multiple of their size's power of two.
        unsafe {
            let map = sys::mmap(
                std::ptr::null_mut(),
                bytes,
                sys::READ_WRITE,
                sys::PRIVATE_ANONYMOUS,
                -1,
                0,
            )
            .cast::<u8>();
            assert!(!map.is_null() && map as isize != -1, "no memory");
            let end = map.add(bytes - PAGE);
            assert_eq!(sys::mprotect(end.cast(), PAGE, sys::NONE), 0);
            let start = end.sub(size).cast::<T>();
            std::ptr::copy_nonoverlapping(values.as_ptr(), start, values.len());
            Self { start, len: values.len(), map, bytes }
        }
    }
}

impl<T: Copy> Deref for Guarded<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        // SAFETY: `new` wrote these values there.
        unsafe { std::slice::from_raw_parts(self.start, self.len) }
    }
}

impl<T: Copy> DerefMut for Guarded<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: `new` wrote these values there, and nobody else has them.
        unsafe { std::slice::from_raw_parts_mut(self.start, self.len) }
    }
}

impl<T: Copy> Drop for Guarded<T> {
    fn drop(&mut self) {
        // SAFETY: the map of `new`, once.
        let failed = unsafe { sys::munmap(self.map.cast(), self.bytes) };
        assert_eq!(failed, 0);
    }
}
