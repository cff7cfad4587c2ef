//! Guards of adapters: who shares, who waits, who goes first, and what a stop ends.
#![allow(clippy::unwrap_used, reason = "a failed test may panic")]
mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};
use wayword_diffusion::{Base, BaseOptions, Event, JobSize, Loras, Network};
use wayword_interface::{Events, Quiet, Stop};

const LONG: Duration = Duration::from_secs(20);

fn base() -> Base {
    let path = wayword_testing::repository().join("demo/wayword-mini.safetensors");
    Base::load(&BaseOptions::new(path, &common::device()), &Quiet).unwrap()
}

fn lora(name: &str) -> Vec<Network> {
    let folder = wayword_testing::repository().join("demo/loras");
    let loras = Loras::open(&[folder], &Quiet).unwrap();
    vec![loras.network(name, 0.8, 0.8).unwrap()]
}

/// Ends those that wait when a test is over, also when it fails: a scope waits for its threads.
struct StopAtEnd<'a>(&'a Stop);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.request();
    }
}

/// Waits until something holds; fails after a long time.
fn until(what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < LONG, "{what}");
        thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn equal_adapters_share_and_others_wait_in_order() {
    let base = base();
    let (pascoe, mirabo) = (lora("pascoe-lora"), lora("mirabo-lora"));
    let first = base.activate(&pascoe).unwrap();
    drop(base.activate(&pascoe).unwrap());
    let waiting = AtomicUsize::new(0);
    let events = |event: Event| {
        if matches!(event, Event::Waiting) {
            waiting.fetch_add(1, Ordering::SeqCst);
        }
    };
    let (done, order) = mpsc::channel();
    let wait = |number: usize, networks: &[Network]| {
        let (events, stop): (&dyn Events<Event>, _) = (&events, Stop::default());
        let size = JobSize::Heavy;
        let guard = base.activate_unless_stopped(networks, size, events, &stop);
        done.send(number).unwrap();
        drop(guard.unwrap().unwrap());
    };
    let (wait, pascoe, mirabo) = (&wait, &pascoe, &mirabo);
    thread::scope(|scope| {
        scope.spawn(move || wait(1, mirabo));
        until("the first waits", || waiting.load(Ordering::SeqCst) == 1);
        // Equal to what is active, but it came later.
        scope.spawn(move || wait(2, pascoe));
        until("the second waits", || waiting.load(Ordering::SeqCst) == 2);
        assert!(order.try_recv().is_err(), "nobody goes on while the first guard lives");
        drop(first);
    });
    assert_eq!(order.iter().take(2).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn a_job_that_waits_can_be_stopped_and_leaves_the_queue() {
    let base = base();
    let guard = base.activate(&[]).unwrap();
    let stop = Stop::default();
    let raised = stop.clone();
    let events = move |event: Event| {
        if matches!(event, Event::Waiting) {
            raised.request();
        }
    };
    let other = lora("pascoe-lora");
    let ended = base.activate_unless_stopped(&other, JobSize::Heavy, &events, &stop).unwrap();
    assert!(ended.is_none());
    // Nobody is left before the next one.
    let quiet: &dyn Events<Event> = &Quiet;
    let joined = base.activate_unless_stopped(&[], JobSize::Heavy, quiet, &Stop::default());
    assert!(joined.unwrap().is_some());
    drop(guard);
}

#[test]
fn a_small_job_with_equal_adapters_goes_first_and_a_training_gives_way() {
    let base = base();
    let (pascoe, mirabo) = (lora("pascoe-lora"), lora("mirabo-lora"));
    let training = base.activate(&pascoe).unwrap();
    let swapped = base.swapped_modules();
    let (told, waits) = mpsc::channel();
    let stop = Stop::default();
    thread::scope(|scope| {
        let (base, stop, mirabo) = (&base, &stop, &mirabo);
        let _end = StopAtEnd(stop);
        scope.spawn(move || {
            let events = move |event: Event| {
                if matches!(event, Event::Waiting) {
                    told.send(()).unwrap();
                }
            };
            let ended = base.activate_unless_stopped(mirabo, JobSize::Heavy, &events, stop);
            assert!(ended.unwrap().is_none());
        });
        waits.recv_timeout(LONG).unwrap();
        // A heavy job waits with other adapters; a small one with the training's does not.
        let quiet: &dyn Events<Event> = &Quiet;
        let small = base.activate_unless_stopped(&pascoe, JobSize::Small, quiet, stop);
        let small = small.unwrap().unwrap();
        let (begun, begins) = mpsc::channel();
        let drawing = scope.spawn(move || {
            begun.send(()).unwrap();
            thread::sleep(Duration::from_millis(200));
            let ended = Instant::now();
            drop(small);
            ended
        });
        begins.recv_timeout(LONG).unwrap();
        training.give_way(&Stop::default());
        let went_on = Instant::now();
        assert!(
            drawing.join().unwrap() <= went_on,
            "the training went on before the drawing ended"
        );
        // With nobody there it does not wait.
        training.give_way(&Stop::default());
    });
    assert_eq!(base.swapped_modules(), swapped);
}

#[test]
fn a_part_of_a_job_never_waits_for_the_queue() {
    let base = base();
    let guard = base.activate(&[]).unwrap();
    let stop = Stop::default();
    thread::scope(|scope| {
        let (told, waits) = mpsc::channel();
        let (base, stop) = (&base, &stop);
        let _end = StopAtEnd(stop);
        scope.spawn(move || {
            let events = move |_: Event| told.send(()).unwrap();
            let other = lora("pascoe-lora");
            let ended = base.activate_unless_stopped(&other, JobSize::Heavy, &events, stop);
            assert!(ended.unwrap().is_none());
        });
        waits.recv_timeout(LONG).unwrap();
        drop(guard.share());
    });
}

#[test]
fn loading_ends_where_a_stop_was_requested() {
    let options = BaseOptions::new(common::tiny_file(), &common::device());
    let base = Base::load(&options, &Quiet).unwrap();
    assert!(base.is_hashed_unless_stopped(&Stop::default()));
    options.stop.request();
    let error = Base::load(&options, &Quiet).unwrap_err();
    assert!(matches!(error, wayword_diffusion::Error::Stopped), "{error}");
    // A hash that is there is no reason to wait.
    assert!(base.is_hashed_unless_stopped(&options.stop));
}
