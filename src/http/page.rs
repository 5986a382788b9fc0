//! The page on `/` and the client it stands on, built into the binary.

mod client;

use axum::{
    extract::{Path, State},
    http::{HeaderValue, header},
    response::Response,
};

use super::{
    Shared,
    built_in::{self, BuiltIn, HTML, PLAIN, SCRIPT, STYLE, give},
    openapi::Refusal,
};

/// The page loads its own files and talks to its own host only; uploads may go to one more.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'; connect-src 'self'";

/// What the page is made of.
const FILES: [BuiltIn; 24] = [
    ("page.css", STYLE, include_str!("page/page.css")),
    ("conversation.css", STYLE, include_str!("page/conversation.css")),
    ("page.js", SCRIPT, include_str!("page/page.js")),
    ("announcement.js", SCRIPT, include_str!("page/announcement.js")),
    ("card.js", SCRIPT, include_str!("page/card.js")),
    ("case.css", STYLE, include_str!("page/case.css")),
    ("case.js", SCRIPT, include_str!("page/case.js")),
    ("checklist.js", SCRIPT, include_str!("page/checklist.js")),
    ("compose.js", SCRIPT, include_str!("page/compose.js")),
    ("connection.js", SCRIPT, include_str!("page/connection.js")),
    ("conversation.js", SCRIPT, include_str!("page/conversation.js")),
    ("cut_proof.js", SCRIPT, include_str!("page/cut_proof.js")),
    ("eta.js", SCRIPT, include_str!("page/eta.js")),
    ("list.js", SCRIPT, include_str!("page/list.js")),
    ("log.js", SCRIPT, include_str!("page/log.js")),
    ("message_list.js", SCRIPT, include_str!("page/message_list.js")),
    ("patient.js", SCRIPT, include_str!("page/patient.js")),
    ("progress.js", SCRIPT, include_str!("page/progress.js")),
    ("proof.js", SCRIPT, include_str!("page/proof.js")),
    ("request.js", SCRIPT, include_str!("page/request.js")),
    ("retry.js", SCRIPT, include_str!("page/retry.js")),
    ("talk_proof.js", SCRIPT, include_str!("page/talk_proof.js")),
    ("transcript.js", SCRIPT, include_str!("page/transcript.js")),
    ("upload.js", SCRIPT, include_str!("page/upload.js")),
];

/// Shows the page.
#[utoipa::path(
    get,
    path = "/",
    tag = "page",
    responses((status = 200, content_type = "text/html", body = String, description = "The page"))
)]
pub(super) async fn index(State(parts): State<Shared>) -> Response {
    let mut answer = give(HTML, include_str!("page/index.html"));
    answer.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy(parts.files.upload_origin()));
    answer
}

fn policy(upload_origin: Option<&str>) -> HeaderValue {
    let with_uploads = upload_origin.and_then(|origin| format!("{POLICY} {origin}").parse().ok());
    with_uploads.unwrap_or(HeaderValue::from_static(POLICY))
}

/// Gives one file of the page.
#[utoipa::path(
    get,
    path = "/page/{file}",
    tag = "page",
    params(("file" = String, Path)),
    responses(
        (status = 200, content_type = "text/javascript", body = String, description = "A module or a style sheet"),
        (status = 404, response = Refusal),
    )
)]
pub(super) async fn file(Path(wanted): Path<String>) -> Response {
    built_in::find(&FILES, &wanted)
}

/// Gives the client as one ES module.
#[utoipa::path(
    get,
    path = "/tidings.js",
    tag = "page",
    responses((status = 200, content_type = "text/javascript", body = String, description = "The module"))
)]
pub(super) async fn client() -> Response {
    give(SCRIPT, &client::MODULE)
}

/// Gives the types of the client module.
#[utoipa::path(
    get,
    path = "/tidings.d.ts",
    tag = "page",
    responses((status = 200, content_type = "text/plain", body = String, description = "The types, for TypeScript"))
)]
pub(super) async fn client_types() -> Response {
    give(PLAIN, client::TYPES)
}
