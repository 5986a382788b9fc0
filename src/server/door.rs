//! Who may connect, and how many are connected.

use std::{net::IpAddr, sync::Arc};

use crate::{
    limits::{ConnectionPlace, Limits},
    telemetry::{Limit, Metrics},
};

/// Lets connections in. The default lets all in and counts none: for servers of this machine alone.
#[derive(Clone, Default)]
pub(crate) struct Door(Option<Watched>);

#[derive(Clone)]
struct Watched {
    limits: Arc<Limits>,
    metrics: Arc<Metrics>,
}

/// A connection that was let in, until dropped.
pub(super) struct Entered {
    _place: Option<ConnectionPlace>,
    counted: Option<Arc<Metrics>>,
}

impl Door {
    /// Makes a door that keeps `limits`.
    pub(crate) fn of(limits: &Arc<Limits>, metrics: &Arc<Metrics>) -> Self {
        Self(Some(Watched { limits: Arc::clone(limits), metrics: Arc::clone(metrics) }))
    }

    /// Lets a connection in, unless its address holds enough.
    pub(super) fn enter(&self, peer: IpAddr) -> Option<Entered> {
        let Some(Watched { limits, metrics }) = &self.0 else {
            return Some(Entered { _place: None, counted: None });
        };
        let place = limits.take_connection(peer).ok()?;
        metrics.limits.connections.inc();
        Some(Entered { _place: place, counted: Some(Arc::clone(metrics)) })
    }

    /// Counts a connection whose first request did not come in time.
    pub(super) fn was_slow(&self) {
        if let Some(Watched { limits, .. }) = &self.0 {
            limits.refused(Limit::SlowHead);
        }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        if let Some(metrics) = &self.counted {
            metrics.limits.connections.dec();
        }
    }
}
