//! Tells what a clause asserts of the patient from what it denies, asks or says of others.
//!
//! One pass from left to right: a cue opens a scope in which nothing counts, the end of
//! the clause or a turn such as "but" closes it.

use std::sync::LazyLock;

use super::vocabulary::{Vocabulary, list, rows};
use super::words::{Gap, Word};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cue {
    Opens,
    OpensForMedication,
    Closes,
    // "no illness except gout" asserts the gout, "no allergies except codeine" no codeine.
    Excepts,
    // As in "gout was ruled out".
    DeniesBefore,
    // "no change in asthma" denies the change, not the asthma.
    Nothing,
}

/// Says what kind of term is looked for, since some cues speak of one kind only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Diseases and injuries.
    Diagnosis,
    /// Drugs, which can also be stopped or not be tolerated.
    Medication,
}

// After a comma these start a clause of their own.
const OPENERS: [&str; 28] = [
    "has",
    "have",
    "had",
    "is",
    "was",
    "known",
    "with",
    "on",
    "takes",
    "taking",
    "continues",
    "continue",
    "start",
    "started",
    "commence",
    "take",
    "presents",
    "presented",
    "he",
    "she",
    "they",
    "patient",
    "there",
    "then",
    "confirmed",
    "positive",
    "diagnosed",
    "history",
];
// A colon after one of these introduces what the cue is about.
const INTRODUCES: [&str; 9] =
    ["following", "for", "of", "denies", "denied", "history", "allergies", "allergy", "any"];
const AUXILIARIES: [&str; 10] = ["is", "are", "was", "were", "has", "have", "been", "be", "can", "now"];
const ANSWERS_NO: [&str; 8] = ["no", "none", "nil", "negative", "absent", "denied", "denies", "never"];

static CUES: LazyLock<Vocabulary<Cue>> = LazyLock::new(|| {
    Vocabulary::new(rows(include_str!("cues.tsv")).flat_map(|row| {
        let cue = Cue::named(row[0]);
        list(row[1]).filter_map(move |phrase| Some((phrase, cue?)))
    }))
});

impl Cue {
    fn named(name: &str) -> Option<Self> {
        match name {
            "opens" => Some(Self::Opens),
            "opens for medication" => Some(Self::OpensForMedication),
            "closes" => Some(Self::Closes),
            "excepts" => Some(Self::Excepts),
            "nothing" => Some(Self::Nothing),
            "denies before" => Some(Self::DeniesBefore),
            _ => None,
        }
    }
}

/// Calls `found` with each term that `clause` asserts, and the word it ends with.
pub fn asserted<T: Copy>(
    clause: &[Word<'_>],
    terms: &Vocabulary<T>,
    kind: Kind,
    mut found: impl FnMut(T, &Word<'_>),
) {
    let mut scope: Option<Cue> = None;
    let mut at = 0;
    while at < clause.len() {
        scope = scope.filter(|_| !closes_before(clause, at));
        if let Some((term, length)) = terms.longest(&clause[at..]) {
            at += length;
            if scope.is_none() && !is_denied_after(&clause[at..], kind) {
                found(term, &clause[at - 1]);
            }
        } else if let Some((cue, length)) = CUES.longest(&clause[at..]) {
            scope = scope_after(cue, scope, kind, is_empty_cue(clause, at, length));
            at += length;
        } else {
            at += 1;
        }
    }
}

fn scope_after(cue: Cue, scope: Option<Cue>, kind: Kind, is_empty: bool) -> Option<Cue> {
    match cue {
        Cue::Opens if !is_empty => Some(cue),
        Cue::OpensForMedication if kind == Kind::Medication => Some(cue),
        Cue::Closes => None,
        Cue::Excepts => scope.filter(|opened| *opened == Cue::OpensForMedication),
        Cue::Opens | Cue::OpensForMedication | Cue::DeniesBefore | Cue::Nothing => scope,
    }
}

// "was ruled out" looks back, and "no 12" is a number.
fn is_empty_cue(clause: &[Word<'_>], at: usize, length: usize) -> bool {
    let looks_back = clause[at].text == "ruled" && at > 0 && AUXILIARIES.contains(&clause[at - 1].text);
    let next = clause.get(at + length).map_or("", |word| word.text);
    looks_back || clause[at].text == "no" && next.starts_with(|letter: char| letter.is_ascii_digit())
}

fn closes_before(clause: &[Word<'_>], at: usize) -> bool {
    let introduced = at > 0 && INTRODUCES.contains(&clause[at - 1].text);
    match clause[at].gap {
        Gap::Colon => !introduced,
        Gap::Comma => OPENERS.contains(&clause[at].text),
        Gap::Joined | Gap::Clause => false,
    }
}

fn is_denied_after(after: &[Word<'_>], kind: Kind) -> bool {
    let Some(next) = after.first() else { return false };
    let stands_alone = after.get(1).is_none_or(|second| second.gap != Gap::Joined);
    if next.gap == Gap::Colon && stands_alone && ANSWERS_NO.contains(&next.text) {
        return true;
    }
    let is_reaction = ["allergy", "allergic", "intolerance"].contains(&next.text);
    if next.gap == Gap::Joined && kind == Kind::Medication && is_reaction {
        return true;
    }
    let verbs = after.iter().take(3).take_while(|word| is_auxiliary(word)).count();
    let rest = &after[verbs..];
    rest.first().is_some_and(|word| word.gap == Gap::Joined)
        && CUES.longest(rest).is_some_and(|(cue, _)| cue == Cue::DeniesBefore || rest[0].text == "ruled")
}

fn is_auxiliary(word: &Word<'_>) -> bool {
    word.gap == Gap::Joined && AUXILIARIES.contains(&word.text)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::words::{clauses, split};
    use super::*;

    fn found(kind: Kind, text: &str) -> Vec<&'static str> {
        let terms = ["asthma", "gout", "fracture", "codeine"];
        let vocabulary = Vocabulary::new(terms.map(|term| (term, term)));
        let lower = text.to_ascii_lowercase();
        let mut found = Vec::new();
        for clause in clauses(&split(text, &lower)) {
            asserted(clause, &vocabulary, kind, |term, _| found.push(term));
        }
        found
    }

    fn diagnoses(text: &str) -> Vec<&'static str> {
        found(Kind::Diagnosis, text)
    }

    #[test]
    fn a_cue_denies_what_follows_to_the_end_of_its_clause() {
        assert!(diagnoses("There is no history of gout, fracture or asthma").is_empty());
        assert_eq!(diagnoses("Denies gout. Asthma since childhood"), ["asthma"]);
        assert_eq!(diagnoses("Without evidence of fracture; gout"), ["gout"]);
        assert!(diagnoses("Denies any of the following: gout, asthma").is_empty());
    }

    #[test]
    fn a_turn_ends_the_denial() {
        assert_eq!(diagnoses("no fracture but gout"), ["gout"]);
        assert_eq!(diagnoses("no illness except gout"), ["gout"]);
        assert_eq!(diagnoses("denies gout, has asthma"), ["asthma"]);
        assert_eq!(diagnoses("X-ray (no fracture) shows gout"), ["gout"]);
    }

    #[test]
    fn a_denial_may_follow_its_term() {
        assert_eq!(diagnoses("Fracture was ruled out, gout remains"), ["gout"]);
        assert_eq!(diagnoses("Asthma: no\nGout: yes"), ["gout"]);
        assert_eq!(diagnoses("Asthma  |  No  |  Gout  |  Yes"), ["gout"]);
        assert!(diagnoses("Fracture has not been seen, gout is not present").is_empty());
        assert!(diagnoses("Asthma? No. Fracture cannot be excluded").is_empty());
        assert_eq!(diagnoses("gout with negative cultures"), ["gout"]);
    }

    #[test]
    fn every_cue_stands_once_and_says_what_it_does() {
        let table: Vec<_> = rows(include_str!("cues.tsv")).collect();
        let cues: Vec<_> = table.iter().flat_map(|row| list(row[1])).collect();

        assert!(table.iter().all(|row| row.len() == 2 && Cue::named(row[0]).is_some()));
        assert_eq!(cues.iter().collect::<HashSet<_>>().len(), cues.len());
    }

    #[test]
    fn a_denied_change_asserts_the_disease() {
        assert_eq!(diagnoses("no change in asthma"), ["asthma"]);
        assert_eq!(diagnoses("Ward no 5 asthma"), ["asthma"]);
    }

    #[test]
    fn what_relatives_have_or_a_test_is_for_is_not_asserted() {
        assert!(diagnoses("Family history: asthma in mother").is_empty());
        assert!(diagnoses("X-ray to rule out fracture").is_empty());
    }

    #[test]
    fn an_allergy_denies_a_medication_only() {
        assert!(found(Kind::Medication, "Allergies: codeine").is_empty());
        assert!(found(Kind::Medication, "codeine allergy").is_empty());
        assert_eq!(found(Kind::Medication, "Stop aspirin, continue codeine"), ["codeine"]);
        assert_eq!(diagnoses("allergies, asthma"), ["asthma"]);
    }
}
