//! What operators want to know of the documents that moved lately.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::cache::Cached;

/// Documents that are looked at: the newest of the last 24 hours.
pub const MOST_HEALTH_DOCUMENTS: u32 = 10_000;

/// Counts of the documents that moved in the last 24 hours.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentHealth {
    /// Documents counted.
    pub documents: u64,
    /// False when there were more: these are the newest 10,000 then.
    pub is_whole: bool,
    /// By status.
    pub by_status: BTreeMap<String, u64>,
    /// Failed ones by reason.
    pub failures: BTreeMap<String, u64>,
    /// How long stages took, by stage: `ocr`, `analysis`, `matching`, and `total` from confirm to `complete`
    /// at the first attempt. A stage that none has gone through is left out.
    pub durations: BTreeMap<String, StageDuration>,
}

/// How long a stage took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageDuration {
    /// Documents that have gone through it.
    pub documents: u64,
    /// Half of them took no longer, in milliseconds.
    pub median_ms: u64,
    /// Nine in ten took no longer, in milliseconds.
    pub p90_ms: u64,
}

/// [`DocumentHealth`] and when it was counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountedHealth {
    /// When, in milliseconds since the Unix epoch.
    pub counted_at: u64,
    /// What was counted.
    pub health: DocumentHealth,
}

impl Cached for CountedHealth {
    const VERSION: u32 = 1;
}
