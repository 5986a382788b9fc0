//! A subscription: one endless answer, a message on each `data:` line.
//!
//! Upstash does not say whether blank lines part its messages, so lines are read, not blocks.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{
    StreamExt,
    stream::{self, BoxStream},
};
use tokio::time::timeout;

use super::{billing::Account, error::RedisError};

/// Longest line that is read, in bytes.
const LINE_BYTES: usize = 1024 * 1024;

/// The payloads of one channel. It ends with the connection, or after its first error.
pub type Subscription = BoxStream<'static, Result<String, RedisError>>;

/// Reads the lines of a subscription.
pub(super) struct Lines {
    chunks: BoxStream<'static, reqwest::Result<Bytes>>,
    unread: Vec<u8>,
    silence: Duration,
    account: Arc<Account>,
}

/// What a `data:` line tells.
#[derive(Debug, PartialEq, Eq)]
enum Told<'a> {
    Subscribed,
    Message(&'a str),
    Other,
}

impl Lines {
    pub(super) fn of(answer: reqwest::Response, silence: Duration, account: Arc<Account>) -> Self {
        Self { chunks: answer.bytes_stream().boxed(), unread: Vec::new(), silence, account }
    }

    /// Waits until the server says that messages will come from now on.
    pub(super) async fn confirmed(mut self) -> Result<Self, RedisError> {
        while let Some(line) = self.next().await? {
            match parse(&line) {
                Some(Told::Subscribed) => return Ok(self),
                Some(_) => break,
                None => {}
            }
        }
        Err(RedisError::Garbled("the subscription was not confirmed"))
    }

    pub(super) fn into_payloads(self) -> Subscription {
        stream::try_unfold(self, |mut lines| async move {
            let payload = lines.next_payload().await?;
            Ok(payload.map(|payload| (payload, lines)))
        })
        .boxed()
    }

    async fn next_payload(&mut self) -> Result<Option<String>, RedisError> {
        while let Some(line) = self.next().await? {
            if let Some(Told::Message(payload)) = parse(&line) {
                return Ok(Some(payload.to_owned()));
            }
        }
        Ok(None)
    }

    async fn next(&mut self) -> Result<Option<String>, RedisError> {
        loop {
            if let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=end).collect();
                return Ok(Some(String::from_utf8_lossy(&line).into_owned()));
            }
            if self.unread.len() > LINE_BYTES {
                return Err(RedisError::Garbled("a line without end"));
            }
            match timeout(self.silence, self.chunks.next()).await {
                Err(_) => return Err(RedisError::Timeout),
                Ok(None) => return Ok(None),
                Ok(Some(chunk)) => self.take(&chunk?),
            }
        }
    }

    fn take(&mut self, chunk: &[u8]) {
        self.account.received(chunk.len());
        self.unread.extend_from_slice(chunk);
    }
}

/// Reads `data: <kind>,<channel>,<rest>`, where the rest may hold commas; nothing for other lines.
fn parse(line: &str) -> Option<Told<'_>> {
    let data = line.trim_end_matches(['\r', '\n']).strip_prefix("data:")?;
    let mut parts = data.strip_prefix(' ').unwrap_or(data).splitn(3, ',');
    Some(match (parts.next(), parts.next(), parts.next()) {
        (Some("subscribe"), Some(_), Some(_)) => Told::Subscribed,
        (Some("message"), Some(_), Some(payload)) => Told::Message(payload),
        _ => Told::Other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_split_at_its_first_two_commas_only() {
        let line = "data: message,ch:a,{\"a\":1,\"b\":\"x, y\"}\r\n";

        assert_eq!(parse(line), Some(Told::Message("{\"a\":1,\"b\":\"x, y\"}")));
    }

    #[test]
    fn one_space_behind_the_colon_is_not_of_the_data() {
        assert_eq!(parse("data:message,ch, x"), Some(Told::Message(" x")));
        assert_eq!(parse("data: message,ch,x "), Some(Told::Message("x ")));
        assert_eq!(parse("data: message,ch,"), Some(Told::Message("")));
    }

    #[test]
    fn other_lines_tell_nothing() {
        assert_eq!(parse("data: subscribe,ch,1"), Some(Told::Subscribed));
        for line in ["data: unsubscribe,ch,0", "data: message,ch", "data: ", "data: {\"error\":\"x\"}"] {
            assert_eq!(parse(line), Some(Told::Other), "{line}");
        }
        for line in ["", "\r\n", ": keep-alive", "id: 1", "event: message", "{\"result\":1}"] {
            assert_eq!(parse(line), None, "{line}");
        }
    }
}
