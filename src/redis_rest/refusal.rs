//! Why a request is not answered with a result, and how that is written.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use redis::{RedisError, ServerError};
use serde_json::{Value, json};

/// What a request gets in place of a result.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The token is missing or another one.
    Token,
    /// A web page asks, and no token is set that would tell friend from foe.
    WebPage,
    /// Neither HEAD, GET, POST nor PUT.
    Method,
    /// The body is larger than Upstash takes.
    Size,
    /// The command is malformed, not available here, or failed; in the words of Redis.
    Command(String),
    /// Redis does not answer; later it may.
    Unreachable,
}

impl Refusal {
    pub(super) fn command(text: impl Into<String>) -> Self {
        Self::Command(text.into())
    }

    /// Gives the error as it stands in an answer.
    pub(super) fn json(&self) -> Value {
        json!({ "error": self.text() })
    }

    const fn status(&self) -> StatusCode {
        match self {
            Self::Token => StatusCode::UNAUTHORIZED,
            Self::WebPage => StatusCode::FORBIDDEN,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Size | Self::Command(_) => StatusCode::BAD_REQUEST,
            Self::Unreachable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn text(&self) -> &str {
        match self {
            Self::Token => "WRONGPASS invalid or missing auth token",
            Self::WebPage => "ERR a request from a web page needs a token: start with --token",
            Self::Method => "ERR method not allowed: use HEAD, GET, POST or PUT",
            Self::Size => "ERR max request size exceeded",
            Self::Command(text) => text,
            Self::Unreachable => "ERR redis is not reachable",
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status(), Json(self.json())).into_response()
    }
}

impl From<RedisError> for Refusal {
    fn from(error: RedisError) -> Self {
        match error.clone().into_server_errors() {
            // The first is the cause; a rejected transaction says only that there was one.
            Some(errors) => Self::Command(errors.first().map(|(_, error)| words(error)).unwrap_or_default()),
            None => {
                tracing::warn!(%error, "redis is not reachable");
                Self::Unreachable
            }
        }
    }
}

/// Gives an error in the words of Redis, for example `ERR syntax error`.
pub(super) fn words(error: &ServerError) -> String {
    match error.details() {
        Some(details) => format!("{} {details}", error.code()),
        None => error.code().to_owned(),
    }
}
