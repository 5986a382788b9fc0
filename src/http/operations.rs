//! `GET /healthz`, `/readyz`, `/metrics`.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::{Shared, health};

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

/// Says of each source whether it answers, since when and how fast; 503 when one does not.
///
/// Of a bucket and of the cache in Redis it tells how the last call went: streams do not need them, so they
/// make nobody unready.
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
    let sources = health::sources(&parts);
    let is_ready = sources.values().all(|source| source["state"] == "up");
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut answer = json!({ "ready": is_ready, "sources": sources });
    for (name, vital) in [("files", parts.files.vital()), ("cache", parts.lookups.cache_level())] {
        if let Some(vital) = vital {
            answer[name] = health::show(&vital.read());
        }
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
