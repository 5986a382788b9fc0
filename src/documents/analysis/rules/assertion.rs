//! Tells what a clause asserts of the patient from what it denies, asks or says of others.
//!
//! One pass from left to right: a cue opens a scope in which nothing counts, the end of
//! the clause or a turn such as "but" closes it.

use super::{
    after::is_denied_after,
    cues::{AHEAD, Cue},
    relatives::{begins_relative, is_relative},
    sections::Section,
    vocabulary::Vocabulary,
    words::{Gap, Word},
};

/// Says what kind of term is looked for, since some cues speak of one kind only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Diseases and injuries.
    Diagnosis,
    /// Drugs, which can also be stopped or not be tolerated.
    Medication,
}

/// A term that counts.
#[derive(Clone, Copy, Debug)]
pub struct Mention<'w, 't, T> {
    pub term: T,
    /// The clause, without its heading.
    pub clause: &'w [Word<'t>],
    /// The place of its first word in the clause.
    pub at: usize,
    /// The place behind its last word.
    pub end: usize,
    pub section: Section,
    /// Whether it is told as over.
    pub is_past: bool,
    /// Whether the term before it in the clause is its neighbour, as in a list.
    pub follows_term: bool,
}

impl<T> Mention<'_, '_, T> {
    /// The last word of the term.
    pub fn last(&self) -> Word<'_> {
        self.clause[self.end - 1]
    }
}

// After a comma these start a clause of their own.
const OPENERS: [&str; 33] = [
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
    "treated",
    "now",
    "currently",
    "his",
    "her",
];
// A colon after one of these introduces what the cue is about.
const INTRODUCES: [&str; 10] =
    ["following", "for", "of", "denies", "denied", "history", "allergies", "allergy", "any", "considered"];
const AUXILIARIES: [&str; 10] = ["is", "are", "was", "were", "has", "have", "been", "be", "can", "now"];
/// A word that tells a past is far from its term no further than this.
const PAST_WORDS: usize = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    Denied,
    /// Of one term only: "gout, no asthma, psoriasis".
    OneDenied,
    NotTaken,
}

/// Calls `found` with each term that `clause` asserts.
pub fn asserted<'w, 't, T: Copy>(
    clause: &'w [Word<'t>],
    section: Section,
    terms: &Vocabulary<T>,
    kind: Kind,
    mut found: impl FnMut(&Mention<'w, 't, T>),
) {
    if !counts_in(section, kind) {
        return;
    }
    let mut scope: Option<Scope> = None;
    let mut past_until = 0;
    let mut last_end = None;
    let mut at = 0;
    while at < clause.len() {
        scope = scope.filter(|_| !closes_before(clause, at));
        if clause[at].is_queried {
            scope = Some(Scope::Denied);
        }
        if let Some((term, length)) = terms.longest(&clause[at..]) {
            let end = at + length;
            let follows_term = last_end == Some(at) && at > 0 && clause[at].gap <= Gap::Comma;
            if scope.is_none() && !is_denied_after(&clause[end..], terms, kind) {
                let is_past = at < past_until;
                found(&Mention { term, clause, at, end, section, is_past, follows_term });
            }
            scope = scope.filter(|scope| *scope != Scope::OneDenied);
            (last_end, past_until, at) = (Some(end), 0, end);
        } else if begins_relative(&clause[at..]) || is_relative_before_term(&clause[at..], terms) {
            scope = Some(Scope::Denied);
            at += 1;
        } else if let Some((cue, length)) = AHEAD.longest(&clause[at..]) {
            if cue == Cue::Past {
                past_until = at + length + PAST_WORDS;
            }
            let in_list = last_end == Some(at) && clause[at].gap == Gap::Comma;
            scope = scope_after(cue, scope, kind, is_empty_cue(clause, at, length), in_list);
            at += length;
        } else {
            at += 1;
        }
    }
}

/// "Mother bipolar".
fn is_relative_before_term<T: Copy>(words: &[Word<'_>], terms: &Vocabulary<T>) -> bool {
    is_relative(&words[0])
        && words.get(1).is_some_and(|next| next.gap == Gap::Joined)
        && terms.longest(&words[1..]).is_some()
}

fn counts_in(section: Section, kind: Kind) -> bool {
    match section {
        // Beside allergies stand reactions: "codeine (hives)".
        Section::Family | Section::Differential | Section::Immunisations | Section::Allergies => false,
        Section::Stopped => kind == Kind::Diagnosis,
        Section::Problems | Section::Medications | Section::Other => true,
    }
}

fn scope_after(cue: Cue, scope: Option<Scope>, kind: Kind, is_empty: bool, in_list: bool) -> Option<Scope> {
    match cue {
        Cue::Opens if is_empty => scope,
        Cue::Opens if in_list => Some(Scope::OneDenied),
        Cue::Opens => Some(Scope::Denied),
        Cue::OpensForMedication if kind == Kind::Medication && !is_empty => Some(Scope::NotTaken),
        Cue::Closes => None,
        Cue::Excepts => scope.filter(|opened| *opened == Scope::NotTaken),
        _ => scope,
    }
}

// "was ruled out" looks back, and "no 12" is a number.
fn is_empty_cue(clause: &[Word<'_>], at: usize, length: usize) -> bool {
    let looks_back =
        ["ruled", "stopped", "discontinued", "held", "withheld", "suspected", "considered", "queried"];
    let looks_back =
        looks_back.contains(&clause[at].text) && at > 0 && AUXILIARIES.contains(&clause[at - 1].text);
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

#[cfg(test)]
mod tests {
    use super::super::{
        sections::Sections,
        words::{clauses, split},
    };
    use super::*;

    fn mentions(kind: Kind, text: &str) -> Vec<(&'static str, bool)> {
        let terms = ["asthma", "gout", "fracture", "codeine"];
        let vocabulary = Vocabulary::new(terms.map(|term| (term, term)));
        let lower = text.to_ascii_lowercase();
        let mut found = Vec::new();
        let mut sections = Sections::default();
        for clause in clauses(&split(text, &lower)) {
            let (section, clause) = sections.next(clause);
            asserted(clause, section, &vocabulary, kind, |mention| {
                found.push((mention.term, mention.is_past))
            });
        }
        found
    }

    fn found(kind: Kind, text: &str) -> Vec<&'static str> {
        mentions(kind, text).into_iter().map(|(term, _)| term).collect()
    }

    fn diagnoses(text: &str) -> Vec<&'static str> {
        found(Kind::Diagnosis, text)
    }

    fn medications(text: &str) -> Vec<&'static str> {
        found(Kind::Medication, text)
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
        assert_eq!(diagnoses("never had gout and she has asthma"), ["asthma"]);
    }

    #[test]
    fn in_a_list_of_diseases_a_no_denies_one() {
        assert_eq!(diagnoses("gout, no asthma, fracture"), ["gout", "fracture"]);
        assert!(diagnoses("no asthma, gout, fracture").is_empty());
    }

    #[test]
    fn a_denial_may_follow_its_term() {
        assert_eq!(diagnoses("Fracture was ruled out, gout remains"), ["gout"]);
        assert_eq!(diagnoses("Asthma: no\nGout: yes"), ["gout"]);
        assert_eq!(diagnoses("Asthma  |  No  |  Gout  |  Yes"), ["gout"]);
        assert!(diagnoses("Fracture has not been seen, gout is not present").is_empty());
        assert!(diagnoses("Asthma? No. Fracture cannot be excluded").is_empty());
        assert!(diagnoses("Fracture of the left hand was therefore excluded").is_empty());
        assert!(diagnoses("Gout and asthma were excluded").is_empty());
        assert_eq!(diagnoses("gout with negative cultures"), ["gout"]);
        assert_eq!(diagnoses("gout and the fracture was excluded"), ["gout"]);
    }

    #[test]
    fn a_denied_change_asserts_the_disease() {
        assert_eq!(diagnoses("no change in asthma"), ["asthma"]);
        assert_eq!(diagnoses("Ward no 5 asthma"), ["asthma"]);
    }

    #[test]
    fn what_relatives_have_is_not_the_patients() {
        assert!(diagnoses("Family history: asthma in mother").is_empty());
        assert!(diagnoses("Her mother had asthma and her father suffers from gout.").is_empty());
        assert!(diagnoses("Mother asthma, maternal aunt gout").is_empty());
        assert!(diagnoses("asthma in her mother, gout (father)").is_empty());
        assert_eq!(diagnoses("Her mother has asthma but she has gout"), ["gout"]);
        assert_eq!(diagnoses("Her wife reports gout"), ["gout"]);
        assert_eq!(diagnoses("He came with his mother; gout"), ["gout"]);
    }

    #[test]
    fn what_is_asked_or_feared_is_not_asserted() {
        assert!(diagnoses("X-ray to rule out fracture").is_empty());
        assert!(diagnoses("?fracture. Query gout. Possible asthma. Return if gout").is_empty());
        assert!(diagnoses("Screening for asthma. Asthma screening. Risk of fracture").is_empty());
        assert_eq!(diagnoses("gout ?fracture"), ["gout"]);
        assert_eq!(diagnoses("likely gout"), ["gout"]);
    }

    #[test]
    fn what_was_is_told_from_what_is() {
        assert_eq!(
            mentions(Kind::Diagnosis, "previous fracture, asthma for many years, and chronic gout"),
            [("fracture", true), ("asthma", false), ("gout", false)]
        );
        assert_eq!(mentions(Kind::Diagnosis, "s/p fracture"), [("fracture", true)]);
        assert_eq!(mentions(Kind::Diagnosis, "Past medical history: gout"), [("gout", false)]);
    }

    #[test]
    fn an_allergy_denies_a_medication_only() {
        assert!(medications("Allergies: codeine").is_empty());
        assert!(medications("codeine allergy").is_empty());
        assert_eq!(medications("Stop aspirin, continue codeine"), ["codeine"]);
        assert_eq!(diagnoses("allergies, asthma"), ["asthma"]);
    }

    #[test]
    fn what_was_stopped_is_not_taken() {
        assert!(medications("Codeine was stopped. Codeine has been discontinued").is_empty());
        assert!(medications("Codeine 7.5 mg prn was not needed. STOP: codeine, aspirin").is_empty());
        assert!(medications("Codeine is no longer needed and was stopped").is_empty());
        assert!(medications("Codeine - STOPPED\nCodeine | 30 mg | PO | stopped").is_empty());
        assert!(medications("Held: codeine\n\nDiscontinued medications\nCodeine 30 mg").is_empty());
        assert_eq!(medications("Stopped: aspirin\nCodeine 30 mg"), ["codeine"]);
        assert_eq!(medications("changed from aspirin to codeine").len(), 0);
        assert_eq!(medications("aspirin switched to codeine"), ["codeine"]);
    }
}
