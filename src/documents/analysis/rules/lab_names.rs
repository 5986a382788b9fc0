//! Finds the name of a measured value in the text before its number.

const MAX_NAME_BYTES: usize = 60;
const MAX_NAME_WORDS: usize = 6;

// These words end what is said before the name: "blood tests showed a potassium".
const BEFORE_NAME: &[&str] = &[
    "a",
    "an",
    "and",
    "are",
    "at",
    "but",
    "by",
    "for",
    "from",
    "had",
    "has",
    "have",
    "her",
    "his",
    "in",
    "is",
    "of",
    "on",
    "or",
    "revealed",
    "show",
    "showed",
    "shows",
    "that",
    "the",
    "their",
    "then",
    "to",
    "was",
    "were",
    "when",
    "which",
    "while",
    "with",
    "after",
    "received",
    "today",
    "yesterday",
    "admission",
    "bloods",
    "labs",
    "given",
    "low",
    "high",
    "raised",
    "elevated",
    "reduced",
];
// These stand between a name and its number: "ferritin level fell to".
const AFTER_NAME: &[&str] = &[
    "is",
    "was",
    "of",
    "at",
    "to",
    "level",
    "levels",
    "result",
    "value",
    "rose",
    "fell",
    "dropped",
    "increased",
    "decreased",
    "improved",
    "normalised",
    "normalized",
    "remains",
    "remained",
    "now",
    "currently",
    "about",
    "approximately",
    "around",
];
const NOT_NAMES: &[&str] =
    &["ref", "reference", "range", "normal", "target", "goal", "limit", "limits", "interval", "page"];
// After a comma these belong to the name: "Bilirubin, total".
const QUALIFIERS: &[&str] = &[
    "total",
    "direct",
    "indirect",
    "serum",
    "plasma",
    "urine",
    "whole",
    "fasting",
    "random",
    "free",
    "ionised",
    "ionized",
    "corrected",
    "random",
];
/// Finds the name at the end of what stands before a value.
pub fn name_of(before: &str) -> Option<String> {
    let from = before.ceil_char_boundary(before.len().saturating_sub(2 * MAX_NAME_BYTES));
    let words: Vec<&str> = last_segment(&before[from..]).split_whitespace().collect();
    let words = name_words(&words);
    let name = words.join(" ");
    let name = without_open_bracket(name.trim_matches(is_outer_mark));
    let fits = words.len() <= MAX_NAME_WORDS && name.len() <= MAX_NAME_BYTES && has_letter(name);
    let is_name = fits && !name.split_whitespace().any(|word| is_one_of(word, NOT_NAMES));
    is_name.then(|| name.to_owned())
}

fn name_words<'w, 't>(words: &'w [&'t str]) -> &'w [&'t str] {
    let follows = |word: &&str| is_one_of(word, AFTER_NAME) || !has_letter(word);
    let end = words.iter().rposition(|word| !follows(word)).map_or(0, |at| at + 1);
    let start = words[..end].iter().rposition(|word| is_one_of(word, BEFORE_NAME)).map_or(0, |at| at + 1);
    let first = words[start..end].iter().position(|word| has_letter(word)).unwrap_or_default();
    &words[start + first..end]
}

fn is_outer_mark(letter: char) -> bool {
    !letter.is_alphanumeric() && !['(', ')', '%', '#'].contains(&letter)
}

/// Cuts off what is a sentence or a part of a list before the name.
fn last_segment(before: &str) -> &str {
    let before = before.trim_end_matches([' ', ':', '=', '|', ',']);
    let cut = before.rfind([';', '|', ':']).map_or(0, |at| at + 1);
    let cut = before.rfind(". ").map_or(cut, |at| cut.max(at + 2));
    let comma = before.rfind(", ").filter(|at| *at >= cut && !is_qualifier(&before[at + 2..]));
    &before[comma.map_or(cut, |at| at + 2)..]
}

fn is_qualifier(text: &str) -> bool {
    text.split_whitespace().next().is_some_and(|word| is_one_of(word, QUALIFIERS))
}

fn without_open_bracket(name: &str) -> &str {
    match name.rfind('(') {
        Some(at) if !name[at..].contains(')') && has_letter(&name[at..]) => name[at + 1..].trim(),
        _ => name.trim_start_matches(')').trim(),
    }
}

fn is_one_of(word: &str, words: &[&str]) -> bool {
    let word = word.trim_matches(|letter: char| !letter.is_alphanumeric());
    words.iter().any(|other| other.eq_ignore_ascii_case(word))
}

fn has_letter(word: &str) -> bool {
    word.contains(char::is_alphabetic)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(before: &str) -> String {
        name_of(before).unwrap_or_default()
    }

    #[test]
    fn a_name_is_what_stands_last_before_its_number() {
        assert_eq!(name("Uric acid:  "), "Uric acid");
        assert_eq!(name("She felt well. Blood tests showed a calcium level of "), "calcium");
        assert_eq!(name("2022-03-04 08:10 Magnesium "), "Magnesium");
        assert_eq!(name("mmol/L; Zinc = "), "Zinc");
    }

    #[test]
    fn a_comma_parts_the_name_from_what_is_before_unless_it_qualifies_it() {
        assert_eq!(name("As expected, zinc "), "zinc");
        assert_eq!(name("Protein, total "), "Protein, total");
    }

    #[test]
    fn brackets_stay_only_in_pairs() {
        assert_eq!(name("Thyrotropin (TSH) "), "Thyrotropin (TSH)");
        assert_eq!(name("anaemic (Hb "), "Hb");
    }

    #[test]
    fn a_range_or_a_story_is_no_name() {
        assert_eq!(name_of("Reference range: "), None);
        assert_eq!(name_of("(12.0 - "), None);
        assert_eq!(name_of("quite unlike anything seen before upon wards "), None);
        assert_eq!(name_of(""), None);
    }
}
