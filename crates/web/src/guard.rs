//! Who may ask: the name of the host, the page that a request comes from, token and password; and
//! headers of all answers.
use crate::answer::Refusal;
use crate::state::App;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::sync::Arc;
use std::time::Instant;

/// The cookie that holds the token.
const COOKIE: &str = "wayword_token";
/// What the page may load: its own files, and images that it made itself.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
     connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; \
     frame-src 'self'; manifest-src 'self'";

/// Refuses strangers, then answers, then adds headers.
pub(crate) async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let is_a1111 = ["/sdapi/", "/internal/"].iter().any(|p| request.uri().path().starts_with(p));
    let mut response = match check(&app, &request) {
        Ok(None) => next.run(request).await,
        Ok(Some(redirect)) => redirect,
        Err(refusal) if is_a1111 => challenge(&app, refusal.into_a1111()),
        Err(refusal) => challenge(&app, refusal.into_response()),
    };
    let headers = response.headers_mut();
    let mut set = |name: &'static str, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    set("content-security-policy", POLICY);
    set("x-content-type-options", "nosniff");
    set("referrer-policy", "no-referrer");
    set("cross-origin-resource-policy", "same-origin");
    set("cache-control", "no-store");
    if is_a1111 {
        let seconds = format!("{:.4}", began.elapsed().as_secs_f64());
        if let Ok(value) = HeaderValue::from_str(&seconds) {
            headers.insert("x-process-time", value);
        }
    }
    response
}

/// Says how to log in where a password would help.
fn challenge(app: &App, mut response: Response) -> Response {
    if response.status() == StatusCode::UNAUTHORIZED && app.api_auth.is_some() {
        let basic = HeaderValue::from_static("Basic realm=\"wayword\"");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, basic);
    }
    response
}

/// Checks a request; a visit by the printed link is sent on with a cookie.
fn check(app: &App, request: &Request) -> Result<Option<Response>, Refusal> {
    let headers = request.headers();
    let host = host(app, request)?;
    if let Some(origin) = headers.get(header::ORIGIN) {
        let own = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
        if !own.is_some_and(|(scheme, from)| {
            (scheme == "http" || scheme == "https") && from.eq_ignore_ascii_case(&host)
        }) {
            let text = "the request comes from a page of another server";
            return Err(Refusal::new(StatusCode::FORBIDDEN, text)
                .hint("open the page at the address that the server printed"));
        }
    }
    let Some(token) = &app.token else { return Ok(None) };
    let query = request.uri().query().unwrap_or_default();
    let linked = query.split('&').find_map(|pair| pair.strip_prefix("token="));
    if request.method() == Method::GET
        && request.uri().path() == "/"
        && linked.is_some_and(|given| same(given, token))
    {
        let cookie = format!("{COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict");
        let headers = [(header::LOCATION, "/".to_owned()), (header::SET_COOKIE, cookie)];
        return Ok(Some((StatusCode::SEE_OTHER, headers).into_response()));
    }
    if is_known(app, token, headers) {
        return Ok(None);
    }
    Err(Refusal::new(StatusCode::UNAUTHORIZED, "the request has no token").hint(
        "open the link that the server printed, or send the header `Authorization: Bearer TOKEN`",
    ))
}

/// The host that the request is for, if it is one of ours: a page of another name that leads here
/// could read what this server answers.
fn host(app: &App, request: &Request) -> Result<String, Refusal> {
    let header = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let host = header.or_else(|| request.uri().authority().map(|authority| authority.as_str()));
    let host = host.ok_or_else(|| Refusal::bad("the request has no host"))?;
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    if app.hosts.iter().any(|known| known.eq_ignore_ascii_case(name)) {
        return Ok(host.to_owned());
    }
    let shown: String = name.chars().take(100).collect();
    Err(Refusal::new(StatusCode::FORBIDDEN, format!("this server is not called {shown}"))
        .hint("use localhost, or start the server with {serve.host} for the name"))
}

/// Whether the request knows the token or the password.
fn is_known(app: &App, token: &str, headers: &HeaderMap) -> bool {
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if let Some((scheme, given)) = authorization.and_then(|value| value.split_once(' ')) {
        let given = given.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            return same(given, token);
        }
        if scheme.eq_ignore_ascii_case("basic") {
            let given = BASE64.decode(given).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            return match (&app.api_auth, given) {
                (Some(known), Some(given)) => same(&given, known),
                _ => false,
            };
        }
    }
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|cookies| cookies.split(';')).map(str::trim);
    pairs.any(|pair| pair.split_once('=').is_some_and(|(n, v)| n == COOKIE && same(v, token)))
}

/// Whether two secrets are equal, in a time that does not depend on where they differ.
fn same(a: &str, b: &str) -> bool {
    let differences = a.bytes().zip(b.bytes()).fold(0, |sum, (a, b)| sum | (a ^ b));
    a.len() == b.len() && differences == 0
}
