//! `POST /api/v1/progress/batch`.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use futures::future::join_all;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{
    Shared,
    body::JsonBody,
    openapi::{PublishRequest, Refusal},
    problem::Problem,
    progress::{PublishAnswer, answer, read, refuse_to_emit, trace_parent},
};

/// Largest body in bytes.
pub(super) const MAX_BODY_BYTES: usize = 256 * 1_024;
/// Most events in one request.
const MOST_EVENTS: usize = 100;

/// Progress events, in order.
#[derive(Deserialize, ToSchema)]
pub(super) struct BatchRequest {
    #[schema(value_type = Vec<PublishRequest>, min_items = 1, max_items = 100)]
    events: Vec<Map<String, Value>>,
}

/// What became of each event, in the same order.
#[derive(Serialize, ToSchema)]
pub(super) struct BatchAnswer {
    events: Vec<PublishAnswer>,
}

/// Takes several progress events of a service at once, or none of them.
#[utoipa::path(
    post,
    path = "/api/v1/progress/batch",
    tag = "services",
    params(("traceparent" = Option<String>, Header, description = "W3C Trace Context: the trace of the caller's work")),
    request_body = BatchRequest,
    security(("service" = [])),
    responses(
        (status = 202, description = "All are taken", body = BatchAnswer),
        (status = 400, response = Refusal),
        (status = 401, response = Refusal),
        (status = 413, response = Refusal),
        (status = 415, response = Refusal),
        (status = 503, response = Refusal),
    )
)]
pub(super) async fn publish(
    State(parts): State<Shared>,
    headers: HeaderMap,
    JsonBody(BatchRequest { events }): JsonBody<BatchRequest>,
) -> Result<Response, Problem> {
    parts.access.service(&headers)?;
    if events.is_empty() || events.len() > MOST_EVENTS {
        return Err(Problem::bad_request(format!("`events` must hold 1 to {MOST_EVENTS} events.")));
    }
    let checked = events.into_iter().enumerate().map(|(place, fields)| {
        read(fields).map_err(|problem| problem.about(format_args!("`events[{place}]`")))
    });
    let events: Vec<_> = checked.collect::<Result<_, _>>()?;
    let told: Vec<_> =
        events.iter().map(|(patient, event)| (patient.clone(), event.document_id.clone())).collect();
    let emitter = parts.emitter.under(trace_parent(&headers));
    let submitted = emitter.submit_progress_all(events).map_err(refuse_to_emit)?;
    let answers = told
        .iter()
        .zip(submitted)
        .map(|((patient, document), submitted)| answer(&parts, patient, document, submitted));
    Ok((StatusCode::ACCEPTED, Json(BatchAnswer { events: join_all(answers).await })).into_response())
}
