//! A viewer that reads Server-Sent Events with a parser that is not ours.

use std::{pin::Pin, time::Duration};

use futures::{Stream, StreamExt};
use reqwest::{RequestBuilder, StatusCode, header::HeaderMap};
use serde_json::Value;
use sse_stream::SseStream;
use tokio::time::timeout;

/// How long a test waits for something that has to come.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// One event as a browser would be given it.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    pub id: Option<String>,
    pub name: String,
    pub data: Value,
    pub retry: Option<u64>,
}

impl Message {
    /// The document and stage of a progress event.
    pub fn step(&self) -> (String, String) {
        (self.text("document_id"), self.text("stage"))
    }

    pub fn text(&self, field: &str) -> String {
        self.data[field].as_str().unwrap_or_default().to_owned()
    }
}

/// An open stream.
pub struct Viewer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    messages: Pin<Box<dyn Stream<Item = Message> + Send>>,
    /// The id a browser would come back with.
    pub last_id: Option<String>,
}

impl Viewer {
    /// Opens a stream; the status may be any.
    pub async fn open(request: RequestBuilder) -> Self {
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        let messages = SseStream::from_bytes_stream(answer.bytes_stream()).filter_map(async |event| {
            let event = event.ok()?;
            let data = serde_json::from_str(&event.data.unwrap_or_default()).unwrap_or(Value::Null);
            Some(Message { id: event.id, name: event.event.unwrap_or_default(), data, retry: event.retry })
        });
        Self { status, headers, messages: Box::pin(messages), last_id: None }
    }

    /// Reads the next event; nothing at the end of the stream.
    pub async fn next(&mut self) -> Option<Message> {
        let message = timeout(PATIENCE, self.messages.next()).await.expect("the stream is silent");
        if let Some(id) = message.as_ref().and_then(|message| message.id.clone()) {
            self.last_id = Some(id);
        }
        message
    }

    /// Reads on to the next event called `name`, past all others.
    pub async fn until(&mut self, name: &str) -> Message {
        loop {
            let message = self.next().await.unwrap_or_else(|| panic!("the stream ended before {name}"));
            if message.name == name {
                return message;
            }
        }
    }

    /// Reads to the end of the stream, without heartbeats and bare retry lines.
    pub async fn rest(mut self) -> Vec<Message> {
        let mut messages = Vec::new();
        while let Some(message) = self.next().await {
            if !matches!(message.name.as_str(), "heartbeat" | "") {
                messages.push(message);
            }
        }
        messages
    }
}

/// The names of events, in order.
pub fn names(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|message| message.name.as_str()).collect()
}
