//! Reads JSON bodies, ids and the token of a query, and says what is wrong with them.

use std::{borrow::Cow, time::Duration};

use axum::{
    body::Bytes,
    extract::{FromRequest, Request, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header},
};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::problem::Problem;
use crate::event::Id;

/// Largest JSON body in bytes: an event and its routing.
pub(super) const MAX_JSON_BYTES: usize = 20 * 1024;
/// How long a JSON body may take to come, from its head on.
const WHOLE_WITHIN: Duration = Duration::from_secs(20);

/// A JSON body of a known shape.
pub(super) struct JsonBody<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        // A form of another site could post any other type without asking first.
        if !is_json(request.headers()) {
            let detail = "Send the body as application/json.";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
        }
        let reading = timeout(WHOLE_WITHIN, Bytes::from_request(request, state));
        let bytes = reading.await.map_err(|_| Problem::too_slow(WHOLE_WITHIN))?;
        let bytes = bytes.map_err(|rejection| unreadable(&rejection))?;
        serde_json::from_slice(&bytes).map(Self).map_err(|error| Problem::bad_request(describe(&error)))
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let media_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    media_type.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}

fn unreadable(rejection: &BytesRejection) -> Problem {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return Problem::too_large("The body is larger than this route takes.");
    }
    Problem::bad_request("The body could not be read to its end.")
}

fn describe(error: &serde_json::Error) -> String {
    if error.is_data() {
        return format!("The body does not have the form this route takes: {error}.");
    }
    format!("The body is not JSON in UTF-8 (line {}, column {}).", error.line(), error.column())
}

/// Parses an id that stands in a path, query or body under the name `field`.
pub(super) fn parse_id(field: &str, text: &str) -> Result<Id, Problem> {
    Id::parse(text).map_err(|error| Problem::bad_request(format!("`{field}`: {error}.")))
}

/// Gives the `token` of a query.
pub(super) fn query_token(query: Option<&str>) -> Option<Cow<'_, str>> {
    let mut pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    pairs.find(|(name, _)| name == "token").map(|(_, token)| token)
}
