//! `GET /openapi.json`: what the routes say of themselves, and the shapes they share.
//!
//! Each handler describes itself with `#[utoipa::path]`; here stands what belongs to none of them.

mod streamed;

use axum::{
    Extension,
    body::Bytes,
    http::header,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::{
    Modify, OpenApi, ToResponse, ToSchema,
    openapi::{
        OpenApi as Description, Ref, RefOr,
        path::Operation,
        security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme},
    },
};
use utoipa_axum::router::OpenApiRouter;

pub(super) use self::streamed::{ChatStreamEvent, DocumentStreamEvent, WorkStreamEvent};
use super::limits;
use crate::event::{Id, Stage, StepStatus};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Tidings",
        description = "Live progress for long-running work, over Server-Sent Events. In development, on a \
                       loopback address, no route needs credentials."
    ),
    components(schemas(Refusal), responses(Refusal)),
    modifiers(&Schemes),
    tags(
        (name = "viewers", description = "Browsers and those who act for them"),
        (name = "services", description = "Stages of the work, and whoever issues tokens"),
        (name = "queue", description = "The queue and the OCR worker it calls"),
        (name = "operators", description = "Health and numbers; they hold no ids"),
        (name = "page", description = "The page to try it all on"),
    )
)]
struct Frontispiece;

struct Schemes;

impl Modify for Schemes {
    fn modify(&self, description: &mut Description) {
        let bearer = |words: &str| {
            let mut scheme = Http::new(HttpAuthScheme::Bearer);
            scheme.description = Some(words.to_owned());
            SecurityScheme::Http(scheme)
        };
        let components = description.components.get_or_insert_default();
        for (name, scheme) in [
            ("service", bearer("The INTERNAL_API_KEY")),
            ("viewer", bearer("A viewer's token, from POST /api/v1/tokens")),
            ("viewer_cookie", SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new("tidings_token")))),
            ("viewer_query", SecurityScheme::ApiKey(ApiKey::Query(ApiKeyValue::new("token")))),
        ] {
            components.add_security_scheme(name, scheme);
        }
    }
}

/// Puts what the routes share before what they say of themselves.
pub(super) fn described<S: Clone + Send + Sync + 'static>(routes: OpenApiRouter<S>) -> OpenApiRouter<S> {
    OpenApiRouter::with_openapi(Frontispiece::openapi()).merge(routes)
}

/// The whole description as it is answered.
#[derive(Clone)]
pub(super) struct Written(Bytes);

impl Written {
    pub(super) fn of(mut description: Description) -> Self {
        name_operations(&mut description);
        Self(description.to_json().expect("a description always serializes").into())
    }
}

/// Names each operation by its method and path: handlers of two files may share a name.
fn name_operations(description: &mut Description) {
    for (path, item) in &mut description.paths.paths {
        let parts = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty());
        let words = parts.collect::<Vec<_>>().join("_");
        for (method, operation) in [
            ("get", &mut item.get),
            ("put", &mut item.put),
            ("post", &mut item.post),
            ("delete", &mut item.delete),
        ] {
            if let Some(operation) = operation {
                mention_limits(path, operation);
                operation.operation_id = Some(format!("{method}_{words}").trim_end_matches('_').to_owned());
            }
        }
    }
}

/// Most routes may be refused for a while, and a body may come too slowly.
fn mention_limits(path: &str, operation: &mut Operation) {
    if !limits::is_limited_by_status(path) {
        return;
    }
    let takes_time = operation.request_body.is_some();
    for status in ["429", "408"].into_iter().take(1 + usize::from(takes_time)) {
        let refusal = RefOr::Ref(Ref::from_response_name("Refusal"));
        operation.responses.responses.entry(status.to_owned()).or_insert(refusal);
    }
}

/// Describes every route: OpenAPI 3.1.
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "operators",
    responses((status = 200, description = "This document", body = Object))
)]
pub(super) async fn document(Extension(Written(text)): Extension<Written>) -> Response {
    ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-cache")], text).into_response()
}

/// Why a request was refused, and what to do about it (RFC 9457).
#[derive(Serialize, ToSchema, ToResponse)]
#[response(content_type = "application/problem+json", description = "Refused: `detail` says what to do")]
pub(super) struct Refusal {
    /// `urn:tidings:problem:` and the kind.
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) title: &'static str,
    pub(super) status: u16,
    /// What was wrong and what is allowed.
    pub(super) detail: String,
}

/// One progress event as a service posts it; other fields pass through to viewers.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes what ProgressEvent::from_fields reads")]
pub(super) struct PublishRequest {
    patient_id: Id,
    document_id: Id,
    stage: Stage,
    /// By stage when left out.
    status: Option<StepStatus>,
    /// Of the whole way; by stage when left out.
    #[schema(minimum = 0, maximum = 100)]
    percent: Option<f64>,
    /// One line for patients, without health data.
    #[schema(max_length = 100)]
    label: Option<String>,
    /// One more line, without health data.
    #[schema(max_length = 200)]
    detail: Option<String>,
    /// When it happened, RFC 3339.
    #[schema(format = DateTime)]
    timestamp: Option<String>,
    /// Names the event: a repeat that the server still knows is dropped.
    event_id: Option<Id>,
    /// Which try of the document, from 1.
    #[schema(minimum = 1, maximum = 10_000)]
    attempt: Option<u32>,
    /// How long the document takes still: at least and at most, in seconds; `null` where that is not known any
    /// more. Anything else is dropped.
    #[schema(min_items = 2, max_items = 2)]
    eta_seconds: Option<Vec<f64>>,
    #[serde(flatten)]
    more: BTreeMap<String, Value>,
}

/// One event of a chat or of any other kind of work, as it is posted.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes what TypedEvent::from_fields reads")]
pub(super) struct TypedEventRequest {
    #[schema(
        rename = "type",
        pattern = r"^(?!(connected|done|heartbeat|source|reconnect)$)[a-z0-9_.-]{1,64}$"
    )]
    kind: String,
    /// What viewers are sent; an empty object when left out. In a chat `message`, `token`, `checkpoint` and
    /// `answer_done` have the data that its stream sends.
    data: Option<Value>,
    /// When it happened, RFC 3339.
    #[schema(format = DateTime)]
    timestamp: Option<String>,
    /// Names the event: a repeat that the server still knows is dropped.
    event_id: Option<Id>,
}
