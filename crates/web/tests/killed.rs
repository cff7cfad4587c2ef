//! A server that is killed in the middle of its jobs, as by `kill -9`, and the next one.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
mod common;

use common::{Folder, Running, demo, options, send};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Names the folder of the server that is to be killed.
const FOLDER: &str = "WAYWORD_TEST_SERVER";

/// Not a test by itself: the process that the tests below kill.
#[test]
fn serves_until_it_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let folder = Path::new(&folder);
    let server = Running::start(&options(folder));
    std::fs::write(folder.join("address"), server.address.to_string()).unwrap();
    std::thread::sleep(Duration::from_secs(3600));
}

/// A server in a process of its own.
struct Killable {
    child: Child,
    address: SocketAddr,
}

impl Killable {
    fn start(folder: &Path) -> Self {
        let _ = std::fs::remove_file(folder.join("address"));
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "serves_until_it_is_killed"])
            .env(FOLDER, folder)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let read = || std::fs::read_to_string(folder.join("address")).ok()?.parse().ok();
        let address = wait(read);
        Self { child, address }
    }

    fn submit(&self, request: &Value) -> Value {
        let (kind, body) = ("Content-Type: application/json\r\n", request.to_string());
        let told = send(self.address, "POST", "/api/v1/jobs", kind, body.as_bytes()).json();
        assert!(told["id"].is_string(), "{told}");
        told
    }
}

/// Ends the process as it is.
impl Drop for Killable {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn wait<T>(mut found: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(begin.elapsed() < Duration::from_secs(600), "it never came");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".png")).collect();
    names.sort();
    names
}

/// Whether a PNG is there from its signature to its end.
fn is_whole(png: &[u8]) -> bool {
    png.starts_with(b"\x89PNG\r\n") && png.ends_with(b"IEND\xaeB`\x82")
}

fn interrupted(server: &Running) -> Vec<Value> {
    server.get("/api/v1/jobs").json()["interrupted"].as_array().unwrap().clone()
}

fn train(name: &str) -> Value {
    json!({
        "command": "train", "images": [demo().join("concepts/100_zarva woman")], "name": name,
        "recipe": "classic", "steps": 100_000, "save_every": 5, "sample_every": 5, "sample_steps": 1,
    })
}

#[test]
fn a_killed_training_goes_on_and_keeps_its_previews_and_what_waits_is_offered() {
    let dir = Folder::new();
    let server = Killable::start(dir.path());
    server.submit(&train("zarva-ti"));
    server.submit(&train("other-ti"));
    server.submit(&json!({ "command": "draw", "prompt": "a", "count": 9, "size": [64, 64] }));
    let run = dir.path().join("out/embeddings/zarva-ti.run");
    // The state of the first one's step is saved before the second is drawn.
    wait(|| (files(&run.join("samples")).len() > 1).then_some(()));
    drop(server);
    let made = files(&run.join("samples"));

    let server = Running::start(&options(dir.path()));
    let runs = server.get("/api/v1/runs").json();
    let seen = &runs["runs"][0];
    assert_eq!((&seen["name"], &seen["state"]), (&json!("zarva-ti"), &json!("interrupted")));
    let step = seen["step"].as_u64().unwrap();
    assert!(step >= 5, "{seen}");
    let path = seen["run"].as_str().unwrap();
    let samples = server.get(&format!("/api/v1/runs/{path}")).json()["samples"].clone();
    assert_eq!(samples.as_array().unwrap().len(), made.len());
    for sample in samples.as_array().unwrap() {
        assert!(is_whole(&server.get(&format!("/files/{}", sample.as_str().unwrap())).body));
    }
    // The one that had begun is a run; the others had not, and are not forgotten.
    let left = interrupted(&server);
    let left: Vec<_> = left.iter().map(|job| (&job["command"], &job["request"]["name"])).collect();
    assert_eq!(left, [(&json!("train"), &json!("other-ti")), (&json!("draw"), &Value::Null)]);
    let id =
        server.post("/api/v1/jobs", &json!({ "command": "train", "resume": path })).json()["id"]
            .clone();
    let id = id.as_str().unwrap();
    wait(|| (server.get("/api/v1/runs").json()["runs"][0]["step"].as_u64()? > step).then_some(()));
    server.post(&format!("/api/v1/jobs/{id}/stop"), &json!({}));
    assert_eq!(server.wait(id)["state"], "stopped");
}

#[test]
fn a_killed_drawing_and_grid_are_interrupted_and_their_images_are_there() {
    let dir = Folder::new();
    for (request, folder) in [
        (json!({ "command": "draw", "prompt": "a", "count": 1000, "steps": 1 }), "pictures"),
        (json!({ "command": "grid", "prompt": "a", "x": "seed: 1-500", "steps": 1 }), "cells"),
    ] {
        let server = Killable::start(dir.path());
        let told = server.submit(&request);
        let out = Path::new(told["request"]["out"].as_str().unwrap()).to_owned();
        let images = if folder == "cells" { out.join("cells") } else { out };
        wait(|| (files(&images).len() > 2).then_some(()));
        drop(server);
        let made = files(&images);

        let server = Running::start(&options(dir.path()));
        let left = interrupted(&server);
        let job = left.iter().find(|job| job["id"] == told["id"]).unwrap();
        assert_eq!(job["state"], "interrupted");
        let shown = match folder {
            "cells" => job["images"].clone(),
            _ => server.get("/api/v1/pictures").json()["pictures"].clone(),
        };
        let shown = shown.as_array().unwrap();
        // The gallery ends somewhere.
        assert_eq!(shown.len(), made.len().min(200));
        for image in shown {
            let file = image.as_str().or_else(|| image["file"].as_str()).unwrap();
            assert!(is_whole(&server.get(&format!("/files/{file}")).body), "{file}");
        }
        // What its page offers: the same request again.
        let mut again = job["request"].clone();
        again["command"] = json!(request["command"]);
        again["overwrite"] = json!(true);
        if request["command"] == "draw" {
            again.as_object_mut().unwrap().remove("overwrite");
        }
        let again = server.post("/api/v1/jobs", &again);
        assert_eq!(again.status, 202, "{}", again.text());
    }
}

#[test]
fn what_the_end_of_a_server_stops_is_offered_by_the_next() {
    let dir = Folder::new();
    let server = Running::start(&options(dir.path()));
    let draw = json!({ "command": "draw", "prompt": "a", "count": 1000, "steps": 9 });
    let ids: Vec<Value> =
        (0..3).map(|_| server.post("/api/v1/jobs", &draw).json()["id"].clone()).collect();
    // One that someone stopped is over.
    let second = ids[1].as_str().unwrap();
    server.post(&format!("/api/v1/jobs/{second}/stop"), &json!({}));
    server.wait(second);
    drop(server);
    let server = Running::start(&options(dir.path()));
    let left: Vec<Value> = interrupted(&server).iter().map(|job| job["id"].clone()).collect();
    assert_eq!(left, [ids[0].clone(), ids[2].clone()]);
}
