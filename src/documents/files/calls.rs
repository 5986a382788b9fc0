//! What is common to all calls to the store: a limit in time, and a count of how they went.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::time::timeout;

use super::FileError;
use crate::telemetry::Metrics;

/// Counts calls and remembers whether the store answers.
pub(super) struct Calls {
    metrics: Arc<Metrics>,
    are_answered: AtomicBool,
}

impl Calls {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics, are_answered: AtomicBool::new(true) }
    }

    /// Awaits a call, at most `within`, and counts it.
    pub(super) async fn make<T>(
        &self,
        within: Duration,
        call: impl Future<Output = object_store::Result<T>>,
    ) -> Result<T, FileError> {
        let answer = match timeout(within, call).await {
            Ok(answer) => answer.map_err(FileError::from),
            Err(_) => Err(FileError::Timeout),
        };
        self.note(answer.as_ref().err());
        answer
    }

    /// Says whether the last call was answered as it should.
    pub(super) fn are_answered(&self) -> bool {
        self.are_answered.load(Ordering::Relaxed)
    }

    fn note(&self, fault: Option<&FileError>) {
        use object_store::Error::{AlreadyExists, NotFound, PermissionDenied, Unauthenticated};
        let outcome = match fault {
            None => "ok",
            Some(FileError::Storage(NotFound { .. } | AlreadyExists { .. })) => "ok",
            Some(FileError::Storage(PermissionDenied { .. } | Unauthenticated { .. })) => "denied",
            Some(FileError::Timeout) => "timeout",
            Some(_) => "failed",
        };
        self.metrics.files_called(outcome);
        self.are_answered.store(outcome == "ok", Ordering::Relaxed);
    }
}
