//! Leases on documents under way; each change is one statement.

use sqlx::SqlitePool;

use super::json_array;
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

/// Takes the lease of documents under way that nobody holds any more.
pub(super) async fn take_up(
    pool: &SqlitePool,
    lease: &Lease,
    most: u32,
    now: i64,
) -> Result<Vec<(Upload, DocumentRecord)>, StoreError> {
    let rows = sqlx::query_as::<_, UnfinishedRow>(
        "UPDATE documents SET worker = $1, leased_until = $2
         WHERE document_id IN (
             SELECT document_id FROM documents WHERE rank < 10 AND leased_until <= $3
             ORDER BY leased_until LIMIT $4
         )
         RETURNING document_id, patient_id, filename, content_type, size, case_id, procedure_code,
                   status, reason, attempt, updated_at",
    )
    .bind(lease.worker.as_str())
    .bind(now.saturating_add(lasting(lease.lasts)))
    .bind(now)
    .bind(i64::from(most))
    .fetch_all(pool)
    .await?;
    UnfinishedRow::read_all(rows)
}

/// Makes a lease last again for those of `documents` that its worker still holds.
pub(super) async fn renew(
    pool: &SqlitePool,
    documents: &[Id],
    lease: &Lease,
    now: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE documents SET leased_until = $2
         WHERE worker = $1 AND rank < 10 AND document_id IN (SELECT value FROM json_each($3))",
    )
    .bind(lease.worker.as_str())
    .bind(now.saturating_add(lasting(lease.lasts)))
    .bind(json_array(documents))
    .execute(pool)
    .await?;
    Ok(())
}

/// Lets go of all that a worker holds.
pub(super) async fn release(pool: &SqlitePool, worker: &Id) -> Result<(), StoreError> {
    sqlx::query("UPDATE documents SET worker = NULL, leased_until = 0 WHERE worker = $1 AND rank < 10")
        .bind(worker.as_str())
        .execute(pool)
        .await?;
    Ok(())
}

/// Leaves a document to OCR, unless its word has come.
pub(super) async fn rest(
    pool: &SqlitePool,
    (document, attempt): (&Id, u32),
    lease: &Lease,
    now: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE documents SET worker = NULL, leased_until = $4
         WHERE document_id = $1 AND attempt = $2 AND worker = $3 AND rank <= $5
               AND NOT EXISTS (SELECT 1 FROM ocr_results WHERE document_id = $1 AND attempt = $2)",
    )
    .bind(document.as_str())
    .bind(i64::from(attempt))
    .bind(lease.worker.as_str())
    .bind(now.saturating_add(lasting(lease.lasts)))
    .bind(DocumentStatus::OcrProcessing.rank())
    .execute(pool)
    .await?;
    Ok(())
}

/// Makes the next attempt of a failed document, under a lease; gives its number.
pub(super) async fn retry(
    pool: &SqlitePool,
    document: &Id,
    lease: &Lease,
    now: i64,
) -> Result<Option<u32>, StoreError> {
    let attempt: Option<i64> = sqlx::query_scalar(
        "UPDATE documents
         SET attempt = attempt + 1, status = $2, rank = $3, reason = NULL, findings = NULL, matches = NULL,
             updated_at = max(updated_at + 1, $4), worker = $5, leased_until = $6
         WHERE document_id = $1 AND status = $7
         RETURNING attempt",
    )
    .bind(document.as_str())
    .bind(DocumentStatus::Uploaded.as_str())
    .bind(DocumentStatus::Uploaded.rank())
    .bind(now)
    .bind(lease.worker.as_str())
    .bind(now.saturating_add(lasting(lease.lasts)))
    .bind(DocumentStatus::Failed.as_str())
    .fetch_optional(pool)
    .await?;
    attempt.map(|attempt| u32::try_from(attempt).map_err(|_| StoreError::Unreadable("attempt"))).transpose()
}
