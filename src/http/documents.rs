//! `GET /api/v1/patients/{patient_id}/documents`: statuses for clients that cannot stream, and
//! `POST /api/v1/documents/{document_id}/retry`.

use axum::{
    Json,
    extract::{Path, RawQuery, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Shared,
    body::{parse_id, query_token},
    openapi::Refusal,
    problem::Problem,
    progress::{stream_url, trace_parent},
    uploads::{store_failed, token_for},
};
use crate::{
    clock::to_rfc3339,
    documents::{DocumentRecord, DocumentStatus, RetryError, StatusQuery},
    event::{Channel, Id},
};

/// Where a patient's documents stand.
#[derive(Serialize, ToSchema)]
pub(super) struct DocumentList {
    /// The newest 50, and all that are not over.
    documents: Vec<ListedDocument>,
}

/// Where one document stands.
#[derive(Serialize, ToSchema)]
struct ListedDocument {
    document_id: Id,
    /// What its file was called.
    filename: Option<String>,
    status: DocumentStatus,
    /// Why it failed.
    reason: Option<String>,
    /// Which try, from 1.
    attempt: u32,
    /// When it last moved, RFC 3339.
    updated_at: String,
}

/// Lists where a patient's newest documents stand, for clients that cannot stream.
#[utoipa::path(
    get,
    path = "/api/v1/patients/{patient_id}/documents",
    tag = "viewers",
    params(("patient_id" = Id, Path)),
    security(("viewer" = []), ("viewer_cookie" = []), ("viewer_query" = []), ("service" = [])),
    responses(
        (status = 200, description = "Where the documents stand", body = DocumentList),
        (status = 400, response = Refusal),
        (status = 401, response = Refusal),
        (status = 403, response = Refusal),
        (status = 503, response = Refusal),
    )
)]
pub(super) async fn list(
    State(parts): State<Shared>,
    Path(patient): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let patient = parse_id("patient_id", &patient)?;
    let grant = parts.access.viewer(&headers, query_token(query.as_deref()).as_deref())?;
    grant.require(&Channel::documents(patient.clone()))?;
    let query = StatusQuery { patients: vec![patient], named: Vec::new(), active_since: 0 };
    let documents = parts.store.statuses(&query).await.map_err(store_failed)?;
    let documents = documents.into_iter().map(show).collect();
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(DocumentList { documents })).into_response())
}

/// The next attempt at a document.
#[derive(Serialize, ToSchema)]
pub(super) struct RetryAnswer {
    document_id: Id,
    status: DocumentStatus,
    /// Which try, from 2.
    attempt: u32,
    stream_url: String,
    /// A token for the stream; none where the caller's own may no longer be renewed.
    token: Option<String>,
}

/// Starts the next attempt at a failed document.
#[utoipa::path(
    post,
    path = "/api/v1/documents/{document_id}/retry",
    tag = "viewers",
    params(
        ("document_id" = Id, Path),
        ("traceparent" = Option<String>, Header, description = "W3C Trace Context: the trace of the caller's work"),
    ),
    security(("viewer" = []), ("viewer_cookie" = []), ("service" = [])),
    responses(
        (status = 202, description = "The next attempt begins", body = RetryAnswer),
        (status = 400, response = Refusal),
        (status = 401, response = Refusal),
        (status = 404, response = Refusal),
        (status = 409, response = Refusal),
        (status = 501, response = Refusal),
        (status = 503, response = Refusal),
        (status = 507, response = Refusal),
    )
)]
pub(super) async fn retry(
    State(parts): State<Shared>,
    Path(document): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let grant = parts.access.viewer(&headers, None)?;
    let document = parse_id("document_id", &document)?;
    let upload = parts.store.upload(&document).await.map_err(store_failed)?;
    // Whoever may not see the patient is not told that the document exists.
    let upload = upload
        .filter(|upload| grant.covers(&Channel::documents(upload.patient_id.clone())))
        .ok_or_else(|| Problem::not_found("No document of yours has this document_id."))?;
    let attempt = parts.pipeline.retry(&upload, trace_parent(&headers)).await.map_err(|error| match error {
        RetryError::Interrupted => Problem::unavailable("The server goes down; try again."),
        RetryError::NotFailed => Problem::conflict(
            "Only a document that has failed is tried again; this one is under way, complete, or not confirmed.",
        ),
        RetryError::Store(error) => store_failed(error),
    })?;
    let stream_url = stream_url(&upload.patient_id, &document);
    let token = token_for(&parts, &grant, &Channel::documents(upload.patient_id));
    let status = DocumentStatus::Uploaded;
    let answer = RetryAnswer { document_id: document, status, attempt, stream_url, token };
    Ok((StatusCode::ACCEPTED, Json(answer)).into_response())
}

fn show(document: DocumentRecord) -> ListedDocument {
    ListedDocument {
        document_id: document.document_id,
        filename: document.filename,
        status: document.status,
        reason: document.reason,
        attempt: document.attempt,
        updated_at: to_rfc3339(document.updated_at),
    }
}
