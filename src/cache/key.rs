//! Under which key what is kept, and for how long. Keys hold ids, never what a patient wrote.

use std::{fmt, time::Duration};

use crate::event::Id;

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// What a procedure asks for: `proc_reqs:{code}`, 1 h.
    Requirements,
    /// The conversation of a case: `conv_case:{case_id}`, 10 min, dropped on writes.
    Conversation,
    /// The documents of a case against what its procedure asks for: `doc_checklist:{case_id}`, 30 s,
    /// dropped on writes.
    Checklist,
    /// The dashboard's share of the database: `health:data`, 30 s.
    Health,
}

/// Names one value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    kind: Kind,
    id: Option<Id>,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Requirements, Self::Conversation, Self::Checklist, Self::Health];

    /// Gives the label for metrics, which also begins the key.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requirements => "proc_reqs",
            Self::Conversation => "conv_case",
            Self::Checklist => "doc_checklist",
            Self::Health => "health",
        }
    }

    /// Gives how long a value is kept at most.
    #[must_use]
    pub const fn time_to_live(self) -> Duration {
        match self {
            Self::Requirements => Duration::from_secs(3_600),
            Self::Conversation => Duration::from_secs(600),
            Self::Checklist | Self::Health => Duration::from_secs(30),
        }
    }

    /// Says whether values are dropped when their source is written.
    #[must_use]
    pub const fn is_written(self) -> bool {
        matches!(self, Self::Conversation | Self::Checklist)
    }

    /// Counts the queries that a value spares the database.
    #[must_use]
    pub const fn queries(self) -> u64 {
        match self {
            Self::Requirements | Self::Conversation | Self::Checklist | Self::Health => 1,
        }
    }
}

impl Key {
    /// Names what the procedure `code` asks for.
    #[must_use]
    pub fn requirements(code: &Id) -> Self {
        Self { kind: Kind::Requirements, id: Some(code.clone()) }
    }

    /// Names the conversation of a case.
    #[must_use]
    pub fn conversation(case: &Id) -> Self {
        Self { kind: Kind::Conversation, id: Some(case.clone()) }
    }

    /// Names the checklist of a case.
    #[must_use]
    pub fn checklist(case: &Id) -> Self {
        Self { kind: Kind::Checklist, id: Some(case.clone()) }
    }

    /// Names the dashboard's share of the database.
    #[must_use]
    pub const fn health() -> Self {
        Self { kind: Kind::Health, id: None }
    }

    /// Gives what the value is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Names the mark that a write leaves: a value with another mark is from before it.
    pub(super) fn mark(&self) -> String {
        format!("tidings:dropped:{self}")
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.as_str(), self.id.as_ref().map_or("data", Id::as_str))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_those_that_others_know() {
        let id = Id::parse("c1").unwrap();
        let keys = [Key::requirements(&id), Key::conversation(&id), Key::checklist(&id), Key::health()];

        let known: Vec<_> =
            keys.iter().map(|key| (key.to_string(), key.kind().time_to_live().as_secs())).collect();

        let expected =
            [("proc_reqs:c1", 3_600), ("conv_case:c1", 600), ("doc_checklist:c1", 30), ("health:data", 30)];
        assert_eq!(known, expected.map(|(key, seconds)| (key.to_owned(), seconds)));
    }
}
