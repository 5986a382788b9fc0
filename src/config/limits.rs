//! How much one address or one token may ask for.

use std::num::NonZeroU32;

use super::{
    access::Environment,
    variables::{ConfigError, Variables},
};

/// Requests a minute of one address: a clinic behind one has hundreds of viewers.
const REQUESTS_PER_ADDRESS: u32 = 1_200;
/// Requests a minute of one token: a page makes a few.
const REQUESTS_PER_TOKEN: u32 = 600;
const STREAMS_PER_ADDRESS: u32 = 500;
/// A viewer with some browsers, each with some tabs that share nothing.
const STREAMS_PER_TOKEN: u32 = 32;
const CONNECTIONS_PER_ADDRESS: u32 = 1_000;
/// More hops than any chain of proxies has.
const MOST_HOPS: u8 = 8;

/// How much one address or one token may ask for; none: as much as it likes.
///
/// Services with the internal key are never limited. In development nothing is, but by variables that are set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitsConfig {
    /// `RATE_LIMIT_PER_ADDRESS`: requests a minute. Default 1,200.
    pub requests_per_address: Option<NonZeroU32>,
    /// `RATE_LIMIT_PER_TOKEN`: requests a minute. Default 600.
    pub requests_per_token: Option<NonZeroU32>,
    /// `MAX_STREAMS_PER_ADDRESS`: open streams. Default 500.
    pub streams_per_address: Option<NonZeroU32>,
    /// `MAX_STREAMS_PER_TOKEN`: open streams. Default 32.
    pub streams_per_token: Option<NonZeroU32>,
    /// `MAX_CONNECTIONS_PER_ADDRESS`: open connections, where no proxy is trusted. Default 1,000.
    pub connections_per_address: Option<NonZeroU32>,
    /// `TRUSTED_PROXY_HOPS`: proxies in front whose `X-Forwarded-For` is believed. Default 0; on Vercel and
    /// Railway 1. Too few: all viewers count as one. Too many: viewers choose for whom they count.
    pub trusted_hops: u8,
}

impl LimitsConfig {
    /// Says whether requests or streams of anybody are counted.
    #[must_use]
    pub const fn counts_requests(&self) -> bool {
        self.requests_per_address.is_some()
            || self.requests_per_token.is_some()
            || self.streams_per_address.is_some()
            || self.streams_per_token.is_some()
    }

    pub(super) fn read(variables: &Variables, environment: Environment) -> Result<Self, ConfigError> {
        let limit = |name, default: u32| {
            let default = if environment == Environment::Production { default } else { 0 };
            variables.number(name, default, 0, 1_000_000).map(NonZeroU32::new)
        };
        let is_behind = ["VERCEL", "RAILWAY_ENVIRONMENT"].iter().any(|name| variables.text(name).is_some());
        Ok(Self {
            requests_per_address: limit("RATE_LIMIT_PER_ADDRESS", REQUESTS_PER_ADDRESS)?,
            requests_per_token: limit("RATE_LIMIT_PER_TOKEN", REQUESTS_PER_TOKEN)?,
            streams_per_address: limit("MAX_STREAMS_PER_ADDRESS", STREAMS_PER_ADDRESS)?,
            streams_per_token: limit("MAX_STREAMS_PER_TOKEN", STREAMS_PER_TOKEN)?,
            connections_per_address: limit("MAX_CONNECTIONS_PER_ADDRESS", CONNECTIONS_PER_ADDRESS)?,
            trusted_hops: variables.number("TRUSTED_PROXY_HOPS", u8::from(is_behind), 0, MOST_HOPS)?,
        })
    }
}
