//! The page's files, as they lie in `crates/web/page`.
use crate::answer::bytes_response;
use crate::state::App;
use axum::Router;
use axum::response::Response;
use axum::routing::get;
use std::sync::Arc;

macro_rules! files {
    ($($address:literal => $file:literal, $kind:literal;)*) => {
        /// Their addresses.
        pub(crate) fn routes() -> Router<Arc<App>> {
            let router = Router::new();
            $(let router = router.route($address, get(|| async {
                answer($kind, include_bytes!(concat!("../page/", $file)))
            }));)*
            router
        }
    };
}

files! {
    "/" => "index.html", "text/html; charset=utf-8";
    "/page/style.css" => "style.css", "text/css; charset=utf-8";
    "/page/main.js" => "main.js", "text/javascript; charset=utf-8";
    "/page/api.js" => "api.js", "text/javascript; charset=utf-8";
    "/page/dom.js" => "dom.js", "text/javascript; charset=utf-8";
    "/page/form.js" => "form.js", "text/javascript; charset=utf-8";
    "/page/chart.js" => "chart.js", "text/javascript; charset=utf-8";
    "/page/complete.js" => "complete.js", "text/javascript; charset=utf-8";
    "/page/mask.js" => "mask.js", "text/javascript; charset=utf-8";
    "/page/steps.js" => "steps.js", "text/javascript; charset=utf-8";
    "/page/again.js" => "again.js", "text/javascript; charset=utf-8";
    "/page/crops.js" => "crops.js", "text/javascript; charset=utf-8";
    "/page/prepare.js" => "prepare.js", "text/javascript; charset=utf-8";
    "/page/train.js" => "train.js", "text/javascript; charset=utf-8";
    "/page/training.js" => "training.js", "text/javascript; charset=utf-8";
    "/page/run.js" => "run.js", "text/javascript; charset=utf-8";
    "/page/draw.js" => "draw.js", "text/javascript; charset=utf-8";
    "/page/grid.js" => "grid.js", "text/javascript; charset=utf-8";
    "/page/library.js" => "library.js", "text/javascript; charset=utf-8";
    "/favicon.ico" => "icon.svg", "image/svg+xml";
}

fn answer(kind: &'static str, bytes: &'static [u8]) -> Response {
    bytes_response(kind, bytes)
}
