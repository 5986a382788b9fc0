//! Documents: where they are kept, how they move, and the work that moves them.
//!
//! [`Pipeline`] does the work, [`DocumentStore`] and [`Files`] keep it, [`StatusReader`] tells
//! streams of it. Nothing here knows viewers.

pub mod analysis;
mod files;
pub mod matching;
pub mod ocr;
mod pipeline;
mod status;
mod status_reader;
mod store;
pub mod text_layer;

pub use files::{FileError, Files, MAX_FILE_BYTES};
pub use pipeline::{ConfirmError, Pipeline, RetryError};
pub use status::{DocumentRecord, DocumentStatus, UnknownStatus};
pub use status_reader::{PatientStatuses, StatusFollow, StatusReader, StatusSettings};
pub use store::{
    Advance, DatabaseUrl, DatabaseUrlError, DocumentStore, Lease, NEWEST_DOCUMENTS, PostgresStore,
    SqliteStore, StatusQuery, StatusSource, StatusSql, StatusSqlError, StatusSqlSettings, StoreError, Upload,
    migrate, open,
};
