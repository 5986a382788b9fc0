//! Refuses requests of those who have had enough.
//!
//! Streams are answered as the contract wants it: 200, `reconnect`, `overloaded`. An EventSource gives up for good
//! on a 429.

use std::time::Duration;

use axum::{
    extract::{MatchedPath, Request},
    http::Method,
    response::{IntoResponse, Response},
};

use super::{Parts, access::credential, body::query_token, problem::Problem, sse, stream, webhooks};
use crate::limits::{Asker, StreamPlace};

/// What platforms ask every few seconds; a refusal there would take the process out of service.
const PROBES: [&str; 2] = ["/healthz", "/readyz"];
/// What the queue delivers is signed, and dropped after some refusals.
const DELIVERIES: [&str; 2] = [webhooks::CALLBACK_PATH, webhooks::FAILURE_PATH];

/// Says whether a route answers 429 to those who have had enough.
pub(super) fn is_limited_by_status(route: &str) -> bool {
    ![&PROBES[..], &DELIVERIES, &stream::PATHS].concat().contains(&route)
}

/// Who has had enough.
pub(super) enum Enough {
    /// Whoever asks, for so long.
    Requests(Duration),
    /// Whoever wants a stream.
    Streams,
}

/// Lets a request in, with the place that its stream takes.
pub(super) fn admit(parts: &Parts, request: &Request) -> Result<Option<StreamPlace>, Enough> {
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str).unwrap_or_default();
    if PROBES.contains(&route) || DELIVERIES.contains(&route) || parts.access.is_service(request.headers()) {
        return Ok(None);
    }
    let asker = asker(parts, request);
    let taken = parts.limits.take_request(asker);
    if !stream::PATHS.contains(&route) || request.method() != Method::GET {
        return taken.map(|()| None).map_err(Enough::Requests);
    }
    let place = taken.ok().and_then(|()| parts.limits.take_stream(asker));
    if place.is_none() {
        parts.metrics.stream_declined("overloaded");
    }
    place.map(Some).ok_or(Enough::Streams)
}

impl IntoResponse for Enough {
    fn into_response(self) -> Response {
        match self {
            Self::Requests(wait) => Problem::too_many_requests(wait).into_response(),
            Self::Streams => sse::respond_later(),
        }
    }
}

fn asker(parts: &Parts, request: &Request) -> Asker {
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
