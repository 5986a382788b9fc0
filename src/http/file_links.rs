//! `GET /api/v1/documents/{document_id}/file`: files for whoever holds a signed link.

use std::time::Duration;

use async_trait::async_trait;
use axum::{
    extract::{Path, RawQuery, State},
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::{
    Shared,
    body::{parse_id, query_token},
    openapi::Refusal,
    problem::Problem,
    uploads::{files_failed, store_failed},
};
use crate::{
    clock::Clock,
    documents::{FileError, Files, Upload, ocr::FileLinks},
    event::Id,
};

/// How long a link lasts: the queue may try a worker for over an hour.
const LINK_LASTS: Duration = Duration::from_secs(2 * 3_600);
/// How far clocks may differ, in seconds.
const LEEWAY: u64 = 5;
/// A file is to be read by a program, never shown as a page of ours.
const HEADERS: [(HeaderName, HeaderValue); 2] = [
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment")),
];

/// Signs and checks links to files: those in a bucket the bucket answers, others this server itself.
pub struct SignedFileLinks {
    files: Files,
    public_url: String,
    encoding: EncodingKey,
    decoding: DecodingKey,
    clock: Clock,
}

/// What a link allows: to get one file.
#[derive(Clone, Serialize, Deserialize)]
struct LinkClaims {
    exp: u64,
    download: Id,
}

impl SignedFileLinks {
    /// Makes links below `public_url`. The secret has to outlive the process: the queue holds links over restarts.
    #[must_use]
    pub fn new(files: Files, public_url: String, secret: &SecretString, clock: Clock) -> Self {
        let secret = secret.expose_secret().as_bytes();
        let (encoding, decoding) = (EncodingKey::from_secret(secret), DecodingKey::from_secret(secret));
        Self { files, public_url, encoding, decoding, clock }
    }

    fn sign(&self, document: &Id) -> String {
        let exp = self.clock.seconds() + LINK_LASTS.as_secs();
        let claims = LinkClaims { exp, download: document.clone() };
        encode(&Header::new(Algorithm::HS256), &claims, &self.encoding).expect("claims always serialize")
    }

    fn allows(&self, document: &Id, token: &str) -> bool {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = LEEWAY;
        let claims = decode::<LinkClaims>(token, &self.decoding, &validation);
        claims.is_ok_and(|data| data.claims.download == *document)
    }
}

#[async_trait]
impl FileLinks for SignedFileLinks {
    async fn link(&self, upload: &Upload) -> Result<String, FileError> {
        let document = &upload.document_id;
        if let Some(url) = self.files.download_url(document, LINK_LASTS).await? {
            return Ok(url.into());
        }
        let token = self.sign(document);
        Ok(format!("{}/api/v1/documents/{document}/file?token={token}", self.public_url))
    }
}

/// Answers a file to whoever holds a link to it.
#[utoipa::path(
    get,
    path = "/api/v1/documents/{document_id}/file",
    tag = "queue",
    params(
        ("document_id" = Id, Path),
        ("token" = String, Query, description = "Part of the link that the worker is given"),
    ),
    responses(
        (status = 200, content_type = "application/octet-stream", description = "The file, as what it was announced"),
        (status = 400, response = Refusal),
        (status = 401, response = Refusal),
        (status = 404, response = Refusal),
        (status = 503, response = Refusal),
    )
)]
pub(super) async fn file(
    State(parts): State<Shared>,
    Path(document): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let document = parse_id("document_id", &document)?;
    let token = query_token(query.as_deref()).unwrap_or_default();
    if !parts.ocr.as_ref().is_some_and(|ocr| ocr.links.allows(&document, &token)) {
        return Err(Problem::unauthorized("This link has ended, was changed, or is for another document."));
    }
    let upload = parts.store.upload(&document).await.map_err(store_failed)?.ok_or_else(gone)?;
    let file = parts.files.read(&document).await.map_err(|error| files_failed(&error))?.ok_or_else(gone)?;
    let mut answer = file.into_response();
    answer.headers_mut().extend(HEADERS);
    if let Ok(content_type) = HeaderValue::from_str(&upload.content_type) {
        answer.headers_mut().insert(header::CONTENT_TYPE, content_type);
    }
    Ok(answer)
}

fn gone() -> Problem {
    Problem::not_found("The file is not there any more.")
}
