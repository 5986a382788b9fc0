//! `GET /api/v1/patients/{patient_id}/documents/stream`.

use axum::{
    extract::{Path, RawQuery, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};

use super::{Shared, body::parse_id, problem::Problem, sse};
use crate::{
    event::{Channel, EventName, Id},
    stream::{Opening, StreamRequest, ViewerCursor},
};

/// Most documents one stream may be narrowed to.
const MOST_NAMED: usize = 50;
/// What a browser sends of its own accord when it comes back.
const LAST_EVENT_ID: &str = "last-event-id";

/// Streams a patient's documents.
pub(super) async fn documents(
    State(parts): State<Shared>,
    Path(patient): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let query = StreamQuery::parse(query.as_deref().unwrap_or_default())?;
    let patient = parse_id("patient_id", &patient)?;
    let grant = parts.access.viewer(&headers, query.token.as_deref())?;
    grant.require(&Channel::documents(patient.clone()))?;
    let request = StreamRequest {
        patient,
        cursor: cursor(&headers, query.last_event_id.as_deref()),
        documents: query.documents,
        events: query.events,
        follow: query.follow,
        expires_at: grant.expires_at(),
    };
    Ok(match parts.streams.open(request).await {
        Opening::Stream(viewer) => sse::respond(viewer),
        Opening::Finished => StatusCode::NO_CONTENT.into_response(),
        Opening::Overloaded => sse::respond_later(),
    })
}

/// The header beats the query: a browser that comes back repeats the old URL.
fn cursor(headers: &HeaderMap, query: Option<&str>) -> ViewerCursor {
    match headers.get(LAST_EVENT_ID) {
        Some(value) => value.to_str().map_or(ViewerCursor::Unreadable, ViewerCursor::parse),
        None => query.map_or(ViewerCursor::New, ViewerCursor::parse),
    }
}

#[derive(Default)]
struct StreamQuery {
    documents: Vec<Id>,
    events: Option<Vec<EventName>>,
    follow: bool,
    last_event_id: Option<String>,
    token: Option<String>,
}

impl StreamQuery {
    fn parse(query: &str) -> Result<Self, Problem> {
        let mut parsed = Self::default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "document_id" => parsed.documents.push(parse_id("document_id", &value)?),
                "events" => parsed.events.get_or_insert_default().extend(parse_names(&value)?),
                "follow" => parsed.follow = parse_flag("follow", &value)?,
                "last_event_id" => parsed.last_event_id = Some(value.into_owned()),
                "token" => parsed.token = Some(value.into_owned()),
                _ => {}
            }
        }
        if parsed.documents.len() > MOST_NAMED {
            return Err(Problem::bad_request(format!(
                "`document_id` may be given {MOST_NAMED} times at most."
            )));
        }
        Ok(parsed)
    }
}

fn parse_names(text: &str) -> Result<Vec<EventName>, Problem> {
    let names = text.split(',').map(str::trim).map(str::parse);
    let names: Result<_, _> = names.collect();
    names.map_err(|error| Problem::bad_request(format!("`events`: {error}, parted by commas.")))
}

fn parse_flag(field: &str, text: &str) -> Result<bool, Problem> {
    match text {
        "1" | "true" => Ok(true),
        "0" | "false" | "" => Ok(false),
        _ => Err(Problem::bad_request(format!("`{field}` must be 1 or 0."))),
    }
}
