//! Analyzers of somebody else: the example in Python, and servers that answer as they are told.

use std::{
    convert::Infallible,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use futures::{StreamExt, stream};
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinHandle};

/// `examples/analyzer.py` as a process; killed when dropped.
pub struct ExampleAnalyzer {
    process: Child,
    pub url: String,
}

impl ExampleAnalyzer {
    pub fn start() -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/analyzer.py");
        let process = Command::new("python3")
            .arg(script)
            .env("PORT", "0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut process = process.expect("the tests need python3 on the path: make setup");
        let mut greeting = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut greeting).unwrap();
        let url = greeting.trim().strip_prefix("listening on ").expect("it says where it listens").to_owned();
        Self { process, url }
    }
}

impl Drop for ExampleAnalyzer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// One answer of an [`AnswersInTurn`].
#[derive(Clone, Debug)]
pub enum Answer {
    /// A status and a body.
    With(u16, &'static str),
    /// The same, this late.
    Late(Duration),
    /// JSON that never ends.
    Endless,
}

/// What was asked: the headers and the body.
pub type Asked = (HeaderMap, Value);

#[derive(Clone)]
struct Shared {
    answers: Arc<Vec<Answer>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// A server that gives its answers in turn, the last one again and again.
pub struct AnswersInTurn {
    pub url: String,
    shared: Shared,
    task: JoinHandle<()>,
}

impl AnswersInTurn {
    pub async fn start(answers: &[Answer]) -> Self {
        let shared = Shared { answers: Arc::new(answers.to_vec()), asked: Arc::default() };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/analyze", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(shared.clone());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, shared, task }
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap().clone()
    }
}

impl Drop for AnswersInTurn {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(State(shared): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let place = {
        let mut asked = shared.asked.lock().unwrap();
        asked.push((headers, serde_json::from_slice(&body).unwrap()));
        (asked.len() - 1).min(shared.answers.len() - 1)
    };
    match shared.answers[place].clone() {
        Answer::With(status, body) => (StatusCode::from_u16(status).unwrap(), body).into_response(),
        Answer::Late(pause) => {
            tokio::time::sleep(pause).await;
            "{}".into_response()
        }
        Answer::Endless => {
            let start = stream::once(async { Ok::<_, Infallible>(Bytes::from_static(b"{\"dates\":[")) });
            let rest = stream::repeat_with(|| Ok(Bytes::from_static(b"\"2026-03-05\",")));
            Body::from_stream(start.chain(rest)).into_response()
        }
    }
}

/// Gives a URL where nobody listens.
pub fn nobody() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}/", listener.local_addr().unwrap())
}
