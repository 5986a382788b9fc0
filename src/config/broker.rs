//! How events cross processes.

use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use super::variables::{ConfigError, Variables, missing, wrong};
use crate::broker::{Emit, UpstashSettings};

/// Variables that name the database and its token: Upstash's own, then Vercel's.
const DATABASES: [(&str, &str); 2] =
    [("UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN"), ("KV_REST_API_URL", "KV_REST_API_TOKEN")];

/// Which broker is used.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum BrokerConfig {
    /// `REALTIME_TRANSPORT=memory`: events stay in this process.
    Memory,
    /// `REALTIME_TRANSPORT=upstash`: events cross processes over Upstash Redis.
    Upstash(UpstashConfig),
}

/// Where the database is and how often it is looked at.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct UpstashConfig {
    /// `UPSTASH_REDIS_REST_URL`, or `KV_REST_API_URL`.
    pub url: Url,
    /// `UPSTASH_REDIS_REST_TOKEN`, or `KV_REST_API_TOKEN`.
    pub token: SecretString,
    /// `POLL_INTERVAL_MS`: shorter costs more commands, longer shows steps later. Default 300.
    pub poll_interval: Duration,
    /// `POLL_IDLE_INTERVAL_MS`: the same for channels on which nothing is under way and nothing
    /// came for a minute. Default 300.
    pub idle_poll_interval: Duration,
    /// `UPSTASH_WAKE`: on when every producer also publishes on `tidings:wake`. Default off.
    pub wake: bool,
    /// `UPSTASH_EMIT`: `list` or `log`, where this process's own events go. Default `list`.
    pub emit: Emit,
}

impl UpstashConfig {
    /// Gives how a broker of this process works; its logs live for `time_to_live`.
    pub(crate) fn broker_settings(&self, time_to_live: Duration) -> UpstashSettings {
        UpstashSettings {
            poll_interval: self.poll_interval,
            idle_poll_interval: self.idle_poll_interval,
            wake: self.wake,
            emit: self.emit,
            time_to_live,
            ..UpstashSettings::default()
        }
    }
}

impl BrokerConfig {
    pub(super) fn read(variables: &Variables) -> Result<Self, ConfigError> {
        let database = DATABASES.into_iter().find(|(url, _)| variables.text(url).is_some());
        match (variables.text("REALTIME_TRANSPORT"), database) {
            (Some("memory"), _) | (None, None) => Ok(Self::Memory),
            (Some("upstash") | None, Some((url, token))) => {
                UpstashConfig::read(variables, url, token).map(Self::Upstash)
            }
            (Some("upstash"), None) => Err(missing(
                "UPSTASH_REDIS_REST_URL",
                "the REST URL of the database, as REALTIME_TRANSPORT is upstash",
            )),
            (Some(other), _) => Err(wrong("REALTIME_TRANSPORT", other, "memory or upstash")),
        }
    }

    /// Gives the name for logs.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Upstash(_) => "upstash",
        }
    }
}

impl UpstashConfig {
    fn read(variables: &Variables, url: &'static str, token: &'static str) -> Result<Self, ConfigError> {
        let text = variables.text(url).unwrap_or_default();
        let parsed = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        Ok(Self {
            // A refused URL is not shown: it may hold a password.
            url: parsed
                .ok_or_else(|| wrong(url, "no such URL", "a URL that starts with https:// or http://"))?,
            token: variables
                .secret(token, 1)?
                .ok_or_else(|| missing(token, &format!("the token of {url}")))?,
            poll_interval: variables.milliseconds("POLL_INTERVAL_MS", 300, (50, 10_000))?,
            idle_poll_interval: variables.milliseconds("POLL_IDLE_INTERVAL_MS", 300, (50, 60_000))?,
            wake: wake(variables)?,
            emit: emit(variables)?,
        })
    }
}

fn wake(variables: &Variables) -> Result<bool, ConfigError> {
    match variables.text("UPSTASH_WAKE") {
        None | Some("off") => Ok(false),
        Some("on") => Ok(true),
        Some(other) => Err(wrong("UPSTASH_WAKE", other, "off or on")),
    }
}

fn emit(variables: &Variables) -> Result<Emit, ConfigError> {
    match variables.text("UPSTASH_EMIT") {
        None | Some("list") => Ok(Emit::List),
        Some("log") => Ok(Emit::Log),
        Some(other) => Err(wrong("UPSTASH_EMIT", other, "list or log")),
    }
}
