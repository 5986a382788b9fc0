//! Finds medications by the names of `medications.tsv`, each with what is written behind it.

use std::sync::LazyLock;

use super::{
    assertion::{Kind, asserted},
    directions::Directions,
    measured::is_measured,
    sections::Sections,
    vocabulary::{Vocabulary, list, rows},
    words::{Word, clauses},
};
use crate::documents::analysis::Medication;

// Known so that no part of it counts: an "insulin resistance" is no insulin.
const DECOY: &str = "-";

/// So many mentions of one medication are looked at for its directions.
const MOST_READS: usize = 8;

struct Table {
    names: Vec<&'static str>,
    terms: Vocabulary<usize>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let (mut names, mut terms) = (Vec::new(), Vec::new());
    for row in table() {
        terms.extend(of_row(&row).map(|term| (term, names.len())));
        names.push(row[0]);
    }
    Table { names, terms: Vocabulary::of_terms(terms) }
});

fn table() -> impl Iterator<Item = Vec<&'static str>> {
    rows(include_str!("medications.tsv"))
}

fn of_row(row: &[&'static str]) -> impl Iterator<Item = &'static str> + use<> {
    std::iter::once(row[0]).chain(list(row.get(1).copied().unwrap_or_default()))
}

/// Lists the names as they stand in the table.
pub fn terms() -> impl Iterator<Item = &'static str> {
    table().flat_map(|row| of_row(&row).collect::<Vec<_>>())
}

/// Finds each medication once, in order of mention, with the first directions that are written.
pub fn find(text: &str, words: &[Word<'_>]) -> Vec<Medication> {
    let table = &*TABLE;
    let mut places: Vec<Option<usize>> = vec![None; table.names.len()];
    let mut found: Vec<(Medication, usize)> = Vec::new();
    let mut sections = Sections::default();
    for clause in clauses(words) {
        let (section, clause) = sections.next(clause);
        let mut mentions = Vec::new();
        asserted(clause, section, &table.terms, Kind::Medication, |mention| {
            mentions.push((mention.term, mention.clause[mention.at].start, mention.last().end));
        });
        // What stands behind the next name is the next one's; a brand in brackets is the same one's.
        let mut next = (usize::MAX, text.len());
        let mut ends = vec![0; mentions.len()];
        for (at, &(term, start, _)) in mentions.iter().enumerate().rev() {
            let follower = mentions.get(at + 1).filter(|follower| follower.0 != term);
            next = follower.map_or(next, |&(other, start, _)| (other, start));
            ends[at] = next.1.max(start);
        }
        for (&(term, _, end), next) in mentions.iter().zip(ends) {
            let name = table.names[term];
            if name == DECOY || is_measured(&text[end..]) {
                continue;
            }
            let place = *places[term].get_or_insert_with(|| {
                found.push((Medication { name: name.to_owned(), ..Medication::default() }, 0));
                found.len() - 1
            });
            let (medication, reads) = &mut found[place];
            if *reads < MOST_READS && (medication.dose.is_none() || medication.frequency.is_none()) {
                *reads += 1;
                Directions::read(&text[end..next]).complete(medication);
            }
        }
    }
    found.into_iter().map(|(medication, _)| medication).collect()
}

#[cfg(test)]
mod tests {
    use super::super::words::split;
    use super::*;

    fn found(text: &str) -> Vec<(String, Option<String>)> {
        let lower = text.to_ascii_lowercase();
        find(text, &split(text, &lower)).into_iter().map(|found| (found.name, found.dose)).collect()
    }

    fn entry(name: &str, dose: Option<&str>) -> (String, Option<String>) {
        (name.to_owned(), dose.map(str::to_owned))
    }

    #[test]
    fn a_brand_is_reported_by_its_generic_name() {
        assert_eq!(found("Lipitor 40mg nocte"), [entry("atorvastatin", Some("40 mg"))]);
        assert_eq!(found("ATORVASTATIN"), [entry("atorvastatin", None)]);
    }

    #[test]
    fn form_salt_and_brand_may_stand_before_the_dose() {
        assert_eq!(found("Metoprolol succinate XL 47.5 mg"), [entry("metoprolol", Some("47.5 mg"))]);
        assert_eq!(
            found("Insulin glargine (Toujeo): 18 units"),
            [entry("insulin glargine", Some("18 units"))]
        );
        assert_eq!(found("salbutamol inhaler 100 mcg/puff"), [entry("salbutamol", Some("100 mcg/puff"))]);
        assert_eq!(found("Augmentin 875/125 mg"), [entry("amoxicillin/clavulanic acid", Some("875/125 mg"))]);
    }

    #[test]
    fn no_medication_takes_the_dose_of_the_next() {
        let both = found("warfarin and bisoprolol 2.5 mg");

        assert_eq!(both, [entry("warfarin", None), entry("bisoprolol", Some("2.5 mg"))]);
    }

    #[test]
    fn a_later_dose_completes_an_earlier_mention() {
        let text = "On ramipril for years. Ramipril 5 mg, later ramipril 10 mg.";

        assert_eq!(found(text), [entry("ramipril", Some("5 mg"))]);
    }

    #[test]
    fn what_is_stopped_or_not_tolerated_is_not_reported() {
        assert!(found("Allergies: penicillin, codeine").is_empty());
        assert!(found("No known allergies except penicillin").is_empty());
        assert!(found("Fasting insulin 12 mIU/L. Avoid naproxen.").is_empty());
        assert_eq!(found("No known allergies. Takes sertraline"), [entry("sertraline", None)]);
    }

    #[test]
    fn a_name_within_a_longer_word_does_not_count() {
        assert!(found("codeinelike, proinsulin").is_empty());
    }
}
