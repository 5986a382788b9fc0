//! What OCR says, and which deliveries said it.

use sqlx::{Row, SqliteConnection, SqlitePool, sqlite::SqliteRow};

use super::{Lease, lasting};
use crate::{
    documents::{
        DocumentStatus, StoreError,
        ocr::{Delivery, DeliveryOutcome, OcrFailure, OcrResult, Receipt},
        store::DELIVERIES_KEPT_FOR,
    },
    event::Id,
};

/// Records a delivery and what it says, in one transaction.
pub(super) async fn record(
    pool: &SqlitePool,
    delivery: &Delivery,
    lease: &Lease,
    now: i64,
) -> Result<Receipt, StoreError> {
    let mut transaction = pool.begin().await?;
    // A write first: SQLite then waits for other writers, and never has to give up half-way.
    if !insert_delivery(&mut transaction, delivery, now).await? {
        let outcome = earlier_outcome(&mut transaction, delivery).await?;
        return Ok(Receipt {
            is_repeat: outcome.is_some(),
            outcome: outcome.unwrap_or(DeliveryOutcome::Unknown),
        });
    }
    let outcome = match &delivery.result {
        None => DeliveryOutcome::Noted,
        Some(result) if insert_result(&mut transaction, delivery, result, now).await? => {
            lease_to(&mut transaction, &delivery.document_id, lease, now).await?;
            DeliveryOutcome::Taken
        }
        Some(_) => DeliveryOutcome::TooLate,
    };
    sqlx::query("UPDATE ocr_deliveries SET outcome = $2 WHERE delivery_id = $1")
        .bind(&delivery.id)
        .bind(outcome.as_str())
        .execute(&mut *transaction)
        .await?;
    sqlx::query("DELETE FROM ocr_deliveries WHERE received_at < $1")
        .bind(now - DELIVERIES_KEPT_FOR)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(Receipt { outcome, is_repeat: false })
}

/// Reads the word on an attempt.
pub(super) async fn result(
    pool: &SqlitePool,
    document: &Id,
    attempt: u32,
) -> Result<Option<OcrResult>, StoreError> {
    let row =
        sqlx::query("SELECT failure, text, pages FROM ocr_results WHERE document_id = $1 AND attempt = $2")
            .bind(document.as_str())
            .bind(i64::from(attempt))
            .fetch_optional(pool)
            .await?;
    let Some(row) = row else { return Ok(None) };
    if let Some(reason) = row.try_get::<Option<&str>, _>("failure")? {
        return Ok(Some(OcrResult::Failed(OcrFailure::of_reason(reason).unwrap_or(OcrFailure::Failed))));
    }
    Ok(Some(OcrResult::Text { text: row.try_get("text")?, pages: read_pages(&row)? }))
}

/// Drops what OCR said of a document.
pub(super) async fn forget(connection: &mut SqliteConnection, document: &Id) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM ocr_results WHERE document_id = $1")
        .bind(document.as_str())
        .execute(connection)
        .await?;
    Ok(())
}

/// False when it is there already, or its document is not.
async fn insert_delivery(
    connection: &mut SqliteConnection,
    delivery: &Delivery,
    now: i64,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "INSERT INTO ocr_deliveries (delivery_id, outcome, received_at)
         SELECT $1, $2, $3 FROM documents WHERE document_id = $4
         ON CONFLICT (delivery_id) DO NOTHING",
    )
    .bind(&delivery.id)
    .bind(DeliveryOutcome::Noted.as_str())
    .bind(now)
    .bind(delivery.document_id.as_str())
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

async fn earlier_outcome(
    connection: &mut SqliteConnection,
    delivery: &Delivery,
) -> Result<Option<DeliveryOutcome>, StoreError> {
    let row = sqlx::query("SELECT outcome FROM ocr_deliveries WHERE delivery_id = $1")
        .bind(&delivery.id)
        .fetch_optional(connection)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let outcome = DeliveryOutcome::of_name(row.try_get("outcome")?);
    outcome.map(Some).ok_or(StoreError::Unreadable("outcome"))
}

/// False when the attempt has its word, is over, or is not the one under way.
async fn insert_result(
    connection: &mut SqliteConnection,
    delivery: &Delivery,
    result: &OcrResult,
    now: i64,
) -> Result<bool, StoreError> {
    let (failure, text, pages) = match result {
        OcrResult::Text { text, pages } => (None, Some(text.as_str()), *pages),
        OcrResult::Failed(failure) => (Some(failure.reason()), None, 0),
    };
    let done = sqlx::query(
        "INSERT INTO ocr_results (document_id, attempt, failure, text, pages, created_at)
         SELECT document_id, attempt, $3, $4, $5, $6 FROM documents
         WHERE document_id = $1 AND attempt = $2 AND rank <= $7
         ON CONFLICT (document_id, attempt) DO NOTHING",
    )
    .bind(delivery.document_id.as_str())
    .bind(i64::from(delivery.attempt))
    .bind(failure)
    .bind(text)
    .bind(i64::from(pages))
    .bind(now)
    .bind(DocumentStatus::OcrProcessing.rank())
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

async fn lease_to(
    connection: &mut SqliteConnection,
    document: &Id,
    lease: &Lease,
    now: i64,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE documents SET worker = $2, leased_until = $3 WHERE document_id = $1")
        .bind(document.as_str())
        .bind(lease.worker.as_str())
        .bind(now.saturating_add(lasting(lease.lasts)))
        .execute(connection)
        .await?;
    Ok(())
}

fn read_pages(row: &SqliteRow) -> Result<u32, StoreError> {
    u32::try_from(row.try_get::<i64, _>("pages")?).map_err(|_| StoreError::Unreadable("pages"))
}
