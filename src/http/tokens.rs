//! `POST /api/v1/tokens`.

use std::time::Duration;

use axum::{Json, extract::State, http::HeaderMap};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Grant, Shared, access::is_claim, body::JsonBody, openapi::Refusal, problem::Problem};
use crate::clock::to_rfc3339;

/// How long a token lasts, in seconds: default and bounds.
const DEFAULT_TTL: u64 = 900;
const LONGEST_TTL: u64 = 12 * 3_600;
/// Most channels of one token: it has to fit a cookie and a URL.
const MOST_CHANNELS: usize = 32;

/// Asks for a token.
#[derive(Deserialize, ToSchema)]
pub(super) struct TokenRequest {
    /// What it covers: 1 to 32 names such as `doc_progress:p1` or `chat:*`.
    #[schema(min_items = 1, max_items = 32)]
    channels: Vec<String>,
    /// How long it lasts, up to 12 hours.
    #[serde(default = "default_ttl")]
    #[schema(minimum = 1, maximum = 43_200)]
    ttl_seconds: u64,
    /// The part its holder plays; `patient` when left out.
    role: Option<String>,
}

fn default_ttl() -> u64 {
    DEFAULT_TTL
}

/// A token.
#[derive(Serialize, ToSchema)]
pub(super) struct TokenAnswer {
    token: String,
    /// RFC 3339.
    expires_at: String,
}

/// Issues a token for channels to a service, or renews a viewer's for the same or fewer.
#[utoipa::path(
    post,
    path = "/api/v1/tokens",
    tag = "services",
    request_body = TokenRequest,
    security(("viewer" = []), ("viewer_cookie" = []), ("service" = [])),
    responses(
        (status = 200, description = "The token", body = TokenAnswer),
        (status = 400, response = Refusal),
        (status = 401, response = Refusal),
        (status = 403, response = Refusal),
        (status = 413, response = Refusal),
        (status = 415, response = Refusal),
    )
)]
pub(super) async fn issue(
    State(parts): State<Shared>,
    headers: HeaderMap,
    JsonBody(request): JsonBody<TokenRequest>,
) -> Result<Json<TokenAnswer>, Problem> {
    let grant = parts.access.viewer(&headers, None)?;
    check(&request)?;
    if !request.channels.iter().all(|claim| grant.covers_claim(claim)) {
        return Err(Problem::forbidden("A viewer's token renews for the channels it covers, or fewer."));
    }
    let (role, first_issued) = inherited(&grant, request.role)?;
    let ttl = Duration::from_secs(request.ttl_seconds);
    let (token, exp) = parts.access.issue(request.channels, role, ttl, first_issued)?;
    Ok(Json(TokenAnswer { token, expires_at: to_rfc3339(exp * 1_000) }))
}

fn check(request: &TokenRequest) -> Result<(), Problem> {
    if request.channels.is_empty() || request.channels.len() > MOST_CHANNELS {
        return Err(Problem::bad_request(format!("`channels` must name 1 to {MOST_CHANNELS} channels.")));
    }
    if !request.channels.iter().all(|claim| is_claim(claim)) {
        return Err(Problem::bad_request("`channels` must hold names such as doc_progress:p1 or chat:*."));
    }
    if !(1..=LONGEST_TTL).contains(&request.ttl_seconds) {
        return Err(Problem::bad_request(format!("`ttl_seconds` must be from 1 to {LONGEST_TTL}.")));
    }
    Ok(())
}

/// A viewer keeps its role and the time of its first token; one it brought itself counts from now.
fn inherited(grant: &Grant, asked: Option<String>) -> Result<(String, Option<u64>), Problem> {
    match (grant, asked) {
        (Grant::Viewer(claims), Some(role)) if role != claims.role => {
            Err(Problem::forbidden("A viewer's token renews with its own `role`."))
        }
        (Grant::Viewer(claims), _) => Ok((claims.role.clone(), claims.first_issued)),
        (_, Some(role)) if role.is_empty() || role.len() > 64 || role.chars().any(char::is_control) => {
            Err(Problem::bad_request("`role` must be 1 to 64 characters on one line."))
        }
        (_, role) => Ok((role.unwrap_or_else(|| "patient".into()), None)),
    }
}
