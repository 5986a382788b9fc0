//! The newest failures with their reasons, for the operators' page: no ids, no messages.

use std::{
    borrow::Cow,
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

/// Failures kept.
const MOST: usize = 50;

/// Keeps the newest failures.
#[derive(Default)]
pub struct Failures(Mutex<VecDeque<Failure>>);

/// One failure, or a row of the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// When it last happened, RFC 3339.
    pub at: String,
    /// What failed: a stage, a source, or another part of the server.
    pub part: &'static str,
    /// A code.
    pub reason: Cow<'static, str>,
    /// How often in a row.
    pub count: u64,
}

impl Failures {
    /// Takes in a failure; one like the last counts with it.
    pub fn note(&self, part: &'static str, reason: impl Into<Cow<'static, str>>, now: DateTime<Utc>) {
        let (at, reason) = (now.to_rfc3339_opts(SecondsFormat::Millis, true), reason.into());
        let mut failures = self.lock();
        match failures.front_mut() {
            Some(last) if last.part == part && last.reason == reason => {
                last.at = at;
                last.count += 1;
            }
            _ => failures.push_front(Failure { at, part, reason, count: 1 }),
        }
        failures.truncate(MOST);
    }

    /// Gives the newest first.
    #[must_use]
    pub fn newest(&self) -> Vec<Failure> {
        self.lock().iter().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Failure>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_the_same_is_one_and_the_oldest_leave() {
        let failures = Failures::default();
        for reason in ["gone", "full", "full"] {
            failures.note("events", reason, DateTime::UNIX_EPOCH);
        }

        let rows = failures.newest();
        let shown: Vec<_> = rows.iter().map(|row| (row.reason.as_ref(), row.count)).collect();
        assert_eq!(shown, [("full", 2), ("gone", 1)]);

        for number in 0..100 {
            failures.note("ocr", number.to_string(), DateTime::UNIX_EPOCH);
        }
        assert_eq!((failures.newest().len(), failures.newest()[0].reason.as_ref()), (MOST, "99"));
    }
}
