//! Documents in Postgres, also behind a pooler in transaction mode.

mod lease;
mod migrations;
mod ocr;
mod sessions;
mod status_sql;

use async_trait::async_trait;
use sqlx::{Connection, postgres::PgConnectOptions};

pub use self::status_sql::{StatusSql, StatusSqlError, StatusSqlSettings};

pub(crate) use self::sessions::Sessions;
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

/// Of each patient the newest documents, the active ones and those named: each by an index of its own, as
/// an OR over them would read all that a patient ever had.
const STATUSES: &str = "
SELECT newest.* FROM unnest($1) AS patient (id) CROSS JOIN LATERAL (
    SELECT document_id, patient_id, filename, status, reason, attempt, updated_at
    FROM documents WHERE patient_id = patient.id ORDER BY updated_at DESC LIMIT $3
) AS newest
UNION
SELECT document_id, patient_id, filename, status, reason, attempt, updated_at
FROM documents WHERE patient_id = ANY($1) AND rank < 10 AND updated_at >= $4
UNION
SELECT document_id, patient_id, filename, status, reason, attempt, updated_at
FROM documents WHERE document_id = ANY($2) AND patient_id = ANY($1)
ORDER BY updated_at DESC";

/// Keeps documents in a Postgres database.
#[derive(Clone)]
pub struct PostgresStore {
    sessions: Sessions,
    clock: Clock,
}

impl PostgresStore {
    /// Connects to the database.
    ///
    /// # Errors
    /// [`StoreError`] when it does not answer or lets nobody in.
    pub async fn open(options: &PgConnectOptions, clock: Clock) -> Result<Self, StoreError> {
        Ok(Self { sessions: Sessions::open(options).await?, clock })
    }

    /// Brings the tables up to date over a connection of its own; says how many migrations are applied.
    ///
    /// # Errors
    /// [`StoreError`] when a migration fails or the database is newer than this version.
    pub async fn migrate(options: &PgConnectOptions) -> Result<usize, StoreError> {
        let mut connection = sessions::connect(options).await?;
        let applied = migrations::migrate(&mut connection).await;
        let _ = connection.close().await;
        Ok(applied?)
    }

    pub(super) fn connections(&self) -> Connections {
        Connections::Postgres(self.sessions.clone())
    }

    fn now(&self) -> i64 {
        signed(self.clock.milliseconds())
    }
}

#[async_trait]
impl StatusSource for PostgresStore {
    fn name(&self) -> &'static str {
        "postgres"
    }

    async fn statuses(&self, query: &StatusQuery) -> Result<Vec<DocumentRecord>, StoreError> {
        let statuses = sqlx::query_as::<_, RecordRow>(STATUSES)
            .bind(texts(&query.patients))
            .bind(texts(&query.named))
            .bind(i64::from(NEWEST_DOCUMENTS))
            .bind(signed(query.active_since));
        RecordRow::read_all(self.sessions.read(statuses).await?)
    }
}

#[async_trait]
impl DocumentStore for PostgresStore {
    async fn announce(&self, upload: &Upload) -> Result<(), StoreError> {
        let insert = sqlx::query(
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
        .bind(self.now());
        self.sessions.write(insert).await.map(drop)
    }

    async fn upload(&self, document: &Id) -> Result<Option<Upload>, StoreError> {
        let upload = sqlx::query_as::<_, UploadRow>(
            "SELECT document_id, patient_id, filename, content_type, size, case_id, procedure_code
             FROM uploads WHERE document_id = $1",
        )
        .bind(document.as_str());
        self.sessions.read(upload).await?.pop().map(UploadRow::read).transpose()
    }

    async fn confirm(&self, upload: &Upload, lease: &Lease) -> Result<bool, StoreError> {
        let insert = sqlx::query(
            "INSERT INTO documents (document_id, patient_id, filename, content_type, size, case_id, procedure_code,
                                    status, rank, attempt, created_at, updated_at, worker, leased_until)
             SELECT document_id, patient_id, filename, content_type, size, case_id, procedure_code, $2, $3, 1, $4, $4,
                    $5, (extract(epoch FROM clock_timestamp()) * 1000)::bigint + $6
             FROM uploads WHERE document_id = $1
             ON CONFLICT (document_id) DO NOTHING",
        )
        .bind(upload.document_id.as_str())
        .bind(DocumentStatus::Uploaded.as_str())
        .bind(DocumentStatus::Uploaded.rank())
        .bind(self.now())
        .bind(lease.worker.as_str())
        .bind(lasting(lease.lasts));
        Ok(self.sessions.write(insert).await? == 1)
    }

    async fn document(&self, document: &Id) -> Result<Option<DocumentRecord>, StoreError> {
        let record = sqlx::query_as::<_, RecordRow>(
            "SELECT document_id, patient_id, filename, status, reason, attempt, updated_at
             FROM documents WHERE document_id = $1",
        )
        .bind(document.as_str());
        self.sessions.read(record).await?.pop().map(RecordRow::read).transpose()
    }

    async fn advance(&self, document: &Id, attempt: u32, to: &Advance) -> Result<bool, StoreError> {
        // Two moves in one millisecond still differ: streams compare the time for equality.
        let update = sqlx::query(
            "WITH moved AS (
                 UPDATE documents
                 SET status = $3, rank = $4, updated_at = greatest(updated_at + 1, $5), reason = $6,
                     findings = coalesce($7::json, findings), matches = coalesce($8::json, matches),
                     reading_at = CASE WHEN $3 = 'ocr_processing' THEN $5 ELSE reading_at END,
                     read_at = CASE WHEN $3 = 'ocr_complete' THEN $5 ELSE read_at END,
                     analyzing_at = CASE WHEN $3 = 'analyzing' THEN $5 ELSE analyzing_at END,
                     analyzed_at = CASE WHEN $3 = 'analyzed' THEN $5 ELSE analyzed_at END,
                     pages = coalesce($10, pages), is_scan = coalesce($11, is_scan)
                 WHERE document_id = $1 AND attempt = $2 AND rank < $4
                 RETURNING document_id
             ), forgotten AS (
                 DELETE FROM ocr_results WHERE $9 AND document_id IN (SELECT document_id FROM moved)
             )
             SELECT document_id FROM moved",
        )
        .bind(document.as_str())
        .bind(i64::from(attempt))
        .bind(to.status().as_str())
        .bind(to.status().rank())
        .bind(self.now())
        .bind(if let Advance::Failed(reason) = to { Some(*reason) } else { None })
        .bind(if let Advance::Analyzed(findings) = to { serde_json::to_string(findings).ok() } else { None })
        .bind(if let Advance::Complete(matches) = to { serde_json::to_string(matches).ok() } else { None })
        .bind(to.status().is_terminal())
        .bind(to.pages())
        .bind(to.is_scan());
        Ok(self.sessions.write(update).await? == 1)
    }

    async fn requirements(&self, procedure_code: &str) -> Result<Vec<Requirement>, StoreError> {
        let requirements = sqlx::query_as::<_, RequirementRow>(
            "SELECT requirement_id, title, document_type, max_age_days
             FROM procedure_requirements WHERE procedure_code = $1 ORDER BY requirement_id",
        )
        .bind(procedure_code);
        self.sessions.read(requirements).await?.into_iter().map(RequirementRow::read).collect()
    }

    async fn procedures(&self) -> Result<Vec<String>, StoreError> {
        let codes = self.sessions.read(sqlx::query_as::<_, (String,)>(PROCEDURES)).await?;
        Ok(codes.into_iter().map(|(code,)| code).collect())
    }

    async fn case_documents(&self, case: &Id) -> Result<Vec<CaseDocument>, StoreError> {
        let documents = sqlx::query_as::<_, CaseDocumentRow>(CASE_DOCUMENTS)
            .bind(case.as_str())
            .bind(i64::from(MOST_CASE_DOCUMENTS));
        CaseDocumentRow::read_all(self.sessions.read(documents).await?)
    }

    async fn case_findings(&self, case: &Id) -> Result<Vec<CaseFindings>, StoreError> {
        let documents = sqlx::query_as::<_, CaseFindingsRow>(CASE_FINDINGS)
            .bind(case.as_str())
            .bind(i64::from(MOST_CASE_FINDINGS));
        CaseFindingsRow::read_all(self.sessions.read(documents).await?)
    }

    async fn health(&self, since: u64) -> Result<DocumentHealth, StoreError> {
        let counts =
            sqlx::query_as::<_, HealthRow>(HEALTH).bind(signed(since)).bind(i64::from(MOST_HEALTH_DOCUMENTS));
        Ok(HealthRow::read_all(self.sessions.read(counts).await?))
    }

    async fn past_runs(&self, most: u32) -> Result<Vec<PastRun>, StoreError> {
        let runs = sqlx::query_as::<_, RunRow>(PAST_RUNS).bind(i64::from(most));
        Ok(RunRow::read_all(self.sessions.read(runs).await?))
    }

    async fn unfinished(&self) -> Result<Vec<(Upload, DocumentRecord)>, StoreError> {
        let unfinished = sqlx::query_as::<_, UnfinishedRow>(
            "SELECT document_id, patient_id, filename, content_type, size, case_id, procedure_code,
                    status, reason, attempt, updated_at
             FROM documents WHERE rank < 10 ORDER BY updated_at",
        );
        self.sessions.read(unfinished).await?.into_iter().map(UnfinishedRow::read).collect()
    }

    async fn take_up(&self, lease: &Lease, most: u32) -> Result<Vec<(Upload, DocumentRecord)>, StoreError> {
        lease::take_up(&self.sessions, lease, most).await
    }

    async fn renew(&self, documents: &[Id], lease: &Lease) -> Result<(), StoreError> {
        lease::renew(&self.sessions, documents, lease).await
    }

    async fn release(&self, worker: &Id) -> Result<(), StoreError> {
        lease::release(&self.sessions, worker).await
    }

    async fn rest(&self, document: &Id, attempt: u32, lease: &Lease) -> Result<(), StoreError> {
        lease::rest(&self.sessions, (document, attempt), lease).await
    }

    async fn retry(&self, document: &Id, lease: &Lease) -> Result<Option<u32>, StoreError> {
        lease::retry(&self.sessions, document, lease, self.clock.milliseconds()).await
    }

    async fn record_delivery(&self, delivery: &Delivery, lease: &Lease) -> Result<Receipt, StoreError> {
        ocr::record(&self.sessions, delivery, lease, self.now()).await
    }

    async fn ocr_result(&self, document: &Id, attempt: u32) -> Result<Option<OcrResult>, StoreError> {
        ocr::result(&self.sessions, document, attempt).await
    }

    async fn close(&self) {
        self.sessions.close().await;
    }
}

fn texts(ids: &[Id]) -> Vec<&str> {
    ids.iter().map(Id::as_str).collect()
}
