//! Connections over HTTP/1.1, and what one may cost before its first request is whole.
//!
//! HTTP/2 in the clear is not spoken: no browser asks for it, the proxies that end TLS speak HTTP/1.1 to what is
//! behind them, and one connection would hold any number of streams that nobody counts.

use std::{
    convert::Infallible,
    future::Future,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request},
    response::Response,
    serve::Listener,
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::TcpListener,
    time::{Sleep, sleep},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

use crate::{
    limits::Limits,
    listener::StallGuard,
    telemetry::{Limit, Metrics},
};

/// How long a connection has until its first request's head is whole.
const FIRST_HEAD_WITHIN: Duration = Duration::from_secs(10);
/// How long it may wait for the next one: longer than proxies keep theirs open (60 s in nginx), so that they
/// close first and no request meets a connection that is going.
const NEXT_HEAD_WITHIN: Duration = Duration::from_secs(75);
/// Longest head of a request in bytes; more is answered 431.
const MAX_HEAD_BYTES: usize = 16 * 1_024;
/// Most that is read ahead or written behind, in bytes.
const MAX_BUFFER_BYTES: usize = 16 * 1_024;

/// Serves connections until `shutdown` is cancelled and those that are open have ended.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Arc<Limits>,
    metrics: Arc<Metrics>,
    shutdown: CancellationToken,
) {
    let mut listener = StallGuard::new(listener);
    let connections = TaskTracker::new();
    let protocol = Arc::new(protocol());
    loop {
        let (connection, peer) = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let Ok(place) = limits.take_connection(peer.ip()) else { continue };
        let served = Connection {
            connection,
            peer,
            router: router.clone(),
            protocol: Arc::clone(&protocol),
            shutdown: shutdown.clone(),
        };
        let (limits, open) = (Arc::clone(&limits), Open::of(&metrics));
        connections.spawn(async move {
            let _held = (place, open);
            if served.serve().await == Ended::SlowHead {
                limits.refused(Limit::SlowHead);
            }
        });
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

fn protocol() -> http1::Builder {
    let mut protocol = http1::Builder::new();
    protocol
        .timer(TokioTimer::new())
        .header_read_timeout(NEXT_HEAD_WITHIN)
        .max_header_size(MAX_HEAD_BYTES)
        .max_buf_size(MAX_BUFFER_BYTES);
    protocol
}

struct Connection {
    connection: <StallGuard as Listener>::Io,
    peer: SocketAddr,
    router: Router,
    protocol: Arc<http1::Builder>,
    shutdown: CancellationToken,
}

#[derive(PartialEq)]
enum Ended {
    /// By either side, as it should.
    Usually,
    /// Its first request was not whole in time.
    SlowHead,
}

impl Connection {
    async fn serve(self) -> Ended {
        let Self { connection, peer, router, protocol, shutdown } = self;
        let has_asked = Arc::new(AtomicBool::new(false));
        let answer = {
            let has_asked = Arc::clone(&has_asked);
            move |request| {
                has_asked.store(true, Relaxed);
                answer(router.clone(), peer, request)
            }
        };
        let serving = protocol.serve_connection(TokioIo::new(connection), service_fn(answer));
        let mut serving = pin!(serving);
        // Boxed: it is over after seconds, and most connections live for minutes.
        let mut first_head = Some(Box::pin(sleep(FIRST_HEAD_WITHIN)));
        let mut is_going = false;
        loop {
            tokio::select! {
                // What goes wrong here is the peer's affair: it left, or spoke no HTTP.
                _ = serving.as_mut() => return Ended::Usually,
                () = shutdown.cancelled(), if !is_going => {
                    is_going = true;
                    serving.as_mut().graceful_shutdown();
                }
                () = due(&mut first_head) => {
                    first_head = None;
                    if !has_asked.load(Relaxed) {
                        return Ended::SlowHead;
                    }
                }
            }
        }
    }
}

async fn due(timer: &mut Option<Pin<Box<Sleep>>>) {
    match timer {
        Some(timer) => timer.await,
        None => std::future::pending().await,
    }
}

fn answer(
    router: Router,
    peer: SocketAddr,
    mut request: Request<Incoming>,
) -> impl Future<Output = Result<Response, Infallible>> {
    request.extensions_mut().insert(ConnectInfo(peer));
    router.oneshot(request.map(Body::new))
}

/// Counts a connection as open until dropped.
struct Open(Arc<Metrics>);

impl Open {
    fn of(metrics: &Arc<Metrics>) -> Self {
        metrics.limits.connections.inc();
        Self(Arc::clone(metrics))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.limits.connections.dec();
    }
}
