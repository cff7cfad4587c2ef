//! Several photos at once, as many as the memory is meant to hold.
use crate::Failure;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError, mpsc};
use wayword_interface::Stop;

/// Threads at most; photos are decoded on one each.
const THREADS: usize = 4;

/// Pixels that are held at once. A larger photo is alone.
const PIXELS: usize = 26_000_000;

/// Does `work` for each of `count` photos, several at a time, and `done` with what came of it, in
/// their order. `pixels` says how many of a photo are held meanwhile. Ends early where a stop was
/// requested.
///
/// # Errors
/// The first of `done`.
pub(super) fn in_order<T: Send>(
    count: usize,
    stop: &Stop,
    pixels: impl Fn(usize) -> usize + Sync,
    work: impl Fn(usize) -> T + Sync,
    mut done: impl FnMut(T) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS);
    let (next, room) = (AtomicUsize::new(0), Room::default());
    std::thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        for _ in 0..threads {
            let sender = sender.clone();
            let (next, room, pixels, work) = (&next, &room, &pixels, &work);
            scope.spawn(move || {
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    if place >= count || stop.is_requested() {
                        break;
                    }
                    let held = room.enter(pixels(place));
                    let result = work(place);
                    drop(held);
                    // Nobody listens any more after a failure.
                    if sender.send((place, result)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let (mut waiting, mut at) = (BTreeMap::new(), 0);
        for (place, result) in receiver {
            waiting.insert(place, result);
            while let Some(result) = waiting.remove(&at) {
                done(result)?;
                at += 1;
            }
        }
        Ok(())
    })
}

/// Pixels that are held now.
#[derive(Default)]
struct Room {
    held: Mutex<usize>,
    left: Condvar,
}

impl Room {
    /// Waits until so many pixels more may be held.
    fn enter(&self, pixels: usize) -> Held<'_> {
        let pixels = pixels.min(PIXELS);
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let mut held = self
            .left
            .wait_while(held, |held| *held + pixels > PIXELS)
            .unwrap_or_else(PoisonError::into_inner);
        *held += pixels;
        Held { room: self, pixels }
    }
}

/// Some of the room, until it is dropped.
struct Held<'a> {
    room: &'a Room,
    pixels: usize,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        *self.room.held.lock().unwrap_or_else(PoisonError::into_inner) -= self.pixels;
        self.room.left.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_and_a_failure_ends_the_work() {
        let mut seen = Vec::new();
        let slow_first = |place: usize| {
            std::thread::sleep(std::time::Duration::from_millis(if place == 0 { 30 } else { 0 }));
            place
        };
        let push = |place| {
            seen.push(place);
            Ok(())
        };
        in_order(50, &Stop::default(), |_| 0, slow_first, push).unwrap();
        assert_eq!(seen, (0..50).collect::<Vec<_>>());
        let fail = |place| if place == 3 { Err(Failure::user("full")) } else { Ok(()) };
        assert!(in_order(50, &Stop::default(), |_| 0, |place| place, fail).is_err());
        let stopped = Stop::default();
        stopped.request();
        in_order(50, &stopped, |_| 0, |_| (), |()| Err(Failure::user("worked"))).unwrap();
    }

    #[test]
    fn no_more_pixels_are_held_than_there_is_room_for() {
        let (room, most) = (Room::default(), Mutex::new(0));
        std::thread::scope(|scope| {
            for i in 0..8 {
                let (room, most) = (&room, &most);
                scope.spawn(move || {
                    let held = room.enter(if i == 0 { usize::MAX } else { PIXELS / 3 });
                    let now = *room.held.lock().unwrap();
                    let mut most = most.lock().unwrap();
                    *most = now.max(*most);
                    drop(held);
                });
            }
        });
        assert!(*most.lock().unwrap() <= PIXELS);
        assert_eq!(*room.held.lock().unwrap(), 0);
    }
}
