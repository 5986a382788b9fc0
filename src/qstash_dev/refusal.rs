//! Why a request is refused, and how that is written.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;

/// What a request gets in place of a message id.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The token is missing or another one.
    Token,
    /// The message cannot be taken as it is; in words.
    Bad(String),
    /// The body is larger than a message may be.
    TooLarge,
    /// No such path or method.
    NotServed,
    /// The queue holds all it may.
    Full,
}

impl Refusal {
    pub(super) fn bad(words: impl Into<String>) -> Self {
        Self::Bad(words.into())
    }

    const fn status(&self) -> StatusCode {
        match self {
            Self::Token => StatusCode::UNAUTHORIZED,
            Self::Bad(_) => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NotServed => StatusCode::NOT_FOUND,
            Self::Full => StatusCode::TOO_MANY_REQUESTS,
        }
    }

    fn words(&self) -> &str {
        match self {
            Self::Token => "unauthorized: send the token as Authorization: Bearer",
            Self::Bad(words) => words,
            Self::TooLarge => "maximum allowed message size exceeded: 10485760 bytes",
            Self::NotServed => "qstash-dev serves POST /v2/publish/<destination> and GET /v2/keys only",
            Self::Full => "qstash-dev holds all it may: 1000 messages, 256 MiB",
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status(), Json(json!({ "error": self.words() }))).into_response()
    }
}
