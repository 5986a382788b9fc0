//! Streams: `GET /api/v1/patients/{patient_id}/documents/stream`, `GET /api/v1/cases/{case_id}/chat/stream`,
//! `GET /api/v1/streams/{kind}/{id}`.

use axum::{
    extract::{Path, RawQuery, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};

use super::{
    Shared,
    body::parse_id,
    openapi::{ChatStreamEvent, DocumentStreamEvent, Refusal, WorkStreamEvent},
    problem::Problem,
    sse,
};
use crate::{
    event::{Channel, ChannelKind, EventName, Id},
    stream::{Opening, StreamRequest, ViewerCursor},
};

/// Where streams are.
pub(super) const PATHS: [&str; 3] = [DOCUMENTS_PATH, CHAT_PATH, OTHER_PATH];
const DOCUMENTS_PATH: &str = "/api/v1/patients/{patient_id}/documents/stream";
const CHAT_PATH: &str = "/api/v1/cases/{case_id}/chat/stream";
const OTHER_PATH: &str = "/api/v1/streams/{kind}/{id}";
/// Most documents one stream may be narrowed to.
const MOST_NAMED: usize = 50;
/// What a browser sends of its own accord when it comes back.
const LAST_EVENT_ID: &str = "last-event-id";

/// Streams a patient's documents.
///
/// Ends with `done` when nothing covered is under way any more, or with `reconnect` where the viewer is
/// to come back; an EventSource does so by itself, with the last id it was given.
#[utoipa::path(
    get,
    path = DOCUMENTS_PATH,
    tag = "viewers",
    params(
        ("patient_id" = Id, Path),
        ("document_id" = Option<Vec<Id>>, Query, description = "Only these documents, up to 50; repeatable"),
        ("events" = Option<String>, Query, description = "Only these events of the log and of the statuses, \
            parted by commas; `connected`, `done`, `reconnect`, `source` and `heartbeat` always come"),
        ("follow" = Option<String>, Query, description = "`1` stays open after `done`"),
        ("last_event_id" = Option<String>, Query, description = "A cursor, or `earliest` for all the log holds"),
        ("Last-Event-ID" = Option<String>, Header, description = "A cursor; beats the query"),
    ),
    security(("viewer" = []), ("viewer_cookie" = []), ("viewer_query" = []), ("service" = [])),
    responses(
        (status = 200, content_type = "text/event-stream", body = DocumentStreamEvent,
            description = "Server-Sent Events: `event` and `data` of each are as in the schema. Overload is \
                `reconnect` and an end as well: an EventSource gives up on any other status"),
        (status = 204, description = "All is over and this viewer has been told"),
        (status = 400, response = Refusal),
        (status = 401, response = Refusal),
        (status = 403, response = Refusal),
    )
)]
pub(super) async fn documents(
    State(parts): State<Shared>,
    Path(patient): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let query = StreamQuery::parse(query.as_deref().unwrap_or_default())?;
    open(&parts, Channel::documents(parse_id("patient_id", &patient)?), query, &headers).await
}

/// Streams a case's chat.
///
/// It has no `done`, and ends with `reconnect` only: an EventSource then comes back by itself, with the last id it
/// was given.
#[utoipa::path(
    get,
    path = CHAT_PATH,
    tag = "viewers",
    params(
        ("case_id" = Id, Path),
        ("events" = Option<String>, Query, description = "Only these events of the log and of the store, parted \
            by commas; `connected`, `reconnect`, `source` and `heartbeat` always come"),
        ("last_event_id" = Option<String>, Query, description = "A cursor, or `earliest` for all the log holds"),
        ("Last-Event-ID" = Option<String>, Header, description = "A cursor; beats the query"),
    ),
    security(("viewer" = []), ("viewer_cookie" = []), ("viewer_query" = []), ("service" = [])),
    responses(
        (status = 200, content_type = "text/event-stream", body = ChatStreamEvent,
            description = "Server-Sent Events: `event` and `data` of each are as in the schema. Overload is \
                `reconnect` and an end as well: an EventSource gives up on any other status"),
        (status = 400, response = Refusal),
        (status = 401, response = Refusal),
        (status = 403, response = Refusal),
    )
)]
pub(super) async fn chat(
    State(parts): State<Shared>,
    Path(case): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let query = StreamQuery::parse(query.as_deref().unwrap_or_default())?.of_any_kind()?;
    open(&parts, Channel::chat(parse_id("case_id", &case)?), query, &headers).await
}

/// Streams any other kind of work.
///
/// It has no `done`, and ends with `reconnect` only: an EventSource then comes back by itself, with the last id it
/// was given.
#[utoipa::path(
    get,
    path = OTHER_PATH,
    tag = "viewers",
    params(
        ("kind" = String, Path, description = "One of the server's `STREAM_KINDS`"),
        ("id" = Id, Path),
        ("events" = Option<String>, Query, description = "Only these events of the log, parted by commas; \
            `connected`, `reconnect`, `source` and `heartbeat` always come"),
        ("last_event_id" = Option<String>, Query, description = "A cursor, or `earliest` for all the log holds"),
        ("Last-Event-ID" = Option<String>, Header, description = "A cursor; beats the query"),
    ),
    security(("viewer" = []), ("viewer_cookie" = []), ("viewer_query" = []), ("service" = [])),
    responses(
        (status = 200, content_type = "text/event-stream", body = WorkStreamEvent,
            description = "Server-Sent Events: `event` and `data` of each are as in the schema. Overload is \
                `reconnect` and an end as well: an EventSource gives up on any other status"),
        (status = 400, response = Refusal),
        (status = 401, response = Refusal),
        (status = 403, response = Refusal),
        (status = 404, response = Refusal),
    )
)]
pub(super) async fn other(
    State(parts): State<Shared>,
    Path((kind, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let query = StreamQuery::parse(query.as_deref().unwrap_or_default())?.of_any_kind()?;
    let kind = match parse_kind(&parts, &kind)? {
        ChannelKind::Chat => {
            return Err(Problem::not_found("A chat is followed at /api/v1/cases/{case_id}/chat/stream."));
        }
        kind => kind,
    };
    open(&parts, Channel::new(kind, parse_id("id", &id)?), query, &headers).await
}

async fn open(
    parts: &Shared,
    channel: Channel,
    query: StreamQuery,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let grant = parts.access.viewer(headers, query.token.as_deref())?;
    grant.require(&channel)?;
    let request = StreamRequest {
        cursor: cursor(headers, query.last_event_id.as_deref()),
        documents: query.documents,
        events: query.events,
        follow: query.follow,
        expires_at: grant.expires_at(),
        ..StreamRequest::of(channel)
    };
    Ok(match parts.streams.open(request).await {
        Opening::Stream(viewer) => sse::respond(viewer),
        Opening::Finished => StatusCode::NO_CONTENT.into_response(),
        Opening::Overloaded => sse::respond_later(),
    })
}

/// Reads a kind of channel that takes any type of event.
pub(super) fn parse_kind(parts: &Shared, text: &str) -> Result<ChannelKind, Problem> {
    match text.parse() {
        Ok(ChannelKind::Documents) => Err(Problem::not_found(
            "Documents have routes of their own: /api/v1/progress and .../documents/stream.",
        )),
        Ok(kind) if kind == ChannelKind::Chat || parts.kinds.contains(&kind) => Ok(kind),
        _ => Err(Problem::not_found("This kind of stream is not named in the server's STREAM_KINDS.")),
    }
}

/// Gives the path of a channel's stream.
pub(crate) fn stream_path(channel: &Channel) -> String {
    let id = channel.id();
    match channel.kind() {
        ChannelKind::Documents => format!("/api/v1/patients/{id}/documents/stream"),
        ChannelKind::Chat => format!("/api/v1/cases/{id}/chat/stream"),
        ChannelKind::Other(kind) => format!("/api/v1/streams/{kind}/{id}"),
    }
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

    /// Refuses what only streams of documents know.
    fn of_any_kind(self) -> Result<Self, Problem> {
        if self.documents.is_empty() {
            return Ok(self);
        }
        Err(Problem::bad_request("`document_id` narrows streams of documents only."))
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
