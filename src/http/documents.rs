//! `GET /api/v1/patients/{patient_id}/documents`: statuses for clients that cannot stream, and
//! `POST /api/v1/documents/{document_id}/retry`.

use axum::{
    Json,
    extract::{Path, RawQuery, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::{
    Shared,
    body::{parse_id, query_token},
    problem::Problem,
    progress::stream_url,
    uploads::{store_failed, token_for},
};
use crate::{
    clock::to_rfc3339,
    documents::{DocumentRecord, RetryError, StatusQuery},
    event::Channel,
};

/// Lists where a patient's newest documents stand.
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
    let documents: Vec<_> = documents.iter().map(show).collect();
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(json!({ "documents": documents }))).into_response())
}

/// Starts the next attempt at a failed document.
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
    let attempt = parts.pipeline.retry(&upload).await.map_err(|error| match error {
        RetryError::Interrupted => Problem::unavailable("The server goes down; try again."),
        RetryError::NotFailed => Problem::conflict(
            "Only a document that has failed is tried again; this one is under way, complete, or not confirmed.",
        ),
        RetryError::Store(error) => store_failed(error),
    })?;
    let answer = json!({
        "document_id": document,
        "status": "uploaded",
        "attempt": attempt,
        "stream_url": stream_url(&upload.patient_id, &document),
        "token": token_for(&parts, &grant, &Channel::documents(upload.patient_id.clone())),
    });
    Ok((StatusCode::ACCEPTED, Json(answer)).into_response())
}

fn show(document: &DocumentRecord) -> serde_json::Value {
    json!({
        "document_id": document.document_id,
        "filename": document.filename,
        "status": document.status,
        "reason": document.reason,
        "attempt": document.attempt,
        "updated_at": to_rfc3339(document.updated_at),
    })
}
