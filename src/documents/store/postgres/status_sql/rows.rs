//! What their rows mean to us.

use std::collections::HashMap;

use sqlx::FromRow;
use uuid::Uuid;

use crate::{
    documents::status::{DocumentRecord, DocumentStatus},
    event::Id,
};

/// Longest status that a log line shows, in characters.
const SHOWN_CHARS: usize = 40;

/// One row as it comes; any of it may be NULL.
#[derive(FromRow)]
pub(super) struct TheirRow {
    document_id: Option<String>,
    patient_id: Option<String>,
    filename: Option<String>,
    status: Option<String>,
    reason: Option<String>,
    attempt: Option<i64>,
    updated_at: Option<i64>,
}

/// Why a row, or a patient, is left out.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LeftOut {
    /// Nobody asked for this patient.
    OtherPatient,
    /// Neither `STATUS_MAP` nor we know the status.
    UnknownStatus(String),
    /// An id, the status or the time is NULL or not of its form.
    Unreadable,
    /// The type of their column refuses the id.
    RefusedId,
}

/// The patients asked for, by the text that their rows hold.
pub(super) struct Asked {
    by_text: HashMap<String, Vec<Id>>,
}

impl LeftOut {
    /// Gives the label.
    pub(super) const fn as_str(&self) -> &'static str {
        match self {
            Self::OtherPatient => "other_patient",
            Self::UnknownStatus(_) => "unknown_status",
            Self::Unreadable => "unreadable",
            Self::RefusedId => "refused_id",
        }
    }
}

impl Asked {
    /// A uuid comes back in lower case with hyphens, however it was asked for.
    pub(super) fn new(patients: &[Id], has_uuids: bool) -> Self {
        let mut by_text: HashMap<String, Vec<Id>> = HashMap::new();
        for patient in patients {
            let uuid = Uuid::parse_str(patient.as_str()).ok().filter(|_| has_uuids);
            let text = uuid.map_or_else(|| patient.to_string(), |uuid| uuid.to_string());
            by_text.entry(text).or_default().push(patient.clone());
        }
        Self { by_text }
    }
}

impl TheirRow {
    /// Reads the document, once for each form in which its patient was asked for.
    pub(super) fn read(
        self,
        asked: &Asked,
        words: &HashMap<String, DocumentStatus>,
    ) -> Result<Vec<DocumentRecord>, LeftOut> {
        let patient = self.patient_id.ok_or(LeftOut::Unreadable)?;
        let patients = asked.by_text.get(&patient).ok_or(LeftOut::OtherPatient)?;
        let document_id = self.document_id.and_then(|id| Id::parse(&id).ok()).ok_or(LeftOut::Unreadable)?;
        let updated_at = self.updated_at.and_then(|at| u64::try_from(at).ok()).ok_or(LeftOut::Unreadable)?;
        let status = meaning(&self.status.ok_or(LeftOut::Unreadable)?, words)?;
        let attempt = self.attempt.and_then(|attempt| u32::try_from(attempt).ok()).unwrap_or(1).max(1);
        let record = |patient: &Id| DocumentRecord {
            document_id: document_id.clone(),
            patient_id: patient.clone(),
            filename: self.filename.clone(),
            status,
            reason: self.reason.clone(),
            attempt,
            updated_at,
        };
        Ok(patients.iter().map(record).collect())
    }
}

fn meaning(status: &str, words: &HashMap<String, DocumentStatus>) -> Result<DocumentStatus, LeftOut> {
    let ours = || status.parse().ok();
    let known = words.get(status).copied().or_else(ours);
    known.ok_or_else(|| LeftOut::UnknownStatus(status.chars().take(SHOWN_CHARS).collect()))
}

/// Gives every word for what is over, theirs and ours.
pub(super) fn over(words: &HashMap<String, DocumentStatus>) -> Vec<String> {
    let ours = DocumentStatus::ALL.into_iter().map(|status| (status.as_str().to_owned(), status));
    let ours = ours.filter(|(word, _)| !words.contains_key(word));
    let theirs = words.iter().map(|(word, status)| (word.clone(), *status));
    ours.chain(theirs).filter(|(_, status)| status.is_terminal()).map(|(word, _)| word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> TheirRow {
        TheirRow {
            document_id: Some("d1".into()),
            patient_id: Some("p1".into()),
            filename: None,
            status: Some("fertig".into()),
            reason: None,
            attempt: None,
            updated_at: Some(7),
        }
    }

    fn words() -> HashMap<String, DocumentStatus> {
        [("fertig".to_owned(), DocumentStatus::Complete), ("failed".to_owned(), DocumentStatus::Analyzing)]
            .into()
    }

    fn asked(patients: &[&str], has_uuids: bool) -> Asked {
        Asked::new(&patients.iter().map(|id| Id::parse(id).unwrap()).collect::<Vec<_>>(), has_uuids)
    }

    #[test]
    fn their_word_goes_before_ours() {
        assert_eq!(meaning("failed", &words()), Ok(DocumentStatus::Analyzing));
        assert_eq!(meaning("uploaded", &words()), Ok(DocumentStatus::Uploaded));
        assert_eq!(meaning("neu", &words()), Err(LeftOut::UnknownStatus("neu".into())));
        let mut over = over(&words());
        over.sort();
        assert_eq!(over, ["complete", "fertig"]);
    }

    #[test]
    fn only_rows_of_patients_that_were_asked_for_are_read() {
        let read = row().read(&asked(&["p1"], false), &words()).unwrap();

        assert_eq!((read.len(), read[0].status, read[0].attempt), (1, DocumentStatus::Complete, 1));
        assert_eq!(row().read(&asked(&["p2"], false), &words()), Err(LeftOut::OtherPatient));
    }

    #[test]
    fn a_uuid_is_the_same_patient_in_each_of_its_forms() {
        let lower = "0b5f6a1e-9a55-4a0e-8a36-0f6c0a1d2e3f";
        let upper = lower.to_uppercase();
        let asked = asked(&[lower, &upper], true);

        let read = TheirRow { patient_id: Some(lower.into()), ..row() }.read(&asked, &words()).unwrap();

        let patients: Vec<_> = read.iter().map(|record| record.patient_id.as_str()).collect();
        assert_eq!(patients, [lower, &upper]);
    }

    #[test]
    fn a_row_with_holes_is_left_out() {
        let asked = asked(&["p1"], false);
        for row in [
            TheirRow { document_id: None, ..row() },
            TheirRow { document_id: Some("a b".into()), ..row() },
            TheirRow { patient_id: None, ..row() },
            TheirRow { status: None, ..row() },
            TheirRow { updated_at: None, ..row() },
            TheirRow { updated_at: Some(-1), ..row() },
        ] {
            assert_eq!(row.read(&asked, &words()), Err(LeftOut::Unreadable));
        }
    }
}
