//! Answers: JSON, errors in our form and in A1111's, bodies of requests.
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use wayword_interface::options::Values;
use wayword_interface::{Diagnostic, PlainNames, render_fields};
use wayword_session::Failure;

/// Bytes of a JSON body of `/api/v1`.
pub(crate) const JSON_BODY: usize = 4 << 20;
/// Bytes of a JSON body of A1111's API, which holds images in base64.
pub(crate) const IMAGE_BODY: usize = 64 << 20;

/// Why a request has no result: a status and what happened.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) diagnostic: Diagnostic,
}

/// A result or an error in the form of `/api/v1`.
pub(crate) type Answer<T = Response> = Result<T, Refusal>;

impl Refusal {
    /// An error with a status. Message: lower case, no full stop.
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, diagnostic: Diagnostic::new(message) }
    }

    /// A request that cannot be read.
    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// A value that cannot be used.
    pub(crate) fn unfit(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, message)
    }

    /// Something that is not there.
    pub(crate) fn missing(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    /// A path outside the opened folders.
    pub(crate) fn outside(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, message)
    }

    /// The same with advice, which begins with a verb.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.diagnostic = self.diagnostic.with_hint(hint);
        self
    }

    /// The same about an option, such as `draw.base`.
    pub(crate) fn field(mut self, field: impl Into<String>) -> Self {
        self.diagnostic = self.diagnostic.with_field(field);
        self
    }

    /// The error as `/api/v1` has it.
    pub(crate) fn to_json(&self) -> Value {
        diagnostic(&self.diagnostic)
    }

    /// The error as A1111's API has it.
    pub(crate) fn into_a1111(self) -> Response {
        let shown = self.diagnostic.render(&PlainNames);
        let kind = if self.status.is_server_error() { "RuntimeError" } else { "HTTPException" };
        let mut errors = shown.causes;
        errors.extend(shown.hint);
        let body = json!({
            "error": kind, "detail": shown.message, "body": "", "errors": errors.join("; "),
        });
        (self.status, json_response(&body)).into_response()
    }
}

/// A diagnostic as JSON, with the names of fields in its texts.
pub(crate) fn diagnostic(diagnostic: &Diagnostic) -> Value {
    let shown = diagnostic.render(&PlainNames);
    json!({
        "message": shown.message, "hint": shown.hint, "field": diagnostic.field,
        "causes": shown.causes,
    })
}

impl From<Diagnostic> for Refusal {
    fn from(diagnostic: Diagnostic) -> Self {
        Self { status: StatusCode::UNPROCESSABLE_ENTITY, diagnostic }
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        failure.diagnostic.into()
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, json_response(&self.to_json())).into_response()
    }
}

/// A JSON value as a response.
pub(crate) fn json_response(value: &Value) -> Response {
    bytes_response("application/json", value.to_string().into_bytes())
}

/// Bytes of a type as a response.
pub(crate) fn bytes_response(kind: &'static str, bytes: impl Into<Bytes>) -> Response {
    let mut response = Response::new(Body::from(bytes.into()));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// Reads a body of at most `most` bytes.
///
/// # Errors
/// If it is longer, or the client stops sending.
pub(crate) async fn body(headers: &HeaderMap, body: Body, most: usize) -> Answer<Bytes> {
    let too_long = || {
        let text = format!("the request's body has more than {most} bytes");
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, text).hint("send less at once")
    };
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok());
    if announced.and_then(|length| length.parse::<u64>().ok()).is_some_and(|n| n > most as u64) {
        return Err(too_long());
    }
    axum::body::to_bytes(body, most).await.map_err(|error| {
        let text = error.to_string();
        if text.contains("length limit") {
            return too_long();
        }
        let status = if text.contains("timeout") {
            StatusCode::REQUEST_TIMEOUT
        } else {
            StatusCode::BAD_REQUEST
        };
        Refusal::new(status, format!("the request's body cannot be read: {text}"))
    })
}

/// Reads a body that is a JSON object; an empty body is an empty object.
///
/// # Errors
/// As [`body`], or if it is something else.
pub(crate) async fn object(headers: &HeaderMap, from: Body, most: usize) -> Answer<Values> {
    let bytes = body(headers, from, most).await?;
    if bytes.trim_ascii().is_empty() {
        return Ok(Values::new());
    }
    let value: Value = serde_json::from_slice(&bytes)
        .map_err(|error| Refusal::bad(format!("the request's body is not JSON: {error}")))?;
    match value {
        Value::Object(values) => Ok(values),
        other => {
            let found = other.to_string().chars().take(40).collect::<String>();
            Err(Refusal::bad(format!("the request's body: expected a JSON object, found {found}")))
        }
    }
}

/// Names fields in all texts of a value, where the libraries write `{train.resume}`.
pub(crate) fn name_fields(value: &mut Value) {
    match value {
        Value::String(text) if text.contains('{') => *text = render_fields(text, &PlainNames),
        Value::Array(list) => list.iter_mut().for_each(name_fields),
        Value::Object(map) => map.values_mut().for_each(name_fields),
        _ => {}
    }
}
