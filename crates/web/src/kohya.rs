//! A file of kohya's options, as its GUI saves it, in ours: what fills the page's form.
use crate::answer::{Answer, JSON_BODY, Refusal, body, diagnostic, json_response};
use axum::body::Body;
use axum::http::HeaderMap;
use serde_json::{Value, json};
use wayword_formats::kohya::parse;
use wayword_interface::Diagnostic;
use wayword_session::kohya::translate;

/// `POST /api/v1/kohya`; the body is the file. Nothing on this machine is read or written.
pub(crate) async fn read(headers: HeaderMap, from: Body) -> Answer {
    let bytes = body(&headers, from, JSON_BODY).await?;
    let options = parse(&bytes).map_err(|fault| Refusal::from(Diagnostic::of(fault)))?;
    let found = translate(&options)?;
    let pairs = |pairs: &[(String, String)]| -> Vec<Value> {
        pairs.iter().map(|(theirs, ours)| json!({ "theirs": theirs, "ours": ours })).collect()
    };
    let ignored = found.ignored.iter().map(|(theirs, why)| json!({ "theirs": theirs, "why": why }));
    let unknown =
        found.unknown.iter().map(|(theirs, near)| json!({ "theirs": theirs, "nearest": near }));
    Ok(json_response(&json!({
        "values": found.layer.values(), "translated": pairs(&found.translated),
        "assumed": pairs(&found.assumed), "ignored": ignored.collect::<Vec<_>>(),
        "unknown": unknown.collect::<Vec<_>>(),
        "warnings": found.warnings.iter().map(|one| diagnostic(&one.0)).collect::<Vec<_>>(),
    })))
}
