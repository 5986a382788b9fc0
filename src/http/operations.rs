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
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// Says of each source whether it answers, since when and how fast; 503 when one does not.
///
/// Of a bucket and of the cache in Redis it tells how the last call went: streams do not need them, so they
/// make nobody unready.
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

/// Shows every count in the Prometheus text format.
pub(super) async fn metrics(State(parts): State<Shared>) -> Response {
    let media_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, media_type)], parts.metrics.encode()).into_response()
}
