//! A viewer's stream on its bare socket.
//!
//! Frames that wait together leave as one chunk, in one call; what all viewers are sent is not copied.
//! Of the client nothing is read any more but that it has gone.

use std::io::{self, IoSlice, Write};

use axum::response::Response;
use bytes::Bytes;
use chrono::Utc;
use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};

use super::{connection::STALLED_AFTER, door::Entered};
use crate::{
    http::{Told, encode},
    stream::Viewer,
};

/// Frames that leave in one call.
const MOST_FRAMES: usize = 64;
/// Room for frames that is kept from one call to the next: seldom more than one leaves.
const FRAMES_KEPT: usize = 4;
/// A size in hexadecimal digits, and the end of the line.
const LONGEST_CHUNK_HEAD: usize = 18;
/// What ends a chunk, and what ends a body of chunks.
const CHUNK_END: &[u8] = b"\r\n";
const BODY_END: &[u8] = b"0\r\n\r\n";
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
        let mut written = write_all(&socket, &[IoSlice::new(&head)]).await;
        drop(head);
        let mut frames = Vec::new();
        while written.is_ok() {
            written = match next_frames(&mut viewer, &socket, &mut frames).await {
                Ok(true) => write_chunk(&socket, &frames).await,
                Ok(false) => break,
                Err(error) => Err(error),
            };
            if frames.capacity() > FRAMES_KEPT {
                frames = Vec::new();
            }
        }
        drop(viewer);
        if let Err(error) = written {
            return tracing::debug!(%error, "a viewer is gone");
        }
        let _ = write_all(&socket, &[IoSlice::new(BODY_END)]).await;
        let _ = socket.shutdown().await;
    }
}

/// Writes the head of an answer whose body is chunks, and whose connection ends with it.
fn head_of(answer: &Response) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {}\r\n", answer.status()).into_bytes();
    for (name, value) in answer.headers() {
        head.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), CHUNK_END].concat());
    }
    let date = Utc::now().format("%a, %d %b %Y %H:%M:%S GMT");
    let _ = write!(head, "date: {date}\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n");
    head
}

/// Waits for the next frame and puts it into `frames` with those that wait behind it; false at the end.
async fn next_frames(viewer: &mut Viewer, socket: &TcpStream, frames: &mut Vec<Bytes>) -> io::Result<bool> {
    frames.clear();
    let frame = tokio::select! {
        biased;
        frame = viewer.next() => frame,
        error = gone(socket) => return Err(error),
    };
    let Some(frame) = frame else { return Ok(false) };
    frames.push(encode(&frame));
    while frames.len() < MOST_FRAMES
        && let Some(frame) = viewer.next_pending()
    {
        frames.push(encode(&frame));
    }
    Ok(true)
}

/// Writes `frames` as one chunk.
fn write_chunk(socket: &TcpStream, frames: &[Bytes]) -> impl Future<Output = io::Result<()>> + Send {
    let size: usize = frames.iter().map(Bytes::len).sum();
    let mut chunk_head = [0; LONGEST_CHUNK_HEAD];
    let mut free = &mut chunk_head[..];
    let _ = write!(free, "{size:x}\r\n");
    let unused = free.len();
    let mut slices = [IoSlice::new(&[]); MOST_FRAMES + 2];
    slices[0] = IoSlice::new(&chunk_head[..LONGEST_CHUNK_HEAD - unused]);
    for (slice, frame) in slices[1..].iter_mut().zip(frames) {
        *slice = IoSlice::new(frame);
    }
    slices[frames.len() + 1] = IoSlice::new(CHUNK_END);
    write_all(socket, &slices[..frames.len() + 2])
}

/// Writes at once, as almost always; copies only what a slow client leaves over.
///
/// The future keeps nothing of `slices`, so that a stream has no room for them.
fn write_all<'a>(
    socket: &'a TcpStream,
    slices: &[IoSlice<'_>],
) -> impl Future<Output = io::Result<()>> + Send + use<'a> {
    let size: usize = slices.iter().map(|slice| slice.len()).sum();
    let at_once = match socket.try_write_vectored(slices) {
        Ok(written) if written == size => Ok(None),
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
        written => {
            let left = slices.iter().flat_map(|slice| slice.iter().copied());
            Ok(Some(left.skip(written.unwrap_or(0)).collect()))
        }
    };
    async move {
        match at_once? {
            None => Ok(()),
            Some(left) => Box::pin(write_slowly(socket, left)).await,
        }
    }
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
        if let Err(error) = socket.readable().await {
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
