//! One try at delivering a message.

use std::time::Duration;

use axum::http::{HeaderMap, header};
use bytes::Bytes;
use futures::StreamExt;
use reqwest::{Client, Response};
use tokio::time::timeout;

use super::{message::Message, schedule::asked_pause, signer::Signer};
use crate::upstash::SIGNATURE_HEADER;

/// Largest answer that is kept, in bytes; the rest is cut, as the vendor does.
const ANSWER_BYTES: usize = 10 * 1024 * 1024;
/// Says that no retry can help, together with a header.
const NOT_RETRYABLE: u16 = 489;

/// What a destination answered.
pub(super) struct Answer {
    /// 0 where no answer came.
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) const fn is_success(&self) -> bool {
        self.status >= 200 && self.status < 300
    }

    /// Says whether the destination asks for no more tries.
    pub(super) fn is_final(&self) -> bool {
        let header = self.headers.get("upstash-nonretryable-error");
        self.status == NOT_RETRYABLE
            && header.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"true"))
    }

    /// Gives the pause the destination asks for; a date is not read.
    pub(super) fn asked_pause(&self) -> Option<Duration> {
        let text = self.headers.get(header::RETRY_AFTER)?.to_str().ok()?;
        text.trim().parse().ok().map(asked_pause)
    }

    fn none(words: &'static str) -> Self {
        Self { status: 0, headers: HeaderMap::new(), body: Bytes::from_static(words.as_bytes()) }
    }
}

/// Delivers a message once.
pub(super) async fn attempt(client: &Client, signer: &Signer, message: &Message, retried: u32) -> Answer {
    let target = &message.target;
    let request = client
        .request(target.method.clone(), &target.url)
        .headers(target.headers.clone())
        .header(header::USER_AGENT, "Upstash-QStash")
        .header(SIGNATURE_HEADER, signer.sign(&target.url, &message.body))
        .header("upstash-message-id", &message.id)
        .header("upstash-retried", retried)
        .header("upstash-caller-ip", "127.0.0.1")
        .header("upstash-region", "LOCAL")
        .body(message.body.clone());
    let answered = timeout(target.answer_within, async { Some(read(request.send().await.ok()?).await) });
    match answered.await {
        Ok(Some(answer)) => answer,
        Ok(None) => Answer::none("the destination cannot be reached"),
        Err(_) => Answer::none("the destination did not answer in time"),
    }
}

async fn read(answer: Response) -> Answer {
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let (mut chunks, mut body) = (answer.bytes_stream(), Vec::new());
    while let Some(chunk) = chunks.next().await {
        let Ok(chunk) = chunk else { return Answer::none("the answer did not arrive whole") };
        let room = ANSWER_BYTES - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
    }
    Answer { status, headers, body: body.into() }
}
