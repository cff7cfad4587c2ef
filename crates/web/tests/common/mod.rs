//! A server on the demo model, and a client that is no more than a socket.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "helpers of tests; each file uses a part"
)]
use serde_json::Value;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;
use wayword_session::Environment;
use wayword_session::request::Serve;
use wayword_web::{Server, Stopper};

/// The demo's folder.
pub fn demo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().join("demo")
}

/// A folder that is removed when it is dropped.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        let name = format!("wayword-web-{}-{}", std::process::id(), wayword_session::random_seed());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Options of a server that takes a free port.
pub fn options(out: &Path) -> Serve {
    Serve {
        base: Some(demo().join("wayword-mini.safetensors")),
        out: out.join("out"),
        models: vec![demo()],
        pictures: vec![demo().join("concepts")],
        port: 0,
        ..Serve::default()
    }
}

/// A server that runs until it is dropped.
pub struct Running {
    pub address: SocketAddr,
    pub link: String,
    stopper: Stopper,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Running {
    pub fn start(options: &Serve) -> Self {
        let server = Server::bind(options, Environment::default()).unwrap();
        let (address, link, stopper) = (server.address(), server.link(), server.stopper());
        let thread = std::thread::spawn(move || server.run().unwrap());
        Self { address, link, stopper, thread: Some(thread) }
    }

    pub fn new() -> (Self, Folder) {
        let dir = Folder::new();
        (Self::start(&options(dir.path())), dir)
    }

    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.address.port())
    }

    /// Sends a request with these header lines, reads the whole answer.
    pub fn send(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Answer {
        send(self.address, method, path, headers, body)
    }

    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "", b"")
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, "Content-Type: application/json\r\n", body.to_string().as_bytes())
    }

    /// Waits for a job of `/api/v1` and gives what is told of it.
    pub fn wait(&self, id: &str) -> Value {
        loop {
            let told = self.get(&format!("/api/v1/jobs/{id}")).json();
            if !["queued", "running"].contains(&told["state"].as_str().unwrap()) {
                return told;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Sends a request with these header lines to a server, reads the whole answer.
pub fn send(address: SocketAddr, method: &str, path: &str, headers: &str, body: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(240))).unwrap();
    let named = |name: &str| headers.lines().any(|line| line.to_lowercase().starts_with(name));
    let host = if named("host:") { String::new() } else { format!("Host: {address}\r\n") };
    let length = if named("content-length:") {
        String::new()
    } else {
        format!("Content-Length: {}\r\n", body.len())
    };
    let head =
        format!("{method} {path} HTTP/1.1\r\n{host}{length}Connection: close\r\n{headers}\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    Answer::parse(&bytes)
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stopper.stop();
        if let Some(thread) = self.thread.take() {
            let done = thread.join();
            if !std::thread::panicking() {
                done.unwrap();
            }
        }
    }
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let mut body = bytes[end + 4..].to_vec();
        if head.to_lowercase().contains("transfer-encoding: chunked") {
            body = unchunked(&body);
        }
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head, body }
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&self.body)))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(line) = rest.windows(2).position(|two| two == b"\r\n") {
        let size = std::str::from_utf8(&rest[..line]).unwrap();
        let size = usize::from_str_radix(size.trim(), 16).unwrap();
        body.extend(&rest[line + 2..line + 2 + size]);
        rest = &rest[line + 4 + size..];
        if size == 0 {
            break;
        }
    }
    body
}
