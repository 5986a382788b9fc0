//! The client of QStash: publishes messages that it delivers, retries and signs.
//!
//! Wire: <https://upstash.com/docs/qstash/api/publish>. The surprise: the destination stands in the
//! path as it is, query and all.

mod development;
mod error;
mod message;
mod receiver;

use std::{fmt, future::Future, sync::Arc, time::Duration};

use futures::StreamExt;
use reqwest::{Client, RequestBuilder, Response, header, redirect::Policy};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use tokio::time::timeout;
use url::Url;

pub use development::{DEVELOPMENT_KEYS, DEVELOPMENT_TOKEN};
pub use error::QStashError;
pub use message::Message;
pub use receiver::{Authentic, Receiver, SIGNATURE_HEADER, SignatureError, body_digest};

use super::redis::bare;

/// Longest wait for a whole answer: a publish is taken in tens of milliseconds.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// Largest answer that is read, in bytes.
const ANSWER_BYTES: usize = 64 * 1024;

/// Publishes to one account's queue. Clones share connections.
#[derive(Clone)]
pub struct QStash {
    client: Client,
    base: Url,
    token: Arc<SecretString>,
    answer_within: Duration,
}

/// What the queue says of a message that it took.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Published {
    /// Names the message, and the earlier one if this is a repeat.
    pub message_id: String,
    /// The same deduplication id came within ten minutes: nothing more is delivered.
    #[serde(default, rename = "deduplicated")]
    pub is_repeat: bool,
}

/// The keys deliveries are signed with, of which the second takes over one day.
#[derive(Clone, Debug, Deserialize)]
pub struct SigningKeys {
    /// Signs today.
    #[serde(deserialize_with = "secret")]
    pub current: SecretString,
    /// Signs after the keys were rolled.
    #[serde(deserialize_with = "secret")]
    pub next: SecretString,
}

impl QStash {
    /// Makes a client of a region's URL and its token; nothing is sent yet.
    ///
    /// # Panics
    /// If this machine cannot do TLS.
    #[must_use]
    pub fn new(url: Url, token: SecretString) -> Self {
        // A redirect would carry the message to a host nobody named.
        let client = Client::builder().redirect(Policy::none()).build().expect("TLS is built in");
        Self { client, base: bare(url), token: Arc::new(token), answer_within: ANSWER_WITHIN }
    }

    /// Sets the longest wait for a whole answer. Default 5 s.
    #[must_use]
    pub const fn with_timeout(mut self, answer_within: Duration) -> Self {
        self.answer_within = answer_within;
        self
    }

    /// Publishes a message. Again with the same deduplication id changes nothing.
    ///
    /// # Errors
    /// [`QStashError`]; unless it says that it was refused, the message may have been taken.
    pub async fn publish(&self, message: &Message) -> Result<Published, QStashError> {
        let url =
            format!("{}/v2/publish/{}", self.base.as_str().trim_end_matches('/'), message.destination());
        let request = message.write(self.client.post(url));
        self.call(request).await
    }

    /// Reads the keys that deliveries are signed with.
    ///
    /// # Errors
    /// [`QStashError`] when the token is refused or no answer comes.
    pub async fn signing_keys(&self) -> Result<SigningKeys, QStashError> {
        let url = format!("{}/v2/keys", self.base.as_str().trim_end_matches('/'));
        self.call(self.client.get(url)).await
    }

    async fn call<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, QStashError> {
        self.in_time(async {
            let answer = request.bearer_auth(self.token.expose_secret()).send().await?;
            let (status, wait) = (answer.status(), retry_after(&answer));
            let body = read(answer).await?;
            if !status.is_success() {
                return Err(QStashError::of_answer(status, wait, &body));
            }
            serde_json::from_slice(&body).map_err(|_| QStashError::Garbled("not the JSON it sends"))
        })
        .await
    }

    async fn in_time<T>(&self, work: impl Future<Output = Result<T, QStashError>>) -> Result<T, QStashError> {
        timeout(self.answer_within, work).await.unwrap_or(Err(QStashError::Timeout))
    }
}

impl fmt::Debug for QStash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("QStash").field("host", &self.base.host_str()).finish_non_exhaustive()
    }
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(SecretString::from)
}

fn retry_after(answer: &Response) -> Option<Duration> {
    let text = answer.headers().get(header::RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

async fn read(answer: Response) -> Result<Vec<u8>, QStashError> {
    let (mut chunks, mut body) = (answer.bytes_stream(), Vec::new());
    while let Some(chunk) = chunks.next().await.transpose()? {
        if body.len() + chunk.len() > ANSWER_BYTES {
            return Err(QStashError::Garbled("an answer without end"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
