//! Subscriptions as Server-Sent Events, in the form Upstash documents:
//! `subscribe,<channel>,1`, then `message,<channel>,<payload>`.

use std::convert::Infallible;

use axum::response::{IntoResponse, Response, Sse, sse::Event};
use futures::{StreamExt, stream};
use redis::{Msg, RedisError, aio::PubSub};
use tokio_util::sync::CancellationToken;

use super::{backend::Backend, refusal::Refusal};

/// What is subscribed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Channels,
    Patterns,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Channels => "subscribe",
            Self::Patterns => "psubscribe",
        }
    }

    async fn add(self, subscription: &mut PubSub, name: &[u8]) -> Result<(), RedisError> {
        match self {
            Self::Channels => subscription.subscribe(name).await,
            Self::Patterns => subscription.psubscribe(name).await,
        }
    }
}

/// Subscribes, and tells messages until the client goes, Redis goes or `stop` is cancelled.
pub(super) async fn subscribe(
    backend: &Backend,
    kind: Kind,
    names: &[Vec<u8>],
    stop: CancellationToken,
) -> Result<Response, Refusal> {
    if names.iter().all(Vec::is_empty) {
        let text = format!("ERR wrong number of arguments for '{}' command", kind.name());
        return Err(Refusal::command(text));
    }
    let mut subscription = backend.open_subscription().await?;
    let mut lines = Vec::new();
    for (number, name) in (1..).zip(names) {
        kind.add(&mut subscription, name).await?;
        lines.push(format!("{},{},{number}", kind.name(), String::from_utf8_lossy(name)));
    }
    let lines = stream::iter(lines)
        .chain(subscription.into_on_message().map(|message| line(&message)))
        .map(|line| Ok::<_, Infallible>(Event::default().data(line)));
    Ok(Sse::new(lines.take_until(stop.cancelled_owned())).into_response())
}

fn line(message: &Msg) -> String {
    let channel = text(&message.get_channel::<Vec<u8>>().unwrap_or_default());
    let payload = text(message.get_payload_bytes());
    match message.get_pattern::<Option<Vec<u8>>>() {
        Ok(Some(pattern)) => format!("pmessage,{},{channel},{payload}", text(&pattern)),
        _ => format!("message,{channel},{payload}"),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
