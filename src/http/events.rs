//! `POST /api/v1/streams/{kind}/{id}/events`.

use axum::{
    Json,
    extract::{Path, RawQuery, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value};

use super::{
    Grant, Shared,
    body::{JsonBody, parse_id, query_token},
    openapi::{Refusal, TypedEventRequest},
    problem::Problem,
    progress::{PublishAnswer, STORED_WITHIN, refuse, refuse_to_emit},
    stream::{parse_kind, stream_path},
};
use crate::event::{Channel, ChannelKind, Id, TypedEvent, chat_types, check_chat_event};

/// Largest data of a viewer's `typing`, in bytes of JSON.
const MAX_TYPING_BYTES: usize = 512;

/// Takes one event of a service for a chat or for any other kind of work; of a viewer only that it writes.
#[utoipa::path(
    post,
    path = "/api/v1/streams/{kind}/{id}/events",
    tag = "services",
    params(
        ("kind" = String, Path, description = "`chat`, or one of the server's `STREAM_KINDS`"),
        ("id" = Id, Path),
    ),
    request_body = TypedEventRequest,
    security(("viewer" = []), ("viewer_cookie" = []), ("viewer_query" = []), ("service" = [])),
    responses(
        (status = 202, description = "Taken", body = PublishAnswer),
        (status = 400, response = Refusal),
        (status = 401, response = Refusal),
        (status = 403, response = Refusal),
        (status = 404, response = Refusal),
        (status = 413, response = Refusal),
        (status = 415, response = Refusal),
        (status = 503, response = Refusal),
    )
)]
pub(super) async fn publish(
    State(parts): State<Shared>,
    Path((kind, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    JsonBody(fields): JsonBody<Map<String, Value>>,
) -> Result<Response, Problem> {
    let event = TypedEvent::from_fields(fields).map_err(|error| refuse(&error));
    let is_typing = event.as_ref().is_ok_and(|event| event.name.as_str() == chat_types::TYPING);
    let (channel, event) = if kind == ChannelKind::Chat.as_str() && is_typing {
        let channel = Channel::chat(parse_id("id", &id)?);
        let grant = parts.access.viewer(&headers, query_token(query.as_deref()).as_deref())?;
        grant.require(&channel)?;
        (channel, typing_of(&grant, event?)?)
    } else {
        parts.access.service(&headers)?;
        (Channel::new(parse_kind(&parts, &kind)?, parse_id("id", &id)?), event?)
    };
    if *channel.kind() == ChannelKind::Chat {
        check_chat_event(&event).map_err(|error| refuse(&error))?;
    }
    let (event_id, stored) = parts.emitter.submit(&channel, event).map_err(refuse_to_emit)?;
    let answer = PublishAnswer {
        event_id,
        stored: stored.within(STORED_WITHIN).await,
        viewers: parts.hub.viewers(&channel),
        stream_url: stream_path(&channel),
    };
    Ok((StatusCode::ACCEPTED, Json(answer)).into_response())
}

/// What a viewer says of itself stands beside the part it plays, which its token names.
fn typing_of(grant: &Grant, mut event: TypedEvent) -> Result<TypedEvent, Problem> {
    let Grant::Viewer(claims) = grant else { return Ok(event) };
    let size = event.data.to_string().len();
    let Value::Object(data) = &mut event.data else {
        return Err(Problem::bad_request("`data` must be an object."));
    };
    if size > MAX_TYPING_BYTES {
        let detail = format!("`data` is at most {MAX_TYPING_BYTES} bytes of JSON where a viewer is typing.");
        return Err(Problem::too_large(detail));
    }
    // An id that a service is about to use would hide its event.
    event.event_id = None;
    data.insert("role".into(), claims.role.clone().into());
    Ok(event)
}
