//! A message and what it asks for.

use std::time::Duration;

use axum::http::{HeaderMap, Method};
use bytes::Bytes;
use uuid::Uuid;

/// What is delivered, where to, and how.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) id: String,
    pub(super) target: Target,
    /// The message it tells of was published at, in milliseconds since the Unix epoch.
    pub(super) created_at: u64,
    pub(super) body: Bytes,
    pub(super) callback: Option<Target>,
    pub(super) failure_callback: Option<Target>,
}

/// Where something is delivered, and how patiently.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// As it was published, which is what is signed.
    pub(super) url: String,
    pub(super) method: Method,
    /// Without the prefix that marked them.
    pub(super) headers: HeaderMap,
    pub(super) delay: Duration,
    pub(super) retries: u32,
    /// In place of the documented schedule.
    pub(super) retry_delay: Option<Duration>,
    pub(super) answer_within: Duration,
}

impl Message {
    /// Makes a message about another one: nobody is told of its own outcome.
    pub(super) fn about(target: Target, body: Bytes, created_at: u64) -> Self {
        Self { id: new_id(), target, created_at, body, callback: None, failure_callback: None }
    }

    /// Says what it takes of the memory that all messages share, in bytes.
    pub(super) fn weight(&self) -> usize {
        self.body.len() + 4 * 1024
    }
}

pub(super) fn new_id() -> String {
    format!("msg_{}", Uuid::new_v4().simple())
}
