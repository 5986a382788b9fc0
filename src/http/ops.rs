//! `GET /ops`, `/ops/stream`: the operators' page, and the numbers that feed it.
//!
//! The page itself holds nothing worth keeping: what it shows comes by the stream, which needs the
//! internal key or a token with the role `operator`.

use std::{convert::Infallible, time::Duration};

use axum::{
    body::Body,
    extract::{Path, RawQuery, State},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use futures::stream;
use tokio::time::{Instant, timeout_at};

use super::{
    Shared,
    body::query_token,
    built_in::{self, BuiltIn, HTML, SCRIPT, STYLE, give},
    openapi::Refusal,
    problem::Problem,
    sse,
};
use crate::telemetry::BoardFollow;

/// The page loads its own files and talks to its own host only.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// Longest life of one stream; the page comes back.
const LONGEST: Duration = Duration::from_secs(280);

/// What the page is made of.
const FILES: [BuiltIn; 5] = [
    ("ops.css", STYLE, include_str!("ops/ops.css")),
    ("ops.js", SCRIPT, include_str!("ops/ops.js")),
    ("numbers.js", SCRIPT, include_str!("ops/numbers.js")),
    ("plot.js", SCRIPT, include_str!("ops/plot.js")),
    ("feed.js", SCRIPT, include_str!("ops/feed.js")),
];

/// Shows the operators' page; it asks for a key where one is needed.
#[utoipa::path(
    get,
    path = "/ops",
    tag = "operators",
    responses((status = 200, content_type = "text/html", body = String, description = "The page"))
)]
pub(super) async fn index() -> Response {
    let answer = give(HTML, include_str!("ops/index.html"));
    ([(header::CONTENT_SECURITY_POLICY, POLICY)], answer).into_response()
}

/// Gives one file of the operators' page.
#[utoipa::path(
    get,
    path = "/ops/{file}",
    tag = "operators",
    params(("file" = String, Path)),
    responses(
        (status = 200, content_type = "text/javascript", body = String, description = "A module or a style sheet"),
        (status = 404, response = Refusal),
    )
)]
pub(super) async fn file(Path(wanted): Path<String>) -> Response {
    built_in::find(&FILES, &wanted)
}

/// Streams every number once a second, for operators.
#[utoipa::path(
    get,
    path = "/ops/stream",
    tag = "operators",
    security(("service" = []), ("viewer" = []), ("viewer_cookie" = []), ("viewer_query" = [])),
    responses(
        (status = 200, content_type = "text/event-stream", body = String,
            description = "`event: board`, with the `samples` of /metrics by name, `sources` and `failures`"),
        (status = 401, response = Refusal),
        (status = 403, response = Refusal),
        (status = 503, response = Refusal),
    )
)]
pub(super) async fn stream(
    State(parts): State<Shared>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let grant = parts.access.operator(&headers, query_token(query.as_deref()).as_deref())?;
    let left = grant.expires_at().map(|at| at.saturating_sub(parts.access.now()));
    let until = Instant::now() + left.unwrap_or(LONGEST).min(LONGEST);
    let follow = parts.board.follow().ok_or_else(too_many)?;
    Ok(sse::with_headers(Body::from_stream(stream::unfold(follow, move |follow| next(follow, until)))))
}

async fn next(
    mut follow: BoardFollow,
    until: Instant,
) -> Option<(Result<bytes::Bytes, Infallible>, BoardFollow)> {
    let view = timeout_at(until, follow.next()).await.ok()??;
    Some((Ok(view.frame(|view| sse::write_json(None, "board", view))), follow))
}

fn too_many() -> Problem {
    Problem::unavailable("Too many operators look at once; close a page or come back later.")
}
