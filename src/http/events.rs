//! `POST /api/v1/streams/{kind}/{id}/events`.

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};

use super::{
    Shared,
    body::{JsonBody, parse_id},
    problem::Problem,
    progress::{STORED_WITHIN, refuse, refuse_to_emit},
    stream::{parse_kind, stream_path},
};
use crate::event::{Channel, TypedEvent};

/// Takes one event of a service for a chat or for any other kind of work.
pub(super) async fn publish(
    State(parts): State<Shared>,
    Path((kind, id)): Path<(String, String)>,
    headers: HeaderMap,
    JsonBody(fields): JsonBody<Map<String, Value>>,
) -> Result<Response, Problem> {
    parts.access.service(&headers)?;
    let channel = Channel::new(parse_kind(&parts, &kind)?, parse_id("id", &id)?);
    let event = TypedEvent::from_fields(fields).map_err(|error| refuse(&error))?;
    let (event_id, stored) = parts.emitter.submit(&channel, event).map_err(refuse_to_emit)?;
    let answer = json!({
        "event_id": event_id,
        "stored": stored.within(STORED_WITHIN).await,
        "viewers": parts.hub.viewers(&channel),
        "stream_url": stream_path(&channel),
    });
    Ok((StatusCode::ACCEPTED, Json(answer)).into_response())
}
