//! Documents: where they are kept, how they move, and the work that moves them.
//!
//! [`Pipeline`] does the work, [`DocumentStore`] and [`Files`] keep it, [`StatusReader`] tells
//! streams of it, [`Lookups`] answers from the cache what is read again and again. Nothing here knows viewers.

pub mod analysis;
mod case_findings;
mod checklist;
mod estimates;
mod files;
mod health;
mod lookups;
pub mod matching;
mod notices;
pub mod ocr;
mod pipeline;
mod status;
mod status_reader;
mod store;
pub mod text_layer;

pub use case_findings::CaseFindings;
pub use checklist::{CaseDocument, Checklist, ChecklistDocument, ChecklistItem, DocumentState, ItemState};
pub use estimates::{Estimate, Estimates, Measure, PastRun};
pub use files::{FileError, Files, MAX_FILE_BYTES};
pub use health::{CountedHealth, DocumentHealth, MOST_HEALTH_DOCUMENTS, StageDuration};
pub use lookups::{Lookups, Requirements};
pub use notices::{CaseNotices, Notice};
pub use pipeline::{ConfirmError, Pipeline, Readers, RetryError};
pub use status::{DocumentRecord, DocumentStatus, UnknownStatus};
pub use status_reader::{PatientStatuses, StatusFollow, StatusReader, StatusSettings};
pub use store::{
    Advance, Connections, DatabaseUrl, DatabaseUrlError, DocumentStore, ForgetfulStore, Lease,
    MOST_CASE_DOCUMENTS, MOST_CASE_FINDINGS, NEWEST_DOCUMENTS, PostgresStore, SqliteStore, StatusQuery,
    StatusSource, StatusSql, StatusSqlError, StatusSqlSettings, StoreError, Upload, migrate, open,
    open_shared,
};
pub(crate) use store::{Sessions, signed};
