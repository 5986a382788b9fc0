//! `POST /api/v1/progress`.

use std::time::Duration;

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};

use super::{
    Shared,
    body::{JsonBody, parse_id},
    problem::Problem,
};
use crate::{
    broker::EmitError,
    event::{Channel, EventError, Id, ProgressEvent},
};

/// How long an answer waits for the broker before it says `stored: false`.
pub(super) const STORED_WITHIN: Duration = Duration::from_secs(1);

/// Takes one progress event of a service.
pub(super) async fn publish(
    State(parts): State<Shared>,
    headers: HeaderMap,
    JsonBody(mut fields): JsonBody<Map<String, Value>>,
) -> Result<Response, Problem> {
    parts.access.service(&headers)?;
    let patient = take_patient(&mut fields)?;
    let event = ProgressEvent::from_fields(fields).map_err(|error| refuse(&error))?;
    let document = event.document_id.clone();
    let (event_id, stored) = parts.emitter.submit_progress(&patient, event).map_err(refuse_to_emit)?;
    let answer = json!({
        "event_id": event_id,
        "stored": stored.within(STORED_WITHIN).await,
        "viewers": parts.hub.viewers(&Channel::documents(patient.clone())),
        "stream_url": stream_url(&patient, &document),
    });
    Ok((StatusCode::ACCEPTED, Json(answer)).into_response())
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
