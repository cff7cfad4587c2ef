//! Jobs on the bundled model: order, events, stopping, bases that are kept and shared.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
use base64::Engine as _;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use wayword_session::{Environment, Event, Job, JobState, Outcome, Request, Session};

fn demo(name: &str) -> String {
    wayword_testing::repository().join("demo").join(name).display().to_string()
}

fn session() -> Session {
    Session::new(Environment::default())
}

/// A request of these options and `more`.
fn request(mut options: Value, more: Value) -> Request {
    let all = options.as_object_mut().unwrap();
    all.extend(more.as_object().unwrap().clone());
    Request::from_json(all.clone()).unwrap()
}

fn draw(out: &Path, more: Value) -> Request {
    let base = demo("wayword-mini.safetensors");
    let draw = json!({ "command": "draw", "prompt": "a photo of a woman", "base": base, "out": out, "seed": 1 });
    request(draw, more)
}

fn train(out: &Path, more: Value) -> Request {
    let (base, pictures) = (demo("wayword-mini.safetensors"), demo("concepts/100_zarva woman"));
    let train = json!({ "command": "train", "images": [pictures], "base": base, "name": "zarva-ti", "out": out });
    request(train, more)
}

/// Waits until an event of a job fits; its events until then.
fn until(job: &Job, fits: impl Fn(&Event) -> bool) -> Vec<Event> {
    loop {
        let seen = job.events_since(0);
        if seen.iter().any(&fits) {
            return seen;
        }
        assert!(!job.state().is_over(), "{:?} {:?}", job.result(), seen);
        let _ = job.wait_for_events(seen.len(), Duration::from_secs(5));
    }
}

#[test]
fn a_base_is_loaded_once_for_several_jobs() {
    let dir = tempfile::tempdir().unwrap();
    let session = session();
    let job_a = session.submit(draw(&dir.path().join("a"), json!({ "steps": 2 })));
    let job_b = session.submit(draw(&dir.path().join("b"), json!({ "steps": 2 })));
    let files = |job: &Job| match &*job.wait().unwrap() {
        Outcome::Draw(files) => std::fs::read(&files[0]).unwrap(),
        other => panic!("{other:?}"),
    };
    assert_eq!(files(&job_a), files(&job_b));
    let loaded = |job: &Job| {
        job.events_since(0).iter().filter(|e| matches!(e, Event::Loaded { .. })).count()
    };
    assert_eq!((loaded(&job_a), loaded(&job_b)), (1, 0));
    assert_eq!(session.loaded_bases().len(), 1);
}

#[test]
fn heavy_jobs_run_one_after_the_other_and_light_ones_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let session = session();
    let first = session.submit(train(&dir.path().join("a"), json!({ "steps": 2000 })));
    until(&first, |event| matches!(event, Event::Step(_)));
    // A training gives way to small drawings, but these are of many images.
    let many = json!({ "steps": 1, "count": 5 });
    let second = session.submit(draw(&dir.path().join("b"), many.clone()));
    let third = session.submit(draw(&dir.path().join("c"), many));
    let light =
        session.submit(request(json!({ "command": "explain" }), json!({ "prompt": "a photo" })));
    assert!(matches!(&*light.wait().unwrap(), Outcome::Explain(_)));
    assert_eq!((first.state(), second.state()), (JobState::Running, JobState::Queued));
    // One that is still queued ends at once, and is not begun later.
    third.stop();
    assert_eq!(third.state(), JobState::Stopped);
    first.stop();
    assert!(first.wait().unwrap_err().is_stop());
    second.wait().unwrap();
    assert_eq!(first.state(), JobState::Stopped);
    assert!(third.events_since(0).is_empty() && !dir.path().join("c").exists());
}

#[test]
fn a_training_gives_way_to_small_drawings() {
    let dir = tempfile::tempdir().unwrap();
    let session = session();
    let path = |name: &str| dir.path().join(name);
    let picture = |job: &Job| match &*job.wait().unwrap() {
        Outcome::Draw(files) => std::fs::read(&files[0]).unwrap(),
        other => panic!("{other:?}"),
    };
    let alone = picture(&session.submit(draw(&path("a"), json!({ "steps": 2 }))));
    let trained = |name: &str| {
        let file = path(name).join("zarva-ti.safetensors");
        wayword_formats::embedding::read(&file).unwrap().vectors
    };
    let options = json!({ "steps": 120, "seed": 3 });
    session.submit(train(&path("quiet"), options.clone())).wait().unwrap();
    let job = session.submit(train(&path("busy"), options));
    until(&job, |event| matches!(event, Event::Step(_)));
    let small = session.submit(draw(&path("b"), json!({ "steps": 2 })));
    let adapted = json!({ "steps": 2, "prompt": "a woman <lora:x:1>" });
    let adapted = session.submit(draw(&path("c"), adapted));
    assert!(picture(&small) == alone, "another picture");
    assert_eq!((job.state(), adapted.state()), (JobState::Running, JobState::Queued));
    job.wait().unwrap();
    assert_eq!(trained("busy"), trained("quiet"));
}

#[test]
fn a_training_on_a_lora_gives_way_to_drawings_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let session = session();
    let path = |name: &str| dir.path().join(name);
    let with = |name: &str, prompt: &str| {
        let more = json!({ "steps": 2, "prompt": prompt, "loras": [demo("loras")] });
        draw(&path(name), more)
    };
    let picture = |job: &Job| match &*job.wait().unwrap() {
        Outcome::Draw(files) => std::fs::read(&files[0]).unwrap(),
        other => panic!("{other:?}"),
    };
    let worn = "a woman <lora:mirabo-lora:0.5>";
    let alone = picture(&session.submit(with("a", worn)));
    let options = json!({
        "steps": 5000, "seed": 3, "lora": ["mirabo-lora:0.5"], "loras": [demo("loras")],
    });
    let training = session.submit(train(&path("run"), options));
    until(&training, |event| matches!(event, Event::Step(_)));
    let others = [
        session.submit(with("b", "a woman")),
        session.submit(with("c", "a woman <lora:mirabo-lora:0.6>")),
        session.submit(with("d", "a woman <lora:tamsyn-lora:0.5>")),
    ];
    let small = session.submit(with("e", worn));
    assert!(picture(&small) == alone, "another picture");
    assert_eq!(training.state(), JobState::Running);
    assert!(others.iter().all(|job| job.state() == JobState::Queued));
    training.stop();
    assert!(training.wait().unwrap_err().is_stop());
    others.iter().for_each(|job| drop(job.wait().unwrap()));
}

#[test]
fn a_lora_that_a_wildcard_brings_waits_for_the_training() {
    let dir = tempfile::tempdir().unwrap();
    let session = session();
    let path = |name: &str| dir.path().join(name);
    std::fs::write(path("worn.txt"), "<lora:mirabo-lora:1>\n").unwrap();
    let training = session.submit(train(&path("run"), json!({ "steps": 5000, "seed": 3 })));
    until(&training, |event| matches!(event, Event::Step(_)));
    let more = json!({
        "steps": 2, "prompt": "a woman __worn__", "loras": [demo("loras")],
        "wildcards": [dir.path()],
    });
    let drawing = session.submit(draw(&path("a"), more));
    until(&drawing, |event| matches!(event, Event::Waiting));
    let step = |events: &[Event]| events.iter().filter(|e| matches!(e, Event::Step(_))).count();
    let seen = step(&training.events_since(0));
    until(&training, |event| matches!(event, Event::Step(report) if report.step > seen + 2));
    training.stop();
    assert!(training.wait().unwrap_err().is_stop());
    drawing.wait().unwrap();
}

#[test]
fn a_training_stops_within_a_step_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let session = session();
    let job = session.submit(train(dir.path(), json!({ "steps": 2000, "seed": 3 })));
    let seen = until(&job, |event| matches!(event, Event::Step(report) if report.step >= 3));
    job.stop();
    assert!(job.wait().unwrap_err().is_stop());
    let last = |events: &[Event]| {
        let step = |event: &Event| match event {
            Event::Step(report) => Some(report.step),
            _ => None,
        };
        events.iter().filter_map(step).max().unwrap()
    };
    let all = job.events_since(0);
    assert!(last(&all) < 2000);
    // What was seen while it ran is the beginning of what is replayed.
    assert_eq!(all[..seen.len()], seen);
    let stopped = all.iter().find_map(|event| match event {
        Event::Stopped { step, run, .. } => Some((*step, run.clone())),
        _ => None,
    });
    let (step, run) = stopped.unwrap();
    assert_eq!(step, last(&all));
    let again = session.submit(request(json!({ "command": "train" }), json!({ "resume": run })));
    until(&again, |event| matches!(event, Event::Step(report) if report.step == step + 1));
    again.stop();
    assert!(again.wait().unwrap_err().is_stop());
}

#[test]
fn encoding_stops_between_two_pictures() {
    let dir = tempfile::tempdir().unwrap();
    let session = session();
    let job = session.submit(train(dir.path(), json!({ "steps": 5 })));
    until(&job, |event| matches!(event, Event::Loaded { .. }));
    job.stop();
    assert!(job.wait().unwrap_err().is_stop());
    assert!(!job.events_since(0).iter().any(|event| matches!(event, Event::Step(r) if r.step > 1)));
}

#[test]
fn a_drawing_stops_within_a_step() {
    let dir = tempfile::tempdir().unwrap();
    let session = session();
    let job = session.submit(draw(dir.path(), json!({ "steps": 150, "count": 50 })));
    until(&job, |event| matches!(event, Event::DrawStep { .. }));
    job.stop();
    assert!(job.wait().unwrap_err().is_stop());
    let progress = job.progress();
    assert_eq!(progress.phase, "drawing");
    assert!(progress.done < progress.of, "{progress:?}");
}

#[test]
fn events_come_back_from_json() {
    let dir = tempfile::tempdir().unwrap();
    let job = session().submit(train(dir.path(), json!({ "steps": 2 })));
    let outcome = job.wait().unwrap();
    let Outcome::Train(trained) = &*outcome else { panic!("{outcome:?}") };
    assert!(trained.outcome.path.as_ref().unwrap().is_file());
    let events = job.events_since(0);
    assert!(events.len() > 10, "{events:?}");
    for event in events {
        let json = serde_json::to_string(&event).unwrap();
        assert_eq!(serde_json::from_str::<Event>(&json).unwrap(), event, "{json}");
    }
    let shown = serde_json::to_value(&*outcome).unwrap();
    assert_eq!(shown["command"], "train");
}

#[test]
fn a_job_fails_with_a_diagnostic() {
    let gone = json!({ "command": "draw", "prompt": "a", "base": "gone.safetensors" });
    let job = session().submit(request(gone, json!({ "out": "nowhere" })));
    let failure = job.wait().unwrap_err();
    assert!(!failure.is_stop() && failure.message().contains("gone.safetensors"));
    assert_eq!(job.state(), JobState::Failed);
    std::fs::remove_dir("nowhere").ok();
}

#[test]
fn a_drawing_tells_previews_where_they_were_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let job = session().submit(draw(dir.path(), json!({ "steps": 4, "preview_every": 2 })));
    job.wait().unwrap();
    let png = |event: &Event| match event {
        Event::DrawPreview { step, index: 0, png } => Some((*step, png.clone())),
        _ => None,
    };
    let previews: Vec<_> = job.events_since(0).iter().filter_map(png).collect();
    assert_eq!(previews.iter().map(|(step, _)| *step).collect::<Vec<_>>(), [2, 4]);
    // A long job would hold thousands of them: only the newest of a picture is kept.
    assert!(previews[0].1.is_empty());
    let bytes = base64::engine::general_purpose::STANDARD.decode(&previews[1].1).unwrap();
    let picture = image::load_from_memory(&bytes).unwrap();
    assert!(picture.width() >= 8 && picture.height() >= 8);
}

#[test]
fn requests_come_back_from_json() {
    let dir = tempfile::tempdir().unwrap();
    for request in [draw(dir.path(), json!({ "cfg": 4 })), train(dir.path(), json!({}))] {
        let json = serde_json::to_string(&request).unwrap();
        assert_eq!(serde_json::from_str::<Request>(&json).unwrap(), request, "{json}");
    }
    let refused = |value: Value| {
        Request::from_json(value.as_object().unwrap().clone()).unwrap_err().to_string()
    };
    assert!(refused(json!({ "prompt": "a" })).contains("`command`"));
    assert!(refused(json!({ "command": "paint" })).contains("`paint` is not a command"));
    assert!(refused(json!({ "command": "draw", "promt": "a" })).contains("`promt`"));
    assert!(refused(json!({ "command": "train" })).contains("must be given"));
    for command in Request::COMMANDS {
        assert!(Request::schema(command).unwrap()["properties"].is_object(), "{command}");
    }
}
