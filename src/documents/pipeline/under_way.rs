//! The attempts this process works on: what it renews the lease of, and does not start again.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::event::Id;

/// Counts the jobs on each attempt: mostly one, two for the moment in which OCR answers before the queue.
#[derive(Default)]
pub(super) struct UnderWay {
    jobs: Mutex<HashMap<(Id, u32), usize>>,
}

/// Stands for one job on an attempt; it is over when this is dropped.
pub(super) struct Entered {
    under_way: Arc<UnderWay>,
    attempt: (Id, u32),
}

impl UnderWay {
    /// Enters a job beside any other.
    pub(super) fn enter(self: &Arc<Self>, document: &Id, attempt: u32) -> Entered {
        let attempt = (document.clone(), attempt);
        *self.lock().entry(attempt.clone()).or_default() += 1;
        Entered { under_way: Arc::clone(self), attempt }
    }

    /// Enters a job, unless there is one on the attempt.
    pub(super) fn enter_alone(self: &Arc<Self>, document: &Id, attempt: u32) -> Option<Entered> {
        let attempt = (document.clone(), attempt);
        let mut jobs = self.lock();
        if jobs.contains_key(&attempt) {
            return None;
        }
        jobs.insert(attempt.clone(), 1);
        Some(Entered { under_way: Arc::clone(self), attempt })
    }

    /// Gives the documents that are worked on.
    pub(super) fn documents(&self) -> Vec<Id> {
        self.lock().keys().map(|(document, _)| document.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(Id, u32), usize>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entered {
    /// Gives which try of its document the job is on.
    pub(super) const fn attempt(&self) -> u32 {
        self.attempt.1
    }

    /// Says whether another job is on the same attempt.
    pub(super) fn is_joined(&self) -> bool {
        self.under_way.lock().get(&self.attempt).is_some_and(|jobs| *jobs > 1)
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut jobs = self.under_way.lock();
        if let Some(count) = jobs.get_mut(&self.attempt) {
            *count -= 1;
            if *count == 0 {
                jobs.remove(&self.attempt);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_is_entered_alone_only_while_no_job_is_on_it() {
        let under_way = Arc::<UnderWay>::default();
        let document = Id::random();

        let first = under_way.enter_alone(&document, 1).unwrap();
        assert!(under_way.enter_alone(&document, 1).is_none());
        assert!(under_way.enter_alone(&document, 2).is_some(), "another attempt is another job");
        let second = under_way.enter(&document, 1);
        assert!(first.is_joined() && second.is_joined());
        drop(first);
        assert!(!second.is_joined() && under_way.enter_alone(&document, 1).is_none());
        assert_eq!(under_way.documents(), std::slice::from_ref(&document));
        drop(second);

        assert!(under_way.documents().is_empty());
        assert!(under_way.enter_alone(&document, 1).is_some());
    }
}
