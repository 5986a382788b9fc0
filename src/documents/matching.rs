//! Owns deciding which requirements of a procedure a document serves, and whether it is new enough.

use chrono::{NaiveDate, TimeDelta};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::analysis::{DocumentType, Findings};

/// Names one document that a procedure needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Requirement {
    /// Names the requirement within its procedure.
    pub id: String,
    /// Holds what patients read.
    pub title: String,
    /// Names what kind of document serves it.
    pub document_type: DocumentType,
    /// Limits the age of the document in days, where it matters.
    pub max_age_days: Option<u32>,
}

/// Says how a document serves one requirement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequirementMatch {
    /// Names the requirement.
    pub requirement_id: String,
    /// Says whether the document is good enough for it.
    pub fulfilment: Fulfilment,
}

/// Says whether a document of the right type is good enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fulfilment {
    /// The document is what is needed.
    Satisfied,
    /// The document is too old.
    Expired,
    /// The document has no date to tell its age by.
    Undated,
}

/// Matches a document with the requirements that its type serves, in their order.
///
/// A document that was not recognised serves none, whatever a requirement asks for.
#[must_use]
pub fn match_requirements(
    findings: &Findings,
    requirements: &[Requirement],
    today: NaiveDate,
) -> Vec<RequirementMatch> {
    if findings.document_type == DocumentType::Other {
        return Vec::new();
    }
    let newest = newest_date(findings, today);
    let served = requirements.iter().filter(|asked| asked.document_type == findings.document_type);
    served
        .map(|asked| RequirementMatch {
            requirement_id: asked.id.clone(),
            fulfilment: fulfilment(newest, asked.max_age_days, today),
        })
        .collect()
}

// A date ahead is an appointment or a slip of the pen; neither tells how old the document is.
fn newest_date(findings: &Findings, today: NaiveDate) -> Option<NaiveDate> {
    findings.dates.iter().filter_map(|date| date.parse().ok()).filter(|date| *date <= today).max()
}

fn fulfilment(newest: Option<NaiveDate>, max_age_days: Option<u32>, today: NaiveDate) -> Fulfilment {
    match (max_age_days, newest) {
        (None, _) => Fulfilment::Satisfied,
        (Some(_), None) => Fulfilment::Undated,
        (Some(days), Some(date)) if today - date > TimeDelta::days(days.into()) => Fulfilment::Expired,
        (Some(_), Some(_)) => Fulfilment::Satisfied,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn today() -> NaiveDate {
        NaiveDate::from_ymd_opt(2024, 7, 31).unwrap()
    }

    fn requirement(id: &str, document_type: DocumentType, max_age_days: Option<u32>) -> Requirement {
        Requirement { id: id.to_owned(), title: id.to_owned(), document_type, max_age_days }
    }

    fn findings(document_type: DocumentType, dates: &[&str]) -> Findings {
        Findings {
            document_type,
            dates: dates.iter().map(|&date| date.to_owned()).collect(),
            ..Findings::default()
        }
    }

    fn fulfilment_of(dates: &[&str], max_age_days: Option<u32>) -> Fulfilment {
        let asked = [requirement("blood", DocumentType::LabReport, max_age_days)];
        match_requirements(&findings(DocumentType::LabReport, dates), &asked, today())[0].fulfilment
    }

    #[test]
    fn a_document_serves_only_the_requirements_of_its_type() {
        let asked = [
            requirement("film", DocumentType::ImagingReport, None),
            requirement("blood", DocumentType::LabReport, None),
            requirement("clotting", DocumentType::LabReport, None),
        ];

        let matches = match_requirements(&findings(DocumentType::LabReport, &[]), &asked, today());

        let ids: Vec<_> = matches.iter().map(|found| found.requirement_id.as_str()).collect();
        assert_eq!(ids, ["blood", "clotting"]);
    }

    #[test]
    fn a_document_that_was_not_recognised_serves_nothing() {
        let asked = [requirement("any", DocumentType::Other, None)];

        assert!(
            match_requirements(&findings(DocumentType::Other, &["2024-07-30"]), &asked, today()).is_empty()
        );
    }

    #[test]
    fn a_document_expires_the_day_after_its_greatest_age() {
        assert_eq!(fulfilment_of(&["2024-07-01"], Some(30)), Fulfilment::Satisfied);
        assert_eq!(fulfilment_of(&["2024-06-30"], Some(30)), Fulfilment::Expired);
        assert_eq!(fulfilment_of(&["1900-01-01"], Some(u32::MAX)), Fulfilment::Satisfied);
    }

    #[test]
    fn the_newest_date_that_is_not_ahead_counts() {
        assert_eq!(
            fulfilment_of(&["2025-01-01", "2024-07-31", "2001-01-01"], Some(0)),
            Fulfilment::Satisfied
        );
        assert_eq!(fulfilment_of(&["2025-01-01", "2001-01-01"], Some(90)), Fulfilment::Expired);
    }

    #[test]
    fn a_document_without_a_usable_date_is_undated_only_where_an_age_is_asked() {
        assert_eq!(fulfilment_of(&[], Some(90)), Fulfilment::Undated);
        assert_eq!(fulfilment_of(&["2025-01-01"], Some(90)), Fulfilment::Undated);
        assert_eq!(fulfilment_of(&["yesterday"], Some(90)), Fulfilment::Undated);
        assert_eq!(fulfilment_of(&[], None), Fulfilment::Satisfied);
    }

    #[test]
    fn a_match_is_written_in_snake_case() {
        let found = RequirementMatch { requirement_id: "blood".to_owned(), fulfilment: Fulfilment::Expired };

        let json = serde_json::to_string(&found).unwrap();

        assert_eq!(json, r#"{"requirement_id":"blood","fulfilment":"expired"}"#);
    }
}
