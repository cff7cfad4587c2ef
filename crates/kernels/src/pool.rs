//! Threads that share the pieces of one job.
//!
//! A job is a number of pieces and a function of a piece's number. The caller works too and
//! returns when every piece is done. Pieces never depend on the number of threads, so results do
//! not either. Workers look for the next job for a moment before they sleep, because a network's
//! operations follow one another within microseconds.
use std::cell::UnsafeCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// How often a thread looks for what it waits for before it sleeps: some 50 microseconds.
const LOOKS: usize = 4_000;

/// A function of a piece's number, whose lifetime was erased, and the number of pieces; see
/// [`Pool::run`].
#[derive(Clone, Copy)]
struct Job(*const (dyn Fn(usize) + Sync), usize);

/// What the threads share. A job is handed over without a lock and without calls of the system
/// while all threads look; only who sleeps is woken by the lock and its condition.
#[derive(Default)]
struct Shared {
    /// Written by the caller while no worker is in a job, read by workers in one.
    job: UnsafeCell<Option<Job>>,
    /// Number of jobs so far; a worker waits for it to change.
    round: AtomicUsize,
    next: AtomicUsize,
    /// Workers that have not yet left the current job.
    left: AtomicUsize,
    panicked: AtomicBool,
    stop: AtomicBool,
    /// Workers that sleep, or are about to.
    asleep: AtomicUsize,
    /// Whether the caller sleeps, or is about to.
    waiting: AtomicBool,
    sleep: Mutex<()>,
    wake: Condvar,
    done: Condvar,
}

// SAFETY: `job` is guarded by `round` and `left`: the caller writes it when `left` is 0 and
// announces it by `round`; a worker reads it between seeing the round and counting itself out.
// What it points to is Sync, and `Pool::run` keeps it alive until `left` is 0 again.
unsafe impl Sync for Shared {}
// SAFETY: as above.
unsafe impl Send for Shared {}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, ()> {
        self.sleep.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes pieces until none is left.
    fn work(&self, f: &(dyn Fn(usize) + Sync), pieces: usize) {
        loop {
            let piece = self.next.fetch_add(1, Ordering::Relaxed);
            if piece >= pieces {
                return;
            }
            f(piece);
        }
    }

    /// Returns when `there` is true: looks for a while, then sleeps. `there` and the count of
    /// sleepers are sequentially consistent, so that either this thread sees what the other one
    /// wrote, or the other one sees that this one sleeps.
    fn wait(&self, there: impl Fn() -> bool, sleeps: impl Fn(bool), signal: &Condvar) {
        for _ in 0..LOOKS {
            if there() {
                return;
            }
            std::hint::spin_loop();
        }
        let mut guard = self.lock();
        sleeps(true);
        while !there() {
            guard = signal.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        sleeps(false);
    }

    fn worker(&self) {
        let mut seen = 0;
        loop {
            let there =
                || self.round.load(Ordering::SeqCst) != seen || self.stop.load(Ordering::SeqCst);
            let sleeps = |yes: bool| {
                match yes {
                    true => self.asleep.fetch_add(1, Ordering::SeqCst),
                    false => self.asleep.fetch_sub(1, Ordering::SeqCst),
                };
            };
            self.wait(there, sleeps, &self.wake);
            if self.stop.load(Ordering::SeqCst) {
                return;
            }
            seen = self.round.load(Ordering::SeqCst);
            // SAFETY: this round's job was written before the round, and stays until this worker
            // has counted itself out.
            if let Some(Job(f, pieces)) = unsafe { *self.job.get() } {
                // SAFETY: `Pool::run` does not return, and so keeps the function alive, before
                // every worker has counted itself out below.
                let f = unsafe { &*f };
                if catch_unwind(AssertUnwindSafe(|| self.work(f, pieces))).is_err() {
                    self.panicked.store(true, Ordering::Relaxed);
                }
                idle();
            }
            self.left.fetch_sub(1, Ordering::SeqCst);
            if self.waiting.load(Ordering::SeqCst) {
                let _guard = self.lock();
                self.done.notify_one();
            }
        }
    }

    /// Tells sleeping workers of a new round or of the end.
    fn tell(&self) {
        if self.asleep.load(Ordering::SeqCst) > 0 {
            let _guard = self.lock();
            self.wake.notify_all();
        }
    }
}

/// What a thread does that has no more pieces: it gives back the tile unit's state.
fn idle() {
    #[cfg(target_arch = "x86_64")]
    crate::amx::release();
}

/// A fixed set of threads.
pub struct Pool {
    shared: Arc<Shared>,
    /// Held by the caller whose job runs. Another caller, or a piece that starts a job of its
    /// own, finds it taken and does its pieces alone.
    busy: Mutex<()>,
    workers: Vec<JoinHandle<()>>,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pool({} threads)", self.threads())
    }
}

impl Pool {
    /// `threads` threads, the caller's included; where the system refuses one, fewer.
    #[must_use]
    pub fn new(threads: usize) -> Self {
        let shared = Arc::new(Shared::default());
        let workers = (1..threads.max(1))
            .map_while(|i| {
                let shared = Arc::clone(&shared);
                let name = format!("kernels-{i}");
                std::thread::Builder::new().name(name).spawn(move || shared.worker()).ok()
            })
            .collect();
        Self { shared, busy: Mutex::new(()), workers }
    }

    /// Threads, the caller's included.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Calls `f` once for each number below `pieces`, in any order, on all threads.
    ///
    /// # Panics
    /// If `f` does.
    pub fn run(&self, pieces: usize, f: impl Fn(usize) + Sync) {
        let guard = match pieces > 1 && !self.workers.is_empty() {
            true => self.busy.try_lock().ok(),
            false => None,
        };
        let Some(_guard) = guard else {
            (0..pieces).for_each(f);
            return idle();
        };
        let shared = &*self.shared;
        let f: &(dyn Fn(usize) + Sync) = &f;
        // SAFETY: only the lifetime changes; no worker uses the pointer after `left` is 0, which
        // this function awaits on every way out.
        let erased = unsafe {
            std::mem::transmute::<*const (dyn Fn(usize) + Sync), *const (dyn Fn(usize) + Sync)>(f)
        };
        // SAFETY: no worker is in a job, because the last call awaited `left`, and no other caller
        // is here, because this one holds `busy`.
        unsafe { *shared.job.get() = Some(Job(erased, pieces)) };
        shared.next.store(0, Ordering::Relaxed);
        shared.left.store(self.workers.len(), Ordering::Relaxed);
        shared.round.fetch_add(1, Ordering::SeqCst);
        shared.tell();
        let mine = catch_unwind(AssertUnwindSafe(|| shared.work(f, pieces)));
        idle();
        let there = || shared.left.load(Ordering::SeqCst) == 0;
        shared.wait(there, |yes| shared.waiting.store(yes, Ordering::SeqCst), &shared.done);
        let panicked = shared.panicked.swap(false, Ordering::Relaxed);
        drop(_guard);
        match mine {
            Err(payload) => resume_unwind(payload),
            Ok(()) => assert!(!panicked, "a piece of a job panicked"),
        }
    }

    /// Calls `f(i, chunk)` for each chunk of `size` values (the last may be shorter).
    pub fn chunks<T: Send>(
        &self,
        values: &mut [T],
        size: usize,
        f: impl Fn(usize, &mut [T]) + Sync,
    ) {
        let (total, size) = (values.len(), size.max(1));
        let all = Parts::new(values);
        self.run(total.div_ceil(size), |i| {
            let start = i * size;
            // SAFETY: `run` gives each i once, and the chunks of different i do not overlap.
            f(i, unsafe { all.part(start, size.min(total - start)) });
        });
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.shared.tell();
        for worker in self.workers.drain(..) {
            // A worker catches its panics; nothing is lost by not looking.
            let _ = worker.join();
        }
    }
}

/// A slice whose parts several threads write.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parts<'a, T> {
    start: *mut T,
    len: usize,
    slice: std::marker::PhantomData<&'a mut [T]>,
}

// SAFETY: a part is handed out as `&mut [T]`, which may move to another thread if T may.
unsafe impl<T: Send> Send for Parts<'_, T> {}
// SAFETY: as above; who calls `part` promises that no two parts overlap.
unsafe impl<T: Send> Sync for Parts<'_, T> {}

impl<'a, T> Parts<'a, T> {
    pub(crate) fn new(slice: &'a mut [T]) -> Self {
        Self { start: slice.as_mut_ptr(), len: slice.len(), slice: std::marker::PhantomData }
    }

    /// Where value `from` lies, of which the `len` from there on may be written by whom no other
    /// thread disturbs; panics where they are not in the slice.
    pub(crate) fn pointer(&self, from: usize, len: usize) -> *mut T {
        assert!(from <= self.len && len <= self.len - from, "a part lies in its slice");
        self.start.wrapping_add(from)
    }

    /// The `len` values from `from` on; panics where they are not in the slice.
    ///
    /// # Safety
    /// No two parts that live at the same time may overlap.
    pub(crate) unsafe fn part(&self, from: usize, len: usize) -> &'a mut [T] {
        assert!(from <= self.len && len <= self.len - from, "a part lies in its slice");
        // SAFETY: in bounds by the line above, exclusive by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(from), len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_piece_runs_once() {
        for threads in [1, 2, 3, 5] {
            let pool = Pool::new(threads);
            for pieces in [0, 1, 2, 7, 100] {
                for _ in 0..50 {
                    let mut seen = vec![0_u8; pieces];
                    pool.chunks(&mut seen, 1, |_, c| c[0] += 1);
                    assert!(seen.iter().all(|n| *n == 1));
                }
            }
        }
    }

    #[test]
    fn a_job_inside_a_job_runs() {
        let pool = Pool::new(2);
        let count = AtomicUsize::new(0);
        pool.run(4, |_| pool.run(4, |_| _ = count.fetch_add(1, Ordering::Relaxed)));
        assert_eq!(count.load(Ordering::Relaxed), 16);
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_pool_lives_on() {
        let pool = Pool::new(2);
        let job = || pool.run(8, |i| assert_ne!(i, 5, "five"));
        assert!(catch_unwind(AssertUnwindSafe(job)).is_err());
        let count = AtomicUsize::new(0);
        pool.run(8, |_| _ = count.fetch_add(1, Ordering::Relaxed));
        assert_eq!(count.load(Ordering::Relaxed), 8);
    }
}
