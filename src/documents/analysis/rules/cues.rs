//! Reads the phrases that deny, end a denial or change what a term means, from `cues.tsv`.

use std::sync::LazyLock;

use super::vocabulary::{Vocabulary, list, rows};

/// Says what a phrase does to the terms around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cue {
    /// Denies what follows.
    Opens,
    /// Denies what follows, if that is a medication.
    OpensForMedication,
    /// Ends a scope.
    Closes,
    /// "No illness except gout" asserts the gout, "no allergies except codeine" no codeine.
    Excepts,
    /// "No change in asthma" denies the change, not the asthma.
    Nothing,
    /// What follows is over.
    Past,
    /// As in "gout was ruled out".
    DeniesBefore,
    /// The same for a medication.
    DeniesMedicationBefore,
    /// A noun such as "clinic" makes the term before it something else.
    Changes,
    /// The same for a medication.
    ChangesMedication,
}

/// What speaks of what follows.
pub static AHEAD: LazyLock<Vocabulary<Cue>> = LazyLock::new(|| {
    of(&[
        ("opens", Cue::Opens),
        ("opens for medication", Cue::OpensForMedication),
        ("closes", Cue::Closes),
        ("excepts", Cue::Excepts),
        ("nothing", Cue::Nothing),
        ("past", Cue::Past),
    ])
});
/// What speaks of what stands before it.
pub static BEHIND: LazyLock<Vocabulary<Cue>> = LazyLock::new(|| {
    of(&[("denies before", Cue::DeniesBefore), ("denies medication before", Cue::DeniesMedicationBefore)])
});
/// Nouns that make something else of the term before them.
pub static NOUNS: LazyLock<Vocabulary<Cue>> =
    LazyLock::new(|| of(&[("changes", Cue::Changes), ("changes medication", Cue::ChangesMedication)]));

fn of(named: &[(&str, Cue)]) -> Vocabulary<Cue> {
    let table: Vec<_> = rows(include_str!("cues.tsv")).collect();
    let phrases = table.into_iter().filter_map(|row| {
        let (_, cue) = *named.iter().find(|(name, _)| *name == row[0])?;
        Some(list(row[1]).map(move |phrase| (phrase, cue)))
    });
    Vocabulary::new(phrases.flatten())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_cue_stands_once_among_those_that_look_its_way() {
        let table: Vec<_> = rows(include_str!("cues.tsv")).collect();
        let ways: [&[&str]; 3] = [
            &["opens", "opens for medication", "closes", "excepts", "nothing", "past"],
            &["denies before", "denies medication before"],
            &["changes", "changes medication"],
        ];

        assert!(table.iter().all(|row| row.len() == 2 && ways.iter().any(|way| way.contains(&row[0]))));
        for way in ways {
            let cues: Vec<_> =
                table.iter().filter(|row| way.contains(&row[0])).flat_map(|row| list(row[1])).collect();
            let mut seen = HashSet::new();
            let twice: Vec<_> = cues.iter().filter(|cue| !seen.insert(**cue)).collect();
            assert!(twice.is_empty(), "{twice:?}");
        }
    }
}
