//! Finds asserted diagnoses by the terms of `diagnoses.tsv`.

use std::sync::LazyLock;

use super::{
    assertion::{Kind, Mention, asserted},
    sections::{Section, Sections},
    vocabulary::{Vocabulary, list, rows},
    words::{Gap, Word, clauses},
};
use crate::documents::analysis::Diagnosis;

// Terms under this code are known so that no part of them counts: an "ST depression" is none.
const DECOY: &str = "-";
// What stands before an abbreviation that means a disease here: "history of RA", "known MS".
const INTRODUCERS: [&str; 24] = [
    "of",
    "with",
    "has",
    "had",
    "have",
    "known",
    "hx",
    "and",
    "recurrent",
    "severe",
    "chronic",
    "acute",
    "bilateral",
    "previous",
    "prior",
    "p",
    "past",
    "for",
    "diagnosed",
    "new",
    "stable",
    "background",
    "inferior",
    "anterior",
];

const DIABETES: [(&str, &str); 2] = [("E10", "type 1 diabetes"), ("E11", "type 2 diabetes")];

struct Entry {
    code: &'static str,
    name: &'static str,
    redundant_beside: Vec<&'static str>,
}

#[derive(Clone, Copy)]
struct Term {
    entry: usize,
    /// An abbreviation that means other things too.
    is_ambiguous: bool,
}

struct Table {
    entries: Vec<Entry>,
    terms: Vocabulary<Term>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let (mut entries, mut terms) = (Vec::new(), Vec::new());
    for row in table() {
        let field = |at: usize| row.get(at).copied().unwrap_or_default();
        let entry = entries.len();
        terms.extend(list(field(2)).map(|term| {
            let is_ambiguous = term.starts_with('^');
            (term.trim_start_matches('^'), Term { entry, is_ambiguous })
        }));
        entries.push(Entry { code: field(0), name: field(1), redundant_beside: list(field(3)).collect() });
    }
    Table { entries, terms: Vocabulary::of_terms(terms) }
});

fn table() -> impl Iterator<Item = Vec<&'static str>> {
    rows(include_str!("diagnoses.tsv"))
}

/// Lists the terms as they stand in the table.
pub fn terms() -> impl Iterator<Item = &'static str> {
    table().flat_map(|row| list(row.get(2).copied().unwrap_or_default()))
}

/// Finds each asserted diagnosis once, in order of mention.
pub fn find(words: &[Word<'_>]) -> Vec<Diagnosis> {
    let table = &*TABLE;
    let mut places: Vec<Option<usize>> = vec![None; table.entries.len()];
    let mut found: Vec<(&Entry, bool)> = Vec::new();
    let mut sections = Sections::default();
    for clause in clauses(words) {
        let (section, clause) = sections.next(clause);
        asserted(clause, section, &table.terms, Kind::Diagnosis, |mention| {
            if mention.term.is_ambiguous && !is_clear(mention) {
                return;
            }
            let place = *places[mention.term.entry].get_or_insert(found.len());
            match found.get_mut(place) {
                Some((_, is_past)) => *is_past &= mention.is_past,
                None => found.push((&table.entries[mention.term.entry], mention.is_past)),
            }
        });
    }
    let diabetes =
        found.iter().find_map(|(entry, _)| DIABETES.iter().find(|(code, _)| entry.code.starts_with(code)));
    let kept = found.iter().filter(|(entry, _)| entry.code != DECOY && !is_redundant(entry, &found));
    kept.map(|(entry, is_past)| of_type(entry, *is_past, diabetes.copied())).collect()
}

/// A complication of diabetes has its code by the type of the diabetes, which stands elsewhere.
fn of_type(entry: &Entry, is_past: bool, diabetes: Option<(&str, &str)>) -> Diagnosis {
    let (code, name) = match (entry.code.strip_prefix("E14"), diabetes) {
        (Some(rest), Some((category, name))) => {
            (format!("{category}{rest}"), format!("{}, {name}", entry.name))
        }
        _ => (entry.code.to_owned(), entry.name.to_owned()),
    };
    Diagnosis { code, name, is_past }
}

/// "MS" is a disease among diagnoses, not in front of a name.
fn is_clear(mention: &Mention<'_, '_, Term>) -> bool {
    let first = mention.clause[mention.at];
    let before = mention.at.checked_sub(1).map(|at| mention.clause[at]);
    let is_introduced =
        before.is_some_and(|word| first.gap == Gap::Joined && INTRODUCERS.contains(&word.text));
    first.is_upper && (mention.section == Section::Problems || is_introduced || mention.follows_term)
}

fn is_redundant(entry: &Entry, found: &[(&Entry, bool)]) -> bool {
    let is_beside = |prefix: &&str| found.iter().any(|(other, _)| other.code.starts_with(*prefix));
    entry.redundant_beside.iter().any(is_beside) || is_unspecified_beside(entry, found)
}

/// "I50.9" is heart failure of no kind in particular, and says nothing beside "I50.1"; cancers are each their own.
fn is_unspecified_beside(entry: &Entry, found: &[(&Entry, bool)]) -> bool {
    let Some(category) = entry.code.strip_suffix(".9").filter(|code| !code.starts_with('C')) else {
        return false;
    };
    found.iter().any(|(other, _)| other.code != entry.code && other.code.starts_with(category))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::words::split;
    use super::*;

    fn codes(text: &str) -> Vec<String> {
        let lower = text.to_ascii_lowercase();
        find(&split(text, &lower)).into_iter().map(|found| found.code).collect()
    }

    #[test]
    fn a_synonym_names_the_same_diagnosis_once() {
        assert_eq!(codes("HTN. High blood pressure, treated; hypertension"), ["I10"]);
        assert_eq!(codes("Crohn’s disease"), codes("CROHNS DISEASE"));
    }

    #[test]
    fn a_negated_diagnosis_is_not_reported() {
        assert!(codes("No history of diabetes.").is_empty());
        assert!(codes("She denies migraine, epilepsy or stroke.").is_empty());
        assert!(codes("Views of the wrist without evidence of fracture.").is_empty());
    }

    #[test]
    fn a_diagnosis_denied_here_and_asserted_there_is_reported() {
        assert_eq!(codes("No gout in 2019. Gout since 2021."), ["M10.9"]);
        assert_eq!(codes("no diabetes but hypertension"), ["I10"]);
    }

    #[test]
    fn a_term_within_a_longer_word_or_term_does_not_count() {
        assert!(codes("goutweed, cataractous, 1 mm ST depression").is_empty());
        assert_eq!(codes("pulmonary hypertension"), ["I27.2"]);
    }

    #[test]
    fn the_unspecified_disease_yields_to_the_specified_one() {
        assert_eq!(codes("Diabetes: reviewed. Type 2 diabetes mellitus"), ["E11.9"]);
        assert_eq!(codes("Diabetes: reviewed."), ["E14.9"]);
    }

    #[test]
    fn a_complication_of_diabetes_is_of_its_type() {
        assert_eq!(codes("Type 1 diabetes with diabetic retinopathy"), ["E10.9", "E10.3"]);
        assert_eq!(codes("Diabetic retinopathy"), ["E14.3"]);
    }

    #[test]
    fn an_abbreviation_with_other_meanings_counts_among_diagnoses() {
        assert_eq!(codes("PMH: RA, MS\nHistory of PE. HTN, RA"), ["M06.9", "G35", "I26.9", "I10"]);
        assert!(codes("Ms Lind, 95% on RA. PE: abdomen soft. Diagnosis: seen by ms Ra").is_empty());
    }

    #[test]
    fn what_is_over_is_marked() {
        let text = "Previous stroke. Hypertension. Previous gout, now again gout";
        let found = find(&split(text, &text.to_ascii_lowercase()));

        let past: Vec<_> = found.iter().map(|found| (found.code.as_str(), found.is_past)).collect();
        assert_eq!(past, [("I64", true), ("I10", false), ("M10.9", false)]);
    }

    #[test]
    fn every_code_stands_once_and_every_term_is_in_lower_case() {
        let all: Vec<_> = rows(include_str!("diagnoses.tsv")).collect();
        let codes: HashSet<_> = all.iter().map(|row| row[0]).collect();
        let terms: Vec<_> = all.iter().flat_map(|row| list(row[2])).collect();

        assert!(all.iter().all(|row| row.len() >= 3 && row.len() <= 4));
        assert!(terms.len() >= 800, "{}", terms.len());
        assert_eq!(codes.len(), all.len());
        assert_eq!(terms.iter().collect::<HashSet<_>>().len(), terms.len());
        assert!(terms.iter().all(|term| !term.contains(char::is_uppercase)));
    }
}
