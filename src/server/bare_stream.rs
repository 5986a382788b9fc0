//! A viewer's stream on its bare socket.
//!
//! Frames that wait together leave in one call; what all viewers are sent is not copied.
//! Of the client nothing is read any more but that it has gone.

use std::{
    future::poll_fn,
    io::{self, IoSlice, Write},
    time::SystemTime,
};

use axum::response::Response;
use bytes::Bytes;
use httpdate::fmt_http_date;
use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};

use super::{connection::STALLED_AFTER, door::Entered};
use crate::{
    http::{Told, encode_chunk},
    stream::Viewer,
};

/// Frames that leave in one call.
const MOST_FRAMES: usize = 64;
/// Room for frames that is kept from one call to the next: seldom more than one leaves.
const FRAMES_KEPT: usize = 4;
/// What ends a line of the head, and what ends a body of chunks.
const LINE_END: &[u8] = b"\r\n";
const BODY_END: &[u8] = b"0\r\n\r\n";
/// What ends a head whose body is chunks.
const HEAD_END: &[u8] = b"connection: close\r\ntransfer-encoding: chunked\r\n\r\n";
/// Room for a head, which is not asked for again and again then.
const HEAD_BYTES: usize = 640;
/// Bytes a client may send behind its request; an EventSource sends none.
const MOST_IGNORED: usize = 16 << 10;

/// A stream that has been granted, and of which nothing has been written.
pub(super) struct BareStream {
    told: Told,
    head: Vec<u8>,
}

impl BareStream {
    /// Takes the head of `answer` for the stream it offered.
    pub(super) fn new(told: Told, answer: &Response) -> Self {
        Self { told, head: head_of(answer) }
    }

    /// Writes the stream until it ends or the client is gone.
    ///
    /// One function, as each one that awaits another keeps what it hands on a second time.
    pub(super) async fn run(self, mut socket: TcpStream, _entered: Entered) {
        let Self { told: Told { mut viewer, held: _held }, head } = self;
        // The head leaves with the first frames, which are there already.
        let mut frames = vec![head.into()];
        let told = loop {
            match next_frames(&mut viewer, &socket, &mut frames).await {
                Ok(true) => {}
                Ok(false) => break Ok(()),
                Err(error) => break Err(error),
            }
            if let Err(error) = write_all(&socket, &frames).await {
                break Err(error);
            }
            frames.clear();
            frames.shrink_to(FRAMES_KEPT);
        };
        drop(viewer);
        if let Err(error) = told {
            return tracing::debug!(%error, "a viewer is gone");
        }
        frames.push(Bytes::from_static(BODY_END));
        let _ = write_all(&socket, &frames).await;
        let _ = socket.shutdown().await;
    }
}

/// Writes the head of an answer whose body is chunks, and whose connection ends with it.
fn head_of(answer: &Response) -> Vec<u8> {
    let mut head = Vec::with_capacity(HEAD_BYTES);
    let date = fmt_http_date(SystemTime::now());
    let _ = write!(head, "HTTP/1.1 {}\r\ndate: {date}\r\n", answer.status());
    for (name, value) in answer.headers() {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), LINE_END] {
            head.extend_from_slice(part);
        }
    }
    head.extend_from_slice(HEAD_END);
    head
}

/// Waits for the next frame and puts it behind `frames` with those that wait behind it; false at the end.
async fn next_frames(viewer: &mut Viewer, socket: &TcpStream, frames: &mut Vec<Bytes>) -> io::Result<bool> {
    let frame = tokio::select! {
        biased;
        frame = viewer.next() => frame,
        error = gone(socket) => return Err(error),
    };
    let Some(frame) = frame else { return Ok(false) };
    frames.push(encode_chunk(&frame));
    while frames.len() < MOST_FRAMES
        && let Some(frame) = viewer.next_pending()
    {
        frames.push(encode_chunk(&frame));
    }
    Ok(true)
}

/// Writes at once, as almost always; copies only what a slow client leaves over.
async fn write_all(socket: &TcpStream, parts: &[Bytes]) -> io::Result<()> {
    let size: usize = parts.iter().map(Bytes::len).sum();
    let written = match try_write(socket, parts) {
        Ok(written) => written,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
        Err(error) => return Err(error),
    };
    if written == size {
        return Ok(());
    }
    let left = parts.iter().flat_map(|part| part.iter().copied()).skip(written).collect();
    Box::pin(write_slowly(socket, left)).await
}

/// Writes what the socket takes: a single part, as almost always, without a list of parts for the kernel to read.
fn try_write(socket: &TcpStream, parts: &[Bytes]) -> io::Result<usize> {
    if let [part] = parts {
        return socket.try_write(part);
    }
    let slices: Vec<_> = parts.iter().map(|part| IoSlice::new(part)).collect();
    socket.try_write_vectored(&slices)
}

/// Writes as fast as the client reads.
async fn write_slowly(socket: &TcpStream, left: Vec<u8>) -> io::Result<()> {
    let mut left = &left[..];
    while !left.is_empty() {
        timeout(STALLED_AFTER, socket.writable()).await??;
        match socket.try_write(left) {
            Ok(written) => left = &left[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Waits until the client hangs up, or says more than it should.
async fn gone(socket: &TcpStream) -> io::Error {
    let mut ignored = 0;
    while ignored <= MOST_IGNORED {
        if let Err(error) = poll_fn(|context| socket.poll_read_ready(context)).await {
            return error;
        }
        match socket.try_read(&mut [0; 512]) {
            Ok(0) => return io::ErrorKind::UnexpectedEof.into(),
            Ok(read) => ignored += read,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return error,
        }
    }
    io::Error::other("it sent more than a request")
}
