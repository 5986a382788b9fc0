//! Takes requests and answers them.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use secrecy::ExposeSecret;
use serde_json::json;
use subtle::ConstantTimeEq;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{
    publish::{deduplication_key, read_message},
    queue::{Queue, QueueSettings},
    refusal::Refusal,
};
use crate::server::{self, Door};

/// Largest message in bytes, as on the vendor's middle plan.
const MOST_BYTES: usize = 10 * 1024 * 1024;
/// How long open requests have to end once the queue goes down.
const DRAIN_WITHIN: Duration = Duration::from_secs(2);

/// A queue that answers as QStash does.
pub struct QStashDev {
    queue: Queue,
    settings: QueueSettings,
    stop: CancellationToken,
}

impl QStashDev {
    /// Makes a queue; it ends, with all its messages, when `stop` is cancelled.
    #[must_use]
    pub fn new(settings: QueueSettings, stop: CancellationToken) -> Self {
        Self { queue: Queue::new(&settings, stop.clone()), settings, stop }
    }

    /// Serves until told to stop; open requests have two seconds then.
    pub async fn serve(self, listener: TcpListener) {
        let stop = self.stop.clone();
        let routes = Router::new().fallback(answer).with_state(Arc::new(self));
        server::serve(listener, routes, Door::default(), stop, DRAIN_WITHIN).await;
    }

    async fn handle(&self, request: Request) -> Result<Response, Refusal> {
        let (head, body) = request.into_parts();
        self.check_token(&head.headers)?;
        // The destination is the rest of the target as it came: a query behind it is its own.
        let target = head.uri.path_and_query().map_or("", |target| target.as_str());
        match (&head.method, target.strip_prefix("/v2/publish/")) {
            (&Method::POST, Some(destination)) => self.publish(destination, &head.headers, body).await,
            (&Method::GET, None) if target == "/v2/keys" => Ok(self.keys()),
            _ => Err(Refusal::NotServed),
        }
    }

    async fn publish(&self, destination: &str, headers: &HeaderMap, body: Body) -> Result<Response, Refusal> {
        let body = to_bytes(body, MOST_BYTES).await.map_err(|_| Refusal::TooLarge)?;
        let message = read_message(destination, headers, body, self.settings.clock)?;
        let key = deduplication_key(&message, headers)?;
        let id = message.id.clone();
        Ok(match self.queue.accept(message, key)? {
            None => (StatusCode::CREATED, Json(json!({ "messageId": id }))).into_response(),
            Some(earlier) => {
                let answer = json!({ "messageId": earlier, "deduplicated": true });
                (StatusCode::ACCEPTED, Json(answer)).into_response()
            }
        })
    }

    fn keys(&self) -> Response {
        let QueueSettings { current_key, next_key, .. } = &self.settings;
        Json(json!({ "current": current_key.expose_secret(), "next": next_key.expose_secret() }))
            .into_response()
    }

    fn check_token(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let told = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let told = told
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let told = told.map_or("", |(_, token)| token.trim());
        let is_right = told.as_bytes().ct_eq(self.settings.token.expose_secret().as_bytes());
        if is_right.into() { Ok(()) } else { Err(Refusal::Token) }
    }
}

async fn answer(State(server): State<Arc<QStashDev>>, request: Request) -> Response {
    server.handle(request).await.unwrap_or_else(IntoResponse::into_response)
}
