//! Tells when what follows a term takes it back: "was excluded", "clinic", "in her mother".

use super::{
    assertion::Kind,
    cues::{BEHIND, Cue, NOUNS},
    relatives::follows_relative,
    vocabulary::Vocabulary,
    words::{Gap, Word},
};

const VERBS: [&str; 19] = [
    "is", "are", "was", "were", "has", "have", "been", "be", "can", "now", "seems", "seem", "seemed",
    "appears", "appeared", "felt", "thought", "had", "remains",
];
const PLURALS: [&str; 4] = ["are", "were", "have", "had"];
// These may stand between such verbs and what they say.
const ADVERBS: [&str; 18] = [
    "therefore",
    "thus",
    "also",
    "now",
    "then",
    "later",
    "subsequently",
    "initially",
    "clinically",
    "considered",
    "to",
    "be",
    "very",
    "currently",
    "temporarily",
    "recently",
    "already",
    "since",
];
/// What comes between a term and its verb: "of the left hand".
const MIDDLE: usize = 6;
/// What ends it: here begins something else.
const ENDS_MIDDLE: [&str; 13] =
    ["and", "or", "but", "with", "which", "who", "he", "she", "that", "because", "after", "when", "while"];
/// A row of a table is looked through to this many words.
const ROW: usize = 16;
const ANSWERS_NO: [&str; 8] = ["no", "none", "nil", "negative", "absent", "denied", "denies", "never"];
const STOPPED: [&str; 8] =
    ["stopped", "discontinued", "ceased", "held", "withheld", "stop", "suspended", "paused"];

/// Says whether `after`, the words behind a term, take it back.
pub fn is_denied_after<T: Copy>(after: &[Word<'_>], terms: &Vocabulary<T>, kind: Kind) -> bool {
    let Some(next) = after.first() else { return false };
    is_answered_no(after)
        || is_changed(after, kind)
        || follows_relative(after)
        || is_denied_by_verb(after, terms, kind)
        || kind == Kind::Medication && is_row_of_stopped(after, terms)
        || next.gap == Gap::Joined && is_changed_with_next(after, terms, kind)
}

/// "Asthma: no", "Asthma | none |".
fn is_answered_no(after: &[Word<'_>]) -> bool {
    let stands_alone = after.get(1).is_none_or(|second| second.gap != Gap::Joined);
    after[0].gap == Gap::Colon && stands_alone && ANSWERS_NO.contains(&after[0].text)
}

/// "Asthma clinic", "codeine allergy", "hepatitis B negative".
fn is_changed(after: &[Word<'_>], kind: Kind) -> bool {
    if after[0].gap != Gap::Joined {
        return false;
    }
    match NOUNS.longest(after) {
        Some((Cue::Changes, _)) => true,
        Some(_) => kind == Kind::Medication,
        None => ["excluded", "unlikely"].contains(&after[0].text) || is_adjective(after),
    }
}

fn is_adjective(after: &[Word<'_>]) -> bool {
    let is_last = after.get(1).is_none_or(|word| word.gap != Gap::Joined);
    is_last && after[0].text == "negative"
}

/// "Hepatitis B and HIV screening".
fn is_changed_with_next<T: Copy>(after: &[Word<'_>], terms: &Vocabulary<T>, kind: Kind) -> bool {
    beyond_next(after, terms).is_some_and(|beyond| !beyond.is_empty() && is_changed(beyond, kind))
}

fn beyond_next<'w, 't, T: Copy>(after: &'w [Word<'t>], terms: &Vocabulary<T>) -> Option<&'w [Word<'t>]> {
    let rest = after.split_first().filter(|(first, _)| ["and", "or"].contains(&first.text))?.1;
    let (_, length) = terms.longest(rest)?;
    Some(&rest[length..])
}

fn is_denied_by_verb<T: Copy>(after: &[Word<'_>], terms: &Vocabulary<T>, kind: Kind) -> bool {
    if let Some(beyond) = beyond_next(after, terms)
        && beyond.first().is_some_and(|word| PLURALS.contains(&word.text))
    {
        return is_denied_by_verb(beyond, terms, kind);
    }
    // A dose may stand between: "codeine 7.5 mg was stopped".
    let is_number =
        |word: &Word<'_>| word.gap <= Gap::Comma && word.text.starts_with(|c: char| c.is_ascii_digit());
    let ends =
        |word: &Word<'_>| word.gap != Gap::Joined && !is_number(word) || ENDS_MIDDLE.contains(&word.text);
    let middle = after.iter().take(MIDDLE).take_while(|word| !ends(word) && !is_verb(word)).count();
    if middle > 0 && (1..middle).any(|at| terms.longest(&after[at..]).is_some()) {
        return false;
    }
    let verbs = &after[middle..];
    let count = verbs.iter().take(5).take_while(|word| is_verb(word) || is_adverb(word)).count();
    let told = if count == 0 && middle > 0 { after } else { &verbs[count..] };
    let Some(first) = told.first().filter(|word| word.gap == Gap::Joined) else { return false };
    let of_medication = kind == Kind::Medication;
    count > 0 && first.text == "ruled"
        || BEHIND.longest(told).is_some_and(|(cue, length)| {
            let fits = cue == Cue::DeniesBefore || cue == Cue::DeniesMedicationBefore && of_medication;
            // Without a verb only "not seen" and the like deny; "gout with negative cultures" does not.
            fits && (count > 0 || length > 1 || of_medication && cue == Cue::DeniesMedicationBefore)
        })
}

fn is_verb(word: &Word<'_>) -> bool {
    word.gap == Gap::Joined && VERBS.contains(&word.text)
}

fn is_adverb(word: &Word<'_>) -> bool {
    word.gap == Gap::Joined && ADVERBS.contains(&word.text)
}

/// "Codeine | 30 mg | PO | stopped", "Codeine - STOPPED (rash)".
fn is_row_of_stopped<T: Copy>(after: &[Word<'_>], terms: &Vocabulary<T>) -> bool {
    for (at, word) in after.iter().enumerate().take(ROW) {
        if at > 0 && terms.longest(&after[at..]).is_some() {
            return false;
        }
        if word.gap == Gap::Colon && STOPPED.contains(&word.text) {
            return true;
        }
    }
    false
}
