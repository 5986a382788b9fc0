//! The baseline: what axum gives out of the box, `Sse` with `KeepAlive` over a broadcast channel.
//!
//! Nothing is replayed, and a viewer that lags loses what it missed.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
    response::{
        IntoResponse, Sse,
        sse::{Event, KeepAlive},
    },
    routing::{get, post},
};
use futures::StreamExt;
use tokio::{net::TcpListener, sync::broadcast};
use tokio_stream::wrappers::BroadcastStream;

/// Events a topic keeps for viewers that are behind.
const CAPACITY: usize = 64;

type Topics = Arc<Mutex<HashMap<u64, broadcast::Sender<Arc<str>>>>>;

/// Serves until this process is ended.
pub fn run() -> anyhow::Result<()> {
    super::end_with_parent();
    tokio::runtime::Runtime::new()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        super::greet("The baseline", listener.local_addr()?);
        let router = Router::new()
            .route("/stream/{channel}", get(stream))
            .route("/publish/{channel}", post(publish))
            .with_state(Topics::default());
        Ok(axum::serve(listener, router).await?)
    })
}

async fn stream(State(topics): State<Topics>, Path(channel): Path<u64>) -> impl IntoResponse {
    let events = BroadcastStream::new(topic(&topics, channel).subscribe());
    let events =
        events.filter_map(async |event| Some(Ok::<_, Infallible>(Event::default().data(event.ok()?))));
    Sse::new(events).keep_alive(KeepAlive::default())
}

async fn publish(State(topics): State<Topics>, Path(channel): Path<u64>, event: String) -> StatusCode {
    // Without viewers nobody takes it.
    let _ = topic(&topics, channel).send(event.into());
    StatusCode::ACCEPTED
}

fn topic(topics: &Topics, channel: u64) -> broadcast::Sender<Arc<str>> {
    let mut topics = topics.lock().unwrap_or_else(PoisonError::into_inner);
    topics.entry(channel).or_insert_with(|| broadcast::channel(CAPACITY).0).clone()
}
