//! One connection: requests and answers, until it closes or a stream takes its socket.

use std::{
    convert::Infallible,
    future::poll_fn,
    mem,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::Poll,
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{Method, Request, Version},
    response::Response,
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{Empty, empty},
    net::TcpStream,
};
use tokio_io_timeout::TimeoutStream;
use tokio_util::{either::Either, sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

use super::bare_stream::BareStream;
use crate::http::OfferedStream;

/// How long a client may leave what it was sent unread: six heartbeats.
pub(super) const STALLED_AFTER: Duration = Duration::from_secs(30);
/// How long the head of a request may take, and how long a connection may wait for its next request.
const HEAD_WITHIN: Duration = Duration::from_secs(15);
/// Largest head of a request in bytes: cookies of a whole site fit.
const MOST_HEAD_BYTES: usize = 24 << 10;

/// A socket that can be taken away from whoever reads and writes it.
type LentSocket = Either<TcpStream, Empty>;
type Guarded = Pin<Box<TimeoutStream<LentSocket>>>;

/// What one client asks over one socket.
pub(super) struct Connection {
    router: Router,
    stop: CancellationToken,
    address: SocketAddr,
    parting: Parting,
}

/// Holds the stream that is to take the socket.
#[derive(Clone, Default)]
struct Parting(Arc<Mutex<Option<BareStream>>>);

impl Parting {
    fn put(&self, stream: BareStream) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(stream);
    }

    fn take(&self) -> Option<BareStream> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Connection {
    pub(super) fn new(router: Router, stop: CancellationToken, address: SocketAddr) -> Self {
        Self { router, stop, address, parting: Parting::default() }
    }

    /// Answers requests; a stream goes on in a task of its own, which is the size of a stream.
    pub(super) async fn serve(self, socket: TcpStream, tasks: TaskTracker, cut: CancellationToken) {
        if let Some((stream, socket)) = self.answer(guard(socket)).await {
            tasks.spawn(cut.run_until_cancelled_owned(stream.run(socket)));
        }
    }

    /// Answers requests until the connection ends; gives the stream that went on with its socket.
    async fn answer(self, socket: Guarded) -> Option<(BareStream, TcpStream)> {
        let Self { router, stop, address, parting } = self;
        let service = service_fn(|request| answer_one(router.clone(), address, parting.clone(), request));
        let mut connection = server().serve_connection(TokioIo::new(socket), service);
        let mut is_closing = false;
        let stream = loop {
            let parted = poll_fn(|context| match Pin::new(&mut connection).poll(context) {
                Poll::Ready(_) => Poll::Ready(None),
                // The answer is made while the connection is polled, so nothing is missed here.
                Poll::Pending => parting.take().map_or(Poll::Pending, |stream| Poll::Ready(Some(stream))),
            });
            tokio::select! {
                parted = parted => break parted?,
                () = stop.cancelled(), if !is_closing => {
                    is_closing = true;
                    Pin::new(&mut connection).graceful_shutdown();
                }
            }
        };
        Some((stream, take_back(connection.into_parts().io.into_inner())?))
    }
}

fn server() -> http1::Builder {
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN).max_header_size(MOST_HEAD_BYTES);
    server
}

/// Cuts a client that does not read its answer.
fn guard(socket: TcpStream) -> Guarded {
    let _ = socket.set_nodelay(true);
    let mut guarded = TimeoutStream::new(LentSocket::Left(socket));
    guarded.set_write_timeout(Some(STALLED_AFTER));
    Box::pin(guarded)
}

fn take_back(mut guarded: Guarded) -> Option<TcpStream> {
    match mem::replace(guarded.as_mut().get_pin_mut().get_mut(), LentSocket::Right(empty())) {
        LentSocket::Left(socket) => Some(socket),
        LentSocket::Right(_) => None,
    }
}

/// Answers one request; where the answer is a stream, it leaves with the socket and nothing is answered here.
async fn answer_one(
    router: Router,
    address: SocketAddr,
    parting: Parting,
    request: Request<Incoming>,
) -> Result<Response, Infallible> {
    // Only HTTP/1.1 has chunks; the answer to HEAD has no body.
    let may_part = request.version() == Version::HTTP_11 && request.method() == Method::GET;
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(ConnectInfo(address));
    let mut answer = router.oneshot(request).await?;
    if may_part && let Some(viewer) = OfferedStream::take_from(&mut answer) {
        parting.put(BareStream::new(viewer, &answer));
        std::future::pending::<()>().await;
    }
    Ok(answer)
}
