//! Links in the opened folders: they do not lead out of them.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
#![cfg(unix)]
mod common;

use common::Running;
use serde_json::json;
use std::path::Path;

#[test]
fn links_do_not_lead_out() {
    let (server, dir) = Running::new();
    let secret = dir.path().join("secret");
    std::fs::create_dir(&secret).unwrap();
    std::fs::write(secret.join("a.txt"), "secret").unwrap();
    let link = |name: &str, to: &Path| {
        std::os::unix::fs::symlink(to, dir.path().join("out/pictures").join(name)).unwrap();
    };
    link("away", &secret);
    link("nowhere", &dir.path().join("not-there"));
    assert_eq!(server.get("/files/pictures/away/a.txt").status, 403);
    for out in ["pictures/away", "pictures/away/new", "pictures/nowhere", "pictures/nowhere/x"] {
        let body =
            json!({ "command": "draw", "prompt": "a", "steps": 1, "size": [64, 64], "out": out });
        assert_eq!(server.post("/api/v1/jobs", &body).status, 403, "{out}");
    }
    assert!(!dir.path().join("not-there").exists());
}
