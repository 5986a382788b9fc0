//! `POST /api/v1/uploads/presign`, `PUT` of the file, `POST /api/v1/uploads/confirm`.

use std::{borrow::Borrow, collections::BTreeMap, time::Duration};

use axum::{
    Json,
    body::Body,
    extract::{Path, RawQuery, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use tower_http::timeout::TimeoutBody;
use utoipa::ToSchema;

use super::{
    Grant, Shared,
    body::{JsonBody, parse_id, query_token},
    openapi::Refusal,
    problem::Problem,
    progress::{stream_url, trace_parent},
};
use crate::{
    clock::to_rfc3339,
    documents::{ConfirmError, DocumentStatus, FileError, MAX_FILE_BYTES, StoreError, Upload},
    event::{Channel, Id},
};

/// How long a file may be put after presign.
const UPLOAD_WITHIN: Duration = Duration::from_secs(15 * 60);
/// How long a file on its way may stand still.
const SILENT_FOR: Duration = Duration::from_secs(30);
/// How long the token in the answer to confirm lasts.
const TOKEN_LASTS: Duration = Duration::from_secs(15 * 60);
/// Longest name of a file in characters.
const MAX_FILENAME_CHARS: usize = 255;
/// What may be uploaded.
const CONTENT_TYPES: [&str; 4] = ["application/pdf", "image/png", "image/jpeg", "image/tiff"];

/// Announces a file.
#[derive(Deserialize, ToSchema)]
pub(super) struct PresignRequest {
    #[schema(value_type = Id)]
    patient_id: String,
    /// One line without `/`.
    #[schema(min_length = 1, max_length = 255)]
    filename: String,
    /// `application/pdf`, `image/png`, `image/jpeg` or `image/tiff`.
    content_type: String,
    /// Bytes, at most 26,214,400.
    #[schema(minimum = 1, maximum = 26_214_400)]
    size: u64,
    #[schema(value_type = Option<Id>)]
    case_id: Option<String>,
    #[schema(value_type = Option<Id>)]
    procedure_code: Option<String>,
}

/// Where to put the file.
#[derive(Serialize, ToSchema)]
pub(super) struct PresignAnswer {
    document_id: Id,
    upload_url: String,
    /// `PUT`.
    method: &'static str,
    /// Headers to send with the file.
    headers: BTreeMap<String, String>,
    /// Until when, RFC 3339.
    expires_at: String,
}

/// Says that the file is there.
#[derive(Deserialize, ToSchema)]
pub(super) struct ConfirmRequest {
    #[schema(value_type = Id)]
    document_id: String,
}

/// Where to watch the work.
#[derive(Serialize, ToSchema)]
pub(super) struct ConfirmAnswer {
    document_id: Id,
    status: DocumentStatus,
    stream_url: String,
    /// A token for the stream; none where the caller's own may no longer be renewed.
    token: Option<String>,
}

/// Announces a file and answers where to put it.
#[utoipa::path(
    post,
    path = "/api/v1/uploads/presign",
    tag = "viewers",
    request_body = PresignRequest,
    security(("viewer" = []), ("viewer_cookie" = []), ("service" = [])),
    responses(
        (status = 200, description = "Where to put the file", body = PresignAnswer),
        (status = 400, response = Refusal),
        (status = 401, response = Refusal),
        (status = 403, response = Refusal),
        (status = 413, response = Refusal),
        (status = 415, response = Refusal),
        (status = 501, response = Refusal),
        (status = 503, response = Refusal),
    )
)]
pub(super) async fn presign(
    State(parts): State<Shared>,
    headers: HeaderMap,
    JsonBody(request): JsonBody<PresignRequest>,
) -> Result<Response, Problem> {
    let grant = parts.access.viewer(&headers, None)?;
    let upload = check(request)?;
    grant.require(&Channel::documents(upload.patient_id.clone()))?;
    if let Some(case) = &upload.case_id {
        grant.require(&Channel::chat(case.clone()))?;
    }
    parts.store.announce(&upload).await.map_err(store_failed)?;
    let place = upload_place(&parts, &upload.document_id).await?;
    let answer = PresignAnswer {
        document_id: upload.document_id,
        upload_url: place.url,
        method: "PUT",
        headers: BTreeMap::new(),
        expires_at: to_rfc3339(place.expires * 1_000),
    };
    Ok(Json(answer).into_response())
}

/// Where a file may be put, and until when in seconds since the Unix epoch.
struct UploadPlace {
    url: String,
    expires: u64,
}

/// Signs a URL of the bucket, or of this server where files are kept in a folder.
async fn upload_place(parts: &Shared, document: &Id) -> Result<UploadPlace, Problem> {
    let (token, expires) = parts.access.sign_upload(document, UPLOAD_WITHIN);
    let signed =
        parts.files.upload_url(document, UPLOAD_WITHIN).await.map_err(|error| files_failed(&error))?;
    let url = match signed {
        Some(url) => url.to_string(),
        None => format!("/api/v1/uploads/{document}/file?token={token}"),
    };
    Ok(UploadPlace { url, expires })
}

/// Takes the file itself; the URL is the right to put it.
///
/// With a bucket `upload_url` is the bucket's, and this route answers 404.
#[utoipa::path(
    put,
    path = "/api/v1/uploads/{document_id}/file",
    tag = "viewers",
    params(
        ("document_id" = Id, Path),
        ("token" = String, Query, description = "Part of the `upload_url` that presign answers"),
    ),
    request_body(content_type = "application/octet-stream", description = "The file, of exactly the size announced"),
    responses(
        (status = 200, description = "The file is there"),
        (status = 400, response = Refusal),
        (status = 403, response = Refusal),
        (status = 404, response = Refusal),
        (status = 409, response = Refusal),
        (status = 413, response = Refusal),
        (status = 501, response = Refusal),
        (status = 503, response = Refusal),
    )
)]
pub(super) async fn put_file(
    State(parts): State<Shared>,
    Path(document): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Problem> {
    let document = parse_id("document_id", &document)?;
    if parts.files.upload_origin().is_some() {
        return Err(not_here());
    }
    let token = query_token(query.as_deref());
    parts.access.check_upload(&document, token.as_deref().unwrap_or_default())?;
    let upload = parts.store.upload(&document).await.map_err(store_failed)?.ok_or_else(unknown)?;
    let announced =
        headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if let Some(held) = announced.filter(|length| *length != upload.size) {
        return Err(put_refused(&FileError::WrongSize { held }, &upload));
    }
    if parts.store.document(&document).await.map_err(store_failed)?.is_some() {
        return Err(confirmed_already());
    }
    // The file may be on its way for minutes: meanwhile the document may be confirmed with another.
    let is_unconfirmed = async { matches!(parts.store.document(&document).await, Ok(None)) };
    let body = Body::new(TimeoutBody::new(SILENT_FOR, body));
    let put = parts.files.put(&document, body.into_data_stream(), upload.size, is_unconfirmed).await;
    put.map(|()| StatusCode::OK).map_err(|error| put_refused(&error, &upload))
}

/// Confirms that the file is there and starts the work on it; again changes nothing.
#[utoipa::path(
    post,
    path = "/api/v1/uploads/confirm",
    tag = "viewers",
    params(("traceparent" = Option<String>, Header, description = "W3C Trace Context: the trace of the caller's work")),
    request_body = ConfirmRequest,
    security(("viewer" = []), ("viewer_cookie" = []), ("service" = [])),
    responses(
        (status = 202, description = "The work begins", body = ConfirmAnswer),
        (status = 400, response = Refusal),
        (status = 401, response = Refusal),
        (status = 404, response = Refusal),
        (status = 409, response = Refusal),
        (status = 413, response = Refusal),
        (status = 415, response = Refusal),
        (status = 501, response = Refusal),
        (status = 503, response = Refusal),
    )
)]
pub(super) async fn confirm(
    State(parts): State<Shared>,
    headers: HeaderMap,
    JsonBody(request): JsonBody<ConfirmRequest>,
) -> Result<Response, Problem> {
    let grant = parts.access.viewer(&headers, None)?;
    let document = parse_id("document_id", &request.document_id)?;
    let upload = parts.store.upload(&document).await.map_err(store_failed)?.ok_or_else(unknown)?;
    let channel = Channel::documents(upload.patient_id.clone());
    // Whoever may not see the patient is not told that the document exists.
    if !grant.covers(&channel) {
        return Err(unknown());
    }
    parts.pipeline.confirm_upload(&upload, trace_parent(&headers)).await.map_err(|error| match error {
        ConfirmError::Interrupted => Problem::unavailable("The server goes down; confirm again."),
        ConfirmError::Store(error) => store_failed(error),
        ConfirmError::File(error) => confirm_refused(&error, &upload),
    })?;
    let token = token_for(&parts, &grant, &channel);
    let stream_url = stream_url(&upload.patient_id, &document);
    let answer = ConfirmAnswer { document_id: document, status: DocumentStatus::Uploaded, stream_url, token };
    Ok((StatusCode::ACCEPTED, Json(answer)).into_response())
}

/// Gives a token for the stream, as far as the caller's own may still be renewed.
pub(super) fn token_for(parts: &Shared, grant: &Grant, channel: &Channel) -> Option<String> {
    let (role, first_issued) = match grant {
        Grant::Viewer(claims) => (claims.role.clone(), claims.first_issued),
        Grant::Open | Grant::Service => ("patient".into(), None),
    };
    let issued = parts.access.issue(vec![channel.to_string()], role, TOKEN_LASTS, first_issued);
    issued.ok().map(|(token, _)| token)
}

fn check(request: PresignRequest) -> Result<Upload, Problem> {
    if request.size == 0 {
        return Err(Problem::bad_request("`size` must be at least 1 byte."));
    }
    if request.size > MAX_FILE_BYTES {
        return Err(Problem::too_large(format!("A file is at most {MAX_FILE_BYTES} bytes (25 MB).")));
    }
    if !CONTENT_TYPES.contains(&request.content_type.as_str()) {
        return Err(Problem::bad_request(format!(
            "`content_type` must be one of {}.",
            CONTENT_TYPES.join(", ")
        )));
    }
    Ok(Upload {
        document_id: Id::random(),
        patient_id: parse_id("patient_id", &request.patient_id)?,
        filename: check_filename(request.filename)?,
        content_type: request.content_type,
        size: request.size,
        case_id: request.case_id.map(|id| parse_id("case_id", &id)).transpose()?,
        procedure_code: request.procedure_code.map(|code| parse_id("procedure_code", &code)).transpose()?,
    })
}

fn check_filename(filename: String) -> Result<String, Problem> {
    let length = filename.chars().count();
    if length == 0 || length > MAX_FILENAME_CHARS || filename.chars().any(|c| c.is_control() || c == '/') {
        let detail =
            format!("`filename` must be 1 to {MAX_FILENAME_CHARS} characters on one line, without /.");
        return Err(Problem::bad_request(detail));
    }
    Ok(filename)
}

fn confirmed_already() -> Problem {
    Problem::conflict("This document is confirmed; its file cannot change any more.")
}

fn put_refused(error: &FileError, upload: &Upload) -> Problem {
    match error {
        FileError::NotWanted => confirmed_already(),
        FileError::TooLarge => {
            let detail = format!("The file is larger than the {} bytes announced at presign.", upload.size);
            Problem::too_large(detail)
        }
        FileError::WrongSize { held } if *held > upload.size => Problem::too_large(sizes(*held, upload)),
        FileError::WrongSize { held } => Problem::bad_request(sizes(*held, upload)),
        FileError::NotHere => not_here(),
        FileError::Interrupted | FileError::Missing => {
            Problem::bad_request("The file did not arrive whole; put it again.")
        }
        FileError::Timeout | FileError::Storage(_) => files_failed(error),
    }
}

fn confirm_refused(error: &FileError, upload: &Upload) -> Problem {
    match error {
        FileError::Missing => Problem::conflict("The file is not there yet: PUT it to the upload_url first."),
        FileError::WrongSize { held } if *held > upload.size => Problem::too_large(sizes(*held, upload)),
        FileError::WrongSize { held } => Problem::conflict(sizes(*held, upload)),
        other => files_failed(other),
    }
}

fn sizes(held: u64, upload: &Upload) -> String {
    format!("The file has {held} bytes, {} were announced at presign; nothing of it is kept.", upload.size)
}

fn not_here() -> Problem {
    Problem::not_found(
        "This server takes no files itself: PUT the file to the upload_url that presign answers.",
    )
}

fn unknown() -> Problem {
    Problem::not_found("No upload of yours has this document_id; POST /api/v1/uploads/presign announces one.")
}

pub(super) fn files_failed(error: &FileError) -> Problem {
    tracing::error!(kind = error.kind(), cure = error.cure(), "the file store failed");
    if error.is_full() {
        return Problem::full();
    }
    Problem::unavailable("The file store does not answer; try again later.")
}

pub(super) fn store_failed(error: impl Borrow<StoreError>) -> Problem {
    let error = error.borrow();
    if matches!(error, StoreError::KeptElsewhere) {
        let detail = "This server takes no uploads and keeps no documents: as STATUS_SQL is set, it reads where documents stand from \
                      tables that are not its own. Publish steps with POST /api/v1/progress.";
        return Problem::new(StatusCode::NOT_IMPLEMENTED, detail);
    }
    tracing::error!(error = error as &dyn std::error::Error, "the document store failed");
    if error.is_full() {
        return Problem::full();
    }
    Problem::unavailable("The document store does not answer; try again later.")
}
