//! A gate between a server and its Redis that a test can close in many ways.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use tokio::{
    net::TcpListener,
    sync::{Mutex, mpsc, oneshot, watch},
    task::JoinHandle,
};

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// It is passed on, and so is its answer.
    Pass,
    /// It is passed on, and its answer is held back for so long.
    Slow(Duration),
    /// It is answered in place of Redis, with a status and a body.
    Answer(u16, &'static str),
    /// It is passed on, but its answer is lost.
    LoseAnswer,
}

/// A call that waits for a test to let it go on; dropped, it goes no further.
pub struct Held {
    /// Its body.
    pub body: String,
    go_on: oneshot::Sender<()>,
}

impl Held {
    pub fn go_on(self) {
        let _ = self.go_on.send(());
    }

    /// Says whether the body names a command.
    pub fn has(&self, command: &str) -> bool {
        self.body.contains(&format!("\"{command}\""))
    }
}

/// A proxy in front of a REST front; its connections end when it is dropped.
pub struct Gate {
    pub url: String,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

struct Shared {
    target: String,
    http: reqwest::Client,
    mood: watch::Sender<Mood>,
    calls: AtomicUsize,
    /// Where calls are handed before they are passed on, while a test steps through them.
    steps: Mutex<Option<mpsc::Sender<Held>>>,
}

impl Gate {
    /// Stands before the front at `url`.
    pub async fn before(url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let shared = Arc::new(Shared {
            target: url.to_owned(),
            http: reqwest::Client::new(),
            mood: watch::Sender::new(Mood::Pass),
            calls: AtomicUsize::new(0),
            steps: Mutex::default(),
        });
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(carry).with_state(Arc::clone(&shared));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, shared, serving }
    }

    pub fn be(&self, mood: Mood) {
        self.shared.mood.send_replace(mood);
    }

    /// Counts the calls that came.
    pub fn calls(&self) -> usize {
        self.shared.calls.load(SeqCst)
    }

    /// Hands each call that comes from now on to the test before it is passed on.
    pub async fn step(&self) -> mpsc::Receiver<Held> {
        let (sender, calls) = mpsc::channel(1);
        *self.shared.steps.lock().await = Some(sender);
        calls
    }

    /// Passes calls on again by itself.
    pub async fn stop_stepping(&self) {
        *self.shared.steps.lock().await = None;
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn carry(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    shared.calls.fetch_add(1, SeqCst);
    let (head, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    if !shared.lets_go_on(&body).await {
        return lost();
    }
    let mood = *shared.mood.borrow();
    if let Mood::Answer(status, words) = mood {
        return (StatusCode::from_u16(status).unwrap(), words).into_response();
    }
    let url = format!("{}{}", shared.target, head.uri);
    let mut call = shared.http.request(head.method, url).body(body);
    for name in [header::AUTHORIZATION, header::CONTENT_TYPE, header::ACCEPT] {
        if let Some(value) = head.headers.get(&name) {
            call = call.header(name, value);
        }
    }
    let Ok(answer) = call.send().await else { return StatusCode::BAD_GATEWAY.into_response() };
    match mood {
        Mood::Slow(pause) => tokio::time::sleep(pause).await,
        Mood::LoseAnswer => return lost(),
        _ => {}
    }
    let mut response = Response::builder().status(answer.status());
    if let Some(kind) = answer.headers().get(header::CONTENT_TYPE) {
        response = response.header(header::CONTENT_TYPE, kind);
    }
    response.body(Body::from_stream(answer.bytes_stream())).unwrap()
}

/// An answer that breaks off before its first byte of body.
fn lost() -> Response {
    let broken = futures::stream::iter([Err::<Bytes, _>(std::io::Error::other("lost"))]);
    Response::new(Body::from_stream(broken))
}

impl Shared {
    /// A held call that is dropped goes no further.
    async fn lets_go_on(&self, body: &[u8]) -> bool {
        let Some(steps) = self.steps.lock().await.clone() else { return true };
        let (go_on, gone_on) = oneshot::channel();
        let held = Held { body: String::from_utf8_lossy(body).into_owned(), go_on };
        steps.send(held).await.is_err() || gone_on.await.is_ok()
    }
}
