//! A viewer as a browser's EventSource is one: comes back by itself, with its last id, after the wait it was told.

use std::time::{Duration, Instant};

use futures::StreamExt;
use reqwest::{Client, StatusCode};
use serde_json::Value;
use sse_stream::SseStream;
use tokio::sync::watch;

/// How long a browser waits that was told nothing.
const DEFAULT_WAIT: Duration = Duration::from_secs(1);
/// How long a stream may be silent: many heartbeats.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a follower got over all of its streams.
#[derive(Debug, Default)]
pub struct Follower {
    /// The field `n` of each event, in order.
    pub seen: Vec<u64>,
    /// How often it was told that something may be missing.
    pub gaps: usize,
    /// Why its streams ended; empty for one that was cut.
    pub ends: Vec<String>,
    /// From the end of a stream to the `connected` of the next.
    pub away: Vec<Duration>,
    /// When it came back.
    pub returns: Vec<Instant>,
    last_id: Option<String>,
    wait: Option<Duration>,
}

impl Follower {
    /// Follows until `count` events are seen, and then to the next heartbeat: a repeat would come before it.
    ///
    /// `connected` becomes true with the first `connected`.
    pub async fn follow(
        http: Client,
        url: String,
        token: &'static str,
        count: u64,
        connected: watch::Sender<bool>,
    ) -> Self {
        let mut follower = Self::default();
        let mut left_at = None;
        loop {
            if follower.read_stream(&http, &url, token, count, &connected, left_at).await {
                return follower;
            }
            left_at = Some(Instant::now());
            tokio::time::sleep(follower.wait.unwrap_or(DEFAULT_WAIT)).await;
        }
    }

    /// Reads one stream to its end; true when nothing is missing.
    async fn read_stream(
        &mut self,
        http: &Client,
        url: &str,
        token: &str,
        count: u64,
        connected: &watch::Sender<bool>,
        left_at: Option<Instant>,
    ) -> bool {
        let mut request = http.get(url).bearer_auth(token);
        if let Some(id) = &self.last_id {
            request = request.header("Last-Event-ID", id);
        }
        // A network error; the browser tries again.
        let Ok(answer) = request.send().await else { return false };
        assert_eq!(answer.status(), StatusCode::OK, "an EventSource gives up for ever");
        let mut events = Box::pin(SseStream::from_bytes_stream(answer.bytes_stream()));
        let mut reason = String::new();
        while let Some(Ok(event)) = tokio::time::timeout(PATIENCE, events.next()).await.expect("silent") {
            let data: Value = serde_json::from_str(event.data.as_deref().unwrap_or("null")).unwrap();
            self.last_id = event.id.or_else(|| self.last_id.take());
            self.wait = event.retry.map(Duration::from_millis).or(self.wait);
            match event.event.as_deref().unwrap_or_default() {
                "connected" => {
                    self.gaps += usize::from(data["gap"] == true);
                    connected.send_replace(true);
                    if let Some(left_at) = left_at {
                        self.away.push(left_at.elapsed());
                        self.returns.push(Instant::now());
                    }
                }
                "progress" => self.seen.extend(data["n"].as_u64()),
                "heartbeat" if self.seen.len() as u64 >= count => return true,
                "reconnect" => reason = data["reason"].as_str().unwrap_or_default().to_owned(),
                _ => {}
            }
        }
        self.ends.push(reason);
        false
    }
}
