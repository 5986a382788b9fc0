//! What is common to all calls to the store: a limit in time, and a count of how they went.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, timeout};

use super::FileError;
use crate::{
    clock::Clock,
    telemetry::{Metrics, Vital},
};

/// Counts calls and remembers how the store does.
pub(super) struct Calls {
    metrics: Arc<Metrics>,
    vital: Vital,
}

impl Calls {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics, vital: Vital::new(Clock::System) }
    }

    /// Awaits a call, at most `within`, and counts it.
    pub(super) async fn make<T>(
        &self,
        within: Duration,
        call: impl Future<Output = object_store::Result<T>>,
    ) -> Result<T, FileError> {
        let began = Instant::now();
        let answer = match timeout(within, call).await {
            Ok(answer) => answer.map_err(FileError::from),
            Err(_) => Err(FileError::Timeout),
        };
        self.vital.took(began.elapsed());
        self.note(answer.as_ref().err());
        answer
    }

    /// Tells how the store does: up where the last call was answered as it should.
    pub(super) const fn vital(&self) -> &Vital {
        &self.vital
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
        self.vital.set(outcome == "ok");
    }
}
