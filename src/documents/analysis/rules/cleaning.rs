//! Undoes what typesetting does to a text: ligatures, words cut at the end of a line, spaces of many kinds.

use std::{collections::HashSet, sync::LazyLock};

use super::{analytes, diagnoses, medications};

/// Longer runs of letters are no words.
const MAX_WORD_BYTES: usize = 40;

/// Words that terms are made of: two halves that make one of these belong together.
static KNOWN: LazyLock<HashSet<String>> = LazyLock::new(|| {
    let terms = diagnoses::terms().chain(medications::terms()).chain(analytes::terms());
    let words = terms
        .flat_map(|term| term.split(|c: char| !c.is_alphanumeric()).map(str::to_owned).collect::<Vec<_>>());
    words.filter(|word| word.chars().count() > 3).collect()
});

/// Gives the text as it was meant.
pub fn clean(text: &str) -> String {
    let plain = plain(text);
    let mut clean = String::with_capacity(plain.len());
    let mut rest = plain.as_str();
    while let Some(at) = rest.find('-') {
        let (before, after) = (&rest[..at], &rest[at + 1..]);
        clean.push_str(before);
        rest = match next_line(after) {
            Some(next) if ends_with_letter(before) => {
                if !is_one_word(before, next) {
                    clean.push('-');
                }
                next
            }
            _ => {
                clean.push('-');
                after
            }
        };
    }
    clean.push_str(rest);
    clean
}

fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut is_after_soft_hyphen = false;
    for letter in text.chars() {
        let was_after_soft_hyphen = std::mem::take(&mut is_after_soft_hyphen);
        match letter {
            'ﬀ' => plain.push_str("ff"),
            'ﬁ' => plain.push_str("fi"),
            'ﬂ' => plain.push_str("fl"),
            'ﬃ' => plain.push_str("ffi"),
            'ﬄ' => plain.push_str("ffl"),
            'ﬅ' | 'ﬆ' => plain.push_str("st"),
            '\u{ad}' => is_after_soft_hyphen = true,
            '\n' | '\r' if was_after_soft_hyphen => is_after_soft_hyphen = letter == '\r',
            '\r' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}' => {}
            '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => plain.push(' '),
            '\u{2010}' | '\u{2011}' | '\u{2212}' => plain.push('-'),
            '\u{2028}' | '\u{2029}' | '\u{85}' => plain.push('\n'),
            letter => plain.push(letter),
        }
    }
    plain
}

/// Gives what follows if it begins a line with a letter.
fn next_line(after: &str) -> Option<&str> {
    let next = after.trim_start_matches(' ').strip_prefix('\n')?.trim_start_matches(' ');
    next.starts_with(char::is_alphabetic).then_some(next)
}

fn ends_with_letter(before: &str) -> bool {
    before.ends_with(char::is_alphabetic)
}

fn is_one_word(before: &str, after: &str) -> bool {
    let from = before.ceil_char_boundary(before.len().saturating_sub(MAX_WORD_BYTES));
    let first = before[from..].rsplit(|letter: char| !letter.is_alphabetic()).next().unwrap_or_default();
    let to = after.floor_char_boundary(after.len().min(MAX_WORD_BYTES));
    let second = after[..to].split(|letter: char| !letter.is_alphabetic()).next().unwrap_or_default();
    KNOWN.contains(&format!("{first}{second}").to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_cut_at_the_end_of_a_line_is_one_again() {
        assert_eq!(clean("diabetes melli-\ntus"), "diabetes mellitus");
        assert_eq!(clean("HYPER- \n  TENSION"), "HYPERTENSION");
        assert_eq!(clean("amoxi\u{ad}\ncillin out\u{ad}patient"), "amoxicillin outpatient");
    }

    #[test]
    fn a_hyphen_that_belongs_there_stays() {
        assert_eq!(clean("left-\nsided, non-smoker"), "left-sided, non-smoker");
        assert_eq!(clean("list\n- asthma\n- gout"), "list\n- asthma\n- gout");
        assert_eq!(clean("-\n-\n"), "-\n-\n");
    }

    #[test]
    fn letters_and_spaces_of_typesetters_are_plain() {
        assert_eq!(clean("ﬁbromyalgia\u{a0}10\u{202f}mg 5\u{2011}10"), "fibromyalgia 10 mg 5-10");
        assert_eq!(clean("a\r\nb\u{200b}c"), "a\nbc");
    }
}
