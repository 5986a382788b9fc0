//! One message: where it goes, what it holds, and who is told of the outcome.

use std::{fmt, time::Duration};

use bytes::Bytes;
use reqwest::{RequestBuilder, header};

/// A message to publish. Its `Debug` form hides body and addresses: they may hold secrets.
#[derive(Clone)]
pub struct Message {
    destination: String,
    body: Bytes,
    headers: Vec<(String, String)>,
}

impl Message {
    /// Begins a message of JSON that is delivered by POST to `destination`, a whole URL.
    #[must_use]
    pub fn json(destination: impl Into<String>, body: impl Into<Bytes>) -> Self {
        let message = Self { destination: destination.into(), body: body.into(), headers: Vec::new() };
        message.with(header::CONTENT_TYPE.as_str(), "application/json")
    }

    /// Has the answer of the destination sent to `url`, after failed tries too.
    #[must_use]
    pub fn with_callback(self, url: &str) -> Self {
        self.with("Upstash-Callback", url)
    }

    /// Has the last answer sent to `url` when every try has failed.
    #[must_use]
    pub fn with_failure_callback(self, url: &str) -> Self {
        self.with("Upstash-Failure-Callback", url)
    }

    /// Names the message: of those with one name, one in ten minutes is delivered.
    #[must_use]
    pub fn with_deduplication_id(self, id: &str) -> Self {
        self.with("Upstash-Deduplication-Id", id)
    }

    /// Sets how often a failed delivery is tried again. Default 3, at most what the plan allows.
    #[must_use]
    pub fn with_retries(self, retries: u32) -> Self {
        self.with("Upstash-Retries", &retries.to_string())
    }

    /// Sets how long the destination may take to answer, in whole seconds.
    #[must_use]
    pub fn with_timeout(self, answer_within: Duration) -> Self {
        self.with("Upstash-Timeout", &format!("{}s", answer_within.as_secs()))
    }

    /// Passes a header on to the destination.
    #[must_use]
    pub fn with_forward(self, name: &str, value: &str) -> Self {
        self.with(&format!("Upstash-Forward-{name}"), value)
    }

    /// Passes a header on to whoever is told of the outcome.
    #[must_use]
    pub fn with_callback_forward(self, name: &str, value: &str) -> Self {
        self.with(&format!("Upstash-Callback-Forward-{name}"), value)
            .with(&format!("Upstash-Failure-Callback-Forward-{name}"), value)
    }

    pub(super) fn destination(&self) -> &str {
        &self.destination
    }

    pub(super) fn write(&self, mut request: RequestBuilder) -> RequestBuilder {
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request.body(self.body.clone())
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Message({} bytes, {} headers)", self.body.len(), self.headers.len())
    }
}
