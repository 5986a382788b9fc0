//! A server in the place of Upstash: gives one answer to everything and keeps what it was asked.

use std::{
    convert::Infallible,
    net::TcpListener,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::Request,
    http::{HeaderMap, Method, StatusCode},
    response::{IntoResponse, Response},
};
use futures::{StreamExt, stream};
use serde_json::Value;
use tidings::{telemetry::Metrics, upstash::RedisRest};
use tokio::task::JoinHandle;
use url::Url;

/// The token that every client of a test has.
pub const TOKEN: &str = "token-0123456789";
/// Longest wait of a test for what has to come.
pub const SOON: Duration = Duration::from_secs(10);

/// One request as the server saw it.
#[derive(Clone)]
pub struct Asked {
    pub method: Method,
    pub path: String,
    pub headers: HeaderMap,
    pub body: Value,
}

pub struct Front {
    pub url: Url,
    asked: Arc<Mutex<Vec<Asked>>>,
    answer: Arc<Mutex<Answer>>,
    task: JoinHandle<()>,
}

type Answer = Box<dyn Fn() -> Response + Send>;

impl Front {
    /// Answers every request alike.
    pub async fn answering(status: u16, body: impl Into<String>) -> Self {
        Self::start(whole(status, body.into())).await
    }

    /// Answers with parts of a body, and then ends it, or leaves it open for good.
    pub async fn streaming(parts: &[&str], is_left_open: bool) -> Self {
        let parts: Vec<Bytes> = parts.iter().map(|part| Bytes::copy_from_slice(part.as_bytes())).collect();
        Self::start(Box::new(move || {
            let parts = stream::iter(parts.clone()).map(Ok::<_, Infallible>);
            let body = match is_left_open {
                true => Body::from_stream(parts.chain(stream::pending())),
                false => Body::from_stream(parts),
            };
            ([("content-type", "text/event-stream")], body).into_response()
        }))
        .await
    }

    /// Answers otherwise from now on.
    pub fn now_answers(&self, status: u16, body: &str) {
        *self.answer.lock().unwrap() = whole(status, body.to_owned());
    }

    pub fn client(&self, metrics: &Arc<Metrics>) -> RedisRest {
        client(self.url.clone(), metrics)
    }

    /// Gives the requests so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    async fn start(answer: Answer) -> Self {
        let (asked, answer) = (Arc::default(), Arc::new(Mutex::new(answer)));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let router = Router::new().fallback({
            let (asked, answer) = (Arc::clone(&asked), Arc::clone(&answer));
            move |request| serve(request, Arc::clone(&asked), Arc::clone(&answer))
        });
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, asked, answer, task }
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Makes a client that waits long enough for a busy machine.
pub fn client(url: Url, metrics: &Arc<Metrics>) -> RedisRest {
    RedisRest::new(url, TOKEN.into(), Arc::clone(metrics)).with_timeout(SOON)
}

/// Takes connections and never answers on them, for as long as the listener is kept.
pub fn silent() -> (TcpListener, Url) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    (listener, url)
}

async fn serve(request: Request, asked: Arc<Mutex<Vec<Asked>>>, answer: Arc<Mutex<Answer>>) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    asked.lock().unwrap().push(Asked {
        method: parts.method,
        path: parts.uri.to_string(),
        headers: parts.headers,
        body: serde_json::from_slice(&body).unwrap_or_default(),
    });
    let answer = answer.lock().unwrap();
    answer()
}

fn whole(status: u16, body: String) -> Answer {
    let status = StatusCode::from_u16(status).unwrap();
    Box::new(move || (status, body.clone()).into_response())
}
