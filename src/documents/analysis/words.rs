//! Splits a text into lower-case words and says what parts each from the one before,
//! which is all that the readers of clauses know of punctuation.

/// Says what stands between a word and the one before it, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gap {
    /// Nothing that parts the words of one term.
    Joined,
    /// A comma, a bracket or another weak mark.
    Comma,
    /// A colon, a question mark, a spaced dash or a wide column gap.
    Colon,
    /// The end of a clause, a sentence or a list item.
    Clause,
}

/// Holds one word, and where it stands.
#[derive(Clone, Copy, Debug)]
pub struct Word<'t> {
    pub text: &'t str,
    pub end: usize,
    pub gap: Gap,
}

// A line that ends with one of these goes on in the next, whatever that starts with.
const CONNECTIVES: [&str; 16] = [
    "a", "an", "and", "any", "denied", "denies", "for", "from", "no", "nor", "of", "or", "the", "to", "with",
    "without",
];
const COLUMN_SPACES: usize = 3;

/// Splits `lower` into words; it is the text in ASCII lower case, `text` as it was written.
pub fn split<'t>(text: &str, lower: &'t str) -> Vec<Word<'t>> {
    let mut words: Vec<Word<'t>> = Vec::new();
    let mut rest = 0;
    while let Some(start) = find(lower, rest, char::is_alphanumeric) {
        let end = find(lower, start, |letter| !letter.is_alphanumeric()).unwrap_or(lower.len());
        let gap = words.last().map_or(Gap::Clause, |last| {
            let continues = is_connective(last) || starts_lowercase(&text[start..]);
            gap_of(&lower[last.end..start], continues)
        });
        words.push(Word { text: &lower[start..end], end, gap });
        rest = end;
    }
    words
}

/// Cuts `words` at the ends of clauses.
pub fn clauses<'w, 't>(words: &'w [Word<'t>]) -> impl Iterator<Item = &'w [Word<'t>]> {
    words.chunk_by(|_, next| next.gap != Gap::Clause)
}

/// Lists the words of a phrase as [`split`] would.
pub fn of_phrase(phrase: &str) -> impl Iterator<Item = &str> {
    phrase.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty())
}

fn find(text: &str, from: usize, wanted: impl Fn(char) -> bool) -> Option<usize> {
    text[from..].find(wanted).map(|at| from + at)
}

// A "no" behind a colon or alone is an answer.
fn is_connective(word: &Word<'_>) -> bool {
    word.gap <= Gap::Comma && CONNECTIVES.contains(&word.text)
}

fn starts_lowercase(text: &str) -> bool {
    text.chars().next().is_some_and(char::is_lowercase)
}

fn gap_of(between: &str, continues: bool) -> Gap {
    let marks = between.trim_matches([' ', '\t', '\r']);
    if let Some((before, after)) = marks.split_once('\n') {
        let plain = after.trim().is_empty() && !after.contains('\n');
        let goes_on = plain && (continues || before.trim_end().ends_with(','));
        return if goes_on { gap_on_line(before.trim_end()) } else { Gap::Clause };
    }
    let ends_sentence = marks.ends_with('.') && marks.len() < between.len();
    let is_column = between.contains('\t') || between.len() - marks.len() >= COLUMN_SPACES;
    let dash = ["-", "–"].contains(&marks) && between.starts_with(' ') && between.ends_with(' ');
    let least = if is_column || dash { Gap::Colon } else { Gap::Joined };
    if ends_sentence { Gap::Clause } else { least.max(gap_on_line(marks)) }
}

fn gap_on_line(marks: &str) -> Gap {
    marks
        .char_indices()
        .map(|(at, mark)| gap_of_mark(mark, &marks[at + mark.len_utf8()..]))
        .max()
        .unwrap_or(Gap::Joined)
}

fn gap_of_mark(mark: char, after: &str) -> Gap {
    match mark {
        '.' if after.starts_with(char::is_whitespace) => Gap::Clause,
        ';' | '!' | '•' | '\u{c}' => Gap::Clause,
        ':' | '?' | '|' | ')' | ']' | '—' => Gap::Colon,
        ' ' | '-' | '–' | '/' | '\'' | '’' | '®' | '\u{a0}' | '\u{ad}' => Gap::Joined,
        _ => Gap::Comma,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gaps(text: &str) -> Vec<Gap> {
        let lower = text.to_ascii_lowercase();
        split(text, &lower).iter().skip(1).map(|word| word.gap).collect()
    }

    #[test]
    fn a_word_is_a_run_of_letters_and_digits_in_lower_case() {
        let words = split("Crohn's, B12", "crohn's, b12");

        assert_eq!(words.iter().map(|word| word.text).collect::<Vec<_>>(), ["crohn", "s", "b12"]);
    }

    #[test]
    fn the_strongest_mark_between_two_words_counts() {
        assert_eq!(gaps("non-smoker"), [Gap::Joined]);
        assert_eq!(gaps("asthma, gout"), [Gap::Comma]);
        assert_eq!(gaps("asthma (gout) now"), [Gap::Comma, Gap::Colon]);
        assert_eq!(gaps("gout - no"), [Gap::Colon]);
        assert_eq!(gaps("gout. Asthma; none"), [Gap::Clause, Gap::Clause]);
        assert_eq!(gaps("gout\tno"), [Gap::Colon]);
        assert_eq!(gaps("2.5"), [Gap::Comma]);
    }

    #[test]
    fn a_wrapped_line_goes_on_and_a_list_item_does_not() {
        assert_eq!(gaps("chronic\nasthma"), [Gap::Joined]);
        assert_eq!(gaps("signs of\nCOPD"), [Gap::Joined, Gap::Joined]);
        assert_eq!(gaps("gout,\nCOPD"), [Gap::Comma]);
        assert_eq!(gaps("Gout\nCOPD"), [Gap::Clause]);
        assert_eq!(gaps("gout: no\nCOPD"), [Gap::Colon, Gap::Clause]);
        assert_eq!(gaps("gout\n- asthma"), [Gap::Clause]);
        assert_eq!(gaps("of\n\ngout"), [Gap::Clause]);
    }
}
