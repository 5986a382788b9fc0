//! Statuses from tables that are not ours, by one statement of the operator's own.
//!
//! Their words are theirs: a status nobody explained, an id that their column refuses or a row of a patient
//! nobody asked for must not take anybody's stream down, nor show what it should not.

mod check;
mod rows;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use sqlx::AssertSqlSafe;

use self::rows::{Asked, LeftOut, TheirRow};
use super::sessions::Sessions;
use crate::{
    documents::{
        case_findings::CaseFindings,
        checklist::CaseDocument,
        estimates::PastRun,
        health::DocumentHealth,
        matching::Requirement,
        ocr::{Delivery, OcrResult, Receipt},
        status::{DocumentRecord, DocumentStatus},
        store::{
            Advance, DatabaseUrl, DocumentStore, Lease, NEWEST_DOCUMENTS, StatusQuery, StatusSource,
            StoreError, Upload, rows::signed,
        },
    },
    event::Id,
    telemetry::Metrics,
};

/// Refused ids that are remembered, so that each is asked for once; past it all are forgotten.
const MOST_REFUSED: usize = 10_000;
/// Unknown statuses that are told of; a column of free text must not fill the log.
const MOST_TOLD: usize = 100;
/// What a type refuses whatever else happens: text that is none of its values, and numbers out of range.
const REFUSED_FOR_GOOD: [&str; 2] = ["22P02", "22003"];

/// How statuses are read from tables that are not ours.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StatusSqlSettings {
    /// One SELECT over `$1`, the patient ids as `text[]`.
    pub statement: String,
    /// What their statuses mean; ours mean themselves where they are not named.
    pub words: HashMap<String, DocumentStatus>,
}

impl StatusSqlSettings {
    /// Reads statuses by `statement`, and takes `words` for what they mean.
    #[must_use]
    pub fn new(statement: &str, words: HashMap<String, DocumentStatus>) -> Self {
        Self { statement: statement.to_owned(), words }
    }
}

/// Tells why statuses cannot be read so.
#[derive(Debug, thiserror::Error)]
pub enum StatusSqlError {
    /// The statement does not do; says why, in one line.
    #[error(
        "STATUS_SQL {0}; it must be one SELECT over $1, the patient ids as text[] (where the column is a uuid: \
         $1::uuid[]), that returns document_id, patient_id, status and updated_at (timestamptz, timestamp, or \
         bigint in milliseconds), and may return filename, reason and attempt"
    )]
    Statement(String),
    /// The database does not answer.
    #[error("open the database that DATABASE_URL names")]
    Store(#[from] StoreError),
}

/// Reads statuses from tables that are not ours, and keeps nothing.
pub struct StatusSql {
    sessions: Sessions,
    statement: Arc<str>,
    words: HashMap<String, DocumentStatus>,
    /// Their words for what is over.
    over: Vec<String>,
    /// Whether their patient ids are uuids, which have more than one form.
    has_uuids: bool,
    refused: Mutex<HashSet<Id>>,
    told: Mutex<HashSet<String>>,
    metrics: Arc<Metrics>,
}

impl StatusSql {
    /// Connects and tries the statement once, without patients.
    ///
    /// # Errors
    /// [`StatusSqlError`] when the statement does not do, or the database does not answer.
    pub async fn open(
        url: &DatabaseUrl,
        settings: &StatusSqlSettings,
        metrics: Arc<Metrics>,
    ) -> Result<Self, StatusSqlError> {
        let DatabaseUrl::Postgres(options) = url else {
            return Err(StatusSqlError::Statement("is set while DATABASE_URL names no Postgres".into()));
        };
        let sessions = Sessions::open(options).await?;
        let theirs = check::look_at(&sessions, &settings.statement).await?;
        let source = Self {
            sessions,
            statement: theirs.statement().into(),
            over: rows::over(&settings.words),
            words: settings.words.clone(),
            has_uuids: theirs.has_uuids(),
            refused: Mutex::default(),
            told: Mutex::default(),
            metrics,
        };
        source.read(&StatusQuery::default(), &[]).await.map_err(check::explain)?;
        Ok(source)
    }

    async fn read(&self, query: &StatusQuery, patients: &[Id]) -> Result<Vec<TheirRow>, StoreError> {
        let statement = sqlx::query_as::<_, TheirRow>(AssertSqlSafe(Arc::clone(&self.statement)))
            .bind(super::texts(patients))
            .bind(super::texts(&query.named))
            .bind(i64::from(NEWEST_DOCUMENTS))
            .bind(&self.over)
            .bind(signed(query.active_since));
        self.sessions.read(statement).await
    }

    /// Reads for all but the patients whose ids are refused: one of them fails the statement for all.
    async fn read_around_refused(&self, query: &StatusQuery) -> Result<Vec<TheirRow>, StoreError> {
        let patients = self.not_refused(&query.patients);
        let mut rows = Vec::new();
        let mut parts = vec![&patients[..]];
        while let Some(part) = parts.pop() {
            match self.read(query, part).await {
                Ok(read) => rows.extend(read),
                Err(error) => match (refusal(&error), part) {
                    (None, _) | (_, []) => return Err(error),
                    (Some(is_for_good), [patient]) => self.refuse(patient, is_for_good),
                    (Some(_), part) => parts.extend(<[_; 2]>::from(part.split_at(part.len() / 2))),
                },
            }
        }
        Ok(rows)
    }

    fn not_refused(&self, patients: &[Id]) -> Vec<Id> {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        patients.iter().filter(|patient| !refused.contains(*patient)).cloned().collect()
    }

    fn refuse(&self, patient: &Id, is_for_good: bool) {
        self.metrics.status_row_left_out(LeftOut::RefusedId.as_str());
        if is_for_good {
            let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
            if refused.len() >= MOST_REFUSED {
                refused.clear();
            }
            refused.insert(patient.clone());
        }
    }

    fn leave_out(&self, reason: &LeftOut) {
        self.metrics.status_row_left_out(reason.as_str());
        let LeftOut::UnknownStatus(status) = reason else { return };
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() < MOST_TOLD && told.insert(status.clone()) {
            tracing::warn!(%status, "documents are left out: name their status in STATUS_MAP");
        }
    }
}

/// Says whether a statement failed for a value, and if so whether it always will.
fn refusal(error: &StoreError) -> Option<bool> {
    let StoreError::Database(sqlx::Error::Database(error)) = error else { return None };
    let code = error.code()?;
    code.starts_with("22").then(|| REFUSED_FOR_GOOD.contains(&&*code))
}

#[async_trait]
impl StatusSource for StatusSql {
    fn name(&self) -> &'static str {
        "postgres"
    }

    async fn statuses(&self, query: &StatusQuery) -> Result<Vec<DocumentRecord>, StoreError> {
        let asked = Asked::new(&query.patients, self.has_uuids);
        let mut documents = Vec::new();
        for row in self.read_around_refused(query).await? {
            match row.read(&asked, &self.words) {
                Ok(records) => documents.extend(records),
                Err(reason) => self.leave_out(&reason),
            }
        }
        documents.sort_by_key(|document| std::cmp::Reverse(document.updated_at));
        Ok(documents)
    }
}

/// Nothing is kept here: whoever uploads is told so.
#[async_trait]
impl DocumentStore for StatusSql {
    async fn announce(&self, _: &Upload) -> Result<(), StoreError> {
        Err(StoreError::KeptElsewhere)
    }

    async fn upload(&self, _: &Id) -> Result<Option<Upload>, StoreError> {
        Err(StoreError::KeptElsewhere)
    }

    async fn confirm(&self, _: &Upload, _: &Lease) -> Result<bool, StoreError> {
        Err(StoreError::KeptElsewhere)
    }

    async fn document(&self, _: &Id) -> Result<Option<DocumentRecord>, StoreError> {
        Err(StoreError::KeptElsewhere)
    }

    async fn advance(&self, _: &Id, _: u32, _: &Advance) -> Result<bool, StoreError> {
        Err(StoreError::KeptElsewhere)
    }

    async fn requirements(&self, _: &str) -> Result<Vec<Requirement>, StoreError> {
        Err(StoreError::KeptElsewhere)
    }

    async fn procedures(&self) -> Result<Vec<String>, StoreError> {
        Err(StoreError::KeptElsewhere)
    }

    async fn case_documents(&self, _: &Id) -> Result<Vec<CaseDocument>, StoreError> {
        Err(StoreError::KeptElsewhere)
    }

    async fn case_findings(&self, _: &Id) -> Result<Vec<CaseFindings>, StoreError> {
        Err(StoreError::KeptElsewhere)
    }

    async fn health(&self, _: u64) -> Result<DocumentHealth, StoreError> {
        Err(StoreError::KeptElsewhere)
    }

    async fn past_runs(&self, _: u32) -> Result<Vec<PastRun>, StoreError> {
        Ok(Vec::new())
    }

    async fn unfinished(&self) -> Result<Vec<(Upload, DocumentRecord)>, StoreError> {
        Ok(Vec::new())
    }

    async fn take_up(&self, _: &Lease, _: u32) -> Result<Vec<(Upload, DocumentRecord)>, StoreError> {
        Ok(Vec::new())
    }

    async fn renew(&self, _: &[Id], _: &Lease) -> Result<(), StoreError> {
        Ok(())
    }

    async fn release(&self, _: &Id) -> Result<(), StoreError> {
        Ok(())
    }

    async fn rest(&self, _: &Id, _: u32, _: &Lease) -> Result<(), StoreError> {
        Err(StoreError::KeptElsewhere)
    }

    async fn retry(&self, _: &Id, _: &Lease) -> Result<Option<u32>, StoreError> {
        Err(StoreError::KeptElsewhere)
    }

    async fn record_delivery(&self, _: &Delivery, _: &Lease) -> Result<Receipt, StoreError> {
        Err(StoreError::KeptElsewhere)
    }

    async fn ocr_result(&self, _: &Id, _: u32) -> Result<Option<OcrResult>, StoreError> {
        Err(StoreError::KeptElsewhere)
    }

    async fn close(&self) {
        self.sessions.close().await;
    }
}
