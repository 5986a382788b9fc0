//! Owns laying the documents of a case against what its procedure asks for.

use std::cmp::Reverse;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    analysis::{DocumentType, Findings},
    matching::{Fulfilment, Requirement, match_requirements},
    status::DocumentStatus,
};
use crate::{cache::Cached, event::Id};

/// What a checklist needs to know of one document.
#[derive(Clone, Debug, PartialEq)]
pub struct CaseDocument {
    /// The document.
    pub document_id: Id,
    /// Where it stands.
    pub status: DocumentStatus,
    /// The procedure it was uploaded for.
    pub procedure_code: Option<Id>,
    /// What it is and how old: type and dates of its findings, and nothing else of them.
    pub findings: Option<Findings>,
}

/// The documents of a case against what its procedure asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Checklist {
    /// The case.
    pub case_id: Id,
    /// The procedure that the newest of its documents with one was uploaded for.
    pub procedure_code: Option<Id>,
    /// Whether all that is asked for is there.
    pub complete: bool,
    /// What is asked for, and which document serves it.
    pub requirements: Vec<ChecklistItem>,
    /// The documents, newest first.
    pub documents: Vec<ChecklistDocument>,
}

/// One document that a procedure asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChecklistItem {
    /// What is asked for.
    #[serde(flatten)]
    pub requirement: Requirement,
    /// Whether it is there.
    pub state: ItemState,
    /// The document that serves it best: one that is good enough before one that is not, then the newest.
    pub document_id: Option<Id>,
}

/// Says whether what is asked for is there, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ItemState {
    /// A document is what is needed.
    Satisfied,
    /// There is one, but nothing in it tells how old it is.
    Undated,
    /// There is one, but it is too old.
    Expired,
    /// There is none.
    Missing,
}

/// One document of a case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChecklistDocument {
    /// The document.
    pub document_id: Id,
    /// How far it is.
    pub state: DocumentState,
    /// What kind of document it is, once that is known.
    pub document_type: Option<DocumentType>,
}

/// Says how far a document is, as far as a checklist goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DocumentState {
    /// It is being worked on.
    UnderWay,
    /// It has been read, and counts.
    Read,
    /// It could not be read, and does not count.
    Failed,
}

impl Cached for Checklist {
    const VERSION: u32 = 1;
}

/// Gives the procedure of a case: that of its newest document with one, of `documents`, newest first.
#[must_use]
pub fn procedure_of(documents: &[CaseDocument]) -> Option<&Id> {
    documents.iter().find_map(|document| document.procedure_code.as_ref())
}

impl Checklist {
    /// Lays `documents`, newest first, against `requirements`, as things are on the day `today`.
    ///
    /// Age is counted anew each time: what was good enough when it was read may be too old by now.
    #[must_use]
    pub fn new(
        case: &Id,
        documents: &[CaseDocument],
        requirements: Vec<Requirement>,
        today: NaiveDate,
    ) -> Self {
        let items: Vec<_> =
            requirements.into_iter().map(|asked| ChecklistItem::new(asked, documents, today)).collect();
        Self {
            case_id: case.clone(),
            procedure_code: procedure_of(documents).cloned(),
            complete: !items.is_empty() && items.iter().all(|item| item.state == ItemState::Satisfied),
            requirements: items,
            documents: documents.iter().map(ChecklistDocument::new).collect(),
        }
    }
}

impl ChecklistItem {
    fn new(requirement: Requirement, documents: &[CaseDocument], today: NaiveDate) -> Self {
        let asked = std::slice::from_ref(&requirement);
        let serves = |document: &CaseDocument| {
            let found = match_requirements(document.counted()?, asked, today).pop()?;
            Some((ItemState::of(found.fulfilment), document.document_id.clone()))
        };
        // Of documents that serve it equally well the last of these is taken: the newest.
        let best = documents.iter().rev().filter_map(serves).max_by_key(|(state, _)| Reverse(*state));
        let (state, document_id) = best.map_or((ItemState::Missing, None), |(state, id)| (state, Some(id)));
        Self { requirement, state, document_id }
    }
}

impl ItemState {
    const fn of(fulfilment: Fulfilment) -> Self {
        match fulfilment {
            Fulfilment::Satisfied => Self::Satisfied,
            Fulfilment::Expired => Self::Expired,
            Fulfilment::Undated => Self::Undated,
        }
    }
}

impl CaseDocument {
    const fn state(&self) -> DocumentState {
        match self.status {
            DocumentStatus::Analyzed | DocumentStatus::Complete => DocumentState::Read,
            DocumentStatus::Failed => DocumentState::Failed,
            _ => DocumentState::UnderWay,
        }
    }

    /// What was found in it, where it counts.
    fn counted(&self) -> Option<&Findings> {
        self.findings.as_ref().filter(|_| self.state() == DocumentState::Read)
    }
}

impl ChecklistDocument {
    fn new(document: &CaseDocument) -> Self {
        Self {
            document_id: document.document_id.clone(),
            state: document.state(),
            document_type: document.counted().map(|findings| findings.document_type),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> Id {
        Id::parse(text).unwrap()
    }

    fn today() -> NaiveDate {
        NaiveDate::from_ymd_opt(2024, 7, 31).unwrap()
    }

    fn document(name: &str, status: DocumentStatus, date: &str) -> CaseDocument {
        let findings = Findings {
            document_type: DocumentType::LabReport,
            dates: vec![date.to_owned()],
            ..Findings::default()
        };
        CaseDocument { document_id: id(name), status, procedure_code: None, findings: Some(findings) }
    }

    fn complete(name: &str, date: &str) -> CaseDocument {
        document(name, DocumentStatus::Complete, date)
    }

    fn asked() -> Vec<Requirement> {
        let requirement = |id: &str, document_type| Requirement {
            id: id.into(),
            title: id.into(),
            document_type,
            max_age_days: Some(30),
        };
        vec![requirement("blood", DocumentType::LabReport)]
    }

    fn blood_of(documents: &[CaseDocument]) -> (ItemState, Option<String>) {
        let item = Checklist::new(&id("c1"), documents, asked(), today()).requirements.remove(0);
        (item.state, item.document_id.map(|id| id.to_string()))
    }

    fn served(state: ItemState, document: &str) -> (ItemState, Option<String>) {
        (state, Some(document.to_owned()))
    }

    #[test]
    fn the_newest_document_that_is_good_enough_serves() {
        let (new, newer, old) =
            (complete("new", "2024-07-01"), complete("newer", "2024-07-30"), complete("old", "2024-01-01"));

        assert_eq!(
            blood_of(&[old.clone(), newer.clone(), new.clone()]),
            served(ItemState::Satisfied, "newer")
        );
        assert_eq!(blood_of(&[new, newer]), served(ItemState::Satisfied, "new"));
        assert_eq!(blood_of(&[old]), served(ItemState::Expired, "old"));
        assert_eq!(blood_of(&[complete("undated", "soon")]), served(ItemState::Undated, "undated"));
        assert_eq!(blood_of(&[]), (ItemState::Missing, None));
    }

    #[test]
    fn what_is_under_way_or_failed_does_not_count() {
        for status in [DocumentStatus::Uploaded, DocumentStatus::Analyzing, DocumentStatus::Failed] {
            assert_eq!(blood_of(&[document("d", status, "2024-07-30")]), (ItemState::Missing, None));
        }
        let analyzed = document("d", DocumentStatus::Analyzed, "2024-07-30");
        assert_eq!(blood_of(&[analyzed]), served(ItemState::Satisfied, "d"));
    }

    #[test]
    fn the_procedure_is_that_of_the_newest_document_with_one() {
        let with = |name: &str, code: Option<&str>| CaseDocument {
            procedure_code: code.map(id),
            ..complete(name, "2024-07-30")
        };
        let documents = [with("d3", None), with("d2", Some("hip")), with("d1", Some("knee"))];

        assert_eq!(procedure_of(&documents), Some(&id("hip")));
    }

    #[test]
    fn it_is_complete_when_all_that_is_asked_for_is_there() {
        let complete_with =
            |documents: &[CaseDocument], asked| Checklist::new(&id("c1"), documents, asked, today()).complete;

        assert!(complete_with(&[complete("d", "2024-07-30")], asked()));
        assert!(!complete_with(&[complete("d", "2024-01-30")], asked()));
        assert!(!complete_with(&[complete("d", "2024-07-30")], Vec::new()));
    }

    #[test]
    fn its_json_is_read_as_it_was_written() {
        let checklist = Checklist::new(&id("c1"), &[complete("d", "2024-07-30")], asked(), today());

        let json = serde_json::to_value(&checklist).unwrap();

        let item = serde_json::json!({
            "id": "blood", "title": "blood", "document_type": "lab_report", "max_age_days": 30,
            "state": "satisfied", "document_id": "d",
        });
        assert_eq!(json["requirements"][0], item);
        assert_eq!(serde_json::from_value::<Checklist>(json).unwrap(), checklist);
    }
}
