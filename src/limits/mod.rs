//! Who has had enough: rates of requests and counts of streams and connections, by address and by token.
//!
//! It knows addresses and texts of tokens, not what they may do: a token that does not hold counts as well as
//! one that does. Nothing here runs by itself, and memory is bounded whoever knocks.

mod address;
mod pace;
mod places;

use std::{
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

pub use address::Addresses;
use pace::Pace;
use places::{Place, Places};

use crate::{
    config::LimitsConfig,
    telemetry::{Limit, Metrics},
};

/// Who asks, as far as limits go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asker {
    /// The address that counts; none where it is not known.
    pub address: Option<IpAddr>,
    /// A hash of the token, with a key of this process; none without a token.
    pub token: Option<u64>,
}

/// Says who has had enough.
pub struct Limits {
    addresses: Addresses,
    requests_by_address: Pace<IpAddr>,
    requests_by_token: Pace<u64>,
    streams_by_address: Places<IpAddr>,
    streams_by_token: Places<u64>,
    connections: Places<IpAddr>,
    tokens: RandomState,
    asks_who: bool,
    metrics: Arc<Metrics>,
}

/// Holds what a stream takes from its address and its token; given back when dropped.
pub struct StreamPlace {
    _of_address: Option<Place<IpAddr>>,
    _of_token: Option<Place<u64>>,
}

/// Holds what a connection takes from its address.
pub(crate) type ConnectionPlace = Place<IpAddr>;

impl Limits {
    /// Makes the limits that `config` names.
    #[must_use]
    pub fn new(config: &LimitsConfig, metrics: Arc<Metrics>) -> Self {
        // Behind a proxy every connection is the proxy's.
        let connections = config.connections_per_address.filter(|_| config.trusted_hops == 0);
        Self {
            addresses: Addresses::behind(config.trusted_hops),
            requests_by_address: Pace::a_minute(config.requests_per_address),
            requests_by_token: Pace::a_minute(config.requests_per_token),
            streams_by_address: Places::of_each(config.streams_per_address),
            streams_by_token: Places::of_each(config.streams_per_token),
            connections: Places::of_each(connections),
            tokens: RandomState::new(),
            asks_who: config.counts_requests(),
            metrics,
        }
    }

    /// Says whether it matters who asks.
    #[must_use]
    pub const fn asks_who(&self) -> bool {
        self.asks_who
    }

    /// Tells which address counts.
    #[must_use]
    pub const fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Names a token without keeping it.
    #[must_use]
    pub fn name(&self, token: &str) -> u64 {
        self.tokens.hash_one(token)
    }

    /// Takes a request, or says how long its asker should wait.
    ///
    /// # Errors
    /// The time after which the next request is taken.
    pub fn take_request(&self, asker: Asker) -> Result<(), Duration> {
        self.requests_by_address
            .take(asker.address)
            .inspect_err(|_| self.refused(Limit::RequestsPerAddress))?;
        self.requests_by_token.take(asker.token).inspect_err(|_| self.refused(Limit::RequestsPerToken))
    }

    /// Takes a place for a stream, or nothing where its asker holds enough.
    pub fn take_stream(&self, asker: Asker) -> Option<StreamPlace> {
        let refused = |limit| move || self.refused(limit);
        let of_address = self.streams_by_address.take(asker.address);
        let of_address = of_address.inspect_err(|()| refused(Limit::StreamsPerAddress)()).ok()?;
        let of_token = self.streams_by_token.take(asker.token);
        let of_token = of_token.inspect_err(|()| refused(Limit::StreamsPerToken)()).ok()?;
        Some(StreamPlace { _of_address: of_address, _of_token: of_token })
    }

    /// Takes a place for a connection; none where its address holds enough.
    pub(crate) fn take_connection(&self, peer: IpAddr) -> Result<Option<ConnectionPlace>, ()> {
        let place = self.connections.take(Some(address::network(peer)));
        place.inspect_err(|()| self.refused(Limit::ConnectionsPerAddress))
    }

    /// Counts what was refused.
    pub(crate) fn refused(&self, limit: Limit) {
        self.metrics.limited(limit);
    }
}
