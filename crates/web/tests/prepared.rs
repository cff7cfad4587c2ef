//! Crops that are changed before a training: `prepare.json` by the API.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
mod common;

use common::{Running, demo};
use serde_json::{Value, json};
use wayword_formats::picture::{self, Reading};

/// Photos prepared into `prepared/NAME`.
fn prepare(server: &Running, photos: &Value, more: &Value) -> Value {
    let mut request = json!({ "command": "prepare", "photos": photos, "subject": "object",
        "resolution": [64, 64], "out": "prepared/crops" });
    for (key, value) in more.as_object().unwrap() {
        request[key] = value.clone();
    }
    let job = server.post("/api/v1/jobs", &request);
    assert_eq!(job.status, 202, "{request}: {}", job.text());
    let told = server.wait(job.json()["id"].as_str().unwrap());
    assert_eq!(told["state"], "finished", "{told}");
    told["result"].clone()
}

fn put(server: &Running, path: &str, body: &Value) -> common::Answer {
    server.send("PUT", path, "Content-Type: application/json\r\n", body.to_string().as_bytes())
}

#[test]
fn crops_are_changed_and_the_images_follow() {
    let (server, dir) = Running::new();
    let folder = demo().join("concepts/100_zarva woman");
    let mut photos: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    photos.retain(|path| path.extension().is_some_and(|ending| ending == "png"));
    photos.sort();
    for (name, path) in ["one", "two"].iter().zip(&photos) {
        let bytes = std::fs::read(path).unwrap();
        let path = format!("/api/v1/uploads/set/{name}.png");
        assert_eq!(server.send("PUT", &path, "", &bytes).status, 200);
    }
    let caption = "/api/v1/uploads/set/one.txt";
    assert_eq!(server.send("PUT", caption, "", b"a zarva woman at the sea").status, 200);
    let photos = json!(["uploads/set"]);
    let report = prepare(&server, &photos, &json!({ "resolution": [64, 64] }));
    assert_eq!(report["balance"]["kept"], 2, "{report}");
    let out = dir.path().join("out/prepared/crops");
    let text = std::fs::read_to_string(out.join("one.txt")).unwrap();
    assert_eq!(text, "a zarva woman at the sea", "captions go with their images");

    let address = "/api/v1/prepared/prepared/crops";
    let set = server.get(address).json();
    assert_eq!(set["resolution"], json!([64, 64]));
    let one = set["pictures"][0].clone();
    assert_eq!(
        (&one["file"], &one["keep"], &one["turn"]),
        (&json!("one.png"), &json!(true), &json!(0))
    );
    let photo = server.get("/api/v1/photos/prepared/crops/one.png");
    assert_eq!(photo.status, 200, "{}", photo.text());
    assert_eq!(photo.body, server.get("/files/uploads/set/one.png").body);

    let change = json!({ "one.png": { "keep": true, "turn": 90, "crop": [4, 8, 64, 64] },
        "two.png": { "keep": false, "turn": 0, "crop": null } });
    let changed = put(&server, address, &change);
    assert_eq!(changed.status, 200, "{}", changed.text());
    assert_eq!(server.get(address).json()["pictures"][0]["crop"], json!([4, 8, 64, 64]));
    let report = prepare(&server, &photos, &json!({ "resolution": [64, 64], "overwrite": true }));
    assert_eq!(
        (&report["changes"], &report["balance"]["kept"]),
        (&json!(2), &json!(1)),
        "{report}"
    );
    assert!(!out.join("two.png").exists(), "what is left out is no image");
    // At the same size nothing is resampled: the image is that part of the turned photo.
    let seen = |path: &std::path::Path| {
        picture::from_bytes(&std::fs::read(path).unwrap(), Reading::SEEN).unwrap()
    };
    let (image, photo) =
        (seen(&out.join("one.png")), seen(&dir.path().join("out/uploads/set/one.png")));
    assert_eq!((image.width, image.height), (64, 64));
    for (x, y) in [(0, 0), (63, 0), (5, 40)] {
        // Column x, row y of the photo turned clockwise lie in row height - 1 - x, column y of it.
        let (x_of, y_of) = (y + 8, photo.height - 1 - (x + 4));
        let at = (y_of * photo.width + x_of) * 3;
        let own = (y * image.width + x) * 3;
        let (got, want) = (&image.rgb[own..own + 3], &photo.rgb[at..at + 3]);
        let off = got.iter().zip(want).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        assert!(off <= 1, "{x}, {y}: {got:?} is not {want:?}");
    }
}

#[test]
fn what_was_prepared_can_be_trained_on() {
    let (server, _dir) = Running::new();
    let photos = json!([demo().join("concepts/100_zarva woman")]);
    let report = prepare(&server, &photos, &json!({ "out": null }));
    let check = json!({ "command": "check", "images": [report["out"]], "name": "zarva-ti",
        "init": "woman", "steps": 2 });
    let id = server.post("/api/v1/jobs", &check).json()["id"].as_str().unwrap().to_owned();
    let told = server.wait(&id);
    assert_eq!(told["result"]["samples"], report["balance"]["kept"], "one repeat each: {told}");
}

#[test]
fn changes_that_do_not_fit_are_refused() {
    let (server, dir) = Running::new();
    let photo = demo().join("concepts/100_zarva woman");
    prepare(&server, &json!([photo]), &json!({ "resolution": [64, 64] }));
    let address = "/api/v1/prepared/prepared/crops";
    let before = server.get(address).json();
    let file = before["pictures"][0]["file"].as_str().unwrap().to_owned();
    for (choice, word) in [
        (json!({ "keep": true, "turn": 0, "crop": [100, 100, 64, 64] }), "crop"),
        (json!({ "keep": true, "turn": 0, "crop": [0, 0, 0, 64] }), "crop"),
        (json!({ "keep": true, "turn": 45, "crop": null }), "45"),
        (json!({ "keep": "no", "turn": 0 }), "keep"),
        (json!(7), &file),
    ] {
        let answer = put(&server, address, &json!({ file.clone(): choice }));
        assert_eq!(answer.status, 422, "{choice}: {}", answer.text());
        assert!(answer.text().contains(word), "{choice}: {}", answer.text());
    }
    let other = put(&server, address, &json!({ "other.png": { "keep": true, "turn": 0 } }));
    assert_eq!(other.status, 422, "{}", other.text());
    assert_eq!(server.get(address).json(), before, "nothing was changed");
    for path in ["/api/v1/prepared/pictures", "/api/v1/photos/prepared/crops/other.png"] {
        assert_eq!(server.get(path).status, 404, "{path}");
    }
    for path in
        ["/api/v1/prepared/../..", "/api/v1/prepared/%2fetc", "/api/v1/photos/%2fetc%2fx.png"]
    {
        assert_eq!(server.get(path).status, 403, "{path}");
    }
    // A `prepare.json` that names a file elsewhere opens none.
    let record = dir.path().join("out/prepared/crops/prepare.json");
    let secret = dir.path().join("secret.png");
    std::fs::write(&secret, b"secret").unwrap();
    let mut set: Value = serde_json::from_slice(&std::fs::read(&record).unwrap()).unwrap();
    set["pictures"][0]["source"] = json!(secret);
    std::fs::write(&record, set.to_string()).unwrap();
    assert_eq!(server.get(&format!("/api/v1/photos/prepared/crops/{file}")).status, 403);
}
