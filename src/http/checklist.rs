//! `GET /api/v1/cases/{case_id}/checklist` and `GET /api/v1/procedures/{code}/requirements`, cached reads, and
//! `GET /api/v1/procedures`, which a page asks for once.

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
    documents::{Checklist, Requirements, matching::Requirement},
    event::{Channel, Id},
};

/// What a procedure asks for.
#[derive(Serialize, ToSchema)]
struct ProcedureRequirements {
    procedure_code: Id,
    requirements: Vec<Requirement>,
}

/// The procedures that ask for documents.
#[derive(Serialize, ToSchema)]
struct Procedures {
    /// Their codes, in order.
    procedures: Vec<String>,
}

/// Lists the procedures that ask for documents.
#[utoipa::path(
    get,
    path = "/api/v1/procedures",
    tag = "viewers",
    security(("viewer" = []), ("viewer_cookie" = []), ("viewer_query" = []), ("service" = [])),
    responses(
        (status = 200, description = "Their codes", body = Procedures),
        (status = 401, response = Refusal),
        (status = 501, response = Refusal),
        (status = 503, response = Refusal),
    )
)]
pub(super) async fn procedures(
    State(parts): State<Shared>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    parts.access.viewer(&headers, query_token(query.as_deref()).as_deref())?;
    let procedures = parts.store.procedures().await.map_err(store_failed)?;
    Ok(answer(Procedures { procedures }))
}

/// Lays the documents of a case against what its procedure asks for.
#[utoipa::path(
    get,
    path = "/api/v1/cases/{case_id}/checklist",
    tag = "viewers",
    params(("case_id" = Id, Path)),
    security(("viewer" = []), ("viewer_cookie" = []), ("viewer_query" = []), ("service" = [])),
    responses(
        (status = 200, description = "What is there and what is missing", body = Checklist),
        (status = 400, response = Refusal),
        (status = 401, response = Refusal),
        (status = 403, response = Refusal),
        (status = 404, response = Refusal),
        (status = 501, response = Refusal),
        (status = 503, response = Refusal),
    )
)]
pub(super) async fn checklist(
    State(parts): State<Shared>,
    Path(case): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let case = parse_id("case_id", &case)?;
    let grant = parts.access.viewer(&headers, query_token(query.as_deref()).as_deref())?;
    grant.require(&Channel::chat(case.clone()))?;
    let checklist = parts.lookups.checklist(&case).await.map_err(store_failed)?;
    checklist.map(answer).ok_or_else(|| {
        Problem::not_found(
            "No document of this case has been confirmed; presign one with this `case_id`, put it and confirm.",
        )
    })
}

/// Tells what a procedure asks for.
#[utoipa::path(
    get,
    path = "/api/v1/procedures/{code}/requirements",
    tag = "viewers",
    params(("code" = Id, Path)),
    security(("viewer" = []), ("viewer_cookie" = []), ("viewer_query" = []), ("service" = [])),
    responses(
        (status = 200, description = "What it asks for", body = ProcedureRequirements),
        (status = 400, response = Refusal),
        (status = 401, response = Refusal),
        (status = 404, response = Refusal),
        (status = 501, response = Refusal),
        (status = 503, response = Refusal),
    )
)]
pub(super) async fn requirements(
    State(parts): State<Shared>,
    Path(code): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let code = parse_id("code", &code)?;
    parts.access.viewer(&headers, query_token(query.as_deref()).as_deref())?;
    let found = parts.lookups.requirements(&code).await.map_err(store_failed)?;
    let Some(Requirements(requirements)) = found else {
        let detail =
            "No procedure has this code; the table procedure_requirements lists those that have one.";
        return Err(Problem::not_found(detail));
    };
    Ok(answer(ProcedureRequirements { procedure_code: code, requirements }))
}

fn answer(body: impl Serialize) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}
