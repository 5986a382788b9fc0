//! `GET /api/v1/patients/{patient_id}/documents`: statuses for clients that cannot stream.

use axum::{
    Json,
    extract::{Path, RawQuery, State},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::{
    Shared,
    body::{parse_id, query_token},
    problem::Problem,
    uploads::store_failed,
};
use crate::{
    clock::to_rfc3339,
    documents::{DocumentRecord, StatusQuery},
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
