//! The server itself: bound to a port, alone in its folder, running until it is stopped.
use crate::answer::Refusal;
use crate::journal::Journal;
use crate::state::App;
use crate::{api, connections, files, folders, guard, openapi, page, sdapi};
use axum::Router;
use axum::http::{StatusCode, Uri};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::fs::{File, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::RequestBodyTimeoutLayer;
use wayword_interface::Diagnostic;
use wayword_session::request::Serve;
use wayword_session::{Environment, Session};

/// Seconds that a client may be silent in the middle of a body.
const SILENCE: Duration = Duration::from_secs(30);
/// Seconds that connections have to end after the last job.
const FAREWELL: Duration = Duration::from_secs(2);

/// A server that is bound to its port and does not answer yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    app: Arc<App>,
    stop: Arc<Notify>,
    // Unlocked when dropped.
    _lock: File,
}

/// Ends a server from another thread.
#[derive(Debug, Clone)]
pub struct Stopper(Arc<Notify>);

impl Stopper {
    /// Asks for the end: jobs stop after their step, then the server does.
    pub fn stop(&self) {
        self.0.notify_one();
    }
}

impl Server {
    /// Binds a server. No base is loaded.
    ///
    /// # Errors
    /// If the port is taken, an option cannot be used, a folder cannot be opened, or another server
    /// uses the folder for output.
    pub fn bind(options: &Serve, environment: Environment) -> Result<Self, Diagnostic> {
        let listen = options.listen.as_deref().unwrap_or("127.0.0.1");
        let ip: IpAddr = listen.trim_matches(['[', ']']).parse().map_err(|_| {
            Diagnostic::new(format!("expected an address of this machine, found {listen}"))
                .with_field("serve.listen")
                .with_hint("give 0.0.0.0 for all networks, or leave {serve.listen} out")
        })?;
        if let Some(auth) = &options.api_auth
            && !auth
                .split_once(':')
                .is_some_and(|(user, password)| !user.is_empty() && !password.is_empty())
        {
            return Err(Diagnostic::new("expected USER:PASSWORD").with_field("serve.api_auth"));
        }
        let port = u16::try_from(options.port).map_err(|_| {
            Diagnostic::new(format!("expected 0 to 65535, found {}", options.port))
                .with_field("serve.port")
        })?;
        let listener = TcpListener::bind((ip, port)).map_err(|error| {
            let busy = error.kind() == std::io::ErrorKind::AddrInUse;
            let text = if busy {
                format!("port {port} of {ip} is in use by another program")
            } else {
                format!("cannot listen on port {port} of {ip}")
            };
            Diagnostic::new(text)
                .with_field("serve.port")
                .with_hint("give another port as {serve.port}, or 0 for a free one")
                .with_source(error)
        })?;
        let fault = |what: &str, error: std::io::Error| Diagnostic::new(what).with_source(error);
        let address = listener.local_addr().map_err(|e| fault("cannot listen", e))?;
        listener.set_nonblocking(true).map_err(|e| fault("cannot listen", e))?;

        let (opened, found) = folders::open(options, &environment)?;
        let lock = lock(&opened.out)?;
        // What an earlier server left in the middle of an answer.
        let _ = std::fs::remove_dir_all(opened.out.join(".wayword/temporary"));
        let mut hosts: Vec<String> = ["localhost", "127.0.0.1", "[::1]"].map(str::to_owned).into();
        hosts.extend(options.host.iter().cloned());
        if !ip.is_unspecified() {
            hosts.push(if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() });
        }
        let guarded = !ip.is_loopback() || options.api_auth.is_some();
        let session = Session::new(environment);
        session.set_folders(found);
        let stored = sdapi::options::Stored::read(&opened.out);
        let app = App {
            session,
            jobs: Default::default(),
            journal: Journal::open(&opened.out),
            base: options.base.as_ref().map(|b| b.canonicalize().unwrap_or_else(|_| b.clone())),
            hosts,
            token: if guarded { Some(token()?) } else { None },
            api_auth: options.api_auth.clone(),
            options: Mutex::new(stored),
            choosing: Mutex::default(),
            stopping: AtomicBool::new(false),
            scanned: AtomicU64::new(0),
            opened,
        };
        let stop = Arc::new(Notify::new());
        Ok(Self { listener, address, app: Arc::new(app), stop, _lock: lock })
    }

    /// The address that it listens on, with the port that was given or found.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The page's address, with the token where one is needed.
    #[must_use]
    pub fn link(&self) -> String {
        let ip = self.address.ip();
        let host = match (self.app.hosts.get(3), ip.is_loopback() || ip.is_unspecified()) {
            (Some(host), _) => host.clone(),
            (None, true) => "127.0.0.1".into(),
            (None, false) => ip.to_string(),
        };
        let token = self.app.token.as_ref().map(|token| format!("?token={token}"));
        format!("http://{host}:{}/{}", self.address.port(), token.unwrap_or_default())
    }

    /// The folder that everything is written to.
    #[must_use]
    pub fn out(&self) -> &Path {
        &self.app.opened.out
    }

    /// A handle that ends it.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        Stopper(Arc::clone(&self.stop))
    }

    /// Answers requests until it is stopped and its jobs have ended.
    ///
    /// # Errors
    /// If the system refuses threads or the port.
    pub fn run(self) -> Result<(), Diagnostic> {
        let fault = |error: std::io::Error| Diagnostic::new("the server failed").with_source(error);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .max_blocking_threads(8)
            .enable_all()
            .build()
            .map_err(fault)?;
        let (app, stop) = (self.app, self.stop);
        let router = router(Arc::clone(&app));
        let done = runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(self.listener)?;
            let ended = Arc::new(Notify::new());
            let over = Arc::clone(&ended);
            let server =
                tokio::spawn(async move { connections::serve(listener, router, &over).await });
            let settling = Arc::clone(&app);
            tokio::spawn(async move {
                loop {
                    tokio::time::sleep(Duration::from_millis(500)).await;
                    settling.journal.settle();
                }
            });
            stop.notified().await;
            app.stopping.store(true, Ordering::Relaxed);
            app.journal.settle();
            app.jobs.stop();
            // Answers to those who wait for a job come from it as long as it saves.
            while app.jobs.all().iter().any(|entry| !entry.job.state().is_over()) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            app.journal.leave();
            ended.notify_one();
            // A connection that stays open longer holds nothing that must be saved.
            let _ = tokio::time::timeout(FAREWELL, server).await;
            Ok::<(), std::io::Error>(())
        });
        runtime.shutdown_timeout(FAREWELL);
        done.map_err(fault)
    }
}

/// All addresses.
fn router(app: Arc<App>) -> Router {
    Router::new()
        .merge(page::routes())
        .nest("/api/v1", api::routes())
        .nest("/sdapi/v1", sdapi::routes())
        .nest("/internal", sdapi::internal())
        .route("/files/{*path}", get(files::serve))
        .route("/openapi.json", get(openapi::answer))
        .fallback(unknown)
        .method_not_allowed_fallback(other_method)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(RequestBodyTimeoutLayer::new(SILENCE))
        .layer(axum::extract::DefaultBodyLimit::disable())
        .layer(from_fn_with_state(Arc::clone(&app), guard::guard))
        .with_state(app)
}

/// An error in the form of the address that was asked.
fn refuse(uri: &Uri, refusal: Refusal) -> Response {
    if uri.path().starts_with("/sdapi/") || uri.path().starts_with("/internal/") {
        return refusal.into_a1111();
    }
    refusal.into_response()
}

async fn unknown(uri: Uri) -> Response {
    let text = format!("there is nothing at {}", uri.path());
    refuse(&uri, Refusal::missing(text).hint("see /openapi.json for what there is"))
}

async fn other_method(uri: Uri) -> Response {
    let text = format!("{} does not take this method", uri.path());
    refuse(&uri, Refusal::new(StatusCode::METHOD_NOT_ALLOWED, text))
}

fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    let text = "a fault of this program";
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, text).hint("please report it").into_response()
}

/// 32 random hexadecimal digits.
fn token() -> Result<String, Diagnostic> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|e| Diagnostic::new(format!("the system gives no random numbers: {e}")))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Takes the folder for output, or says which process has it.
fn lock(out: &Path) -> Result<File, Diagnostic> {
    let path = out.join(".wayword/lock");
    let fault = |error: std::io::Error| {
        Diagnostic::new(format!("cannot lock {}", path.display())).with_source(error)
    };
    let options = File::options().create(true).read(true).write(true).truncate(false).clone();
    let mut file = options.open(&path).map_err(fault)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut owner = String::new();
            // Some systems keep a locked file from being read; then the number is not told.
            let _ = file.read_to_string(&mut owner);
            let owner = owner.trim();
            let who = if owner.is_empty() { String::new() } else { format!(" (process {owner})") };
            let text = format!("{}: another server uses this folder{who}", out.display());
            return Err(Diagnostic::new(text)
                .with_hint("end that server, or give another folder as {serve.out}"));
        }
        Err(TryLockError::Error(error)) => return Err(fault(error)),
    }
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| write!(file, "{}", std::process::id()))
        .map_err(fault)?;
    Ok(file)
}
