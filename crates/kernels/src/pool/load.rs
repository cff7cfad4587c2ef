//! Whether other work wants the processors: how long this thread was ready to run and did not.
//!
//! Where others take a share of every processor, a worker that is woken takes the place of its
//! caller as often as that of the others, and one that is put aside in the middle of a piece is
//! waited for during a whole time slice. Long jobs gain by workers all the same, short ones lose.
use std::thread::ThreadId;
use std::time::{Duration, Instant};

/// From one look to the next: a look costs some five microseconds.
const EVERY: Duration = Duration::from_millis(20);
/// The share of a time in which a thread waited for a processor from which on there is other work.
const SHARE: f64 = 0.05;

/// What one thread knows of other work.
#[derive(Debug)]
pub(super) struct Load {
    /// When it looked last, and how long it had waited for a processor until then.
    last: Option<(ThreadId, Instant, Duration)>,
    others: bool,
}

impl Load {
    pub(super) const fn new() -> Self {
        Self { last: None, others: false }
    }

    /// Whether other work wants the processors, as far as the thread that calls this can tell.
    pub(super) fn look(&mut self, now: Instant) -> bool {
        let due = |then: Instant| now.saturating_duration_since(then) >= EVERY;
        let due = self.last.is_none_or(|(_, then, _)| due(then));
        if due && let Some(waited) = waited() {
            self.note(now, waited);
        }
        self.others
    }

    /// Takes other work for granted from now on.
    #[cfg(test)]
    pub(super) fn pretend(&mut self, now: Instant) {
        let never = now + Duration::from_secs(3600);
        self.last = Some((std::thread::current().id(), never, Duration::ZERO));
        self.others = true;
    }

    /// Notes how long this thread has waited for a processor since it began.
    fn note(&mut self, now: Instant, waited: Duration) {
        let thread = std::thread::current().id();
        if let Some((_, then, before)) = self.last.filter(|(id, ..)| *id == thread) {
            let all = now.saturating_duration_since(then).as_secs_f64();
            // A thread that slept in between did not wait: its share says nothing above the truth.
            self.others = waited.saturating_sub(before).as_secs_f64() > SHARE * all;
        }
        self.last = Some((thread, now, waited));
    }
}

/// How long this thread was ready to run while others had the processor, since it began; `None`
/// where the system does not tell.
#[cfg(target_os = "linux")]
fn waited() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds = text.split_whitespace().nth(1)?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}

#[cfg(not(target_os = "linux"))]
fn waited() -> Option<Duration> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_work_is_what_a_thread_waits_for() {
        let (mut load, start) = (Load::new(), Instant::now());
        let at = |ms: u64| start + Duration::from_millis(ms);
        load.note(at(0), Duration::from_secs(7));
        assert!(!load.others, "nothing is known yet");
        load.note(at(100), Duration::from_secs(7) + Duration::from_millis(30));
        assert!(load.others, "30 of 100 ms");
        load.note(at(200), Duration::from_secs(7) + Duration::from_millis(31));
        assert!(!load.others, "1 of 100 ms");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn linux_tells_how_long_a_thread_waited() {
        assert!(waited().is_some());
    }
}
