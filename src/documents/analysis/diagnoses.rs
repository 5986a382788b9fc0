//! Finds asserted diagnoses by the terms of `diagnoses.tsv`.

use std::sync::LazyLock;

use super::Diagnosis;
use super::assertion::{Kind, asserted};
use super::vocabulary::{Vocabulary, list, rows};
use super::words::{Word, clauses};

// Terms under this code are known so that no part of them counts: an "ST depression" is none.
const DECOY: &str = "-";

struct Entry {
    code: &'static str,
    name: &'static str,
    redundant_beside: Vec<&'static str>,
}

struct Table {
    entries: Vec<Entry>,
    terms: Vocabulary<usize>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let (mut entries, mut terms) = (Vec::new(), Vec::new());
    for row in rows(include_str!("diagnoses.tsv")) {
        let field = |at: usize| row.get(at).copied().unwrap_or_default();
        terms.extend(list(field(2)).map(|term| (term, entries.len())));
        entries.push(Entry { code: field(0), name: field(1), redundant_beside: list(field(3)).collect() });
    }
    Table { entries, terms: Vocabulary::new(terms) }
});

/// Finds each asserted diagnosis once, in order of mention.
pub fn find(words: &[Word<'_>]) -> Vec<Diagnosis> {
    let table = &*TABLE;
    let mut seen = vec![false; table.entries.len()];
    let mut found: Vec<&Entry> = Vec::new();
    for clause in clauses(words) {
        asserted(clause, &table.terms, Kind::Diagnosis, |at, _| {
            if !std::mem::replace(&mut seen[at], true) {
                found.push(&table.entries[at]);
            }
        });
    }
    let kept = found.iter().filter(|entry| entry.code != DECOY && !is_redundant(entry, &found));
    kept.map(|entry| Diagnosis { code: entry.code.to_owned(), name: entry.name.to_owned() }).collect()
}

fn is_redundant(entry: &Entry, found: &[&Entry]) -> bool {
    let is_beside = |prefix: &&str| found.iter().any(|other| other.code.starts_with(*prefix));
    entry.redundant_beside.iter().any(is_beside)
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
    fn every_code_stands_once_and_every_term_is_in_lower_case() {
        let all: Vec<_> = rows(include_str!("diagnoses.tsv")).collect();
        let codes: HashSet<_> = all.iter().map(|row| row[0]).collect();
        let terms: Vec<_> = all.iter().flat_map(|row| list(row[2])).collect();

        assert!(all.iter().all(|row| row.len() == 4));
        assert_eq!(codes.len(), all.len());
        assert_eq!(terms.iter().collect::<HashSet<_>>().len(), terms.len());
        assert!(terms.iter().all(|term| !term.contains(char::is_uppercase)));
    }
}
