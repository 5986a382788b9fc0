//! Looks up phrases of several words, the longest first.

use std::collections::HashMap;

use super::words::{Gap, Word, of_phrase};

/// Maps phrases to what they mean.
#[derive(Debug)]
pub struct Vocabulary<T> {
    by_first_word: HashMap<&'static str, Vec<Phrase<T>>>,
}

#[derive(Debug)]
struct Phrase<T> {
    rest: Vec<&'static str>,
    meaning: T,
}

impl<T: Copy> Vocabulary<T> {
    /// Builds a vocabulary of phrases, which are in lower case.
    pub fn new(phrases: impl IntoIterator<Item = (&'static str, T)>) -> Self {
        let mut by_first_word: HashMap<_, Vec<Phrase<T>>> = HashMap::new();
        for (phrase, meaning) in phrases {
            let mut words = of_phrase(phrase);
            if let Some(first) = words.next() {
                by_first_word.entry(first).or_default().push(Phrase { rest: words.collect(), meaning });
            }
        }
        for phrases in by_first_word.values_mut() {
            phrases.sort_by_key(|phrase| std::cmp::Reverse(phrase.rest.len()));
        }
        Self { by_first_word }
    }

    /// Returns what the longest phrase at the start of `words` means, and its count of words.
    pub fn longest(&self, words: &[Word<'_>]) -> Option<(T, usize)> {
        let (first, after) = words.split_first()?;
        let phrases = self.by_first_word.get(first.text)?;
        phrases
            .iter()
            .find(|phrase| phrase.starts(after))
            .map(|phrase| (phrase.meaning, phrase.rest.len() + 1))
    }
}

impl<T> Phrase<T> {
    fn starts(&self, words: &[Word<'_>]) -> bool {
        words.len() >= self.rest.len()
            && self
                .rest
                .iter()
                .zip(words)
                .all(|(wanted, word)| word.text == *wanted && word.gap == Gap::Joined)
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
        let vocabulary = Vocabulary::new([("heart", 1), ("heart failure", 2), ("crohn's disease", 3)]);
        vocabulary.longest(&split(text, text))
    }

    #[test]
    fn the_longest_phrase_wins() {
        assert_eq!(meaning("heart failure"), Some((2, 2)));
        assert_eq!(meaning("heart"), Some((1, 1)));
    }

    #[test]
    fn a_phrase_is_made_of_whole_words() {
        assert_eq!(meaning("heartburn"), None);
        assert_eq!(meaning("heart failures"), Some((1, 1)));
    }

    #[test]
    fn a_phrase_does_not_reach_over_a_comma() {
        assert_eq!(meaning("heart, failure"), Some((1, 1)));
        assert_eq!(meaning("crohn’s disease"), Some((3, 3)));
    }

    #[test]
    fn comments_and_empty_lines_are_no_rows() {
        let rows: Vec<_> = rows("# a\tb\n\nx\ty;z\n").collect();

        assert_eq!(rows, [["x", "y;z"]]);
        assert_eq!(list(rows[0][1]).collect::<Vec<_>>(), ["y", "z"]);
    }
}
