//! Recognises what kind of document a text is by the phrases such documents use.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::vocabulary::Vocabulary;
use super::words::{Word, clauses};
use crate::documents::analysis::DocumentType;

// What stands this early is a heading rather than a remark on another document.
const HEADING_WORDS: usize = 60;
const HEADING_FACTOR: u32 = 3;
const LEAST_SCORE: u32 = 4;
const TABLE_OF_VALUES: usize = 4;
// A letter tells of values too, but says more beside.
const WORDS_PER_VALUE: usize = 14;

// On equal scores the first wins: a summary or letter quotes the reports, not the reverse.
const PRECEDENCE: [DocumentType; 5] = [
    DocumentType::DischargeSummary,
    DocumentType::ReferralLetter,
    DocumentType::Prescription,
    DocumentType::ImagingReport,
    DocumentType::LabReport,
];

// Where lab reports stand above.
const LAB_PLACE: usize = 4;

const LAB: &[(&str, u32)] = &[
    ("lab report", 4),
    ("laboratory report", 4),
    ("laboratory results", 4),
    ("lab results", 3),
    ("pathology report", 3),
    ("blood test results", 4),
    ("laboratory", 1),
    ("specimen", 2),
    ("reference range", 2),
    ("reference interval", 2),
    ("reference ranges", 2),
    ("haematology", 1),
    ("hematology", 1),
    ("clinical chemistry", 2),
    ("biochemistry", 1),
    ("complete blood count", 2),
    ("full blood count", 2),
    ("lipid panel", 1),
    ("metabolic panel", 1),
    ("collected", 1),
];
const IMAGING: &[(&str, u32)] = &[
    ("radiology report", 4),
    ("imaging report", 4),
    ("mri report", 4),
    ("ct report", 4),
    ("x ray report", 4),
    ("ultrasound report", 4),
    ("radiology", 1),
    ("diagnostic imaging", 2),
    ("radiologist", 2),
    ("magnetic resonance imaging", 2),
    ("computed tomography", 2),
    ("mri", 1),
    ("ct scan", 1),
    ("x ray", 1),
    ("radiograph", 1),
    ("radiographs", 1),
    ("ultrasound", 1),
    ("mammogram", 2),
    ("mammography", 2),
    ("technique", 1),
    ("impression", 1),
    ("contrast", 1),
    ("sequences", 1),
    ("comparison", 1),
];
const DISCHARGE: &[(&str, u32)] = &[
    ("discharge summary", 5),
    ("discharge letter", 5),
    ("hospital discharge", 3),
    ("hospital course", 3),
    ("discharge diagnosis", 3),
    ("discharge diagnoses", 3),
    ("discharge medications", 3),
    ("discharge medication", 3),
    ("date of discharge", 2),
    ("discharge date", 2),
    ("date of admission", 2),
    ("admission date", 2),
    ("condition at discharge", 2),
    ("condition on discharge", 2),
    ("discharge instructions", 2),
    ("was discharged", 1),
    ("admitted", 1),
];
const REFERRAL: &[(&str, u32)] = &[
    ("referral letter", 5),
    ("letter of referral", 5),
    ("referral", 1),
    ("thank you for seeing", 4),
    ("thank you for accepting", 4),
    ("i would be grateful", 2),
    ("i am referring", 4),
    ("i refer", 2),
    ("please see", 1),
    ("referred to you", 3),
    ("reason for referral", 4),
    ("referring physician", 1),
    ("referring doctor", 1),
    ("dear dr", 1),
    ("dear doctor", 1),
    ("dear colleague", 1),
    ("your opinion", 2),
    ("kind regards", 1),
    ("yours sincerely", 1),
];
const PRESCRIPTION: &[(&str, u32)] = &[
    ("prescription", 2),
    ("rx", 2),
    ("prescriber", 2),
    ("prescribed by", 1),
    ("dispense", 2),
    ("refills", 2),
    ("refill", 2),
    ("sig", 2),
    ("pharmacy", 1),
    ("repeats", 1),
    ("quantity", 1),
    ("take one tablet", 2),
    ("substitution permitted", 2),
];

// `place` makes equal weights of one type two different cues.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Cue {
    kind: usize,
    place: usize,
    weight: u32,
}

static CUES: LazyLock<Vocabulary<Cue>> = LazyLock::new(|| {
    let kinds = PRECEDENCE.into_iter().enumerate();
    Vocabulary::new(kinds.flat_map(|(kind, document_type)| {
        let places = phrases(document_type).iter().enumerate();
        places.map(move |(place, &(phrase, weight))| (phrase, Cue { kind, place, weight }))
    }))
});

fn phrases(kind: DocumentType) -> &'static [(&'static str, u32)] {
    match kind {
        DocumentType::LabReport => LAB,
        DocumentType::ImagingReport => IMAGING,
        DocumentType::DischargeSummary => DISCHARGE,
        DocumentType::ReferralLetter => REFERRAL,
        DocumentType::Prescription => PRESCRIPTION,
        DocumentType::Other => &[],
    }
}

/// Recognises the type by the phrases in `words` and by how many lab values the text has.
pub fn recognise(words: &[Word<'_>], lab_values: usize) -> DocumentType {
    let mut scores = scores(words);
    if lab_values >= TABLE_OF_VALUES && words.len() <= lab_values * WORDS_PER_VALUE {
        scores[LAB_PLACE] += LEAST_SCORE;
    }
    let best = scores.iter().max().copied().unwrap_or_default();
    let recognised =
        PRECEDENCE.into_iter().zip(scores).find(|(_, score)| *score == best && best >= LEAST_SCORE);
    recognised.map_or(DocumentType::Other, |(kind, _)| kind)
}

fn scores(words: &[Word<'_>]) -> [u32; PRECEDENCE.len()] {
    let mut scores = [0; PRECEDENCE.len()];
    let mut seen = HashSet::new();
    let mut at = 0;
    for clause in clauses(words) {
        let end = at + clause.len();
        while at < end {
            let Some((cue, length)) = CUES.longest(&clause[clause.len() - (end - at)..]) else {
                at += 1;
                continue;
            };
            if seen.insert(cue) {
                scores[cue.kind] += cue.weight * if at < HEADING_WORDS { HEADING_FACTOR } else { 1 };
            }
            at += length;
        }
    }
    scores
}

#[cfg(test)]
mod tests {
    use super::super::words::split;
    use super::*;

    fn recognised(text: &str) -> DocumentType {
        let lower = text.to_ascii_lowercase();
        recognise(&split(text, &lower), 0)
    }

    #[test]
    fn each_type_is_recognised_by_its_phrases() {
        let texts = [
            ("Hill Street Laboratory\nSpecimen: serum\nReference range", DocumentType::LabReport),
            ("Department of Radiology\nUltrasound of the abdomen\nTechnique", DocumentType::ImagingReport),
            ("Date of admission: ...\nHospital course", DocumentType::DischargeSummary),
            ("Dear Dr Amari,\nI am referring this lady for your opinion", DocumentType::ReferralLetter),
            ("Rx\nDispense: 30\nRefills: 2", DocumentType::Prescription),
        ];

        for (text, kind) in texts {
            assert_eq!(recognised(text), kind, "{text}");
        }
    }

    #[test]
    fn a_heading_outweighs_remarks_on_other_documents() {
        let remarks = "An MRI report and an ultrasound report from the radiologist are enclosed. ";
        let text = format!("Discharge summary\n{}{remarks}", "He felt well. ".repeat(30));

        assert_eq!(recognised(&text), DocumentType::DischargeSummary);
    }

    #[test]
    fn a_phrase_counts_once() {
        assert_eq!(recognised(&"Collected. ".repeat(50)), DocumentType::Other);
    }

    #[test]
    fn a_table_of_values_makes_a_lab_report() {
        assert_eq!(recognise(&[], TABLE_OF_VALUES), DocumentType::LabReport);
        assert_eq!(recognise(&[], 1), DocumentType::Other);
    }

    #[test]
    fn a_text_without_such_phrases_is_not_recognised() {
        assert_eq!(recognised("Invoice for two nights in a room with a view"), DocumentType::Other);
    }
}
