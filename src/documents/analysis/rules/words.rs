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
    pub start: usize,
    pub end: usize,
    pub gap: Gap,
    /// Counts lines, a wrapped one and what it goes on in for one; an empty line counts too.
    pub line: usize,
    /// Says whether it is written in capitals.
    pub is_upper: bool,
    /// Says whether a question mark stands before it, as in "?DVT".
    pub is_queried: bool,
}

// A line that ends with one of these goes on in the next, whatever that starts with.
const CONNECTIVES: [&str; 16] = [
    "a", "an", "and", "any", "denied", "denies", "for", "from", "no", "nor", "of", "or", "the", "to", "with",
    "without",
];
// A full stop behind one of these, or behind a single letter, does not end a sentence.
const ABBREVIATIONS: [&str; 14] =
    ["dr", "mr", "mrs", "ms", "prof", "vs", "approx", "st", "inc", "incl", "cont", "hx", "tab", "tabs"];
const COLUMN_SPACES: usize = 3;
// A line in capitals that is this long may have been wrapped.
const WRAPPED_BYTES: usize = 60;

/// Splits `lower` into words; it is the text in ASCII lower case, `text` as it was written.
pub fn split<'t>(text: &str, lower: &'t str) -> Vec<Word<'t>> {
    let mut words: Vec<Word<'t>> = Vec::new();
    let (mut rest, mut line) = (0, Line::default());
    while let Some(start) = find(lower, rest, char::is_alphanumeric) {
        let end = find(lower, start, |letter| !letter.is_alphanumeric()).unwrap_or(lower.len());
        let between = &lower[rest..start];
        let gap = words.last().map_or(Gap::Clause, |last| {
            let next = &text[start..];
            gap_of(last, between, next, goes_on(last, next, &line, between))
        });
        if between.contains('\n') {
            line.begin(gap, between, start);
        }
        let written = &text[start..end];
        line.is_upper &= !written.contains(char::is_lowercase);
        words.push(Word {
            text: &lower[start..end],
            start,
            end,
            gap,
            line: line.number,
            is_upper: !written.contains(char::is_lowercase),
            is_queried: is_queried(between, words.is_empty()),
        });
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

/// Holds the printed line that is being read.
struct Line {
    number: usize,
    start: usize,
    is_upper: bool,
}

impl Default for Line {
    fn default() -> Self {
        Self { number: 0, start: 0, is_upper: true }
    }
}

impl Line {
    fn begin(&mut self, gap: Gap, between: &str, start: usize) {
        (self.start, self.is_upper) = (start, true);
        if gap == Gap::Clause {
            self.number += between.matches('\n').take(2).count();
        }
    }
}

fn find(text: &str, from: usize, wanted: impl Fn(char) -> bool) -> Option<usize> {
    text[from..].find(wanted).map(|at| from + at)
}

fn goes_on(last: &Word<'_>, next: &str, line: &Line, between: &str) -> bool {
    let is_wrapped = line.is_upper && last.end - line.start >= WRAPPED_BYTES && is_upper_line(next);
    is_connective(last)
        || starts_lowercase(next)
        || is_wrapped && between.trim_matches([' ', '\n']).is_empty()
}

fn is_upper_line(next: &str) -> bool {
    let line = &next[..next.floor_char_boundary(next.len().min(WRAPPED_BYTES))];
    let line = line.split('\n').next().unwrap_or_default();
    line.starts_with(char::is_alphabetic) && !line.contains(char::is_lowercase) && !line.contains(':')
}

// A "no" behind a colon or alone is an answer.
fn is_connective(word: &Word<'_>) -> bool {
    word.gap <= Gap::Comma && CONNECTIVES.contains(&word.text)
}

fn is_queried(between: &str, is_first: bool) -> bool {
    let before = between.trim_end_matches(' ').strip_suffix('?');
    before.is_some_and(|before| is_first || before.ends_with([' ', '\n', '(', '\t', ',', ':', '?', '-']))
}

fn gap_of(last: &Word<'_>, between: &str, next: &str, goes_on: bool) -> Gap {
    let marks = between.trim_matches([' ', '\t', '\r']);
    if let Some((before, after)) = marks.split_once('\n') {
        let plain = after.trim().is_empty() && !after.contains('\n');
        let goes_on = plain && (goes_on || before.trim_end().ends_with(','));
        return if goes_on { gap_on_line(before.trim_end()) } else { Gap::Clause };
    }
    if marks == "." && is_abbreviated(last, next) {
        return Gap::Joined;
    }
    let ends_sentence = marks.ends_with('.') && marks.len() < between.len();
    let is_column = between.contains('\t') || between.len() - marks.len() >= COLUMN_SPACES;
    let dash = ["-", "–"].contains(&marks) && between.starts_with(' ') && between.ends_with(' ');
    let least = if is_column || dash { Gap::Colon } else { Gap::Joined };
    if ends_sentence { Gap::Clause } else { least.max(gap_on_line(marks)) }
}

// "H. pylori", "Dr. Amari".
fn is_abbreviated(last: &Word<'_>, next: &str) -> bool {
    let is_letter = last.text.chars().all(char::is_alphabetic) && last.text.chars().count() == 1;
    is_letter && starts_lowercase(next) || ABBREVIATIONS.contains(&last.text)
}

fn starts_lowercase(text: &str) -> bool {
    text.chars().next().is_some_and(char::is_lowercase)
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

    #[test]
    fn an_abbreviation_ends_no_sentence() {
        assert_eq!(gaps("H. pylori"), [Gap::Joined]);
        assert_eq!(gaps("Dr. Amari"), [Gap::Joined]);
        assert_eq!(gaps("hepatitis A. Gout"), [Gap::Joined, Gap::Clause]);
    }

    #[test]
    fn a_wrapped_line_of_capitals_goes_on() {
        let wrapped = "CHEST X-RAY ON THE DAY OF ADMISSION WAS NEGATIVE FOR PLEURAL\nEFFUSION";
        let heading = "CHEST X-RAY ON THE DAY OF ADMISSION WAS NEGATIVE FOR ANYTHING\nDIAGNOSES: GOUT";

        assert_eq!(gaps(wrapped).last(), Some(&Gap::Joined));
        assert_eq!(gaps(heading)[gaps(heading).len() - 2..], [Gap::Clause, Gap::Colon]);
        assert_eq!(gaps("ASTHMA\nGOUT"), [Gap::Clause]);
    }

    #[test]
    fn lines_are_counted_and_questions_seen() {
        let text = "Gout, ?DVT\n\nAsthma? No\nchronic ? PE";
        let words = split(text, text);

        assert_eq!(words.iter().map(|word| word.line).collect::<Vec<_>>(), [0, 0, 2, 2, 2, 2]);
        let queried: Vec<_> = words.iter().filter(|word| word.is_queried).map(|word| word.text).collect();
        assert_eq!(queried, ["DVT", "PE"]);
    }
}
