//! Refuses requests of those who have had enough.
//!
//! Streams are answered as the contract wants it: 200, `reconnect`, `overloaded`. An EventSource gives up for good
//! on a 429.

use axum::{
    extract::{MatchedPath, Request, State},
    http::Method,
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{
    Shared,
    access::credential,
    body::query_token,
    problem::Problem,
    sse::{self, OfferedStream},
    stream, webhooks,
};
use crate::limits::Asker;

/// What platforms ask every few seconds; a refusal there would take the process out of service.
const PROBES: [&str; 2] = ["/healthz", "/readyz"];
/// What the queue delivers is signed, and dropped after some refusals.
const DELIVERIES: [&str; 2] = [webhooks::CALLBACK_PATH, webhooks::FAILURE_PATH];

/// Says whether a route answers 429 to those who have had enough.
pub(super) fn is_limited_by_status(route: &str) -> bool {
    ![&PROBES[..], &DELIVERIES, &stream::PATHS].concat().contains(&route)
}

/// Lets a request on, or answers it.
pub(super) async fn admit(State(parts): State<Shared>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str).unwrap_or_default();
    if PROBES.contains(&route) || DELIVERIES.contains(&route) || parts.access.is_service(request.headers()) {
        return next.run(request).await;
    }
    let is_stream = stream::PATHS.contains(&route) && request.method() == Method::GET;
    let asker = asker(&parts, &request);
    if let Err(wait) = parts.limits.take_request(asker) {
        return if is_stream { later(&parts) } else { Problem::too_many_requests(wait).into_response() };
    }
    if !is_stream {
        return next.run(request).await;
    }
    match parts.limits.take_stream(asker) {
        Some(place) => {
            let answer = next.run(request).await;
            OfferedStream::hold(&answer, place);
            answer
        }
        None => later(&parts),
    }
}

fn asker(parts: &Shared, request: &Request) -> Asker {
    if !parts.limits.asks_who() {
        return Asker::default();
    }
    let headers = request.headers();
    let query = query_token(request.uri().query());
    let token = credential(headers, query.as_deref());
    Asker {
        address: parts.limits.addresses().find(headers, request.extensions()),
        token: token.map(|token| parts.limits.name(&token)),
    }
}

fn later(parts: &Shared) -> Response {
    parts.metrics.stream_declined("overloaded");
    sse::respond_later()
}
