//! Reads one answer of HTTP/1.1 as it arrives, in whatever pieces.

use anyhow::{Context, bail};

/// An answer on its way in.
#[derive(Debug)]
pub struct Answer {
    state: State,
    /// The line under way.
    line: Vec<u8>,
    status: u16,
    body: Body,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    StatusLine,
    Headers,
    /// So many bytes of the body, or of the chunk, are still to come.
    Body(u64),
    /// The line end behind a chunk.
    ChunkEnd,
    ChunkSize,
    Trailers,
    Done,
}

/// How the body's length is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Body {
    UntilClose,
    Sized(u64),
    Chunked,
}

impl Default for Answer {
    fn default() -> Self {
        Self { state: State::StatusLine, line: Vec::new(), status: 0, body: Body::UntilClose }
    }
}

impl Answer {
    /// Gives the status, once the head is in.
    pub const fn status(&self) -> Option<u16> {
        match self.state {
            State::StatusLine | State::Headers => None,
            _ => Some(self.status),
        }
    }

    /// Says whether the answer is over; one that lasts until the connection closes never is.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Takes the next piece of the body off `input`; nothing once `input` is used up or all is over.
    ///
    /// # Errors
    /// When this is no HTTP/1.1.
    pub fn next_piece<'a>(&mut self, input: &mut &'a [u8]) -> anyhow::Result<Option<&'a [u8]>> {
        while !input.is_empty() && self.state != State::Done {
            if let State::Body(left) = self.state {
                return Ok(Some(self.take_body(left, input)));
            }
            if self.take_line(input) {
                self.state = self.read_line()?;
                self.line.clear();
            }
        }
        Ok(None)
    }

    fn take_body<'a>(&mut self, left: u64, input: &mut &'a [u8]) -> &'a [u8] {
        let length = input.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let (piece, rest) = input.split_at(length);
        *input = rest;
        self.state = match (left - length as u64, self.body) {
            (0, Body::Chunked) => State::ChunkEnd,
            (0, _) => State::Done,
            (left, _) => State::Body(left),
        };
        piece
    }

    /// Says whether the line is whole; its end is not kept.
    fn take_line(&mut self, input: &mut &[u8]) -> bool {
        let end = memchr::memchr(b'\n', input);
        self.line.extend_from_slice(&input[..end.unwrap_or(input.len())]);
        *input = &input[end.map_or(input.len(), |end| end + 1)..];
        if end.is_some() && self.line.last() == Some(&b'\r') {
            self.line.pop();
        }
        end.is_some()
    }

    fn read_line(&mut self) -> anyhow::Result<State> {
        let line = std::str::from_utf8(&self.line).context("a line that is no text")?;
        Ok(match self.state {
            State::StatusLine => {
                let status = line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
                self.status = status.with_context(|| format!("no HTTP/1.1: {line:?}"))?;
                State::Headers
            }
            State::Headers if line.is_empty() => self.begin_body(),
            State::Headers => {
                self.body = read_header(line)?.unwrap_or(self.body);
                State::Headers
            }
            State::ChunkSize => {
                let size = line.split(';').next().unwrap_or_default().trim();
                match u64::from_str_radix(size, 16).with_context(|| format!("no size: {line:?}"))? {
                    0 => State::Trailers,
                    size => State::Body(size),
                }
            }
            State::ChunkEnd if line.is_empty() => State::ChunkSize,
            State::ChunkEnd => bail!("a chunk is longer than it said"),
            State::Trailers if line.is_empty() => State::Done,
            State::Trailers => State::Trailers,
            State::Body(_) | State::Done => unreachable!("no lines there"),
        })
    }

    const fn begin_body(&self) -> State {
        match self.body {
            _ if matches!(self.status, 204 | 304) => State::Done,
            Body::Sized(0) => State::Done,
            Body::Sized(size) => State::Body(size),
            Body::Chunked => State::ChunkSize,
            Body::UntilClose => State::Body(u64::MAX),
        }
    }
}

/// Reads what a header says of the body's length.
fn read_header(line: &str) -> anyhow::Result<Option<Body>> {
    let (name, value) = line.split_once(':').with_context(|| format!("no header: {line:?}"))?;
    Ok(match name.to_ascii_lowercase().as_str() {
        "content-length" => Some(Body::Sized(value.trim().parse().context("a length that is no number")?)),
        "transfer-encoding" if value.trim().eq_ignore_ascii_case("chunked") => Some(Body::Chunked),
        _ => None,
    })
}
