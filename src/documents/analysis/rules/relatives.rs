//! Tells when a clause turns to the patient's family.

use super::words::{Gap, Word};

const RELATIVES: [&str; 41] = [
    "mother",
    "father",
    "mum",
    "mom",
    "dad",
    "brother",
    "sister",
    "brothers",
    "sisters",
    "aunt",
    "uncle",
    "aunts",
    "uncles",
    "grandmother",
    "grandfather",
    "grandparents",
    "grandparent",
    "son",
    "sons",
    "daughter",
    "daughters",
    "cousin",
    "cousins",
    "niece",
    "nephew",
    "parents",
    "parent",
    "sibling",
    "siblings",
    "twin",
    "wife",
    "husband",
    "partner",
    "relative",
    "relatives",
    "maternal",
    "paternal",
    "grandson",
    "granddaughter",
    "mothers",
    "fathers",
];
/// What relatives do when the disease is theirs; who "reports" or "noticed" tells of the patient.
const HAVING: [&str; 16] = [
    "had",
    "has",
    "have",
    "having",
    "with",
    "suffers",
    "suffered",
    "suffer",
    "died",
    "diagnosed",
    "is",
    "was",
    "developed",
    "deceased",
    "living",
    "alive",
];
/// Words that may stand between, such as "and sister" or "also".
const REACH: usize = 4;

/// Says whether a word names a relative.
pub fn is_relative(word: &Word<'_>) -> bool {
    RELATIVES.contains(&word.text)
}

/// Says whether the first word names a relative of whom something is told.
pub fn begins_relative(words: &[Word<'_>]) -> bool {
    let Some(first) = words.first().filter(|word| RELATIVES.contains(&word.text)) else { return false };
    let Some(next) = words.get(1) else { return false };
    let is_item =
        next.gap == Gap::Colon || next.gap == Gap::Comma && next.text != "and" && first.gap == Gap::Clause;
    is_item
        || words[1..]
            .iter()
            .take(REACH)
            .take_while(|word| word.gap <= Gap::Comma)
            .any(|word| HAVING.contains(&word.text))
}

/// Says whether "in his mother", "(father)" or "in the family" follows.
pub fn follows_relative(after: &[Word<'_>]) -> bool {
    let Some(first) = after.first().filter(|word| word.gap <= Gap::Colon) else { return false };
    if RELATIVES.contains(&first.text) && first.gap != Gap::Joined {
        let next = after.get(1);
        return next.is_none_or(|next| next.gap != Gap::Joined && !HAVING.contains(&next.text));
    }
    let owners = ["his", "her", "the", "a", "their", "my", "both", "one"];
    let rest = &after[1..];
    let owned = rest.iter().take(2).take_while(|word| owners.contains(&word.text)).count();
    first.gap == Gap::Joined
        && ["in", "affecting", "runs", "on"].contains(&first.text)
        && rest.get(owned).is_some_and(|word| {
            word.gap == Gap::Joined && (RELATIVES.contains(&word.text) || word.text == "family")
        })
}
