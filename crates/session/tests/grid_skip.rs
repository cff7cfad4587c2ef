//! A cell of a grid that is skipped stays as it is, and the grid goes on.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;
use wayword_session::{Environment, Event, Job, Outcome, Request, Session};

fn grid(session: &Session, out: &Path) -> Job {
    let base = wayword_testing::repository().join("demo/wayword-mini.safetensors");
    let values: Value = json!({
        "command": "grid", "prompt": "a photo of a woman", "base": base, "out": out, "seed": 1,
        "x": "seed: 1, 2, 3", "steps": 120,
    });
    session.submit(Request::from_json(values.as_object().unwrap().clone()).unwrap())
}

fn cells(job: &Job) -> Vec<Vec<u8>> {
    let outcome = job.wait().unwrap();
    let Outcome::Grid(files) = &*outcome else { panic!("{outcome:?}") };
    assert!(files.sheet.is_file() && files.page.is_file());
    let pixels = |path: &PathBuf| image::open(path).unwrap().to_rgb8().into_raw();
    files.cells.iter().map(pixels).collect()
}

#[test]
fn a_skipped_cell_stays_as_it_is_and_the_grid_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let session = Session::new(Environment::default());
    let job = grid(&session, &dir.path().join("skipped"));
    let in_second =
        |event: &Event| matches!(event, Event::DrawStep { first: 1, step, .. } if *step > 0);
    loop {
        let seen = job.events_since(0);
        if seen.iter().any(in_second) {
            break;
        }
        assert!(!job.state().is_over(), "{:?}", job.result());
        let _ = job.wait_for_events(seen.len(), Duration::from_secs(5));
    }
    job.skip();
    let skipped = cells(&job);
    let steps = job.events_since(0).iter().filter(|event| in_second(event)).count();
    assert!(steps < 120, "it was too fast to be skipped");
    let whole = cells(&grid(&session, &dir.path().join("whole")));
    assert_eq!((skipped.len(), &skipped[0], &skipped[2]), (3, &whole[0], &whole[2]));
    assert_ne!(skipped[1], whole[1]);
}
