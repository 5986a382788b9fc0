//! Looks up phrases of several words, the longest first.

use std::collections::HashMap;

use super::{
    spelling::spellings,
    words::{Gap, Word, of_phrase},
};

/// These may stand between the words of a term: "fracture of the left wrist", "Crohn's disease".
const FILLERS: [&str; 14] =
    ["the", "left", "right", "bilateral", "both", "s", "a", "an", "his", "her", "l", "r", "lt", "rt"];
/// So many of them, so that looking stays cheap.
const MAX_FILLERS: usize = 2;

/// Maps phrases to what they mean.
#[derive(Debug)]
pub struct Vocabulary<T> {
    by_first_word: HashMap<String, Vec<Phrase<T>>>,
}

#[derive(Debug)]
struct Phrase<T> {
    rest: Vec<String>,
    meaning: T,
}

impl<T: Copy> Vocabulary<T> {
    /// Builds a vocabulary of phrases, which are in lower case.
    pub fn new<P: AsRef<str>>(phrases: impl IntoIterator<Item = (P, T)>) -> Self {
        let mut by_first_word: HashMap<_, Vec<Phrase<T>>> = HashMap::new();
        for (phrase, meaning) in phrases {
            let mut words = of_phrase(phrase.as_ref()).map(str::to_owned);
            if let Some(first) = words.next() {
                by_first_word.entry(first).or_default().push(Phrase { rest: words.collect(), meaning });
            }
        }
        for phrases in by_first_word.values_mut() {
            phrases.sort_by_key(|phrase| std::cmp::Reverse(phrase.rest.len()));
        }
        Self { by_first_word }
    }

    /// Builds a vocabulary of terms in all their spellings.
    pub fn of_terms(terms: impl IntoIterator<Item = (&'static str, T)>) -> Self {
        Self::new(
            terms.into_iter().flat_map(|(term, meaning)| {
                spellings(term).into_iter().map(move |spelling| (spelling, meaning))
            }),
        )
    }

    /// Returns what the longest phrase at the start of `words` means, and its count of words.
    pub fn longest(&self, words: &[Word<'_>]) -> Option<(T, usize)> {
        let (first, after) = words.split_first()?;
        let phrases = self.by_first_word.get(first.text)?;
        phrases.iter().find_map(|phrase| Some((phrase.meaning, phrase.length_in(after)? + 1)))
    }
}

impl<T> Phrase<T> {
    fn length_in(&self, words: &[Word<'_>]) -> Option<usize> {
        let (mut at, mut fillers) = (0, 0);
        for wanted in &self.rest {
            loop {
                let word = words.get(at).filter(|word| word.gap == Gap::Joined)?;
                at += 1;
                if word.text == wanted {
                    break;
                }
                fillers += 1;
                if fillers > MAX_FILLERS || !FILLERS.contains(&word.text) {
                    return None;
                }
            }
        }
        Some(at)
    }
}

/// Reads the rows of a table whose fields are parted by tabs and whose comments begin with `#`.
pub fn rows(table: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    table
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
        .map(|line| line.split('\t').collect())
}

/// Lists what a field parted by semicolons holds.
pub fn list(field: &'static str) -> impl Iterator<Item = &'static str> {
    field.split(';').map(str::trim).filter(|item| !item.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::words::split;
    use super::*;

    fn meaning(text: &str) -> Option<(u8, usize)> {
        let vocabulary = Vocabulary::of_terms([
            ("heart", 1),
            ("heart failure", 2),
            ("crohn's disease", 3),
            ("fracture of wrist", 4),
            ("chronic anaemia", 5),
        ]);
        vocabulary.longest(&split(text, text))
    }

    #[test]
    fn the_longest_phrase_wins() {
        assert_eq!(meaning("heart failure"), Some((2, 2)));
        assert_eq!(meaning("heart"), Some((1, 1)));
    }

    #[test]
    fn a_phrase_is_made_of_whole_words_in_any_spelling() {
        assert_eq!(meaning("heartburn"), None);
        assert_eq!(meaning("heart failures"), Some((2, 2)));
        assert_eq!(meaning("chronic anemia"), Some((5, 2)));
    }

    #[test]
    fn a_phrase_does_not_reach_over_a_comma() {
        assert_eq!(meaning("heart, failure"), Some((1, 1)));
        assert_eq!(meaning("crohn’s disease"), Some((3, 3)));
    }

    #[test]
    fn a_side_may_stand_in_a_phrase() {
        assert_eq!(meaning("fracture of the left wrist"), Some((4, 5)));
        assert_eq!(meaning("fracture of the the the wrist"), None);
        assert_eq!(meaning("fracture of ankle and wrist"), None);
    }

    #[test]
    fn comments_and_empty_lines_are_no_rows() {
        let rows: Vec<_> = rows("# a\tb\n\nx\ty;z\n").collect();

        assert_eq!(rows, [["x", "y;z"]]);
        assert_eq!(list(rows[0][1]).collect::<Vec<_>>(), ["y", "z"]);
    }
}
