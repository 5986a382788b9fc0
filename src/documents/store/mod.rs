//! Where documents are kept: the contract, and a file per database.

mod database;
mod forgetful;
mod health;
mod postgres;
mod rows;
mod runs;
mod sqlite;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

pub use database::{DatabaseUrl, DatabaseUrlError};
pub use forgetful::ForgetfulStore;
pub(crate) use postgres::Sessions;
pub use postgres::{PostgresStore, StatusSql, StatusSqlError, StatusSqlSettings};
pub(crate) use rows::signed;
pub use sqlite::SqliteStore;

use super::{
    analysis::Findings,
    case_findings::CaseFindings,
    checklist::CaseDocument,
    estimates::PastRun,
    health::DocumentHealth,
    matching::{Requirement, RequirementMatch},
    ocr::{Delivery, OcrResult, Receipt},
    status::{DocumentRecord, DocumentStatus},
};
use crate::{clock::Clock, event::Id};

/// Documents of a patient that a snapshot shows beside the active and the named ones.
pub const NEWEST_DOCUMENTS: u32 = 50;
/// How long a delivery of the OCR queue is known, in milliseconds: the queue gives up after days.
const DELIVERIES_KEPT_FOR: i64 = 7 * 24 * 3_600 * 1_000;
/// Documents of a case that a checklist looks at.
pub const MOST_CASE_DOCUMENTS: u32 = 200;
/// Documents of a case whose findings are read at once.
pub const MOST_CASE_FINDINGS: u32 = 20;

/// Answers where documents stand; the second source of every stream.
#[async_trait]
pub trait StatusSource: Send + Sync + 'static {
    /// Names the source as viewers and operators read it, for example `sqlite`.
    fn name(&self) -> &'static str;

    /// Reads the documents asked for, in one query.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    async fn statuses(&self, query: &StatusQuery) -> Result<Vec<DocumentRecord>, StoreError>;
}

/// Which documents to read: of each patient the active ones, the newest 50 and the named ones.
#[derive(Clone, Debug, Default)]
pub struct StatusQuery {
    /// Whose documents.
    pub patients: Vec<Id>,
    /// Documents of theirs that are read in any case.
    pub named: Vec<Id>,
    /// Documents under way that have moved since, in milliseconds since the Unix epoch, are active.
    pub active_since: u64,
}

/// Keeps uploads, documents and what was found in them.
#[async_trait]
pub trait DocumentStore: StatusSource {
    /// Announces a file that is about to come.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    async fn announce(&self, upload: &Upload) -> Result<(), StoreError>;

    /// Reads an announced upload.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    async fn upload(&self, document: &Id) -> Result<Option<Upload>, StoreError>;

    /// Makes the document of an upload with status `uploaded`, under a lease; false when it was there before.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer; the document may be there then.
    async fn confirm(&self, upload: &Upload, lease: &Lease) -> Result<bool, StoreError>;

    /// Reads one document.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    async fn document(&self, document: &Id) -> Result<Option<DocumentRecord>, StoreError>;

    /// Moves a document forward within `attempt`; false when it stands there or further already.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    async fn advance(&self, document: &Id, attempt: u32, to: &Advance) -> Result<bool, StoreError>;

    /// Reads what a procedure asks for; nothing for an unknown procedure.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    async fn requirements(&self, procedure_code: &str) -> Result<Vec<Requirement>, StoreError>;

    /// Reads the codes of all procedures that ask for something, in order.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    async fn procedures(&self) -> Result<Vec<String>, StoreError>;

    /// Reads the newest 200 documents of a case, newest first; nothing for an unknown case.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    async fn case_documents(&self, case: &Id) -> Result<Vec<CaseDocument>, StoreError>;

    /// Reads the newest 20 documents of a case with all that was found in them, newest first.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    async fn case_findings(&self, case: &Id) -> Result<Vec<CaseFindings>, StoreError>;

    /// Counts the documents that moved since `since`, in milliseconds since the Unix epoch, in one query.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    async fn health(&self, since: u64) -> Result<DocumentHealth, StoreError>;

    /// Reads how long the newest `most` documents took that went well, newest first.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    async fn past_runs(&self, most: u32) -> Result<Vec<PastRun>, StoreError>;

    /// Reads the documents that are under way, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    async fn unfinished(&self) -> Result<Vec<(Upload, DocumentRecord)>, StoreError>;

    /// Takes the lease of at most `most` documents under way that nobody holds any more, and reads them.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    async fn take_up(&self, lease: &Lease, most: u32) -> Result<Vec<(Upload, DocumentRecord)>, StoreError>;

    /// Makes the lease last again for those of `documents` that its worker still holds.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    async fn renew(&self, documents: &[Id], lease: &Lease) -> Result<(), StoreError>;

    /// Lets go of all documents that `worker` holds.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    async fn release(&self, worker: &Id) -> Result<(), StoreError>;

    /// Leaves a document that `lease` holds to OCR: nobody takes it up while the lease lasts, and nobody
    /// holds it. Changes nothing once OCR has given its word.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    async fn rest(&self, document: &Id, attempt: u32, lease: &Lease) -> Result<(), StoreError>;

    /// Makes the next attempt of a failed document with status `uploaded`, under a lease, and gives its
    /// number; nothing when the document has not failed.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    async fn retry(&self, document: &Id, lease: &Lease) -> Result<Option<u32>, StoreError>;

    /// Records a delivery of the OCR queue and the result it may bring, in one step.
    ///
    /// Of an attempt the first result stands, and none comes once the text is there or the document
    /// is over; with it comes the lease. A repeat changes nothing and is answered as before, for a week.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer; nothing is recorded then.
    async fn record_delivery(&self, delivery: &Delivery, lease: &Lease) -> Result<Receipt, StoreError>;

    /// Reads what OCR said of an attempt, as long as the document is under way.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    async fn ocr_result(&self, document: &Id, attempt: u32) -> Result<Option<OcrResult>, StoreError>;

    /// Closes every connection.
    async fn close(&self);
}

/// Connections to a database that several stores share: too many, and a small database is full.
#[derive(Clone)]
pub enum Connections {
    /// To a file.
    Sqlite(sqlx::SqlitePool),
    /// To a server.
    #[expect(private_interfaces, reason = "who holds connections hands them on, and no more")]
    Postgres(Sessions),
    /// To tables of somebody else, in which nothing is written.
    ReadOnly,
}

/// Opens the store that `url` names.
///
/// # Errors
/// [`StoreError`] when the database cannot be used.
pub async fn open(url: &DatabaseUrl, clock: Clock) -> Result<Arc<dyn DocumentStore>, StoreError> {
    Ok(open_shared(url, clock).await?.0)
}

/// Opens the store that `url` names, and gives its connections for others to share.
///
/// # Errors
/// [`StoreError`] when the database cannot be used.
pub async fn open_shared(
    url: &DatabaseUrl,
    clock: Clock,
) -> Result<(Arc<dyn DocumentStore>, Connections), StoreError> {
    Ok(match url {
        DatabaseUrl::Sqlite(url) => {
            let store = SqliteStore::open(url, clock).await?;
            let connections = store.connections();
            (Arc::new(store), connections)
        }
        DatabaseUrl::Postgres(options) => {
            let store = PostgresStore::open(options, clock).await?;
            let connections = store.connections();
            (Arc::new(store), connections)
        }
    })
}

/// Brings the tables of the database up to date; says how many migrations are applied.
///
/// # Errors
/// [`StoreError`] when a migration fails or the database is newer than this version.
pub async fn migrate(url: &DatabaseUrl) -> Result<usize, StoreError> {
    match url {
        DatabaseUrl::Sqlite(url) => {
            let store = SqliteStore::open(url, Clock::System).await?;
            let applied = store.migrate().await;
            store.close().await;
            applied
        }
        DatabaseUrl::Postgres(options) => PostgresStore::migrate(options).await,
    }
}

/// Who works on a document, and how long nobody else does, unless it is renewed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Names the process.
    pub worker: Id,
    /// How long it lasts from now on, by the clock of the store.
    pub lasts: Duration,
}

/// A file that is about to come, or has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// The document it becomes.
    pub document_id: Id,
    /// Whose it is.
    pub patient_id: Id,
    /// What it is called.
    pub filename: String,
    /// What it is said to be, as a media type.
    pub content_type: String,
    /// Its size in bytes, as announced.
    pub size: u64,
    /// The case it belongs to.
    pub case_id: Option<Id>,
    /// The procedure whose requirements it is matched with.
    pub procedure_code: Option<Id>,
}

/// A step forward and what is kept with it.
#[derive(Clone, Debug)]
pub enum Advance {
    /// To a status under way.
    To(DocumentStatus),
    /// To `ocr_complete`, with how much was read, and whether OCR had to.
    Read {
        /// Pages.
        pages: u32,
        /// Whether OCR read them.
        is_scan: bool,
    },
    /// To `analyzed`, with what was found.
    Analyzed(Box<Findings>),
    /// To `complete`, with what it serves.
    Complete(Vec<RequirementMatch>),
    /// To `failed`, with a reason that is safe to show.
    Failed(&'static str),
}

impl Advance {
    /// Gives the status it leads to.
    #[must_use]
    pub const fn status(&self) -> DocumentStatus {
        match self {
            Self::To(status) => *status,
            Self::Read { .. } => DocumentStatus::OcrComplete,
            Self::Analyzed(_) => DocumentStatus::Analyzed,
            Self::Complete(_) => DocumentStatus::Complete,
            Self::Failed(_) => DocumentStatus::Failed,
        }
    }

    fn pages(&self) -> Option<i64> {
        if let Self::Read { pages, .. } = self { Some(i64::from(*pages)) } else { None }
    }

    const fn is_scan(&self) -> Option<bool> {
        if let Self::Read { is_scan, .. } = self { Some(*is_scan) } else { None }
    }
}

/// Tells why the store did not do what was asked. What is inside comes from the database's client, and may change with it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database does not answer or refused.
    #[error("the document store failed")]
    Database(#[from] sqlx::Error),
    /// The tables could not be brought up to date.
    #[error("the migrations failed")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// It did not answer in time.
    #[error("the document store did not answer in time")]
    Timeout,
    /// Documents are in tables that are not ours, which are only read.
    #[error("documents are kept elsewhere, as STATUS_SQL is set")]
    KeptElsewhere,
    /// A row holds what this version does not know.
    #[error("the document store holds an unreadable {0}")]
    Unreadable(&'static str),
}

/// What a full disk is to SQLite (<https://www.sqlite.org/rescode.html#full>) and to Postgres
/// (<https://www.postgresql.org/docs/current/errcodes-appendix.html>, `disk_full`).
const FULL: [&str; 2] = ["13", "53100"];

impl StoreError {
    /// Says whether the database has no room for what was to be kept.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let Self::Database(sqlx::Error::Database(error)) = self else { return false };
        error.code().is_some_and(|code| FULL.contains(&&*code))
    }
}
