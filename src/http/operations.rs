//! `GET /healthz`, `/readyz`, `/metrics`.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::Shared;

/// What operators can do about a source that is down; the route is open, so it tells no address.
const CURE: &str = "`tidings check`, with the settings of this server, names the cause and the variable.";

/// Says that the process lives.
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "operators",
    responses((status = 200, content_type = "text/plain", body = String, description = "`ok`"))
)]
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// Says of each source whether it answers; 503 when one does not.
///
/// Of a bucket it tells how the last call went: streams do not need it, so it makes nobody unready.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "operators",
    responses(
        (status = 200, description = "`ready`, and the state of each of the `sources`", body = Object),
        (status = 503, description = "The same; a source is down, with its `cure`", body = Object),
    )
)]
pub(super) async fn readyz(State(parts): State<Shared>) -> Response {
    let sources = [
        (parts.hub.source_name(), *parts.hub.source_state().borrow()),
        (parts.statuses.source_name(), *parts.statuses.source_state().borrow()),
    ];
    let is_ready = sources.iter().all(|(_, is_up)| *is_up);
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let state = |is_up: bool| match is_up {
        true => json!({ "state": "up" }),
        false => json!({ "state": "down", "cure": CURE }),
    };
    let sources: serde_json::Map<_, _> =
        sources.into_iter().map(|(name, is_up)| (name.to_owned(), state(is_up))).collect();
    let mut answer = json!({ "ready": is_ready, "sources": sources });
    if let Some(is_up) = parts.files.is_answering() {
        answer["files"] = json!({ "state": if is_up { "up" } else { "down" } });
    }
    (status, Json(answer)).into_response()
}

/// Shows every count in the Prometheus text format; docs/metrics.md explains each.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "operators",
    responses((status = 200, content_type = "application/openmetrics-text", body = String, description = "OpenMetrics 1.0"))
)]
pub(super) async fn metrics(State(parts): State<Shared>) -> Response {
    let media_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, media_type)], parts.metrics.encode()).into_response()
}
