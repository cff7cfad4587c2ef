//! Threads that share the pieces of one job.
//!
//! A job is a number of pieces and a function of a piece's number. The caller works too and
//! returns when every piece is done. Pieces are taken by whoever is free, and what a piece computes
//! never depends on the number of threads, so results do not either.
//!
//! Threads must not stand in each other's way where others want the processor, too. A worker
//! joins a job by itself, and the caller waits only for those that joined: one that the system has
//! put aside is not missed. Who waits looks for some 50 microseconds, because a network's
//! operations follow one another within microseconds, and then sleeps. Where the caller had to wait
//! for its processor because of other work, it calls for workers only when a job has lasted for a
//! millisecond. And where it waited longer than it would have taken to do the others' pieces
//! itself, it works alone for ten times what was lost, so that at most a tenth of the time can be
//! lost.
use std::cell::UnsafeCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

mod load;

use load::Load;

/// How long a thread looks for what it waits for before it sleeps.
const LOOK: Duration = Duration::from_micros(50);
/// Looks between two readings of the clock.
const LOOKS: usize = 32;
/// A loss that is none: what an interrupt takes.
const PATIENCE: Duration = Duration::from_micros(200);
/// How long a job lasts before workers are called where other work wants the processors, too.
const SHORT: Duration = Duration::from_millis(1);
/// Of [`Shared::state`]: whether the job may be joined; below, how many workers are in it; from
/// bit 32 on, the number of the job.
const OPEN: u64 = 1 << 31;
const JOINED: u64 = OPEN - 1;

/// A function of a piece's number, whose lifetime was erased, and the number of pieces; see
/// [`Pool::run`].
#[derive(Clone, Copy)]
struct Task(*const (dyn Fn(usize) + Sync), usize);

/// What the threads share. A job is handed over without a lock and without calls of the system
/// while all threads look; only who sleeps is woken by the lock and its condition.
#[derive(Default)]
struct Shared {
    /// Written by the caller while no worker is in a job, read by workers in one.
    job: UnsafeCell<Option<Task>>,
    state: AtomicU64,
    next: AtomicUsize,
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

// SAFETY: `job` is guarded by `state`: the caller writes it while the state is closed with nobody
// in it, which only the caller can change, and opens it; a worker reads it between joining and
// leaving. What it points to is Sync, and `Pool::run` keeps it alive until nobody is in the job.
unsafe impl Sync for Shared {}
// SAFETY: as above.
unsafe impl Send for Shared {}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, ()> {
        self.sleep.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes pieces until none is left; returns how many.
    fn work(&self, f: &(dyn Fn(usize) + Sync), pieces: usize) -> usize {
        let mut done = 0;
        loop {
            let piece = self.next.fetch_add(1, Ordering::Relaxed);
            if piece >= pieces {
                return done;
            }
            f(piece);
            done += 1;
        }
    }

    /// Returns when `there` is true: looks for a while, then sleeps. `there` and the count of
    /// sleepers are sequentially consistent, so that either this thread sees what the other one
    /// wrote, or the other one sees that this one sleeps.
    fn wait(&self, there: impl Fn() -> bool, sleeps: impl Fn(bool), signal: &Condvar) {
        let mut start = None;
        loop {
            for _ in 0..LOOKS {
                if there() {
                    return;
                }
                std::hint::spin_loop();
            }
            if start.get_or_insert_with(Instant::now).elapsed() > LOOK {
                break;
            }
        }
        let mut guard = self.lock();
        sleeps(true);
        while !there() {
            guard = signal.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        sleeps(false);
    }

    /// Joins the open job, unless it is number `seen`; returns its number.
    fn join(&self, seen: u64) -> Option<u64> {
        let joinable = |state: u64| state & OPEN != 0 && state >> 32 != seen;
        let joined = self.state.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |state| {
            joinable(state).then_some(state + 1)
        });
        joined.ok().map(|state| state >> 32)
    }

    fn worker(&self) {
        let mut seen = 0;
        loop {
            let there = || {
                let state = self.state.load(Ordering::SeqCst);
                state & OPEN != 0 && state >> 32 != seen || self.stop.load(Ordering::SeqCst)
            };
            let sleeps = |yes: bool| {
                if yes {
                    self.asleep.fetch_add(1, Ordering::SeqCst);
                } else {
                    self.asleep.fetch_sub(1, Ordering::SeqCst);
                }
            };
            self.wait(there, sleeps, &self.wake);
            if self.stop.load(Ordering::SeqCst) {
                return;
            }
            let Some(number) = self.join(seen) else { continue };
            seen = number;
            // SAFETY: this worker is in the job, which was written before it was opened.
            if let Some(Task(f, pieces)) = unsafe { *self.job.get() } {
                // SAFETY: `Pool::run` does not return, and so keeps the function alive, before
                // every worker that joined has left below.
                let f = unsafe { &*f };
                if catch_unwind(AssertUnwindSafe(|| self.work(f, pieces))).is_err() {
                    self.panicked.store(true, Ordering::Relaxed);
                }
                idle();
            }
            self.state.fetch_sub(1, Ordering::SeqCst);
            if self.waiting.load(Ordering::SeqCst) {
                let _guard = self.lock();
                self.done.notify_one();
            }
        }
    }

    /// Wakes workers for so many pieces.
    fn tell(&self, pieces: usize) {
        let asleep = self.asleep.load(Ordering::SeqCst);
        if asleep > 0 {
            let _guard = self.lock();
            for _ in 0..pieces.min(asleep) {
                self.wake.notify_one();
            }
        }
    }
}

/// What a thread does that has no more pieces: it gives back the tile unit's state.
fn idle() {
    #[cfg(target_arch = "x86_64")]
    crate::amx::release();
}

/// The time that the others cost more than they saved: the caller did `mine` pieces in `worked`,
/// then waited for `others`.
fn lost(worked: Duration, waited: Duration, mine: usize, others: usize) -> Duration {
    if mine == 0 {
        return Duration::ZERO;
    }
    waited.saturating_sub(worked.mul_f64(others as f64 / mine as f64))
}

/// What the callers know of the jobs before.
#[derive(Debug)]
struct Caller {
    /// Until when the caller works alone.
    alone: Option<Instant>,
    load: Load,
}

/// A fixed set of threads.
pub struct Pool {
    shared: Arc<Shared>,
    /// Held by the caller whose job runs. Another caller, or a piece that starts a job of its
    /// own, finds it taken and does its pieces alone.
    busy: Mutex<Caller>,
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
        Self { shared, busy: Mutex::new(Caller { alone: None, load: Load::new() }), workers }
    }

    /// Threads, the caller's included.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// The place of the caller, if it is free. Nothing is left half done where a piece panicked.
    fn busy(&self) -> Option<MutexGuard<'_, Caller>> {
        match self.busy.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(guard)) => Some(guard.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Calls `f` once for each number below `pieces`, in any order, on all threads.
    ///
    /// # Panics
    /// If `f` does.
    pub fn run(&self, pieces: usize, f: impl Fn(usize) + Sync) {
        let shares = pieces > 1 && !self.workers.is_empty();
        let guard = if shares { self.busy() } else { None };
        let start = Instant::now();
        let guard = guard.filter(|caller| caller.alone.is_none_or(|end| start >= end));
        let Some(mut caller) = guard else {
            (0..pieces).for_each(&f);
            return idle();
        };
        // Pieces that this thread does before it calls for others.
        let mut first = 0;
        if caller.load.look(start) {
            while first < pieces && start.elapsed() < SHORT {
                f(first);
                first += 1;
            }
            if first + 1 >= pieces {
                (first..pieces).for_each(&f);
                return idle();
            }
        }
        let start = if first > 0 { Instant::now() } else { start };
        let shared = &*self.shared;
        let f: &(dyn Fn(usize) + Sync) = &f;
        // SAFETY: only the lifetime changes; no worker uses the pointer when nobody is in the job,
        // which this function awaits on every way out.
        let erased = unsafe {
            std::mem::transmute::<*const (dyn Fn(usize) + Sync), *const (dyn Fn(usize) + Sync)>(f)
        };
        // SAFETY: the job is closed and nobody is in it, because the last call awaited that, and
        // no other caller is here, because this one holds `busy`.
        unsafe { *shared.job.get() = Some(Task(erased, pieces)) };
        shared.next.store(first, Ordering::Relaxed);
        let number = (shared.state.load(Ordering::SeqCst) >> 32) + 1;
        shared.state.store(number << 32 | OPEN, Ordering::SeqCst);
        let pieces = pieces - first;
        shared.tell(pieces - 1);
        let mine = catch_unwind(AssertUnwindSafe(|| shared.work(f, first + pieces)));
        idle();
        let worked = start.elapsed();
        let there = || shared.state.load(Ordering::SeqCst) & JOINED == 0;
        if shared.state.fetch_and(!OPEN, Ordering::SeqCst) & JOINED > 0 {
            shared.wait(there, |yes| shared.waiting.store(yes, Ordering::SeqCst), &shared.done);
        }
        let panicked = shared.panicked.swap(false, Ordering::Relaxed);
        if let Ok(mine) = mine {
            let lost = lost(worked, start.elapsed() - worked, mine, pieces - mine);
            caller.alone = (lost > PATIENCE).then(|| Instant::now() + 10 * lost);
        }
        drop(caller);
        match mine {
            Err(payload) => resume_unwind(payload),
            Ok(_) => assert!(!panicked, "a piece of a job panicked"),
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
        let parts = Parts::new(values);
        self.run(total.div_ceil(size), |i| {
            let start = i * size;
            // SAFETY: `run` gives each i once, and the chunks of different i do not overlap.
            f(i, unsafe { parts.part(start, size.min(total - start)) });
        });
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.shared.tell(self.workers.len());
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

    pub(crate) const fn len(&self) -> usize {
        self.len
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
    fn a_loss_is_the_waiting_beyond_what_the_others_saved() {
        let ms = Duration::from_millis;
        // As much waited as worked for half of the pieces: nothing was lost.
        assert_eq!(lost(ms(4), ms(4), 8, 8), ms(0));
        assert_eq!(lost(ms(4), ms(9), 8, 8), ms(5));
        // One piece of many by the other, which was put aside.
        assert_eq!(lost(ms(10), ms(6), 10, 1), ms(5));
        assert_eq!(lost(ms(0), ms(6), 0, 4), ms(0));
    }

    #[test]
    fn after_a_loss_the_caller_works_alone_for_ten_times_as_long() {
        let pool = Pool::new(2);
        let caller = std::thread::current().id();
        // The worker's piece takes long after the caller's is done.
        let slow = |_| {
            if std::thread::current().id() != caller {
                std::thread::sleep(Duration::from_millis(50));
            }
        };
        let others = || {
            let others = AtomicUsize::new(0);
            pool.run(2, |i| {
                slow(i);
                std::thread::sleep(Duration::from_millis(1));
                let other = std::thread::current().id() != caller;
                others.fetch_add(usize::from(other), Ordering::Relaxed);
            });
            others.into_inner()
        };
        // Until the worker took part once.
        while others() == 0 {}
        for _ in 0..5 {
            assert_eq!(others(), 0, "the caller works alone");
        }
    }

    #[test]
    fn beside_other_work_only_long_jobs_are_shared() {
        let pool = Pool::new(2);
        let caller = std::thread::current().id();
        let others = |pieces: usize, each: Duration| {
            // What was lost before is forgotten: this is about other work.
            let mut state = pool.busy().expect("no job runs");
            state.alone = None;
            state.load.pretend(Instant::now());
            drop(state);
            let (done, others) = (AtomicUsize::new(0), AtomicUsize::new(0));
            pool.run(pieces, |_| {
                std::thread::sleep(each);
                done.fetch_add(1, Ordering::Relaxed);
                let other = std::thread::current().id() != caller;
                others.fetch_add(usize::from(other), Ordering::Relaxed);
            });
            assert_eq!(done.into_inner(), pieces, "every piece ran once");
            others.into_inner()
        };
        for pieces in 0..5 {
            assert_eq!(others(pieces, Duration::ZERO), 0, "{pieces} short pieces");
        }
        while others(20, Duration::from_millis(2)) == 0 {}
    }

    #[test]
    fn a_pool_works_on_after_a_panic() {
        let pool = Pool::new(2);
        pool.busy().expect("no job runs").load.pretend(Instant::now());
        let job = AssertUnwindSafe(|| pool.run(4, |i| assert_ne!(i, 0, "the first piece")));
        assert!(catch_unwind(job).is_err());
        assert!(pool.busy().is_some(), "the place of the caller is free");
        let count = AtomicUsize::new(0);
        pool.run(4, |_| _ = count.fetch_add(1, Ordering::Relaxed));
        assert_eq!(count.into_inner(), 4);
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
