//! `POST /api/v1/cases/{case_id}/messages`.

use axum::{
    Json,
    extract::{Path, RawQuery, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::Map;
use utoipa::ToSchema;

use super::{
    Grant, Shared,
    body::{JsonBody, parse_id, query_token},
    openapi::Refusal,
    problem::Problem,
};
use crate::{
    chat::{NewMessage, PostError},
    documents::StoreError,
    event::{ANSWER_ID_PREFIX, Channel, ChatMessage, Id, MAX_CONTENT_BYTES, NOTICE_ID_PREFIX, is_role},
};

/// Largest body in bytes: a text may be six times as long when it is written as JSON.
pub(super) const MAX_BODY_BYTES: usize = 8 * MAX_CONTENT_BYTES;
/// A viewer who could give such an id to a message would end an answer, or keep a notice out.
const RESERVED_PREFIXES: [&str; 2] = [ANSWER_ID_PREFIX, NOTICE_ID_PREFIX];
/// Longest name of a sender in characters.
const MAX_NAME_CHARS: usize = 100;

/// A message to a case.
#[derive(Deserialize, ToSchema)]
pub(super) struct PostRequest {
    /// Names the message: the same one again is kept once.
    #[schema(value_type = Option<Id>)]
    id: Option<String>,
    /// Plain text of at most 10,240 bytes.
    content: String,
    /// A service has to give it; a viewer's is that of its token.
    #[schema(max_length = 64)]
    role: Option<String>,
    sender: Option<PostSender>,
}

/// Who sends it.
#[derive(Default, Deserialize, ToSchema)]
struct PostSender {
    /// A viewer's is the `sub` of its token.
    #[schema(value_type = Option<Id>)]
    id: Option<String>,
    #[schema(min_length = 1, max_length = 100)]
    name: Option<String>,
}

/// Keeps a message and emits it; the same one again gets the same answer.
#[utoipa::path(
    post,
    path = "/api/v1/cases/{case_id}/messages",
    tag = "viewers",
    params(("case_id" = Id, Path)),
    request_body = PostRequest,
    security(("viewer" = []), ("viewer_cookie" = []), ("viewer_query" = []), ("service" = [])),
    responses(
        (status = 201, description = "Kept", body = ChatMessage),
        (status = 200, description = "It was kept before", body = ChatMessage),
        (status = 400, response = Refusal),
        (status = 401, response = Refusal),
        (status = 403, response = Refusal),
        (status = 409, response = Refusal),
        (status = 413, response = Refusal),
        (status = 415, response = Refusal),
        (status = 501, response = Refusal),
        (status = 503, response = Refusal),
        (status = 507, response = Refusal),
    )
)]
pub(super) async fn post(
    State(parts): State<Shared>,
    Path(case): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    JsonBody(request): JsonBody<PostRequest>,
) -> Result<Response, Problem> {
    let case = parse_id("case_id", &case)?;
    let grant = parts.access.viewer(&headers, query_token(query.as_deref()).as_deref())?;
    grant.require(&Channel::chat(case.clone()))?;
    let message = NewMessage {
        id: match &request.id {
            Some(id) => own_id(&grant, id)?,
            None => Id::random(),
        },
        content: plain_text(&request.content)?,
        role: role(&grant, request.role)?,
        sender: sender(&grant, request.sender.unwrap_or_default())?,
    };
    let posted = parts.chat.post(&case, &message).await.map_err(refuse)?;
    if let Some(responder) = &parts.responder {
        // Also for a repeat: whoever heard the first one may have ended.
        responder.hear(&case, &posted.message);
    }
    let status = if posted.is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(posted.message)).into_response())
}

fn own_id(grant: &Grant, text: &str) -> Result<Id, Problem> {
    let reserved = RESERVED_PREFIXES.iter().find(|prefix| text.starts_with(**prefix));
    if let (Grant::Viewer(_), Some(prefix)) = (grant, reserved) {
        let detail = format!("`id`: what begins with {prefix} names what services and this server say.");
        return Err(Problem::forbidden(detail));
    }
    parse_id("id", text)
}

fn plain_text(text: &str) -> Result<String, Problem> {
    let text = text.replace("\r\n", "\n");
    if text.len() > MAX_CONTENT_BYTES {
        return Err(Problem::too_large(format!("`content` is at most {MAX_CONTENT_BYTES} bytes of UTF-8.")));
    }
    let is_plain = |c: char| !c.is_control() || matches!(c, '\n' | '\t');
    if text.trim().is_empty() || !text.chars().all(is_plain) {
        return Err(Problem::bad_request("`content` must be plain text, without control characters."));
    }
    Ok(text)
}

/// A viewer plays the part its token names; a service says for whom it speaks.
fn role(grant: &Grant, asked: Option<String>) -> Result<String, Problem> {
    let role = match (grant, asked) {
        (Grant::Viewer(claims), Some(role)) if role != claims.role => {
            return Err(Problem::forbidden("A viewer speaks in the `role` of its token."));
        }
        (Grant::Viewer(claims), _) => claims.role.clone(),
        (Grant::Service, None) => return Err(Problem::bad_request("A service has to give the `role`.")),
        (_, role) => role.unwrap_or_else(|| "patient".into()),
    };
    if is_role(&role) {
        return Ok(role);
    }
    Err(Problem::bad_request("`role` must be 1 to 64 characters on one line."))
}

fn sender(grant: &Grant, asked: PostSender) -> Result<Map<String, serde_json::Value>, Problem> {
    let mut sender = Map::new();
    if let Some(name) = asked.name {
        if name.is_empty() || name.chars().count() > MAX_NAME_CHARS || name.chars().any(char::is_control) {
            let detail = format!("`sender.name` must be 1 to {MAX_NAME_CHARS} characters on one line.");
            return Err(Problem::bad_request(detail));
        }
        sender.insert("name".into(), name.into());
    }
    let id = match (grant, asked.id) {
        (Grant::Viewer(claims), Some(id)) if claims.sub.as_deref() != Some(&id) => {
            return Err(Problem::forbidden("A viewer's `sender.id` is the `sub` of its token."));
        }
        (Grant::Viewer(claims), _) => claims.sub.clone(),
        (_, id) => id,
    };
    if let Some(id) = id {
        sender.insert("id".into(), parse_id("sender.id", &id)?.as_str().into());
    }
    Ok(sender)
}

fn refuse(error: PostError) -> Problem {
    match error {
        PostError::Conflict(_) => {
            Problem::conflict("Another message of this case has this `id`; give a new message a new one.")
        }
        PostError::Store(StoreError::KeptElsewhere) => Problem::new(
            StatusCode::NOT_IMPLEMENTED,
            "This server keeps no messages, as STATUS_SQL is set. Publish them as events of type `message`.",
        ),
        PostError::Store(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "the message store failed");
            Problem::unavailable("The message store does not answer; send the same message again later.")
        }
    }
}
