//! Connections: accepted until the server ends, each with a limit on the time for a request's head.
use axum::Router;
use axum::serve::Listener;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use std::pin::pin;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

/// How long a client may take for a request's head, and be silent between two requests.
const HEAD: Duration = Duration::from_secs(15);

/// Answers until `end`, then until the requests that were begun have their answers.
pub(crate) async fn serve(mut listener: TcpListener, router: Router, end: &Notify) {
    let (ends, ending) = watch::channel(());
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            (stream, _) = Listener::accept(&mut listener) => {
                open.spawn(connection(stream, router.clone(), ending.clone()));
            }
            // Those that are over are not held.
            Some(_) = open.join_next() => {}
            () = end.notified() => break,
        }
    }
    drop((listener, ends));
    while open.join_next().await.is_some() {}
}

/// Answers one client.
async fn connection(stream: TcpStream, router: Router, mut ending: watch::Receiver<()>) {
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD);
    let service = TowerToHyperService::new(router);
    let mut answers = pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        // What goes wrong here is the client's: it went away, or was too slow.
        _ = answers.as_mut() => return,
        _ = ending.changed() => answers.as_mut().graceful_shutdown(),
    }
    let _ = answers.await;
}
