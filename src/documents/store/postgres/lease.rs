//! Leases on documents under way; each change is one statement.
//!
//! Times are those of the database: instances whose clocks differ would take documents from each other.

use super::{Sessions, signed, texts};
use crate::{
    documents::{
        DocumentRecord, DocumentStatus, StoreError, Upload,
        store::{
            Lease,
            rows::{UnfinishedRow, lasting},
        },
    },
    event::Id,
};

/// Whoever takes documents at the same time takes others; a document that moves right now is not left.
const TAKE_UP: &str = "
WITH ended AS MATERIALIZED (
    SELECT document_id FROM documents
    WHERE rank < 10 AND leased_until <= (extract(epoch FROM clock_timestamp()) * 1000)::bigint
    ORDER BY leased_until LIMIT $3
    FOR UPDATE SKIP LOCKED
)
UPDATE documents
SET worker = $1, leased_until = (extract(epoch FROM clock_timestamp()) * 1000)::bigint + $2
WHERE document_id IN (SELECT document_id FROM ended)
RETURNING document_id, patient_id, filename, content_type, size, case_id, procedure_code,
          status, reason, attempt, updated_at";
/// One document that is being moved must not hold up the leases of all others.
const RENEW: &str = "
WITH held AS MATERIALIZED (
    SELECT document_id FROM documents
    WHERE worker = $1 AND rank < 10 AND document_id = ANY($3)
    FOR UPDATE SKIP LOCKED
)
UPDATE documents SET leased_until = (extract(epoch FROM clock_timestamp()) * 1000)::bigint + $2
WHERE document_id IN (SELECT document_id FROM held)";

/// Takes the lease of documents under way that nobody holds any more.
pub(super) async fn take_up(
    sessions: &Sessions,
    lease: &Lease,
    most: u32,
) -> Result<Vec<(Upload, DocumentRecord)>, StoreError> {
    let ended = sqlx::query_as::<_, UnfinishedRow>(TAKE_UP)
        .bind(lease.worker.as_str())
        .bind(lasting(lease.lasts))
        .bind(i64::from(most));
    UnfinishedRow::read_all(sessions.write_and_read(ended).await?)
}

/// Makes a lease last again for those of `documents` that its worker still holds.
pub(super) async fn renew(sessions: &Sessions, documents: &[Id], lease: &Lease) -> Result<(), StoreError> {
    let held =
        sqlx::query(RENEW).bind(lease.worker.as_str()).bind(lasting(lease.lasts)).bind(texts(documents));
    sessions.write(held).await.map(drop)
}

/// Lets go of all that a worker holds.
pub(super) async fn release(sessions: &Sessions, worker: &Id) -> Result<(), StoreError> {
    let held =
        sqlx::query("UPDATE documents SET worker = NULL, leased_until = 0 WHERE worker = $1 AND rank < 10")
            .bind(worker.as_str());
    sessions.write(held).await.map(drop)
}

/// Leaves a document to OCR, unless its word has come.
pub(super) async fn rest(
    sessions: &Sessions,
    (document, attempt): (&Id, u32),
    lease: &Lease,
) -> Result<(), StoreError> {
    let rest = sqlx::query(
        "UPDATE documents
         SET worker = NULL, leased_until = (extract(epoch FROM clock_timestamp()) * 1000)::bigint + $4
         WHERE document_id = $1 AND attempt = $2 AND worker = $3 AND rank <= $5
               AND NOT EXISTS (SELECT FROM ocr_results WHERE document_id = $1 AND attempt = $2)",
    )
    .bind(document.as_str())
    .bind(i64::from(attempt))
    .bind(lease.worker.as_str())
    .bind(lasting(lease.lasts))
    .bind(DocumentStatus::OcrProcessing.rank());
    sessions.write(rest).await.map(drop)
}

/// Makes the next attempt of a failed document, under a lease; gives its number.
pub(super) async fn retry(
    sessions: &Sessions,
    document: &Id,
    lease: &Lease,
    now: u64,
) -> Result<Option<u32>, StoreError> {
    let retry = sqlx::query_as::<_, (i64,)>(
        "UPDATE documents
         SET attempt = attempt + 1, status = $2, rank = $3, reason = NULL, findings = NULL, matches = NULL,
             updated_at = greatest(updated_at + 1, $4),
             worker = $5, leased_until = (extract(epoch FROM clock_timestamp()) * 1000)::bigint + $6
         WHERE document_id = $1 AND status = $7
         RETURNING attempt",
    )
    .bind(document.as_str())
    .bind(DocumentStatus::Uploaded.as_str())
    .bind(DocumentStatus::Uploaded.rank())
    .bind(signed(now))
    .bind(lease.worker.as_str())
    .bind(lasting(lease.lasts))
    .bind(DocumentStatus::Failed.as_str());
    let attempt = sessions.write_and_read(retry).await?.pop();
    attempt
        .map(|(attempt,)| u32::try_from(attempt).map_err(|_| StoreError::Unreadable("attempt")))
        .transpose()
}
