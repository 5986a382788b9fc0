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
        while written.is_ok() {
            written = match next_frames(&mut viewer, &socket).await {
                Ok(Some(frames)) => write_chunk(&socket, &frames).await,
                Ok(None) => break,
                Err(error) => Err(error),
            };
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

/// Waits for the next frame and gives it with those that wait behind it; nothing at the end.
async fn next_frames(viewer: &mut Viewer, socket: &TcpStream) -> io::Result<Option<Vec<Bytes>>> {
    let frame = tokio::select! {
        biased;
        frame = viewer.next() => frame,
        error = gone(socket) => return Err(error),
    };
    let Some(frame) = frame else { return Ok(None) };
    let mut frames = vec![encode(&frame)];
    while frames.len() < MOST_FRAMES
        && let Some(frame) = viewer.next_pending()
    {
        frames.push(encode(&frame));
    }
    Ok(Some(frames))
}

async fn write_chunk(socket: &TcpStream, frames: &[Bytes]) -> io::Result<()> {
    let size: usize = frames.iter().map(Bytes::len).sum();
    let chunk_head = format!("{size:x}\r\n");
    let mut slices = Vec::with_capacity(frames.len() + 2);
    slices.push(IoSlice::new(chunk_head.as_bytes()));
    slices.extend(frames.iter().map(|frame| IoSlice::new(frame)));
    slices.push(IoSlice::new(CHUNK_END));
    write_all(socket, &slices).await
}

/// Writes at once, as almost always; copies only what a slow client leaves over.
async fn write_all(socket: &TcpStream, slices: &[IoSlice<'_>]) -> io::Result<()> {
    let size: usize = slices.iter().map(|slice| slice.len()).sum();
    let written = match socket.try_write_vectored(slices) {
        Ok(written) => written,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
        Err(error) => return Err(error),
    };
    if written == size {
        return Ok(());
    }
    let left = slices.iter().flat_map(|slice| slice.iter().copied()).skip(written).collect();
    Box::pin(write_slowly(socket, left)).await
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
