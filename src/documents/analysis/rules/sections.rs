//! Tells which heading a clause stands under.

use std::sync::LazyLock;

use super::{
    vocabulary::{Vocabulary, list, rows},
    words::{Gap, Word},
};

/// Says what stands under a heading, as far as it matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Section {
    /// What the patient has or had.
    Problems,
    /// What relatives have.
    Family,
    /// What the patient does not tolerate.
    Allergies,
    /// What is not taken any more.
    Stopped,
    /// What the patient was vaccinated against, or looked after for.
    Immunisations,
    /// What was thought of.
    Differential,
    /// What is taken.
    Medications,
    /// Anything else.
    #[default]
    Other,
}

static HEADINGS: LazyLock<Vocabulary<Section>> = LazyLock::new(|| {
    Vocabulary::new(rows(include_str!("headings.tsv")).flat_map(|row| {
        let section = Section::named(row[0]);
        list(row[1]).filter_map(move |heading| Some((heading, section?)))
    }))
});

impl Section {
    fn named(name: &str) -> Option<Self> {
        match name {
            "problems" => Some(Self::Problems),
            "family" => Some(Self::Family),
            "allergies" => Some(Self::Allergies),
            "stopped" => Some(Self::Stopped),
            "immunisations" => Some(Self::Immunisations),
            "differential" => Some(Self::Differential),
            "medications" => Some(Self::Medications),
            "other" => Some(Self::Other),
            _ => None,
        }
    }

    /// What follows such a heading says nothing of the patient, so it must not reach too far.
    const fn is_exclusive(self) -> bool {
        matches!(
            self,
            Self::Family | Self::Allergies | Self::Stopped | Self::Immunisations | Self::Differential
        )
    }
}

/// Follows the headings of a text, clause by clause.
#[derive(Debug, Default)]
pub struct Sections {
    current: Section,
    /// The line of a heading that has its content beside it.
    inline: Option<usize>,
    /// The last line read.
    line: usize,
    has_content: bool,
}

impl Sections {
    /// Gives the section of the next clause, and the clause without its heading.
    pub fn next<'w, 't>(&mut self, clause: &'w [Word<'t>]) -> (Section, &'w [Word<'t>]) {
        let Some(first) = clause.first() else { return (self.current, clause) };
        let (before, line) = (std::mem::replace(&mut self.line, first.line), first.line);
        if let Some((section, content)) = headings(clause, line > before || before == 0) {
            self.current = section;
            self.inline = (!content.is_empty()).then_some(line);
            self.has_content = !content.is_empty();
            return (section, content);
        }
        // "DDx: gout, sepsis. Swollen joint": what was thought of ends with its sentence.
        let is_thought_of = self.current == Section::Differential && self.has_content;
        let is_over = match self.inline {
            Some(inline) => line > inline,
            None => self.current.is_exclusive() && self.has_content && line > before + 1,
        };
        if is_over || is_thought_of {
            self.leave();
        }
        self.has_content = true;
        (self.current, clause)
    }

    // A list of problems goes on over empty lines, until the next heading.
    fn leave(&mut self) {
        if self.current.is_exclusive() {
            self.current = Section::Other;
        }
        self.inline = None;
    }
}

/// Takes the headings off a clause; the last one counts: "MDM: DDx: gout".
fn headings<'w, 't>(clause: &'w [Word<'t>], begins_line: bool) -> Option<(Section, &'w [Word<'t>])> {
    let (mut section, length) = heading(clause, begins_line)?;
    let mut content = &clause[length..];
    while let Some((inner, length)) = heading(content, false) {
        (section, content) = (inner, &content[length..]);
    }
    Some((section, content))
}

/// A heading stands alone in its line, or before a colon.
fn heading(clause: &[Word<'_>], begins_line: bool) -> Option<(Section, usize)> {
    // "2. Allergies:"
    let numbers = clause.iter().take(1).take_while(|word| word.text.parse::<u8>().is_ok()).count();
    let (section, length) = HEADINGS.longest(&clause[numbers..])?;
    let length = numbers + length;
    match clause.get(length) {
        Some(next) => (next.gap == Gap::Colon).then_some((section, length)),
        None => begins_line.then_some((section, length)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::words::{clauses, split};
    use super::*;

    fn sections(text: &str) -> Vec<(Section, String)> {
        let lower = text.to_ascii_lowercase();
        let mut sections = Sections::default();
        let words = split(text, &lower);
        let each = clauses(&words).map(|clause| sections.next(clause));
        let named = each.map(|(section, rest)| {
            (section, rest.iter().map(|word| word.text).collect::<Vec<_>>().join(" "))
        });
        named.filter(|(_, rest)| !rest.is_empty()).collect()
    }

    fn kinds(text: &str) -> Vec<Section> {
        sections(text).into_iter().map(|(section, _)| section).collect()
    }

    #[test]
    fn a_heading_with_its_content_beside_it_ends_with_its_line() {
        assert_eq!(
            kinds("Stopped: amlodipine. Naproxen\nBisoprolol"),
            [Section::Stopped, Section::Stopped, Section::Other]
        );
        assert_eq!(
            kinds("He is well. Meds: codeine. Allergies: aspirin"),
            [Section::Other, Section::Medications, Section::Allergies]
        );
    }

    #[test]
    fn a_heading_alone_reaches_to_the_next_or_to_an_empty_line() {
        assert_eq!(
            kinds("FAMILY HISTORY\nFather: gout\nSister: asthma\n\nSeen today"),
            [Section::Family, Section::Family, Section::Other]
        );
        assert_eq!(
            kinds("Allergies\n\nCodeine\nMedications\nAspirin"),
            [Section::Allergies, Section::Medications]
        );
        assert_eq!(kinds("Diagnoses\n1. Gout\n\n2. Asthma"), [Section::Problems; 4]);
    }

    #[test]
    fn a_word_of_a_sentence_is_no_heading() {
        assert_eq!(
            sections("Diagnosis was made late"),
            [(Section::Other, "diagnosis was made late".to_owned())]
        );
    }

    #[test]
    fn every_heading_stands_once() {
        let table: Vec<_> = rows(include_str!("headings.tsv")).collect();
        let headings: Vec<_> = table.iter().flat_map(|row| list(row[1])).collect();

        assert!(table.iter().all(|row| row.len() == 2 && Section::named(row[0]).is_some()));
        assert_eq!(headings.iter().collect::<HashSet<_>>().len(), headings.len());
    }
}
