//! Documents in one SQLite file.

mod lease;
mod ocr;

use std::{str::FromStr, time::Duration};

use async_trait::async_trait;
use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{
    Advance, Connections, DocumentStore, Lease, MOST_CASE_DOCUMENTS, MOST_CASE_FINDINGS, NEWEST_DOCUMENTS,
    StatusQuery, StatusSource, StoreError, Upload,
    health::{HEALTH, HealthRow},
    rows::{
        CASE_DOCUMENTS, CASE_FINDINGS, CaseDocumentRow, CaseFindingsRow, PROCEDURES, RecordRow,
        RequirementRow, UnfinishedRow, UploadRow, lasting, signed,
    },
    runs::{PAST_RUNS, RunRow},
};
use crate::{
    clock::Clock,
    documents::{
        case_findings::CaseFindings,
        checklist::CaseDocument,
        estimates::PastRun,
        health::{DocumentHealth, MOST_HEALTH_DOCUMENTS},
        matching::Requirement,
        ocr::{Delivery, OcrResult, Receipt},
        status::{DocumentRecord, DocumentStatus},
    },
    event::Id,
};

/// Connections of one process: SQLite has one writer, readers do not wait for it.
const CONNECTIONS: u32 = 4;
/// Longest wait for a free connection: a stream must not wait longer for its status.
const ACQUIRE_WITHIN: Duration = Duration::from_secs(4);
/// Longest wait for another writer.
const BUSY_FOR: Duration = Duration::from_secs(5);

/// Of each patient the newest documents, the active ones and those named; both lists are JSON arrays.
const STATUSES: &str = "
WITH newest AS (
    SELECT d.document_id, d.patient_id, d.filename, d.status, d.reason, d.attempt, d.updated_at, d.rank,
           row_number() OVER (PARTITION BY d.patient_id ORDER BY d.updated_at DESC) AS place
    FROM documents d JOIN json_each($1) p ON d.patient_id = p.value
)
SELECT document_id, patient_id, filename, status, reason, attempt, updated_at FROM newest
WHERE place <= $3 OR (rank < 10 AND updated_at >= $4) OR document_id IN (SELECT value FROM json_each($2))
ORDER BY updated_at DESC";

/// Keeps documents in a SQLite database.
#[derive(Clone)]
pub struct SqliteStore {
    pool: SqlitePool,
    clock: Clock,
}

impl SqliteStore {
    /// Opens the database at `url` (`sqlite://path`) and creates the file if it is not there.
    ///
    /// # Errors
    /// [`StoreError`] when the URL or the file cannot be used.
    pub async fn open(url: &str, clock: Clock) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::from_str(url)?
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(BUSY_FOR);
        let pool = SqlitePoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(ACQUIRE_WITHIN)
            .connect_with(options)
            .await?;
        Ok(Self { pool, clock })
    }

    /// Brings the tables up to date; says how many migrations are applied.
    ///
    /// # Errors
    /// [`StoreError`] when a migration fails or the database is newer than this version.
    pub async fn migrate(&self) -> Result<usize, StoreError> {
        let migrations = sqlx::migrate!("migrations/sqlite");
        migrations.run(&self.pool).await?;
        Ok(migrations.iter().count())
    }

    pub(super) fn connections(&self) -> Connections {
        Connections::Sqlite(self.pool.clone())
    }

    fn now(&self) -> i64 {
        signed(self.clock.milliseconds())
    }
}

#[async_trait]
impl StatusSource for SqliteStore {
    fn name(&self) -> &'static str {
        "sqlite"
    }

    async fn statuses(&self, query: &StatusQuery) -> Result<Vec<DocumentRecord>, StoreError> {
        let rows = sqlx::query_as::<_, RecordRow>(STATUSES)
            .bind(json_array(&query.patients))
            .bind(json_array(&query.named))
            .bind(i64::from(NEWEST_DOCUMENTS))
            .bind(signed(query.active_since))
            .fetch_all(&self.pool)
            .await?;
        RecordRow::read_all(rows)
    }
}

#[async_trait]
impl DocumentStore for SqliteStore {
    async fn announce(&self, upload: &Upload) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO uploads (document_id, patient_id, filename, content_type, size, case_id, procedure_code, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(upload.document_id.as_str())
        .bind(upload.patient_id.as_str())
        .bind(&upload.filename)
        .bind(&upload.content_type)
        .bind(signed(upload.size))
        .bind(upload.case_id.as_ref().map(Id::as_str))
        .bind(upload.procedure_code.as_ref().map(Id::as_str))
        .bind(self.now())
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    async fn upload(&self, document: &Id) -> Result<Option<Upload>, StoreError> {
        let row = sqlx::query_as::<_, UploadRow>(
            "SELECT document_id, patient_id, filename, content_type, size, case_id, procedure_code
             FROM uploads WHERE document_id = $1",
        )
        .bind(document.as_str())
        .fetch_optional(&self.pool)
        .await?;
        row.map(UploadRow::read).transpose()
    }

    async fn confirm(&self, upload: &Upload, lease: &Lease) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "INSERT INTO documents (document_id, patient_id, filename, content_type, size, case_id, procedure_code,
                                    status, rank, attempt, created_at, updated_at, worker, leased_until)
             SELECT document_id, patient_id, filename, content_type, size, case_id, procedure_code, $2, $3, 1, $4, $4,
                    $5, $4 + $6
             FROM uploads WHERE document_id = $1
             ON CONFLICT (document_id) DO NOTHING",
        )
        .bind(upload.document_id.as_str())
        .bind(DocumentStatus::Uploaded.as_str())
        .bind(DocumentStatus::Uploaded.rank())
        .bind(self.now())
        .bind(lease.worker.as_str())
        .bind(lasting(lease.lasts))
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    async fn document(&self, document: &Id) -> Result<Option<DocumentRecord>, StoreError> {
        let row = sqlx::query_as::<_, RecordRow>(
            "SELECT document_id, patient_id, filename, status, reason, attempt, updated_at
             FROM documents WHERE document_id = $1",
        )
        .bind(document.as_str())
        .fetch_optional(&self.pool)
        .await?;
        row.map(RecordRow::read).transpose()
    }

    async fn advance(&self, document: &Id, attempt: u32, to: &Advance) -> Result<bool, StoreError> {
        let mut transaction = self.pool.begin().await?;
        // Two moves in one millisecond still differ: streams compare the time for equality.
        let done = sqlx::query(
            "UPDATE documents
             SET status = $3, rank = $4, updated_at = max(updated_at + 1, $5), reason = $6,
                 findings = coalesce($7, findings), matches = coalesce($8, matches),
                 reading_at = CASE WHEN $3 = 'ocr_processing' THEN $5 ELSE reading_at END,
                 read_at = CASE WHEN $3 = 'ocr_complete' THEN $5 ELSE read_at END,
                 analyzing_at = CASE WHEN $3 = 'analyzing' THEN $5 ELSE analyzing_at END,
                 analyzed_at = CASE WHEN $3 = 'analyzed' THEN $5 ELSE analyzed_at END,
                 pages = coalesce($9, pages), is_scan = coalesce($10, is_scan)
             WHERE document_id = $1 AND attempt = $2 AND rank < $4",
        )
        .bind(document.as_str())
        .bind(i64::from(attempt))
        .bind(to.status().as_str())
        .bind(to.status().rank())
        .bind(self.now())
        .bind(if let Advance::Failed(reason) = to { Some(*reason) } else { None })
        .bind(if let Advance::Analyzed(findings) = to { serde_json::to_string(findings).ok() } else { None })
        .bind(if let Advance::Complete(matches) = to { serde_json::to_string(matches).ok() } else { None })
        .bind(to.pages())
        .bind(to.is_scan())
        .execute(&mut *transaction)
        .await?;
        if done.rows_affected() == 1 && to.status().is_terminal() {
            ocr::forget(&mut transaction, document).await?;
        }
        transaction.commit().await?;
        Ok(done.rows_affected() == 1)
    }

    async fn requirements(&self, procedure_code: &str) -> Result<Vec<Requirement>, StoreError> {
        let rows = sqlx::query_as::<_, RequirementRow>(
            "SELECT requirement_id, title, document_type, max_age_days
             FROM procedure_requirements WHERE procedure_code = $1 ORDER BY requirement_id",
        )
        .bind(procedure_code)
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(RequirementRow::read).collect()
    }

    async fn procedures(&self) -> Result<Vec<String>, StoreError> {
        Ok(sqlx::query_scalar(PROCEDURES).fetch_all(&self.pool).await?)
    }

    async fn case_documents(&self, case: &Id) -> Result<Vec<CaseDocument>, StoreError> {
        let rows = sqlx::query_as::<_, CaseDocumentRow>(CASE_DOCUMENTS)
            .bind(case.as_str())
            .bind(i64::from(MOST_CASE_DOCUMENTS))
            .fetch_all(&self.pool)
            .await?;
        CaseDocumentRow::read_all(rows)
    }

    async fn case_findings(&self, case: &Id) -> Result<Vec<CaseFindings>, StoreError> {
        let rows = sqlx::query_as::<_, CaseFindingsRow>(CASE_FINDINGS)
            .bind(case.as_str())
            .bind(i64::from(MOST_CASE_FINDINGS))
            .fetch_all(&self.pool)
            .await?;
        CaseFindingsRow::read_all(rows)
    }

    async fn health(&self, since: u64) -> Result<DocumentHealth, StoreError> {
        let rows = sqlx::query_as::<_, HealthRow>(HEALTH)
            .bind(signed(since))
            .bind(i64::from(MOST_HEALTH_DOCUMENTS))
            .fetch_all(&self.pool)
            .await?;
        Ok(HealthRow::read_all(rows))
    }

    async fn past_runs(&self, most: u32) -> Result<Vec<PastRun>, StoreError> {
        let rows = sqlx::query_as::<_, RunRow>(PAST_RUNS).bind(i64::from(most)).fetch_all(&self.pool).await?;
        Ok(RunRow::read_all(rows))
    }

    async fn unfinished(&self) -> Result<Vec<(Upload, DocumentRecord)>, StoreError> {
        let rows = sqlx::query_as::<_, UnfinishedRow>(
            "SELECT document_id, patient_id, filename, content_type, size, case_id, procedure_code,
                    status, reason, attempt, updated_at
             FROM documents WHERE rank < 10 ORDER BY updated_at",
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(UnfinishedRow::read).collect()
    }

    async fn close(&self) {
        self.pool.close().await;
    }

    async fn take_up(&self, lease: &Lease, most: u32) -> Result<Vec<(Upload, DocumentRecord)>, StoreError> {
        lease::take_up(&self.pool, lease, most, self.now()).await
    }

    async fn renew(&self, documents: &[Id], lease: &Lease) -> Result<(), StoreError> {
        lease::renew(&self.pool, documents, lease, self.now()).await
    }

    async fn release(&self, worker: &Id) -> Result<(), StoreError> {
        lease::release(&self.pool, worker).await
    }

    async fn rest(&self, document: &Id, attempt: u32, lease: &Lease) -> Result<(), StoreError> {
        lease::rest(&self.pool, (document, attempt), lease, self.now()).await
    }

    async fn retry(&self, document: &Id, lease: &Lease) -> Result<Option<u32>, StoreError> {
        lease::retry(&self.pool, document, lease, self.now()).await
    }

    async fn record_delivery(&self, delivery: &Delivery, lease: &Lease) -> Result<Receipt, StoreError> {
        ocr::record(&self.pool, delivery, lease, self.now()).await
    }

    async fn ocr_result(&self, document: &Id, attempt: u32) -> Result<Option<OcrResult>, StoreError> {
        ocr::result(&self.pool, document, attempt).await
    }
}

fn json_array(ids: &[Id]) -> String {
    serde_json::to_string(ids).expect("ids always serialize")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn cases_and_the_dashboard_are_read_by_index() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/t.db", folder.path().display());
        let store = SqliteStore::open(&url, Clock::System).await.unwrap();
        store.migrate().await.unwrap();

        for (statement, index) in [
            (CASE_DOCUMENTS, "documents_by_case"),
            (CASE_FINDINGS, "documents_by_case"),
            (HEALTH, "documents_by_time"),
        ] {
            let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
            let steps: Vec<(i64, i64, i64, String)> =
                sqlx::query_as(explain).bind("1").bind(1).fetch_all(&store.pool).await.unwrap();
            let of_documents: Vec<_> =
                steps.iter().filter(|(.., step)| step.contains(" documents")).collect();
            assert!(!of_documents.is_empty());
            let by_index = format!("SEARCH documents USING INDEX {index}");
            assert!(of_documents.iter().all(|(.., step)| step.starts_with(&by_index)), "{steps:?}");
        }
    }

    #[tokio::test]
    async fn past_runs_are_read_by_index_and_not_sorted() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/t.db", folder.path().display());
        let store = SqliteStore::open(&url, Clock::System).await.unwrap();
        store.migrate().await.unwrap();

        let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {PAST_RUNS}"));
        let steps: Vec<(i64, i64, i64, String)> =
            sqlx::query_as(explain).bind(1).fetch_all(&store.pool).await.unwrap();

        assert_eq!(steps.len(), 1, "{steps:?}");
        assert_eq!(steps[0].3, "SCAN documents USING INDEX documents_complete");
    }
}
