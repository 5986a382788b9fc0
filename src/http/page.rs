//! The page on `/`, built into the binary.

use axum::{
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
/// The page loads its own scripts and talks to its own host only.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; img-src data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Shows the page.
pub(super) async fn index() -> Response {
    let mut answer = file(HTML, include_str!("page/index.html"));
    answer.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    answer
}

/// Gives what the page does.
pub(super) async fn page_script() -> Response {
    file(SCRIPT, include_str!("page/page.js"))
}

/// Gives the client module.
pub(super) async fn client() -> Response {
    file(SCRIPT, include_str!("page/tidings.js"))
}

fn file(media_type: &'static str, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, media_type),
        (header::CACHE_CONTROL, "no-cache"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, text).into_response()
}
