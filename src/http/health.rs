//! `GET /api/v1/health`, and how each part does, as it and `/readyz` tell it.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};

use super::{Shared, openapi::Refusal, problem::Problem};
use crate::{
    clock::{Clock, to_rfc3339},
    documents::{CountedHealth, StoreError},
    telemetry::{Reading, Vital},
};

/// What operators can do about a source that is down; `/readyz` is open, so it tells no address.
const CURE: &str = "`tidings check`, with the settings of this server, names the cause and the variable.";

/// How this process does.
pub struct Vitals {
    /// Tells the time.
    pub clock: Clock,
    /// When the process began, in milliseconds since the Unix epoch.
    pub started_at: u64,
    /// How the broker does.
    pub broker: Vital,
}

/// Tells operators how the server and its documents do.
///
/// The share of the database is cached for 30 s; the rest is this process as it is now. A database that does
/// not answer takes its own share away, not the whole answer.
#[utoipa::path(
    get,
    path = "/api/v1/health",
    tag = "operators",
    security(("service" = [])),
    responses(
        (status = 200, description = "How each part and the `documents` do", body = Object),
        (status = 401, response = Refusal),
        (status = 403, response = Refusal),
    )
)]
pub(super) async fn health(State(parts): State<Shared>, headers: HeaderMap) -> Result<Response, Problem> {
    parts.access.service(&headers)?;
    let Vitals { clock, started_at, .. } = &parts.vitals;
    let documents = parts.lookups.health().await;
    let body = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "server_time": to_rfc3339(clock.milliseconds()),
        "started_at": to_rfc3339(*started_at),
        "uptime_seconds": clock.milliseconds().saturating_sub(*started_at) / 1_000,
        "streams_open": parts.metrics.open_streams(),
        "sources": sources(&parts),
        "files": parts.files.vital().map(|files| show(&files.read())),
        "cache": parts.lookups.cache_level().map(|cache| show(&cache.read())),
        "documents": documents.as_ref().ok().and_then(Option::as_ref).map(show_documents),
        "documents_missing": documents.as_ref().err().map(|error| why_missing(error)),
    });
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response())
}

/// Tells of each source whether it answers, since when, and how long its last call took.
pub(super) fn sources(parts: &Shared) -> Map<String, Value> {
    let mut sources = Map::new();
    for (name, is_up, vital) in [
        (parts.hub.source_name(), *parts.hub.source_state().borrow(), &parts.vitals.broker),
        (parts.statuses.source_name(), *parts.statuses.source_state().borrow(), parts.statuses.vital()),
    ] {
        // What was noted of it may be a moment behind what streams are told.
        let mut shown = show(&Reading { is_up, ..vital.read() });
        if !is_up {
            shown["cure"] = CURE.into();
        }
        sources.insert(name.to_owned(), shown);
    }
    sources
}

/// Shows how a part does.
pub(super) fn show(reading: &Reading) -> Value {
    json!({
        "state": if reading.is_up { "up" } else { "down" },
        "since": to_rfc3339(reading.since),
        "latency_ms": reading.latency.map(|latency| (latency.as_secs_f64() * 10_000.0).round() / 10.0),
    })
}

fn show_documents(counted: &CountedHealth) -> Value {
    let mut shown = serde_json::to_value(&counted.health).expect("counts are JSON");
    shown["counted_at"] = to_rfc3339(counted.counted_at).into();
    shown
}

fn why_missing(error: &StoreError) -> &'static str {
    match error {
        StoreError::KeptElsewhere => "kept_elsewhere",
        _ => "unavailable",
    }
}
