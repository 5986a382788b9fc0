//! `POST /api/v1/progress`.

use std::time::Duration;

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{
    Shared,
    body::{JsonBody, parse_id},
    openapi::{PublishRequest, Refusal},
    problem::Problem,
};
use crate::{
    broker::{EmitError, Stored},
    event::{Channel, EventError, Id, ProgressEvent},
    telemetry::TraceParent,
};

/// How long an answer waits for the broker before it says `stored: false`.
pub(super) const STORED_WITHIN: Duration = Duration::from_secs(1);

/// What became of an event.
#[derive(Serialize, ToSchema)]
pub(super) struct PublishAnswer {
    pub(super) event_id: Id,
    /// Whether the broker has it; if not, it is tried again for 60 s.
    pub(super) stored: bool,
    /// Streams open on the channel in this process.
    pub(super) viewers: usize,
    pub(super) stream_url: String,
}

/// Takes one progress event of a service.
#[utoipa::path(
    post,
    path = "/api/v1/progress",
    tag = "services",
    params(("traceparent" = Option<String>, Header, description = "W3C Trace Context: the trace of the caller's work")),
    request_body = PublishRequest,
    security(("service" = [])),
    responses(
        (status = 202, description = "Taken", body = PublishAnswer),
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
    JsonBody(fields): JsonBody<Map<String, Value>>,
) -> Result<Response, Problem> {
    parts.access.service(&headers)?;
    let (patient, event) = read(fields)?;
    let document = event.document_id.clone();
    let emitter = parts.emitter.under(trace_parent(&headers));
    let submitted = emitter.submit_progress(&patient, event).map_err(refuse_to_emit)?;
    let answer = answer(&parts, &patient, &document, submitted).await;
    Ok((StatusCode::ACCEPTED, Json(answer)).into_response())
}

/// Reads one event and whose it is.
pub(super) fn read(mut fields: Map<String, Value>) -> Result<(Id, ProgressEvent), Problem> {
    let patient = take_patient(&mut fields)?;
    let event = ProgressEvent::from_fields(fields).map_err(|error| refuse(&error))?;
    Ok((patient, event))
}

/// Waits for the broker, for [`STORED_WITHIN`] at most.
pub(super) async fn answer(
    parts: &Shared,
    patient: &Id,
    document: &Id,
    (event_id, stored): (Id, Stored),
) -> PublishAnswer {
    PublishAnswer {
        event_id,
        stored: stored.within(STORED_WITHIN).await,
        viewers: parts.hub.viewers(&Channel::documents(patient.clone())),
        stream_url: stream_url(patient, document),
    }
}

/// Gives the caller's trace (W3C Trace Context).
pub(super) fn trace_parent(headers: &HeaderMap) -> Option<TraceParent> {
    TraceParent::parse(headers.get("traceparent")?.to_str().ok()?)
}

/// Gives the path of the stream that tells of one document.
pub(super) fn stream_url(patient: &Id, document: &Id) -> String {
    format!("/api/v1/patients/{patient}/documents/stream?document_id={document}")
}

fn take_patient(fields: &mut Map<String, Value>) -> Result<Id, Problem> {
    match fields.remove("patient_id") {
        Some(Value::String(text)) => parse_id("patient_id", &text),
        Some(_) => Err(Problem::bad_request("`patient_id` must be a string.")),
        None => Err(Problem::bad_request("`patient_id` is required.")),
    }
}

/// Says why the emitter did not take an event.
pub(super) fn refuse_to_emit(error: EmitError) -> Problem {
    match error {
        EmitError::Invalid(error) => refuse(&error),
        EmitError::Full => {
            Problem::unavailable("Too many events wait for the broker; send this one again later.")
        }
    }
}

/// Says what is wrong with an event.
pub(super) fn refuse(error: &EventError) -> Problem {
    match error {
        EventError::TooLarge(_) => Problem::too_large(format!("{error}.")),
        _ => Problem::bad_request(format!("{error}.")),
    }
}
