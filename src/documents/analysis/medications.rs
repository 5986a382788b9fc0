//! Finds medications by the names of `medications.tsv`, each with the dose written behind it.

use std::sync::LazyLock;

use regex::Regex;

use super::Medication;
use super::assertion::{Kind, asserted};
use super::vocabulary::{Vocabulary, list, rows};
use super::words::{Word, clauses};

// Known so that no part of it counts: an "insulin resistance" is no insulin.
const DECOY: &str = "-";

struct Table {
    names: Vec<&'static str>,
    terms: Vocabulary<usize>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let (mut names, mut terms) = (Vec::new(), Vec::new());
    for row in rows(include_str!("medications.tsv")) {
        let synonyms = row.get(1).copied().unwrap_or_default();
        terms.extend(std::iter::once(row[0]).chain(list(synonyms)).map(|term| (term, names.len())));
        names.push(row[0]);
    }
    Table { names, terms: Vocabulary::new(terms) }
});

// Only form, salt and route may stand between a name and its dose, so that no medication
// takes the dose of the next. Repetitions are bounded to keep the time linear.
static DOSE: LazyLock<Regex> = LazyLock::new(|| {
    let filler = "tablets?|tabs?|capsules?|caps?|injections?|inhalers?|solution|suspension|cream|patch|pen|dose|\
        oral|orally|po|iv|im|sc|subcutaneous|xr|sr|er|mr|cr|xl|la|ec|ir|sodium|potassium|calcium|magnesium|\
        hydrochloride|hcl|besylate|besilate|succinate|tartrate|maleate|fumarate|mesylate|phosphate|sulphate|sulfate";
    let between = format!(r"[\s:,–-]{{0,6}}(?:(?:{filler})\b\.?|\([^()\n]{{1,40}}\))");
    let amount = r"\d{1,6}(?:[.,]\d{1,4}){0,2}(?:\s?[-–/]\s?\d{1,6}(?:[.,]\d{1,4})?)?";
    let unit = r"(?:mg|mcg|µg|μg|ug|g|units?|iu|ml|meq|mmol|puffs?|%)";
    let per = r"(?:/(?:ml|day|h|hr|kg|puff|dose|actuation|\d{1,4}\s?m[lg]))?";
    let dose =
        format!(r"(?i)^(?:{between}){{0,4}}[\s:,(–-]{{0,6}}({amount})\s?({unit}{per})(?:\b|$|[\s,.;)])");
    Regex::new(&dose).expect("the pattern is fixed")
});

/// Finds each medication once, in order of mention, with the first dose that is written.
pub fn find(text: &str, words: &[Word<'_>]) -> Vec<Medication> {
    let table = &*TABLE;
    let mut places: Vec<Option<usize>> = vec![None; table.names.len()];
    let mut found: Vec<Medication> = Vec::new();
    for clause in clauses(words) {
        asserted(clause, &table.terms, Kind::Medication, |at, word| {
            let name = table.names[at];
            let place = *places[at].get_or_insert_with(|| {
                found.push(Medication { name: name.to_owned(), dose: None });
                found.len() - 1
            });
            if found[place].dose.is_none() {
                found[place].dose = dose(&text[word.end..]);
            }
        });
    }
    found.retain(|medication| medication.name != DECOY);
    found
}

fn dose(after: &str) -> Option<String> {
    let parts = DOSE.captures(after)?;
    let amount: String = parts[1].chars().filter(|letter| !letter.is_whitespace()).collect();
    Some(format!("{amount} {}", &parts[2]))
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
