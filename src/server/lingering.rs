//! The end of a connection whose client may still be sending.
//!
//! A socket that is closed before all that came was read resets the connection, and a client that sends first
//! and reads then may never see the answer that refused it (RFC 9112, 9.6). So what is sent is read and thrown
//! away for a while, as nginx does by `lingering_close`.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::body::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::{
    io::{AsyncWriteExt, copy, sink},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::connection::{Asked, GuardedSocket};

/// How long a client may go on sending what nobody wants: `lingering_time` of nginx.
const LINGER_AT_MOST: Duration = Duration::from_secs(30);
/// How long it may be silent meanwhile: `lingering_timeout` of nginx.
const SILENT_AT_MOST: Duration = Duration::from_secs(5);
/// How long it may go on while the server goes down.
const LINGER_IN_HASTE: Duration = Duration::from_millis(500);

/// Most bytes that are likely to have come with the head, as one read takes them.
const COMES_ALONG: u64 = 8 << 10;

/// What of a body was left unread.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    /// So little that hyper reads past it, and the connection may be kept.
    Short,
    /// The connection ends with the answer, which has to say so.
    Long,
}

/// A request's body that tells if it was not read to its end.
pub(super) struct WatchedBody {
    body: Incoming,
    is_over: bool,
    asked: Asked,
}

impl WatchedBody {
    pub(super) fn new(body: Incoming, asked: Asked) -> Self {
        Self { body, is_over: false, asked }
    }
}

impl Body for WatchedBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        // A body of chunks says of its end nowhere else.
        self.is_over |= matches!(frame, Poll::Ready(None));
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for WatchedBody {
    fn drop(&mut self) {
        if !self.is_over && !self.body.is_end_stream() {
            let is_short = self.body.size_hint().upper().is_some_and(|most| most <= COMES_ALONG);
            self.asked.left_unread(if is_short { Rest::Short } else { Rest::Long });
        }
    }
}

/// Closes a socket once its client has, or has had the time to read its answer.
pub(super) async fn linger(mut socket: GuardedSocket, stop: &CancellationToken) {
    socket.as_mut().set_read_timeout_pinned(Some(SILENT_AT_MOST));
    let ignoring = async {
        socket.shutdown().await?;
        copy(&mut socket, &mut sink()).await
    };
    let going_down = async {
        stop.cancelled().await;
        sleep(LINGER_IN_HASTE).await;
    };
    tokio::select! {
        // A client that is gone, or takes too long, has had its answer or never will.
        _ = timeout(LINGER_AT_MOST, ignoring) => {}
        () = going_down => {}
    }
}
