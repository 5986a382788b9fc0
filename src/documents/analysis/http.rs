//! Asks somebody else's analyzer over HTTP, which may be a model: a POST of JSON, answered with JSON.
//!
//! ```json
//! {"version": 1, "text": "Discharge summary …"}
//! ```
//! is answered with [`Findings`], every field of which may be left out.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use backon::{ExponentialBuilder, Retryable};
use bytes::Bytes;
use reqwest::{Client, Response, StatusCode, redirect::Policy};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use tokio::sync::Semaphore;
use url::Url;

use super::{Analyzer, AnalyzerError, Findings, analyzer::TOKEN_REFUSED};

/// The version of the schema; fields are added without raising it.
const VERSION: u32 = 1;
/// Texts asked about at once: analyzers are slow, and every text waits in memory.
const ASKED_AT_ONCE: usize = 8;
/// Largest answer that is read, in bytes: far above the largest findings.
const ANSWER_BYTES: usize = 1024 * 1024;
/// Tries after the first one.
const RETRIES: usize = 3;

/// Asks an analyzer over HTTP.
pub struct HttpAnalyzer {
    client: Client,
    url: Url,
    token: Option<SecretString>,
    answer_within: Duration,
    first_pause: Duration,
    turns: Semaphore,
}

#[derive(Serialize)]
struct Question<'a> {
    version: u32,
    text: &'a str,
}

impl HttpAnalyzer {
    /// Makes an analyzer of its URL; nothing is sent yet. One answer may take `answer_within`, and up to four are asked for.
    ///
    /// # Panics
    /// If this machine cannot do TLS.
    #[must_use]
    pub fn new(url: Url, token: Option<SecretString>, answer_within: Duration) -> Self {
        // A redirect would carry a patient's text to a host nobody named.
        let client = Client::builder().redirect(Policy::none()).build().expect("TLS is built in");
        let first_pause = Duration::from_millis(500);
        Self { client, url, token, answer_within, first_pause, turns: Semaphore::new(ASKED_AT_ONCE) }
    }

    /// Sets the pause before the second try; it doubles up to 5 s. Default 500 ms.
    #[must_use]
    pub const fn with_first_pause(mut self, pause: Duration) -> Self {
        self.first_pause = pause;
        self
    }

    /// Asks once, without another try.
    ///
    /// # Errors
    /// [`AnalyzerError`] when the answer does not come or is none.
    pub async fn ask(&self, text: &str) -> Result<Findings, AnalyzerError> {
        let body = serde_json::to_vec(&Question { version: VERSION, text }).expect("a text is JSON");
        self.ask_with(body.into()).await
    }

    async fn ask_with(&self, body: Bytes) -> Result<Findings, AnalyzerError> {
        let answer = tokio::time::timeout(self.answer_within, self.send(body)).await;
        answer.unwrap_or(Err(AnalyzerError::Unavailable("it takes too long")))
    }

    async fn send(&self, body: Bytes) -> Result<Findings, AnalyzerError> {
        let mut request =
            self.client.post(self.url.clone()).header("content-type", "application/json").body(body);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose_secret());
        }
        let answer = request.send().await.map_err(|_| AnalyzerError::Unavailable("it cannot be reached"))?;
        check(answer.status())?;
        let findings = Findings::from_json(&read(answer).await?);
        findings.ok_or(AnalyzerError::Failed("its answer is not of the schema"))
    }
}

fn check(status: StatusCode) -> Result<(), AnalyzerError> {
    match status {
        status if status.is_success() => Ok(()),
        StatusCode::TOO_MANY_REQUESTS => Err(AnalyzerError::Unavailable("it asks for fewer requests")),
        status if status.is_server_error() => Err(AnalyzerError::Unavailable("it has a fault")),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(AnalyzerError::Failed(TOKEN_REFUSED)),
        status if status.is_redirection() => Err(AnalyzerError::Failed("it points elsewhere")),
        _ => Err(AnalyzerError::Failed("it refuses the request")),
    }
}

async fn read(mut answer: Response) -> Result<Vec<u8>, AnalyzerError> {
    let mut body = Vec::new();
    loop {
        match answer.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > ANSWER_BYTES => {
                return Err(AnalyzerError::Failed("its answer is larger than 1 MiB"));
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body),
            Err(_) => return Err(AnalyzerError::Unavailable("its answer broke off")),
        }
    }
}

#[async_trait]
impl Analyzer for HttpAnalyzer {
    async fn analyze(&self, text: String) -> Result<Findings, AnalyzerError> {
        let body: Bytes =
            serde_json::to_vec(&Question { version: VERSION, text: &text }).expect("a text is JSON").into();
        drop(text);
        let pauses = ExponentialBuilder::default()
            .with_jitter()
            .with_min_delay(self.first_pause)
            .with_max_delay(Duration::from_secs(5))
            .with_max_times(RETRIES);
        // Between two tries nobody's turn is held up.
        let ask = async || {
            let _turn = self.turns.acquire().await.expect("the semaphore is never closed");
            self.ask_with(body.clone()).await
        };
        ask.retry(pauses).when(AnalyzerError::is_transient).await
    }
}

impl fmt::Debug for HttpAnalyzer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpAnalyzer").field("host", &self.url.host_str()).finish_non_exhaustive()
    }
}
