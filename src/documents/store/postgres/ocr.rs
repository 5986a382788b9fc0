//! What OCR says, and which deliveries said it; each in one statement.

use super::{Lease, Sessions, lasting, signed};
use crate::{
    documents::{
        DocumentStatus, StoreError,
        ocr::{Delivery, DeliveryOutcome, OcrFailure, OcrResult, Receipt},
        store::DELIVERIES_KEPT_FOR,
    },
    event::Id,
};

/// Takes the word, if there is one to take, and with it the lease, then records the delivery with what
/// became of it. A move of the document that is on its way is waited for: what has ended takes no word.
///
/// A delivery that comes twice at once waits for the first, and then finds neither its own row nor, in
/// its older view of the table, the first one's: no row at all is worth another look.
const RECORD: &str = "
WITH word AS (
    INSERT INTO ocr_results (document_id, attempt, failure, text, pages, created_at)
    SELECT document_id, attempt, $5, $6, $7, $8 FROM documents
    WHERE $4 AND document_id = $2 AND attempt = $3 AND rank <= $9
          AND NOT EXISTS (SELECT FROM ocr_deliveries WHERE delivery_id = $1)
    FOR NO KEY UPDATE
    ON CONFLICT (document_id, attempt) DO NOTHING
    RETURNING document_id
), leased AS (
    UPDATE documents
    SET worker = $11, leased_until = (extract(epoch FROM clock_timestamp()) * 1000)::bigint + $12
    WHERE document_id IN (SELECT document_id FROM word) AND attempt = $3
), outcome (word) AS (
    SELECT CASE WHEN NOT $4 THEN 'noted' WHEN EXISTS (SELECT FROM word) THEN 'taken' ELSE 'too_late' END
), recorded AS (
    INSERT INTO ocr_deliveries (delivery_id, outcome, received_at)
    SELECT $1, outcome.word, $8 FROM documents, outcome WHERE document_id = $2
    ON CONFLICT (delivery_id) DO NOTHING
    RETURNING outcome
), forgotten AS (
    DELETE FROM ocr_deliveries WHERE received_at < $10
)
SELECT outcome, FALSE FROM recorded
UNION ALL
SELECT outcome, TRUE FROM ocr_deliveries WHERE delivery_id = $1";
/// Looks at a delivery before it is none of a known document.
const LOOKS: usize = 2;

/// Records a delivery and what it says.
pub(super) async fn record(
    sessions: &Sessions,
    delivery: &Delivery,
    lease: &Lease,
    now: i64,
) -> Result<Receipt, StoreError> {
    let (failure, text, pages) = match &delivery.result {
        Some(OcrResult::Text { text, pages }) => (None, Some(text.as_str()), *pages),
        Some(OcrResult::Failed(failure)) => (Some(failure.reason()), None, 0),
        None => (None, None, 0),
    };
    // Postgres keeps no NUL in a text.
    let text = text.map(|text| text.replace('\0', " "));
    for _ in 0..LOOKS {
        let statement = sqlx::query_as::<_, (String, bool)>(RECORD)
            .bind(&delivery.id)
            .bind(delivery.document_id.as_str())
            .bind(i64::from(delivery.attempt))
            .bind(delivery.result.is_some())
            .bind(failure)
            .bind(text.as_deref())
            .bind(i64::from(pages))
            .bind(now)
            .bind(DocumentStatus::OcrProcessing.rank())
            .bind(now - DELIVERIES_KEPT_FOR)
            .bind(lease.worker.as_str())
            .bind(lasting(lease.lasts));
        if let Some((outcome, is_repeat)) = sessions.write_and_read(statement).await?.pop() {
            let outcome = DeliveryOutcome::of_name(&outcome).ok_or(StoreError::Unreadable("outcome"))?;
            return Ok(Receipt { outcome, is_repeat });
        }
    }
    Ok(Receipt { outcome: DeliveryOutcome::Unknown, is_repeat: false })
}

/// Reads the word on an attempt.
pub(super) async fn result(
    sessions: &Sessions,
    document: &Id,
    attempt: u32,
) -> Result<Option<OcrResult>, StoreError> {
    let word = sqlx::query_as::<_, (Option<String>, Option<String>, i64)>(
        "SELECT failure, text, pages FROM ocr_results WHERE document_id = $1 AND attempt = $2",
    )
    .bind(document.as_str())
    .bind(signed(u64::from(attempt)));
    Ok(match sessions.read(word).await?.pop() {
        None => None,
        Some((Some(reason), ..)) => {
            Some(OcrResult::Failed(OcrFailure::of_reason(&reason).unwrap_or(OcrFailure::Failed)))
        }
        Some((None, text, pages)) => Some(OcrResult::Text {
            text: text.ok_or(StoreError::Unreadable("text"))?,
            pages: u32::try_from(pages).map_err(|_| StoreError::Unreadable("pages"))?,
        }),
    })
}
