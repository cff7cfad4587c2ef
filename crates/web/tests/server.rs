//! The server against strangers, and jobs: events, queue, restart.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
mod common;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use common::{Folder, Running, demo, options};
use serde_json::{Value, json};
use std::io::{ErrorKind, Read as _, Write as _};
use std::time::Duration;
use wayword_session::Environment;
use wayword_session::request::Serve;
use wayword_web::Server;

fn draw(steps: usize) -> Value {
    json!({ "command": "draw", "prompt": "photo of a woman", "steps": steps, "size": [64, 64], "seed": 1 })
}

#[test]
fn strangers_hosts_and_pages_are_refused() {
    let (server, _dir) = Running::new();
    let port = server.address.port();
    let status = |headers: &str| server.send("GET", "/api/v1/server", headers, b"").status;
    assert_eq!(status(""), 200, "scripts send no origin");
    for host in [format!("localhost:{port}"), format!("[::1]:{port}"), "localhost".into()] {
        assert_eq!(status(&format!("Host: {host}\r\n")), 200, "{host}");
    }
    for host in ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:7860", "0.0.0.0"]
    {
        assert_eq!(status(&format!("Host: {host}\r\n")), 403, "{host}");
    }
    assert_eq!(status(&format!("Origin: http://127.0.0.1:{port}\r\n")), 200);
    for origin in ["http://evil.example", "null", "http://127.0.0.1:1", "http://localhost:7860"] {
        assert_eq!(status(&format!("Origin: {origin}\r\n")), 403, "{origin}");
    }
    let answer = server.send("POST", "/sdapi/v1/interrupt", "Origin: http://evil.example\r\n", b"");
    assert_eq!(answer.status, 403);
    assert!(answer.json().get("detail").is_some(), "in the form of that API");
}

#[test]
fn a_name_that_was_given_is_a_host() {
    let dir = Folder::new();
    let server =
        Running::start(&Serve { host: vec!["studio.local".into()], ..options(dir.path()) });
    assert_eq!(server.send("GET", "/", "Host: studio.local:80\r\n", b"").status, 200);
    assert_eq!(server.send("GET", "/", "Host: other.local\r\n", b"").status, 403);
}

#[test]
fn with_a_password_nobody_else_may_ask() {
    let dir = Folder::new();
    let server =
        Running::start(&Serve { api_auth: Some("ann:secret".into()), ..options(dir.path()) });
    let get = |path: &str, headers: &str| server.send("GET", path, headers, b"");
    for path in ["/", "/api/v1/jobs", "/sdapi/v1/samplers", "/internal/ping", "/openapi.json"] {
        let answer = get(path, "");
        assert_eq!(answer.status, 401, "{path}");
        assert!(answer.header("www-authenticate").is_some(), "{path}");
    }
    let basic = |text: &str| format!("Authorization: Basic {}\r\n", BASE64.encode(text));
    assert_eq!(get("/sdapi/v1/samplers", &basic("ann:secret")).status, 200);
    assert_eq!(get("/sdapi/v1/samplers", &basic("ann:wrong")).status, 401);
    let token = server.link.split_once("?token=").unwrap().1;
    assert_eq!(token.len(), 32);
    let bearer = format!("Authorization: Bearer {token}\r\n");
    assert_eq!(get("/api/v1/jobs", &bearer).status, 200);
    assert_eq!(get("/api/v1/jobs", "Authorization: Bearer 0\r\n").status, 401);
    let visit = get(&format!("/?token={token}"), "");
    assert_eq!(visit.status, 303);
    let cookie = visit.header("set-cookie").unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    let cookie = format!("Cookie: other=1; {}\r\n", cookie.split(';').next().unwrap());
    assert_eq!(get("/", &cookie).status, 200);
    assert_eq!(get(&format!("/?token={token}0"), "").status, 401);
}

#[test]
fn no_path_leaves_the_opened_folders() {
    let (server, dir) = Running::new();
    std::fs::write(dir.path().join("secret.txt"), "secret").unwrap();
    let secret = dir.path().join("secret.txt").display().to_string();
    for path in [
        "../secret.txt",
        "..%2fsecret.txt",
        "%2e%2e/secret.txt",
        "pictures/../../secret.txt",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        ".wayword/lock",
    ] {
        let answer = server.get(&format!("/files/{path}"));
        assert!([403, 404].contains(&answer.status), "{path}: {}", answer.status);
    }
    let refused = |body: Value, field: &str| {
        let answer = server.post("/api/v1/jobs", &body);
        assert_eq!(answer.status, 403, "{body}: {}", answer.text());
        assert_eq!(answer.json()["field"], field, "{body}");
    };
    let with = |name: &str, value: &str| {
        let mut body = draw(1);
        body[name] = json!(value);
        body
    };
    refused(with("base", &secret), "draw.base");
    refused(with("image", &secret), "draw.image");
    refused(with("from", "/etc/passwd"), "draw.from");
    refused(with("embeddings", "/"), "draw.embeddings");
    refused(with("out", "../elsewhere"), "draw.out");
    refused(with("out", &demo().display().to_string()), "draw.out");
    refused(with("prompts", "pictures/a.txt"), "draw.prompts");
    // Options read true and numbers as texts: such a folder lies below the output, too.
    for odd in [json!(true), json!(7)] {
        let mut body = draw(1);
        body["out"] = odd.clone();
        let told = server.post("/api/v1/jobs", &body).json();
        let out = told["request"]["out"].as_str().unwrap_or_default().to_owned();
        let below = dir.path().join("out").canonicalize().unwrap().join(odd.to_string());
        assert_eq!(out, below.display().to_string(), "{told}");
    }
    refused(json!({ "command": "inspect", "file": secret }), "inspect.file");
    let convert = json!({ "command": "convert", "input": demo().join("words/pascoe-ti.safetensors"),
        "output": dir.path().join("x.pt") });
    refused(convert, "convert.output");
    let train = |name: &str, value: &str| json!({ "command": "train", "name": "a", "images": [demo().join("concepts")], name: value });
    refused(train("init", &secret), "train.init");
    refused(train("template", &secret), "train.template");
    refused(train("config", &secret), "train.config");
    refused(train("kohya", &secret), "train.kohya");
    refused(train("resume", &secret), "train.resume");
    let grid = json!({ "command": "grid", "prompt": "a", "x": format!("base: {secret}") });
    refused(grid, "grid.x");
    let upload = server.send("PUT", "/api/v1/uploads/..%2f..%2fx/a.txt", "", b"a");
    assert_eq!(upload.status, 422);
}

#[test]
fn a_busy_port_and_a_second_server_of_one_folder_are_refused() {
    let (server, dir) = Running::new();
    let other = Folder::new();
    let busy = Serve { port: server.address.port().into(), ..options(other.path()) };
    let error = Server::bind(&busy, Environment::default()).unwrap_err();
    assert!(error.message.contains(&server.address.port().to_string()), "{error}");
    assert_eq!(error.field.as_deref(), Some("serve.port"));
    let error = Server::bind(&options(dir.path()), Environment::default()).unwrap_err();
    assert!(error.message.contains("another server"), "{error}");
    drop(server);
    Server::bind(&options(dir.path()), Environment::default()).unwrap();
}

#[test]
fn bad_bodies_have_clear_errors() {
    let (server, _dir) = Running::new();
    let post = |body: &[u8]| server.send("POST", "/api/v1/jobs", "", body);
    let told = |body: &[u8], status: u16, word: &str| {
        let answer = post(body);
        assert_eq!(answer.status, status, "{}", answer.text());
        let message = answer.json()["message"].as_str().unwrap().to_owned();
        assert!(message.contains(word), "{message}");
    };
    told(b"{", 400, "not JSON");
    told(b"[1]", 400, "object");
    told(b"\"\xff\"", 400, "not JSON");
    told("[".repeat(100_000).as_bytes(), 400, "not JSON");
    told(b"{}", 422, "command");
    told(br#"{"command":"fly"}"#, 422, "fly");
    told(br#"{"command":"draw","prompt":"a","stepz":3}"#, 422, "stepz");
    told(br#"{"command":"draw","prompt":"a","steps":"x"}"#, 422, "steps");
    told(br#"{"command":"draw","prompt":"a","steps":1e99}"#, 422, "steps");
    told(br#"{"command":"draw","prompt":"a","steps":100000}"#, 422, "1000");
    told(br#"{"command":"draw","prompt":"a","size":[8192,8192]}"#, 422, "pixels");
    let long = server.send("POST", "/api/v1/jobs", "Content-Length: 104857600\r\n", b"{");
    assert_eq!(long.status, 413, "{}", long.text());
    assert_eq!(server.send("DELETE", "/api/v1/jobs", "", b"").status, 405);
    assert_eq!(server.get("/nothing").status, 404);
    assert!(server.get("/nothing").json()["message"].as_str().unwrap().contains("/nothing"));
}

#[test]
fn clients_that_send_no_whole_head_are_cut_off() {
    let (server, _dir) = Running::new();
    let connect = || std::net::TcpStream::connect(server.address).unwrap();
    let began = std::time::Instant::now();
    std::thread::scope(|scope| {
        for sends in [&b""[..], b"GET /api/v1/server HTTP/1.1\r\nHost: localhost\r\nX-Slow: "] {
            let mut stream = connect();
            scope.spawn(move || {
                stream.write_all(sends).unwrap();
                stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
                // A byte each second keeps no connection open.
                let closed = |stream: &mut std::net::TcpStream| match stream.read(&mut [0; 512]) {
                    Ok(count) => count == 0,
                    Err(e) => !matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
                };
                while !closed(&mut stream) {
                    assert!(began.elapsed() < Duration::from_secs(60), "{sends:?} stays open");
                    if !sends.is_empty() && stream.write_all(b"a").is_err() {
                        break;
                    }
                }
            });
        }
        assert_eq!(server.get("/api/v1/server").status, 200, "others are answered meanwhile");
    });
    assert!(began.elapsed() > Duration::from_secs(5), "a slow network has its time");
}

#[test]
fn uploads_are_images_or_captions_with_plain_names() {
    let (server, _dir) = Running::new();
    let put = |name: &str, bytes: &[u8]| {
        server.send("PUT", &format!("/api/v1/uploads/set/{name}"), "", bytes)
    };
    let folder = demo().join("concepts/100_zarva woman");
    let photo = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    let photo = photo.filter(|p| p.extension().is_some_and(|e| e != "txt")).min().unwrap();
    let bytes = std::fs::read(&photo).unwrap();
    let answer = put("one.png", &bytes);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.json()["width"].as_u64().unwrap() > 0);
    assert_eq!(put("one.txt", "a woman".as_bytes()).status, 200);
    assert_eq!(put("two.png", b"no picture").status, 422);
    assert_eq!(put("bad.txt", b"\xff\xfe\x00\xd8").status, 422);
    for name in ["a%00b.png", "a%0ab.png", "CON.png", ".hidden.png", "a%3ab.png"] {
        assert_eq!(put(name, &bytes).status, 422, "{name}");
    }
    // A header that promises 30000 x 30000 pixels.
    let mut bomb = bytes.clone();
    bomb[16..24].copy_from_slice(&[0, 0, 0x75, 0x30, 0, 0, 0x75, 0x30]);
    assert_eq!(put("bomb.png", &bomb).status, 422);
    // Every ending of pictures that are read is listed; what a file is follows from its content.
    let endings = wayword_formats::endings::PICTURES;
    let all: Vec<String> = endings.iter().map(|ending| format!("uploads/all/p.{ending}")).collect();
    for path in &all {
        let name = path.rsplit('/').next().unwrap();
        let answer = server.send("PUT", &format!("/api/v1/uploads/all/{name}"), "", &bytes);
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
        let kind = server.get(&format!("/files/{path}")).header("content-type").unwrap().to_owned();
        assert!(kind.starts_with("image/"), "{name}: {kind}");
    }
    let listed = server.get("/api/v1/uploads/all").json();
    assert_eq!(listed["files"].as_array().unwrap().len(), all.len(), "{listed}");
    let listed = server.get("/api/v1/uploads/set").json();
    assert_eq!(listed["files"], json!(["uploads/set/one.png"]));
    assert_eq!(server.get("/files/uploads/set/one.png").body, bytes);
}

#[test]
fn events_are_replayed_from_the_last_that_was_seen() {
    let (server, _dir) = Running::new();
    let mut body = draw(3);
    body["preview_every"] = json!(1);
    let job = server.post("/api/v1/jobs", &body);
    assert_eq!(job.status, 202, "{}", job.text());
    let id = job.json()["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/jobs/{id}/events");
    let all = server.get(&path);
    assert_eq!(all.header("content-type"), Some("text/event-stream"));
    let all = all.text();
    assert!(all.contains("\"event\":\"draw_step\"") && all.contains("event: end"), "{all}");
    assert!(all.contains("\"state\":\"finished\""), "{all}");
    let last = |text: &str| {
        let ids = text.lines().filter_map(|line| line.strip_prefix("id: "));
        ids.filter_map(|id| id.parse::<usize>().ok()).collect::<Vec<_>>()
    };
    let count = *last(&all).last().unwrap();
    let rest = server.send("GET", &path, &format!("Last-Event-ID: {}\r\n", count - 2), b"").text();
    assert_eq!(last(&rest), [count - 1, count], "{rest}");
    let none = server.send("GET", &path, &format!("Last-Event-ID: {count}\r\n"), b"").text();
    assert!(last(&none).is_empty() && none.contains("event: end"), "{none}");
    assert_eq!(server.send("GET", &path, "Last-Event-ID: x\r\n", b"").status, 400);
    let result = server.get(&format!("/api/v1/jobs/{id}/result")).json();
    let file = result[0].as_str().unwrap();
    assert!(file.ends_with("-1.png"), "{file}");
    assert_eq!(server.get("/api/v1/jobs/12/events").status, 404);
}

#[test]
fn jobs_wait_in_order_and_can_be_stopped() {
    let (server, _dir) = Running::new();
    let submit =
        |body: &Value| server.post("/api/v1/jobs", body).json()["id"].as_str().unwrap().to_owned();
    let mut long = draw(20);
    long["count"] = json!(500);
    let first = submit(&long);
    let (second, third) = (submit(&draw(1)), submit(&draw(1)));
    let told = |id: &str| server.get(&format!("/api/v1/jobs/{id}")).json();
    assert_eq!(told(&second)["place"], 1);
    assert_eq!(told(&third)["place"], 2);
    let light = json!({ "command": "explain", "prompt": "a (cat:1.2)" });
    assert_eq!(server.wait(&submit(&light))["state"], "finished", "light jobs do not wait");
    server.post(&format!("/api/v1/jobs/{second}/stop"), &json!({}));
    assert_eq!(told(&second)["state"], "stopped");
    assert_eq!(told(&third)["place"], 1);
    server.post(&format!("/api/v1/jobs/{first}/stop"), &json!({}));
    assert_eq!(server.wait(&first)["state"], "stopped");
    assert_eq!(server.wait(&third)["state"], "finished");
    assert_eq!(server.get("/api/v1/jobs").json()["jobs"].as_array().unwrap().len(), 4);
}

#[test]
fn a_run_outlives_the_server_and_goes_on() {
    let dir = Folder::new();
    let server = Running::start(&options(dir.path()));
    let train = json!({
        "command": "train", "images": [demo().join("concepts/100_zarva woman")], "name": "zarva-ti",
        "steps": 100_000, "save_every": 0,
    });
    let job = server.post("/api/v1/jobs", &train);
    assert_eq!(job.status, 202, "{}", job.text());
    let id = job.json()["id"].as_str().unwrap().to_owned();
    loop {
        let told = server.get(&format!("/api/v1/jobs/{id}")).json();
        assert_eq!(told["error"], Value::Null);
        if told["progress"]["phase"] == "training" {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let runs = server.get("/api/v1/runs").json();
    assert_eq!(
        (&runs["runs"][0]["state"], &runs["runs"][0]["job"]),
        (&json!("running"), &json!(id))
    );
    // The end of the server stops the training and saves it.
    drop(server);
    let server = Running::start(&options(dir.path()));
    let runs = server.get("/api/v1/runs").json();
    let run = &runs["runs"][0];
    assert_eq!(
        (&run["name"], &run["state"]),
        (&json!("zarva-ti"), &json!("interrupted")),
        "{runs}"
    );
    assert!(run["step"].as_u64().unwrap() > 0);
    let path = run["run"].as_str().unwrap();
    let all = server.get(&format!("/api/v1/runs/{path}")).json();
    assert!(all["log"].as_array().unwrap().iter().any(|line| line.get("loss").is_some()), "{all}");
    let go_on = json!({ "command": "train", "resume": path });
    let job = server.post("/api/v1/jobs", &go_on).json();
    let id = job["id"].as_str().unwrap();
    server.post(&format!("/api/v1/jobs/{id}/stop"), &json!({}));
    assert_eq!(server.wait(id)["state"], "stopped");
}

#[test]
fn the_page_and_the_document_are_whole() {
    let (server, _dir) = Running::new();
    let page = server.get("/");
    let policy = page.header("content-security-policy").unwrap();
    assert!(!policy.contains("unsafe"), "{policy}");
    let text = page.text();
    assert!(!text.contains("<script>") && !text.contains("style="), "nothing inline");
    for file in text.split('"').filter(|part| part.starts_with("/page/")) {
        let answer = server.get(file);
        assert_eq!(answer.status, 200, "{file}");
        // Modules import only what is served.
        for import in answer.text().split("from './").skip(1) {
            let name = import.split('\'').next().unwrap();
            assert_eq!(server.get(&format!("/page/{name}")).status, 200, "{name}");
        }
    }
    let document = server.get("/openapi.json").json();
    for (path, operations) in document["paths"].as_object().unwrap() {
        if operations.get("get").is_some() && !path.contains('{') {
            assert_eq!(server.get(path).status, 200, "{path}");
        }
        if operations.get("post").is_some() && !path.contains('{') {
            let answer = server.send("POST", path, "", b"[]");
            assert_ne!(answer.status, 404, "{path}");
            assert!(answer.status < 500, "{path}");
        }
    }
    for command in ["train", "check", "draw", "grid", "explain", "serve"] {
        assert_eq!(server.get(&format!("/api/v1/schema/{command}")).status, 200, "{command}");
    }
    assert_eq!(server.get("/api/v1/schema/fly").status, 404);
    let text = server.post(
        "/api/v1/as-text",
        &json!({
            "command": "draw", "prompt": "a cat's eye", "steps": 5, "cfg": 7.5,
        }),
    );
    let text = text.json();
    assert_eq!(text["command"], "wayword draw 'a cat'\\''s eye' --steps 5 --cfg 7.5");
    assert!(text["toml"].as_str().unwrap().contains("steps = 5"), "{text}");
}

#[test]
fn a_drawing_of_a_killed_server_is_interrupted() {
    let dir = Folder::new();
    let server = Running::start(&options(dir.path()));
    let id = server.post("/api/v1/jobs", &draw(2)).json()["id"].as_str().unwrap().to_owned();
    server.wait(&id);
    drop(server);
    // What a server that is killed leaves: a job that began, and half a line.
    let journal = dir.path().join("out/.wayword/jobs.jsonl");
    assert_eq!(std::fs::read_to_string(&journal).unwrap().lines().count(), 2, "began and ended");
    let left = json!({ "id": "7", "command": "draw", "created": 1, "request": { "prompt": "a" } });
    std::fs::write(&journal, format!("{left}\n{{\"id\":\"8\",\"comm")).unwrap();
    let server = Running::start(&options(dir.path()));
    let jobs = server.get("/api/v1/jobs").json();
    assert_eq!(jobs["interrupted"].as_array().unwrap().len(), 1, "{jobs}");
    assert_eq!(jobs["interrupted"][0]["state"], "interrupted");
    assert_eq!(server.post("/api/v1/jobs/7/forget", &json!({})).status, 200);
    assert_eq!(server.post("/api/v1/jobs/7/forget", &json!({})).status, 404);
    drop(server);
    let server = Running::start(&options(dir.path()));
    assert_eq!(server.get("/api/v1/jobs").json()["interrupted"], json!([]));
}
