//! `GET /api/v1/patients/{patient_id}/documents`: statuses for clients that cannot stream.

use axum::{
    Json,
    extract::{Path, RawQuery, State},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Shared,
    body::{parse_id, query_token},
    openapi::Refusal,
    problem::Problem,
    uploads::store_failed,
};
use crate::{
    clock::to_rfc3339,
    documents::{DocumentRecord, DocumentStatus, StatusQuery},
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
