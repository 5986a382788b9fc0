//! Error answers a person can act on: `application/problem+json` (RFC 9457).

use std::{borrow::Cow, time::Duration};

use super::{Parts, openapi::Refusal};
use axum::{
    Json,
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

const MEDIA_TYPE: &str = "application/problem+json";

/// Tells a client what was wrong and what is allowed.
#[derive(Debug, Clone)]
pub struct Problem {
    status: StatusCode,
    kind: &'static str,
    title: &'static str,
    detail: Cow<'static, str>,
    /// In seconds.
    retry_after: Option<u64>,
}

/// Names the kind of a problem in its answer, for counting.
#[derive(Clone, Copy)]
struct ProblemKind(&'static str);

impl Problem {
    /// Refuses a malformed request.
    pub fn bad_request(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// Asks for credentials.
    pub fn unauthorized(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, detail)
    }

    /// Refuses what the credentials do not cover.
    pub fn forbidden(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::FORBIDDEN, detail)
    }

    /// Says of which part of the request it tells.
    #[must_use]
    pub fn about(self, part: impl std::fmt::Display) -> Self {
        Self { detail: format!("{part}: {}", self.detail).into(), ..self }
    }

    /// Says that something is not there.
    pub fn not_found(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// Says that something is not in the right state.
    pub fn conflict(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::CONFLICT, detail)
    }

    /// Refuses what is too large.
    pub fn too_large(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
    }

    /// Says that a part behind the server does not answer.
    pub fn unavailable(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    }

    /// Says that a body did not come in time.
    pub fn too_slow(within: Duration) -> Self {
        let detail = format!("The body has to be whole within {} seconds.", within.as_secs());
        Self::new(StatusCode::REQUEST_TIMEOUT, detail)
    }

    /// Asks whoever has had enough to come back after `wait`.
    pub fn too_many_requests(wait: Duration) -> Self {
        let seconds = wait.as_secs_f64().ceil().clamp(1.0, 60.0) as u64;
        let detail =
            format!("Too many requests from this address or with this token; try again in {seconds} s.");
        Self { retry_after: Some(seconds), ..Self::new(StatusCode::TOO_MANY_REQUESTS, detail) }
    }

    /// Says that there is no room to keep what came.
    pub fn full() -> Self {
        let detail =
            "The server has no room left; nothing of this is kept. Try again once its operator made room.";
        Self::new(StatusCode::INSUFFICIENT_STORAGE, detail)
    }

    /// Makes the problem of a status.
    pub fn new(status: StatusCode, detail: impl Into<Cow<'static, str>>) -> Self {
        let (kind, title) = kind_and_title(status);
        Self { status, kind, title, detail: detail.into(), retry_after: None }
    }
}

fn kind_and_title(status: StatusCode) -> (&'static str, &'static str) {
    match status {
        StatusCode::BAD_REQUEST => ("bad_request", "The request is not right"),
        StatusCode::UNAUTHORIZED => ("unauthorized", "Credentials are needed"),
        StatusCode::FORBIDDEN => ("forbidden", "The credentials do not cover this"),
        StatusCode::NOT_FOUND => ("not_found", "Not here"),
        StatusCode::METHOD_NOT_ALLOWED => ("method_not_allowed", "This route takes another method"),
        StatusCode::REQUEST_TIMEOUT => ("too_slow", "The request took too long to come"),
        StatusCode::CONFLICT => ("conflict", "Not in this state"),
        StatusCode::PAYLOAD_TOO_LARGE => ("too_large", "Too large"),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => ("unsupported_media_type", "This type is not taken"),
        StatusCode::TOO_MANY_REQUESTS => ("too_many_requests", "Enough for now"),
        StatusCode::NOT_IMPLEMENTED => ("not_implemented", "This server is not set up for this"),
        StatusCode::SERVICE_UNAVAILABLE => ("unavailable", "A part of the server does not answer"),
        StatusCode::INSUFFICIENT_STORAGE => ("full", "There is no room left"),
        _ if status.is_client_error() => ("refused", "The request was refused"),
        _ => ("internal", "The server failed"),
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = Refusal {
            kind: format!("urn:tidings:problem:{}", self.kind),
            title: self.title,
            status: self.status.as_u16(),
            detail: self.detail.into_owned(),
        };
        let mut answer = (self.status, [(header::CONTENT_TYPE, MEDIA_TYPE)], Json(body)).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            answer.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after {
            answer.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        answer.extensions_mut().insert(ProblemKind(self.kind));
        answer
    }
}

/// Gives every refusal the same form, also those of the framework, and counts it.
pub(super) fn unify(parts: &Parts, answer: Response) -> Response {
    let status = answer.status();
    if !status.is_client_error() && !status.is_server_error() {
        return answer;
    }
    let answer = match answer.extensions().get::<ProblemKind>() {
        Some(_) => answer,
        // An answer of our own that tells more than a problem would: readiness.
        None if is_json(&answer) => return answer,
        None => reword(answer),
    };
    if let Some(ProblemKind(kind)) = answer.extensions().get() {
        parts.metrics.refused(kind);
    }
    answer
}

fn is_json(answer: &Response) -> bool {
    answer.headers().get(header::CONTENT_TYPE).is_some_and(|media_type| media_type == "application/json")
}

/// Keeps the headers of an answer, such as `Allow`, and replaces its text.
fn reword(answer: Response) -> Response {
    let problem = Problem::new(answer.status(), detail_of(answer.status())).into_response();
    let (mut parts, _) = answer.into_parts();
    let (problem_parts, body) = problem.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.extend(problem_parts.headers);
    parts.extensions.extend(problem_parts.extensions);
    Response::from_parts(parts, Body::new(body))
}

const fn detail_of(status: StatusCode) -> &'static str {
    match status {
        StatusCode::NOT_FOUND => "No route has this path; docs/wire.md lists the routes.",
        StatusCode::METHOD_NOT_ALLOWED => "The Allow header lists the methods of this route.",
        StatusCode::PAYLOAD_TOO_LARGE => "The body is larger than this route takes.",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "Send the body as application/json.",
        StatusCode::BAD_REQUEST => "The path, the query or the body could not be read.",
        _ => "The request could not be answered.",
    }
}
