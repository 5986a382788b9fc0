//! What a question is about.

use crate::documents::analysis::Findings;

/// Shortest name that is looked for in a question: shorter ones are parts of other words.
const SHORTEST_NAME: usize = 3;
/// Words by which topics are known, as they begin.
const DIAGNOSES: [&str; 7] = ["diagnos", "condition", "disease", "illness", "wrong", "suffer", "disorder"];
const MEDICATIONS: [&str; 10] =
    ["medic", "drug", "pill", "tablet", "prescri", "dose", "dosage", "take", "taking", "treatment"];
const VALUES: [&str; 9] = ["lab", "labs", "blood", "value", "result", "level", "measure", "test", "range"];
const DATES: [&str; 5] = ["date", "when", "old", "recent", "day"];
/// Words that ask for something, whatever it is.
const ASKING: [&str; 13] = [
    "what", "which", "who", "how", "why", "tell", "show", "say", "list", "summar", "document", "report",
    "find",
];

/// What a question asks for; everything where it names nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Question {
    text: String,
    pub(super) diagnoses: bool,
    pub(super) medications: bool,
    pub(super) values: bool,
    pub(super) dates: bool,
    /// It names no topic.
    pub(super) is_about_all: bool,
    /// It asks for something; a greeting or thanks do not.
    pub(super) is_asking: bool,
}

impl Question {
    pub(super) fn parse(text: &str) -> Self {
        let has_mark = text.contains('?');
        // Spaces all around, so that a name is found as whole words only.
        let text = format!(" {} ", words_of(text).collect::<Vec<_>>().join(" "));
        let is_about = |beginnings: &[&str]| {
            text.split(' ').any(|word| beginnings.iter().any(|beginning| word.starts_with(beginning)))
        };
        let (diagnoses, medications) = (is_about(&DIAGNOSES), is_about(&MEDICATIONS));
        let (values, dates) = (is_about(&VALUES), is_about(&DATES));
        let is_about_all = !(diagnoses || medications || values || dates);
        Self {
            diagnoses: diagnoses || is_about_all,
            medications: medications || is_about_all,
            values: values || is_about_all,
            dates: dates || is_about_all,
            is_about_all,
            is_asking: has_mark || !is_about_all || is_about(&ASKING),
            text,
        }
    }

    /// Gives of `findings` what the question names, if it names anything of them.
    pub(super) fn named(&self, findings: &Findings) -> Option<Findings> {
        let named = Findings {
            document_type: findings.document_type,
            diagnoses: meant(&findings.diagnoses, |found| self.names(&found.name)),
            medications: meant(&findings.medications, |found| self.names(&found.name)),
            lab_values: meant(&findings.lab_values, |found| {
                self.names(&found.name) || found.analyte.as_deref().is_some_and(|name| self.names(name))
            }),
            dates: findings.dates.clone(),
        };
        let counts = [named.diagnoses.len(), named.medications.len(), named.lab_values.len()];
        (counts != [0; 3]).then_some(named)
    }

    /// Says whether the question names something called so.
    pub(super) fn names(&self, name: &str) -> bool {
        let name = words_of(name).collect::<Vec<_>>().join(" ");
        name.chars().count() >= SHORTEST_NAME && self.text.contains(&format!(" {name} "))
    }
}

fn meant<T: Clone>(found: &[T], is_meant: impl Fn(&T) -> bool) -> Vec<T> {
    found.iter().filter(|found| is_meant(found)).cloned().collect()
}

/// The words of a text in small letters.
fn words_of(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::analysis::Medication;

    fn topics(text: &str) -> [bool; 4] {
        let Question { diagnoses, medications, values, dates, .. } = Question::parse(text);
        [diagnoses, medications, values, dates]
    }

    #[test]
    fn a_question_is_about_what_it_names_and_otherwise_about_all() {
        assert_eq!(topics("What medication am I on?"), [false, true, false, false]);
        assert_eq!(topics("Any DIAGNOSES, or lab results?"), [true, false, true, false]);
        assert_eq!(topics("When was it?"), [false, false, false, true]);
        assert_eq!(topics("Hello!"), [true; 4]);
        assert_eq!(topics(""), [true; 4]);
    }

    #[test]
    fn thanks_and_greetings_ask_for_nothing() {
        for text in ["Thanks!", "Hello", "Good morning", ""] {
            assert!(!Question::parse(text).is_asking, "{text}");
        }
        for text in ["Enough?", "Tell me everything", "my medication", "Summarise it please"] {
            assert!(Question::parse(text).is_asking, "{text}");
        }
    }

    #[test]
    fn a_name_is_found_as_whole_words() {
        let question = Question::parse("How high is my Type-2 diabetes  mellitus?");

        assert!(question.names("type 2 Diabetes mellitus") && question.names("diabetes"));
        assert!(!question.names("diabete") && !question.names("ig") && !question.names(""));
    }

    #[test]
    fn of_the_findings_only_what_is_named_is_meant() {
        let medication = |name: &str| Medication { name: name.into(), ..Medication::default() };
        let findings = Findings {
            medications: vec![medication("metformin"), medication("ramipril")],
            ..Findings::default()
        };

        let named = Question::parse("What dose of Metformin do I take?").named(&findings).unwrap();

        assert_eq!(named.medications, [medication("metformin")]);
        assert_eq!(Question::parse("What do I take?").named(&findings), None);
    }
}
