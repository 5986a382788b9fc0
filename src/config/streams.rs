//! How streams work.

use std::time::Duration;

use super::{
    variables::{ConfigError, Variables, wrong},
    vercel,
};
use crate::event::ChannelKind;

/// Descriptors kept for everything but streams.
const KEPT_DESCRIPTORS: u64 = 128;
/// Kinds whose keys Tidings keeps for itself.
const RESERVED_KINDS: [&str; 5] = ["health", "proc_reqs", "conv_case", "doc_checklist", "tidings"];

/// How streams work.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StreamsConfig {
    /// `HEARTBEAT_INTERVAL_MS`: too long, and proxies cut silent streams. Default 5,000.
    pub heartbeat_interval: Duration,
    /// `STATUS_INTERVAL_MS`: how often statuses are read. Default 5,000.
    pub status_interval: Duration,
    /// `STREAM_MAX_SECONDS`: must be below the platform's own limit. Default 300, on Vercel 280.
    pub longest: Duration,
    /// `EVENT_TTL_SECONDS`: how long a log lives after its last event. Default 600.
    pub event_time_to_live: Duration,
    /// `ACTIVE_MAX_SECONDS`: how long a document that does not move counts as active. Default 3,600.
    pub active_for: Duration,
    /// `MAX_STREAMS`: most streams at once. Default: as the limit of open files allows.
    pub most: usize,
    /// `STREAM_KINDS`: other kinds of work whose channels may be followed. Default none.
    pub kinds: Vec<ChannelKind>,
}

impl StreamsConfig {
    pub(super) fn read(variables: &Variables) -> Result<Self, ConfigError> {
        let (longest, most) = match vercel::is_here(variables) {
            true => (vercel::STREAM_MAX_SECONDS, most_of(vercel::DESCRIPTORS, vercel::KEPT_DESCRIPTORS)),
            false => (300, most_of(u64::MAX, KEPT_DESCRIPTORS)),
        };
        Ok(Self {
            heartbeat_interval: variables.milliseconds("HEARTBEAT_INTERVAL_MS", 5_000, (100, 60_000))?,
            status_interval: variables.milliseconds("STATUS_INTERVAL_MS", 5_000, (100, 60_000))?,
            longest: variables.seconds("STREAM_MAX_SECONDS", longest, (5, 3_600))?,
            event_time_to_live: variables.seconds("EVENT_TTL_SECONDS", 600, (180, 86_400))?,
            active_for: variables.seconds("ACTIVE_MAX_SECONDS", 3_600, (60, 604_800))?,
            most: variables.number("MAX_STREAMS", most, 1, 1_000_000)?,
            kinds: read_kinds(variables)?,
        })
    }
}

/// Each stream holds one descriptor; [`crate::raise_descriptor_limit`] lifts the soft limit first.
fn most_of(descriptors: u64, kept: u64) -> usize {
    let (_, hard) = rlimit::Resource::NOFILE.get().unwrap_or((1_024, 1_024));
    usize::try_from(hard.min(descriptors).saturating_sub(kept).clamp(64, 1_000_000)).unwrap_or(1_024)
}

fn read_kinds(variables: &Variables) -> Result<Vec<ChannelKind>, ConfigError> {
    let listed = variables.text("STREAM_KINDS").unwrap_or_default();
    let names = listed.split(',').map(str::trim).filter(|name| !name.is_empty());
    names.map(|name| read_kind(name).ok_or_else(|| not_a_kind(name))).collect()
}

fn read_kind(name: &str) -> Option<ChannelKind> {
    let kind = name.parse().ok()?;
    (matches!(kind, ChannelKind::Other(_)) && !RESERVED_KINDS.contains(&name)).then_some(kind)
}

fn not_a_kind(held: &str) -> ConfigError {
    let reserved = RESERVED_KINDS.join(", ");
    let allowed = format!(
        "names of 1–32 characters of a–z 0–9 _, parted by commas; {reserved} are reserved, doc_progress and chat are always there"
    );
    wrong("STREAM_KINDS", held, &allowed)
}
