//! The built binary as `tidings qstash-dev`, and a place it delivers to.

use std::{
    collections::VecDeque,
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    extract::{OriginalUri, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use secrecy::SecretString;
use serde_json::Value;
use tempfile::TempDir;
use tidings::{
    clock::Clock,
    qstash_dev::Signer,
    upstash::{DEVELOPMENT_KEYS, DEVELOPMENT_TOKEN, QStash},
};
use tokio::{net::TcpListener, sync::mpsc, task::JoinHandle, time::timeout};

use super::viewer::PATIENCE;

/// A queue whose minutes pass in milliseconds; killed when dropped.
pub struct Queue {
    process: Child,
    /// Where it listens, for example `http://127.0.0.1:40123`.
    pub url: String,
    _folder: TempDir,
}

impl Queue {
    /// Starts a queue a thousand times as fast as the real one.
    pub fn start() -> Self {
        Self::start_with(&["--listen", "127.0.0.1:0", "--time-scale", "0.001"])
            .unwrap_or_else(|words| panic!("qstash-dev did not start: {words}"))
    }

    /// Starts it with any arguments, or gives what it said when it did not want to.
    pub fn start_with(arguments: &[&str]) -> Result<Self, String> {
        let folder = tempfile::tempdir().unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_tidings"))
            .arg("qstash-dev")
            .args(arguments)
            .current_dir(folder.path())
            .env_clear()
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut greeting = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut greeting).unwrap();
        let mut errors = process.stderr.take().unwrap();
        let Some(rest) = greeting.strip_prefix("A queue like QStash on ") else {
            let mut words = String::new();
            errors.read_to_string(&mut words).unwrap();
            assert!(!process.wait().unwrap().success(), "{words}");
            return Err(words);
        };
        std::thread::spawn(move || std::io::copy(&mut errors, &mut std::io::sink()));
        let url = rest.split(' ').next().unwrap().to_owned();
        Ok(Self { process, url, _folder: folder })
    }

    /// A client of it with the token it asks for by itself.
    pub fn client(&self) -> QStash {
        QStash::new(self.url.parse().unwrap(), DEVELOPMENT_TOKEN.into())
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Signs as the queue does by itself.
pub fn signer() -> Signer {
    Signer::new(&SecretString::from(DEVELOPMENT_KEYS[0]), Clock::System)
}

/// One delivery as it came.
#[derive(Clone, Debug)]
pub struct Delivered {
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Delivered {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// A status, headers and a body.
pub type Scripted = (u16, &'static [(&'static str, &'static str)], String);

/// A server that keeps what is delivered and answers as a test says, then with 200.
pub struct Destination {
    pub url: String,
    deliveries: mpsc::UnboundedReceiver<Delivered>,
    serving: JoinHandle<()>,
}

type Script = Arc<(Mutex<VecDeque<Scripted>>, mpsc::UnboundedSender<Delivered>)>;

impl Destination {
    pub async fn answering(answers: Vec<Scripted>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (deliver, deliveries) = mpsc::unbounded_channel();
        let script: Script = Arc::new((Mutex::new(answers.into()), deliver));
        let routes = Router::new().fallback(keep).with_state(script);
        let serving = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { url, deliveries, serving }
    }

    /// Waits for the next delivery.
    pub async fn next(&mut self) -> Delivered {
        timeout(PATIENCE, self.deliveries.recv()).await.expect("nothing is delivered").unwrap()
    }

    /// What has come and was not looked at.
    pub fn waiting(&mut self) -> usize {
        self.deliveries.len()
    }
}

impl Drop for Destination {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn keep(
    State(script): State<Script>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let (status, more, words) = script.0.lock().unwrap().pop_front().unwrap_or((200, &[], "ok".into()));
    let _ = script.1.send(Delivered { path: uri.to_string(), headers, body });
    let mut answer = (StatusCode::from_u16(status).unwrap(), words).into_response();
    for (name, value) in more {
        answer.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    answer
}
