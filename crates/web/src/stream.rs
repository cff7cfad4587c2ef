//! A job's events as server-sent events, from any of them on.
use crate::jobs::{Entry, result};
use crate::state::App;
use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};
use wayword_session::Event;

/// How often a job is looked at.
const PAUSE: Duration = Duration::from_millis(60);
/// How often a line is sent where nothing happens, so that a dead connection is noticed.
const ALIVE: Duration = Duration::from_secs(15);

/// Events from the `first`th on, then one named `end` with the job, as a body.
pub(crate) fn response(app: Arc<App>, entry: Arc<Entry>, first: usize) -> Response {
    let start = StreamPosition { app, entry, next: first, told: None, is_over: false };
    let stream = futures_util::stream::unfold(start, |mut place| async {
        let text = place.next().await?;
        Some((Ok::<Bytes, Infallible>(text.into()), place))
    });
    let mut response = Response::new(Body::from_stream(stream));
    let kind = HeaderValue::from_static("text/event-stream");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// Where a client is in a job's events.
struct StreamPosition {
    app: Arc<App>,
    entry: Arc<Entry>,
    next: usize,
    /// The state as it was last told.
    told: Option<Value>,
    is_over: bool,
}

impl StreamPosition {
    /// The next lines; `None` at the end.
    async fn next(&mut self) -> Option<String> {
        if self.is_over {
            return None;
        }
        let quiet_since = Instant::now();
        loop {
            // The state first: what happens until it is over is in the events then.
            let over = self.entry.job.state().is_over();
            let events = self.entry.job.events_since(self.next);
            let mut text = lines(&events, self.next);
            self.next += events.len();
            let place = self.app.jobs.place(&self.entry);
            let state = json!({
                "state": self.entry.job.state(), "place": place,
                "progress": self.entry.job.progress(),
            });
            if self.told.as_ref() != Some(&state) && !over {
                text.push_str(&format!("event: state\ndata: {state}\n\n"));
                self.told = Some(state);
            }
            if over {
                self.is_over = true;
                text.push_str(&format!("event: end\ndata: {}\n\n", self.end()));
                return Some(text);
            }
            if !text.is_empty() {
                return Some(text);
            }
            if quiet_since.elapsed() > ALIVE {
                return Some(": still here\n\n".into());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn end(&self) -> Value {
        match self.entry.job.result() {
            Some(Ok(outcome)) => {
                json!({ "state": self.entry.job.state(), "result": result(&outcome) })
            }
            Some(Err(failure)) => json!({
                "state": self.entry.job.state(),
                "error": crate::answer::diagnostic(&failure.diagnostic),
            }),
            None => json!({ "state": self.entry.job.state() }),
        }
    }
}

/// Events with their numbers; the id is how many a client has seen with it. Small pictures that a
/// newer one has replaced are left out.
fn lines(events: &[Event], first: usize) -> String {
    let mut text = String::new();
    for (at, event) in events.iter().enumerate() {
        if matches!(event, Event::DrawPreview { png, .. } if png.is_empty()) {
            continue;
        }
        let mut json = serde_json::to_value(event).unwrap_or_default();
        crate::answer::name_fields(&mut json);
        text.push_str(&format!("id: {}\ndata: {json}\n\n", first + at + 1));
    }
    text
}
