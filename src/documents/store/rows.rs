//! Rows as every database gives them, before their words and numbers are checked.

use std::time::Duration;

use serde::Deserialize;
use sqlx::FromRow;

use super::{StoreError, Upload};
use crate::{
    documents::{
        analysis::{DocumentType, Findings},
        case_findings::CaseFindings,
        checklist::CaseDocument,
        matching::Requirement,
        status::DocumentRecord,
    },
    event::Id,
};

/// What a status query reads of one document.
#[derive(FromRow)]
pub(super) struct RecordRow {
    document_id: String,
    patient_id: String,
    filename: Option<String>,
    status: String,
    reason: Option<String>,
    attempt: i64,
    updated_at: i64,
}

/// An upload, as announced or as it stands in its document.
#[derive(FromRow)]
pub(super) struct UploadRow {
    document_id: String,
    patient_id: String,
    filename: String,
    content_type: String,
    size: i64,
    case_id: Option<String>,
    procedure_code: Option<String>,
}

/// A document with all that is needed to go on with it.
#[derive(FromRow)]
pub(super) struct UnfinishedRow {
    #[sqlx(flatten)]
    upload: UploadRow,
    #[sqlx(flatten)]
    record: RecordRow,
}

/// A document of a case, newest first. Findings are read as text: Postgres refuses to take apart what
/// holds `\u0000`.
pub(super) const CASE_DOCUMENTS: &str = "
SELECT document_id, status, procedure_code, CAST(findings AS TEXT) AS findings
FROM documents WHERE case_id = $1 ORDER BY created_at DESC, document_id DESC LIMIT $2";

/// What a checklist reads of one document.
#[derive(FromRow)]
pub(super) struct CaseDocumentRow {
    document_id: String,
    status: String,
    procedure_code: Option<String>,
    findings: Option<String>,
}

/// The same documents with their findings.
pub(super) const CASE_FINDINGS: &str = "
SELECT document_id, patient_id, filename, status, CAST(findings AS TEXT) AS findings
FROM documents WHERE case_id = $1 ORDER BY created_at DESC, document_id DESC LIMIT $2";

/// One document with its findings.
#[derive(FromRow)]
pub(super) struct CaseFindingsRow {
    document_id: String,
    patient_id: String,
    filename: String,
    status: String,
    findings: Option<String>,
}

/// Of findings no more than a checklist needs.
#[derive(Deserialize)]
struct TypeAndDates {
    document_type: DocumentType,
    dates: Vec<String>,
}

/// Those that ask for something.
pub(super) const PROCEDURES: &str =
    "SELECT DISTINCT procedure_code FROM procedure_requirements ORDER BY procedure_code";

/// What a procedure asks for.
#[derive(FromRow)]
pub(super) struct RequirementRow {
    requirement_id: String,
    title: String,
    document_type: String,
    max_age_days: Option<i64>,
}

impl RecordRow {
    pub(super) fn read(self) -> Result<DocumentRecord, StoreError> {
        Ok(DocumentRecord {
            document_id: id(&self.document_id, "document_id")?,
            patient_id: id(&self.patient_id, "patient_id")?,
            filename: self.filename,
            status: self.status.parse().map_err(|_| StoreError::Unreadable("status"))?,
            reason: self.reason,
            attempt: u32::try_from(self.attempt).map_err(|_| StoreError::Unreadable("attempt"))?,
            updated_at: unsigned(self.updated_at, "updated_at")?,
        })
    }

    /// Reads what this version can read: a row of a newer one must not hide all others.
    pub(super) fn read_all(rows: Vec<Self>) -> Result<Vec<DocumentRecord>, StoreError> {
        rows.into_iter().map(Self::read).filter_map(skip_unreadable).collect()
    }
}

impl UploadRow {
    pub(super) fn read(self) -> Result<Upload, StoreError> {
        Ok(Upload {
            document_id: id(&self.document_id, "document_id")?,
            patient_id: id(&self.patient_id, "patient_id")?,
            filename: self.filename,
            content_type: self.content_type,
            size: unsigned(self.size, "size")?,
            case_id: optional_id(self.case_id.as_deref(), "case_id")?,
            procedure_code: optional_id(self.procedure_code.as_deref(), "procedure_code")?,
        })
    }
}

impl UnfinishedRow {
    pub(super) fn read(self) -> Result<(Upload, DocumentRecord), StoreError> {
        Ok((self.upload.read()?, self.record.read()?))
    }

    /// Reads what this version can read, the one that moved first at the beginning.
    pub(super) fn read_all(rows: Vec<Self>) -> Result<Vec<(Upload, DocumentRecord)>, StoreError> {
        let read = rows.into_iter().map(Self::read).filter_map(skip_unreadable);
        let mut read = read.collect::<Result<Vec<_>, _>>()?;
        read.sort_by_key(|(_, record)| record.updated_at);
        Ok(read)
    }
}

impl CaseDocumentRow {
    fn read(self) -> Result<CaseDocument, StoreError> {
        let findings = self.findings.map(|json| serde_json::from_str(&json).map(TypeAndDates::into_findings));
        Ok(CaseDocument {
            document_id: id(&self.document_id, "document_id")?,
            status: self.status.parse().map_err(|_| StoreError::Unreadable("status"))?,
            procedure_code: optional_id(self.procedure_code.as_deref(), "procedure_code")?,
            findings: findings.transpose().map_err(|_| StoreError::Unreadable("findings"))?,
        })
    }

    /// Reads what this version can read.
    pub(super) fn read_all(rows: Vec<Self>) -> Result<Vec<CaseDocument>, StoreError> {
        rows.into_iter().map(Self::read).filter_map(skip_unreadable).collect()
    }
}

impl CaseFindingsRow {
    fn read(self) -> Result<CaseFindings, StoreError> {
        let findings = self.findings.map(|json| serde_json::from_str(&json)).transpose();
        Ok(CaseFindings {
            document_id: id(&self.document_id, "document_id")?,
            patient_id: id(&self.patient_id, "patient_id")?,
            filename: self.filename,
            status: self.status.parse().map_err(|_| StoreError::Unreadable("status"))?,
            findings: findings.map_err(|_| StoreError::Unreadable("findings"))?,
        })
    }

    /// Reads what this version can read.
    pub(super) fn read_all(rows: Vec<Self>) -> Result<Vec<CaseFindings>, StoreError> {
        rows.into_iter().map(Self::read).filter_map(skip_unreadable).collect()
    }
}

impl TypeAndDates {
    fn into_findings(self) -> Findings {
        Findings { document_type: self.document_type, dates: self.dates, ..Findings::default() }
    }
}

impl RequirementRow {
    pub(super) fn read(self) -> Result<Requirement, StoreError> {
        let document_type = serde_json::from_value(self.document_type.into());
        Ok(Requirement {
            id: self.requirement_id,
            title: self.title,
            document_type: document_type.map_err(|_| StoreError::Unreadable("document_type"))?,
            max_age_days: self.max_age_days.and_then(|days| u32::try_from(days).ok()),
        })
    }
}

/// Writes a number for a database, which has no unsigned ones.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Writes a time for a database, in milliseconds.
pub(super) fn lasting(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

fn unsigned(number: i64, column: &'static str) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(|_| StoreError::Unreadable(column))
}

fn id(text: &str, column: &'static str) -> Result<Id, StoreError> {
    Id::parse(text).map_err(|_| StoreError::Unreadable(column))
}

fn optional_id(text: Option<&str>, column: &'static str) -> Result<Option<Id>, StoreError> {
    text.map(|text| id(text, column)).transpose()
}

fn skip_unreadable<T>(read: Result<T, StoreError>) -> Option<Result<T, StoreError>> {
    match read {
        Err(StoreError::Unreadable(column)) => {
            tracing::warn!(column, "a document was left out: this version cannot read it");
            None
        }
        read => Some(read),
    }
}
