//! One connection: requests and answers, until it closes or a stream takes its socket.

use std::{
    convert::Infallible,
    future::poll_fn,
    mem,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{HeaderValue, Method, Request, Version, header::CONNECTION},
    response::Response,
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{Empty, empty},
    net::TcpStream,
    time::{Sleep, sleep},
};
use tokio_io_timeout::TimeoutStream;
use tokio_util::{either::Either, sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

use super::{
    bare_stream::BareStream,
    door::{Door, Entered},
    lingering::{Rest, WatchedBody, linger},
};
use crate::http::OfferedStream;

/// How long a connection has until its first request's head is whole.
const FIRST_HEAD_WITHIN: Duration = Duration::from_secs(10);
/// How long it may wait for the next one: longer than proxies keep theirs open (60 s in nginx), so that they
/// close first and no request meets a connection that is going.
const NEXT_HEAD_WITHIN: Duration = Duration::from_secs(75);
/// How long a client may leave what it was sent unread: six heartbeats.
pub(super) const STALLED_AFTER: Duration = Duration::from_secs(30);
/// Longest head of a request in bytes; more is answered 431.
const MAX_HEAD_BYTES: usize = 16 * 1_024;
/// Most that is read ahead or written behind, in bytes.
const MAX_BUFFER_BYTES: usize = 16 * 1_024;

/// A socket that can be taken away from whoever reads and writes it.
type LentSocket = Either<TcpStream, Empty>;
pub(super) type GuardedSocket = Pin<Box<TimeoutStream<LentSocket>>>;

/// What one client asks over one socket.
pub(super) struct Connection {
    pub(super) peer: SocketAddr,
    pub(super) entered: Entered,
    pub(super) door: Door,
    pub(super) router: Router,
    pub(super) protocol: Arc<http1::Builder>,
    pub(super) stop: CancellationToken,
}

/// How a connection ended here.
enum End {
    /// By either side, as it should.
    Usual,
    /// Its first request was not whole in time.
    SlowHead,
    /// A stream goes on with its socket.
    Parted(BareStream, TcpStream),
}

/// What hyper has come to.
enum Progress {
    /// No more requests are read.
    Over(hyper::Result<()>),
    /// The answer is a stream.
    Streaming(BareStream),
}

/// What a connection has been asked.
#[derive(Clone, Default)]
pub(super) struct Asked(Arc<Mutex<AskedState>>);

#[derive(Default)]
struct AskedState {
    anything: bool,
    /// Of the newest request's body not all was read.
    left_unread: Option<Rest>,
    stream: Option<BareStream>,
}

impl Asked {
    fn lock(&self) -> MutexGuard<'_, AskedState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers that nobody wants the rest of the newest request.
    pub(super) fn left_unread(&self, rest: Rest) {
        self.lock().left_unread = Some(rest);
    }
}

/// How hyper reads and writes.
pub(super) fn protocol() -> http1::Builder {
    let mut protocol = http1::Builder::new();
    protocol
        .timer(TokioTimer::new())
        .header_read_timeout(NEXT_HEAD_WITHIN)
        .max_header_size(MAX_HEAD_BYTES)
        .max_buf_size(MAX_BUFFER_BYTES);
    protocol
}

impl Connection {
    /// Answers requests; a stream goes on in a task of its own, which is the size of a stream.
    pub(super) async fn serve(self, socket: TcpStream, tasks: TaskTracker) {
        match self.answer_all(guard(socket)).await {
            End::Usual => {}
            End::SlowHead => self.door.was_slow(),
            End::Parted(stream, socket) => drop(tasks.spawn(stream.run(socket, self.entered))),
        }
    }

    async fn answer_all(&self, socket: GuardedSocket) -> End {
        let asked = Asked::default();
        let service = service_fn(|request| answer(self.router.clone(), self.peer, asked.clone(), request));
        let mut serving = self.protocol.serve_connection(TokioIo::new(socket), service);
        // Boxed: it is over after seconds, and most connections live for minutes.
        let mut first_head = Some(Box::pin(sleep(FIRST_HEAD_WITHIN)));
        let mut is_going = false;
        let progress = loop {
            let progress = poll_fn(|context| match Pin::new(&mut serving).poll(context) {
                Poll::Ready(over) => Poll::Ready(Progress::Over(over)),
                // An answer is made while the connection is polled, so none is missed here.
                Poll::Pending => asked
                    .lock()
                    .stream
                    .take()
                    .map_or(Poll::Pending, |it| Poll::Ready(Progress::Streaming(it))),
            });
            tokio::select! {
                progress = progress => break progress,
                () = self.stop.cancelled(), if !is_going => {
                    is_going = true;
                    Pin::new(&mut serving).graceful_shutdown();
                }
                () = due(&mut first_head) => {
                    first_head = None;
                    if !asked.lock().anything {
                        return End::SlowHead;
                    }
                }
            }
        };
        let guarded = serving.into_parts().io.into_inner();
        let stream = match progress {
            Progress::Streaming(stream) => stream,
            Progress::Over(over) => {
                if asked.lock().left_unread.is_some() || over.is_err_and(|error| error.is_parse()) {
                    // Boxed: most connections never come here.
                    Box::pin(linger(guarded, &self.stop)).await;
                }
                return End::Usual;
            }
        };
        match take_back(guarded) {
            LentSocket::Left(socket) => {
                forget_waiters(&socket);
                End::Parted(stream, socket)
            }
            LentSocket::Right(_) => End::Usual,
        }
    }
}

/// Cuts a client that does not read its answer.
fn guard(socket: TcpStream) -> GuardedSocket {
    let _ = socket.set_nodelay(true);
    let mut guarded = TimeoutStream::new(LentSocket::Left(socket));
    guarded.set_write_timeout(Some(STALLED_AFTER));
    Box::pin(guarded)
}

fn take_back(mut guarded: GuardedSocket) -> LentSocket {
    mem::replace(guarded.as_mut().get_pin_mut().get_mut(), LentSocket::Right(empty()))
}

/// Whoever waited for the socket before keeps its task in memory for as long as the socket lives.
fn forget_waiters(socket: &TcpStream) {
    let mut nobody = Context::from_waker(Waker::noop());
    let _ = socket.poll_read_ready(&mut nobody);
    let _ = socket.poll_write_ready(&mut nobody);
}

async fn due(timer: &mut Option<Pin<Box<Sleep>>>) {
    match timer {
        Some(timer) => timer.await,
        None => std::future::pending().await,
    }
}

/// Answers one request. An answer that is a stream leaves with the socket, and hyper gets none.
async fn answer(
    router: Router,
    peer: SocketAddr,
    asked: Asked,
    request: Request<Incoming>,
) -> Result<Response, Infallible> {
    {
        let mut asked = asked.lock();
        (asked.anything, asked.left_unread) = (true, None);
    }
    // Only HTTP/1.1 has chunks; the answer to HEAD has no body.
    let may_part = request.version() == Version::HTTP_11 && request.method() == Method::GET;
    let mut request = request.map(|body| Body::new(WatchedBody::new(body, asked.clone())));
    request.extensions_mut().insert(ConnectInfo(peer));
    let mut answer = router.oneshot(request).await?;
    if may_part && let Some(offered) = OfferedStream::take_from(&mut answer) {
        asked.lock().stream = Some(BareStream::new(offered, &answer));
        std::future::pending::<()>().await;
    }
    if asked.lock().left_unread == Some(Rest::Long) {
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(answer)
}
