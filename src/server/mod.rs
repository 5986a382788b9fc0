//! Serves a router over HTTP/1.1, and lets each stream go on alone on its socket.
//!
//! hyper reads requests and writes answers. A stream of Server-Sent Events needs neither once its head is
//! decided: it takes the socket along, and hyper's buffers go, which are most of what an idle viewer
//! would cost. HTTP/2 in the clear is not spoken: no browser asks for it, the proxies that end TLS speak
//! HTTP/1.1 to what is behind them, and one connection would hold any number of streams that nobody counts.

mod bare_stream;
mod connection;
mod door;
mod lingering;
mod listener;

use std::{sync::Arc, time::Duration};

use axum::{Router, serve::Listener};
use tokio::{net::TcpListener, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub(crate) use door::Door;
pub use listener::{bind, raise_descriptor_limit};

use connection::{Connection, protocol};

/// Serves until `stop`; what is open then has `drain_within` to end.
pub(crate) async fn serve(
    mut listener: TcpListener,
    router: Router,
    door: Door,
    stop: CancellationToken,
    drain_within: Duration,
) {
    let tasks = TaskTracker::new();
    let protocol = Arc::new(protocol());
    while let Some((socket, peer)) = stop.run_until_cancelled(Listener::accept(&mut listener)).await {
        let Some(entered) = door.enter(peer.ip()) else { continue };
        let connection = Connection {
            peer,
            entered,
            door: door.clone(),
            router: router.clone(),
            protocol: Arc::clone(&protocol),
            stop: stop.clone(),
        };
        tasks.spawn(connection.serve(socket, tasks.clone()));
    }
    drop(listener);
    tasks.close();
    if timeout(drain_within, tasks.wait()).await.is_err() {
        tracing::warn!("requests are still open, and end with this process");
    }
}
