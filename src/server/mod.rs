//! Serves a router over HTTP/1.1, and lets each stream go on alone on its socket.
//!
//! hyper reads requests and writes answers. A stream of Server-Sent Events needs neither any more once
//! its head is out: it takes the socket along and hyper's buffers go, which are most of what an idle
//! viewer would cost. HTTP/2 is for the proxy in front.

mod bare_stream;
mod connection;
mod listener;

use std::time::Duration;

use axum::{Router, serve::Listener};
use tokio::{net::TcpListener, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use listener::{bind, raise_descriptor_limit};

use connection::Connection;

/// Serves until `stop`; what is open then has `drain_within` to end, and is cut.
pub(crate) async fn serve(
    mut listener: TcpListener,
    router: Router,
    stop: CancellationToken,
    drain_within: Duration,
) {
    let (tasks, cut) = (TaskTracker::new(), CancellationToken::new());
    while let Some((socket, address)) = stop.run_until_cancelled(Listener::accept(&mut listener)).await {
        let connection = Connection::new(router.clone(), stop.clone(), address);
        tasks.spawn(cut.clone().run_until_cancelled_owned(connection.serve(
            socket,
            tasks.clone(),
            cut.clone(),
        )));
    }
    drop(listener);
    tasks.close();
    if timeout(drain_within, tasks.wait()).await.is_err() {
        tracing::warn!("requests were still open and have been cut");
        cut.cancel();
        tasks.wait().await;
    }
}
