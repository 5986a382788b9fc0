//! Says what was found in the documents of a case, in plain text.

use std::collections::HashSet;

use super::question::Question;
use crate::documents::{
    CaseFindings, DocumentStatus,
    analysis::{Diagnosis, DocumentType, Findings, Flag, LabValue, Medication},
};

/// Things of one kind that are named of one document; of more the number is given.
const MOST_NAMED: usize = 12;
/// Longest text about documents in bytes: with what stands before and behind it a message takes it.
const MOST_TEXT: usize = 8 * 1024;
const SEVERAL_PATIENTS: &str = "The documents of this case belong to more than one person, so I do not say what is \
                                in them.";
const CLOSING: &str = "A program found this in your documents, and may have missed something. Ask your doctor what \
                       it means for you.";

const HINT: &str = "Ask me what your documents say: their diagnoses, medications, values or dates, or one thing by \
                    its name.";

/// Answers `question` from `documents`, newest first; never longer than a message.
pub(super) fn answer(documents: &[CaseFindings], question: &str) -> String {
    if documents.iter().map(|document| &document.patient_id).collect::<HashSet<_>>().len() > 1 {
        return SEVERAL_PATIENTS.into();
    }
    let question = Question::parse(question);
    let read = Read::of(documents);
    if read.documents.is_empty() {
        return read.opening();
    }
    if !question.is_asking && !read.documents.iter().any(|(_, findings)| question.named(findings).is_some()) {
        return HINT.into();
    }
    let mut text = read.opening();
    for (document, findings) in read.meant_by(&question) {
        text.push_str(&about(document, &findings, &question));
        if text.len() > MOST_TEXT {
            text.truncate(text.floor_char_boundary(MOST_TEXT));
            text.push_str("… There is more; ask for one thing by its name.");
            break;
        }
    }
    format!("{text}\n\n{CLOSING}")
}

/// The documents of a case by how far they are.
struct Read<'a> {
    documents: Vec<(&'a CaseFindings, &'a Findings)>,
    under_way: usize,
    failed: usize,
}

impl<'a> Read<'a> {
    fn of(all: &'a [CaseFindings]) -> Self {
        let is_read = |status| matches!(status, DocumentStatus::Analyzed | DocumentStatus::Complete);
        let findings = |document: &'a CaseFindings| {
            document
                .findings
                .as_ref()
                .filter(|_| is_read(document.status))
                .map(|findings| (document, findings))
        };
        let documents: Vec<_> = all.iter().filter_map(findings).collect();
        let failed = all.iter().filter(|document| document.status == DocumentStatus::Failed).count();
        Self { under_way: all.len() - documents.len() - failed, failed, documents }
    }

    fn opening(&self) -> String {
        let mut sentences = vec![match self.documents.len() {
            0 => "There is nothing I could read in this case yet.".to_owned(),
            count => format!("I looked at {} of this case.", counted(count, "document", "documents")),
        }];
        if self.under_way > 0 {
            sentences.push(format!("{} still being read: ask again in a moment.", are(self.under_way)));
        }
        if self.failed > 0 {
            sentences.push(format!("{} not readable.", are(self.failed)));
        }
        sentences.join(" ")
    }

    /// The documents that the question names, else those with what it names, else all.
    fn meant_by(&self, question: &Question) -> Vec<(&'a CaseFindings, Findings)> {
        let whole = |(document, findings): &(&'a CaseFindings, &Findings)| (*document, (*findings).clone());
        let called: Vec<_> = self
            .documents
            .iter()
            .filter(|(document, _)| question.names(&document.filename))
            .map(whole)
            .collect();
        if !called.is_empty() {
            return called;
        }
        let named = |(document, findings): &(&'a CaseFindings, &Findings)| {
            question.named(findings).map(|findings| (*document, findings))
        };
        let named: Vec<_> = self.documents.iter().filter_map(named).collect();
        if named.is_empty() { self.documents.iter().map(whole).collect() } else { named }
    }
}

fn about(document: &CaseFindings, findings: &Findings, question: &Question) -> String {
    let date = findings.dates.first().map(|date| format!(" of {date}")).unwrap_or_default();
    let head = format!("\n\n{}, {}{date}:", one_line(&document.filename), kind(findings.document_type));
    // What the question names is said whatever it is, and nothing beside it.
    let names_some = question.named(findings).is_some();
    let is_told = |is_asked: bool, count: usize| if names_some { count > 0 } else { is_asked };
    let mut lines = vec![head];
    if is_told(question.diagnoses, findings.diagnoses.len()) {
        lines.push(list("Diagnoses", &findings.diagnoses, diagnosis));
    }
    if is_told(question.medications, findings.medications.len()) {
        lines.push(list("Medications", &findings.medications, medication));
    }
    if is_told(question.values, findings.lab_values.len()) {
        lines.push(list("Values", &out_of_range_first(&findings.lab_values), value));
    }
    if question.dates && !(names_some && question.is_about_all) {
        lines.push(format!("Dates: {}", dates(&findings.dates)));
    }
    lines.join("\n")
}

fn list<T>(name: &str, found: &[T], words: impl Fn(&T) -> String) -> String {
    if found.is_empty() {
        return format!("{name}: none found");
    }
    let mut lines = vec![format!("{name} ({}):", found.len())];
    lines.extend(found.iter().take(MOST_NAMED).map(|found| format!("• {}", one_line(&words(found)))));
    if found.len() > MOST_NAMED {
        lines.push(format!("• and {} more", found.len() - MOST_NAMED));
    }
    lines.join("\n")
}

fn dates(found: &[String]) -> String {
    let named: Vec<_> = found.iter().take(MOST_NAMED).map(|date| one_line(date)).collect();
    match found.len() {
        0 => "none found".into(),
        count if count > MOST_NAMED => {
            format!("{} and {} earlier ones", named.join(", "), count - MOST_NAMED)
        }
        _ => named.join(", "),
    }
}

fn diagnosis(found: &Diagnosis) -> String {
    let past = if found.is_past { ", in the past" } else { "" };
    format!("{} ({}{past})", found.name, found.code)
}

fn medication(found: &Medication) -> String {
    let as_needed = found.as_needed.then(|| "when needed".to_owned());
    let parts = [found.dose.clone(), found.frequency.clone(), found.route.clone(), as_needed];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    if parts.is_empty() { found.name.clone() } else { format!("{} {}", found.name, parts.join(", ")) }
}

fn value(found: &LabValue) -> String {
    let flag = match found.flag {
        Some(Flag::High) => " (high)",
        Some(Flag::Low) => " (low)",
        None => "",
    };
    format!("{} {} {}", found.name, found.value, found.unit).trim_end().to_owned() + flag
}

fn out_of_range_first(values: &[LabValue]) -> Vec<LabValue> {
    let mut values = values.to_vec();
    values.sort_by_key(|value| value.flag.is_none());
    values
}

const fn kind(document_type: DocumentType) -> &'static str {
    match document_type {
        DocumentType::LabReport => "a lab report",
        DocumentType::ImagingReport => "an imaging report",
        DocumentType::DischargeSummary => "a discharge summary",
        DocumentType::ReferralLetter => "a referral letter",
        DocumentType::Prescription => "a prescription",
        DocumentType::Other => "a document",
    }
}

fn are(count: usize) -> String {
    if count == 1 { "1 document is".into() } else { format!("{count} documents are") }
}

fn counted(count: usize, one: &str, more: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { more })
}

/// What an analyzer of somebody else says may hold anything.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Id, MAX_CONTENT_BYTES};
    use proptest::prelude::*;

    fn document(name: &str, status: DocumentStatus, findings: Option<Findings>) -> CaseFindings {
        let id = |text| Id::parse(text).unwrap();
        CaseFindings { document_id: id("d1"), patient_id: id("p1"), filename: name.into(), status, findings }
    }

    fn findings() -> Findings {
        Findings::from_json(
            br#"{"document_type": "discharge_summary", "dates": ["2026-03-05", "2026-03-01"],
                 "diagnoses": [{"code": "I10", "name": "hypertension"}, {"code": "M10", "name": "gout", "is_past": true}],
                 "medications": [{"name": "metformin", "dose": "500 mg", "frequency": "twice daily"}, {"name": "ibuprofen", "as_needed": true}],
                 "lab_values": [{"name": "Sodium", "value": 140, "unit": "mmol/L"},
                                {"name": "Hemoglobin", "value": 11.2, "unit": "g/dL", "flag": "low"}]}"#,
        )
        .unwrap()
    }

    fn read(name: &str) -> CaseFindings {
        document(name, DocumentStatus::Complete, Some(findings()))
    }

    #[test]
    fn everything_is_told_of_a_question_that_names_nothing() {
        let text = answer(&[read("summary.pdf")], "What does it say?");

        let expected = "I looked at 1 document of this case.\n\n\
            summary.pdf, a discharge summary of 2026-03-05:\n\
            Diagnoses (2):\n• hypertension (I10)\n• gout (M10, in the past)\n\
            Medications (2):\n• metformin 500 mg, twice daily\n• ibuprofen when needed\n\
            Values (2):\n• Hemoglobin 11.2 g/dL (low)\n• Sodium 140 mmol/L\n\
            Dates: 2026-03-05, 2026-03-01\n\n";
        assert_eq!(text, format!("{expected}{CLOSING}"));
        assert_eq!(text, answer(&[read("summary.pdf")], "What does it say?"));
    }

    #[test]
    fn one_thing_is_told_of_a_question_that_names_it() {
        let text = answer(&[read("summary.pdf")], "Is my hemoglobin fine?");

        assert!(text.contains("Values (1):\n• Hemoglobin 11.2 g/dL (low)"), "{text}");
        assert!(!text.contains("Diagnoses") && !text.contains("Sodium"), "{text}");
        let text = answer(&[read("summary.pdf")], "Which medications do I take?");
        assert!(text.contains("Medications (2)") && !text.contains("Values"), "{text}");
    }

    #[test]
    fn who_asks_for_nothing_is_told_what_to_ask_for() {
        assert_eq!(answer(&[read("summary.pdf")], "Thanks!"), HINT);
        assert!(answer(&[read("summary.pdf")], "hemoglobin").contains("11.2 g/dL"));
    }

    #[test]
    fn a_document_is_meant_by_its_name() {
        let text =
            answer(&[read("b.pdf"), read("lab report 2.pdf")], "What diagnoses are in lab report 2.pdf?");

        assert!(text.contains("lab report 2.pdf, a") && !text.contains("b.pdf"), "{text}");
    }

    #[test]
    fn what_is_not_read_is_said() {
        let failed = document("f", DocumentStatus::Failed, None);
        // What a retry has not read anew does not count.
        let under_way = document("u", DocumentStatus::OcrProcessing, Some(findings()));

        let text = answer(&[failed, under_way], "What do they say?");

        assert_eq!(
            text,
            "There is nothing I could read in this case yet. 1 document is still being read: ask again in a \
             moment. 1 document is not readable."
        );
    }

    #[test]
    fn of_documents_of_several_people_nothing_is_told() {
        let other = CaseFindings { patient_id: Id::parse("p2").unwrap(), ..read("b.pdf") };

        assert_eq!(answer(&[read("a.pdf"), other], "Hello?"), SEVERAL_PATIENTS);
    }

    proptest! {
        /// Findings of somebody else's analyzer hold anything, and questions too.
        #[test]
        fn an_answer_is_plain_text_that_a_message_takes(name in "\\PC{0,200}|[\\x00-\\x1f]{1,200}", question in ".{0,300}", count in 1usize..20) {
            let mut findings = findings();
            for _ in 0..count {
                findings.diagnoses.push(Diagnosis { code: name.clone(), name: name.clone(), is_past: false });
            }
            let documents: Vec<_> = (0..count).map(|n| document(&format!("d{n}"), DocumentStatus::Complete, Some(findings.clone()))).collect();

            let text = answer(&documents, &question);

            prop_assert!(text.len() <= MAX_CONTENT_BYTES);
            prop_assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
        }
    }
}
