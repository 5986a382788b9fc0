//! An OCR worker: takes documents from QStash, reads them with tesseract, answers with their text.
//!
//! It needs `pdfinfo` and `pdftoppm` (Debian: poppler-utils) and `tesseract` (tesseract-ocr). The worker, a queue of this
//! machine and a server, each in a terminal of its own:
//!
//!     cargo run --example ocr_worker
//!
//!     cargo run -- qstash-dev --listen 127.0.0.1:8081 --time-scale 0.1
//!
//!     OCR_URL=http://127.0.0.1:8090/ PUBLIC_URL=http://127.0.0.1:8080 QSTASH_URL=http://127.0.0.1:8081 \
//!       QSTASH_TOKEN=eyJVc2VySUQiOiJkZWZhdWx0VXNlciIsIlBhc3N3b3JkIjoiZGVmYXVsdFBhc3N3b3JkIn0= \
//!       QSTASH_CURRENT_SIGNING_KEY=sig_7kYjw48mhY7kAjqNGcy6cr29RJ6r \
//!       QSTASH_NEXT_SIGNING_KEY=sig_5ZB6DVzB1wjE8S6rZ7eenA8Pdnhs cargo run
//!
//! With QStash itself leave `QSTASH_URL` out or name your region's, take token and keys from its console, and let `OCR_URL` and
//! `PUBLIC_URL` be what the internet reaches. Then a scan goes up:
//!
//!     python3 examples/upload.py fixtures/scanned_letter.pdf
//!
//! This prints its steps, page by page:
//!
//!     ocr_started 20 %
//!     ocr_started … page 1 of 3
//!     ocr_complete 50 % 3 pages
//!     matching_complete 100 %
//!     complete
//!
//! Or all of it: `make demo-upstash`. Settings: `LISTEN` (127.0.0.1:8090), `INTERNAL_API_KEY` (sent with progress),
//! `OCR_LANGUAGE` (eng). With `QSTASH_CURRENT_SIGNING_KEY`, `QSTASH_NEXT_SIGNING_KEY` and `OCR_URL` (its own URL as the
//! queue knows it) it takes signed deliveries only: set them wherever others can reach it.
//!
//! What the queue tries again is answered 5xx; what no retry can cure 489.

mod reading;

use std::{env, process::ExitCode, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use futures::StreamExt;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;
use tidings::{
    clock::Clock,
    upstash::{Receiver, SIGNATURE_HEADER},
};
use tokio::{net::TcpListener, signal::ctrl_c, sync::Semaphore};

use reading::{Document, Trouble};

/// Documents read at once: each keeps a core busy.
const AT_ONCE: usize = 2;
/// Largest file in bytes, as the server takes it.
const MOST_FILE_BYTES: usize = 25 * 1024 * 1024;
/// Largest delivery in bytes: an order is a few hundred.
const MOST_ORDER_BYTES: usize = 64 * 1024;
const FETCHED_WITHIN: Duration = Duration::from_secs(60);
/// A progress event that is not taken in this time is let go: reading goes on.
const TOLD_WITHIN: Duration = Duration::from_secs(2);
/// Names a caller's trace (W3C Trace Context).
const TRACE_HEADER: &str = "traceparent";

struct Worker {
    http: reqwest::Client,
    receiver: Option<Receiver>,
    own_url: String,
    internal_key: Option<String>,
    language: String,
    turns: Semaphore,
}

/// What the queue delivers.
#[derive(Deserialize)]
struct Order {
    document_id: String,
    attempt: u32,
    file_url: String,
    patient_id: Option<String>,
    progress_url: Option<String>,
    /// The trace of whoever asked for the document to be read, which its progress goes on with.
    #[serde(skip)]
    trace: Option<HeaderValue>,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let address = setting("LISTEN").unwrap_or_else(|| "127.0.0.1:8090".into());
    let worker = Arc::new(Worker::of_environment()?);
    let listener = TcpListener::bind(&address).await?;
    println!("OCR worker on http://{}/", listener.local_addr()?);
    let routes = Router::new()
        .route("/", post(take))
        .layer(DefaultBodyLimit::max(MOST_ORDER_BYTES))
        .with_state(worker);
    // Work that is cut off is delivered again.
    tokio::select! {
        served = axum::serve(listener, routes) => served?,
        _ = ctrl_c() => {}
    }
    Ok(ExitCode::SUCCESS)
}

fn setting(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.trim().is_empty())
}

impl Worker {
    fn of_environment() -> anyhow::Result<Self> {
        let keys = setting("QSTASH_CURRENT_SIGNING_KEY").zip(setting("QSTASH_NEXT_SIGNING_KEY"));
        // Written as the server writes it: signatures are for exactly that URL.
        let own_url = setting("OCR_URL").map(|url| url.parse::<url::Url>()).transpose()?;
        anyhow::ensure!(
            keys.is_none() || own_url.is_some(),
            "OCR_URL is not set; signatures are for that URL"
        );
        let receiver = keys.map(|(current, next)| {
            Receiver::new(&SecretString::from(current), &SecretString::from(next), Clock::System)
        });
        Ok(Self {
            http: reqwest::Client::new(),
            receiver,
            own_url: own_url.map(String::from).unwrap_or_default(),
            internal_key: setting("INTERNAL_API_KEY"),
            language: setting("OCR_LANGUAGE").unwrap_or_else(|| "eng".into()),
            turns: Semaphore::new(AT_ONCE),
        })
    }

    fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), Trouble> {
        let Some(receiver) = &self.receiver else { return Ok(()) };
        let signature = headers.get(SIGNATURE_HEADER).and_then(|value| value.to_str().ok());
        receiver.verify(signature, &self.own_url, body).map_err(|error| Trouble::Unsigned(error.to_string()))
    }

    async fn work(&self, order: &Order) -> Result<Response, Trouble> {
        let _turn = self.turns.acquire().await.map_err(|_| Trouble::Later("no turn".into()))?;
        let file = self.fetch(&order.file_url).await?;
        let document = Document::open(&file).await?;
        let pages = document.pages();
        let mut text = String::new();
        for page in 1..=pages {
            self.tell(order, page, pages).await;
            text.push_str(&document.read_page(page, &self.language).await?);
            text.push_str("\n\n");
        }
        Ok(Json(json!({ "text": text.trim_end(), "pages": pages })).into_response())
    }

    async fn fetch(&self, url: &str) -> Result<Vec<u8>, Trouble> {
        let later = |error: reqwest::Error| Trouble::Later(error.without_url().to_string());
        let answer = self.http.get(url).timeout(FETCHED_WITHIN).send().await.map_err(later)?;
        match answer.status() {
            status if status.is_success() => {}
            // The link has ended or the file is gone: the next try has the same link.
            status if matches!(status.as_u16(), 401 | 403 | 404 | 410) => {
                return Err(Trouble::Never(format!("the file is answered {status}")));
            }
            status => return Err(Trouble::Later(format!("the file is answered {status}"))),
        }
        let (mut chunks, mut file) = (answer.bytes_stream(), Vec::new());
        while let Some(chunk) = chunks.next().await {
            file.extend_from_slice(&chunk.map_err(later)?);
            if file.len() > MOST_FILE_BYTES {
                return Err(Trouble::Never("the file is larger than 25 MB".into()));
            }
        }
        Ok(file)
    }

    /// Tells viewers which page is being read. The event's id makes a second try's repeat known.
    async fn tell(&self, order: &Order, page: u32, pages: u32) {
        let (Some(url), Some(patient)) = (&order.progress_url, &order.patient_id) else { return };
        let event = json!({
            "patient_id": patient,
            "document_id": order.document_id,
            "attempt": order.attempt,
            "stage": "ocr_started",
            "status": "in_progress",
            "percent": 20 + 30 * (page - 1) / pages,
            "detail": format!("page {page} of {pages}"),
            "event_id": format!("{}.{}.page.{page}", order.document_id, order.attempt),
        });
        let mut request = self.http.post(url).timeout(TOLD_WITHIN).json(&event);
        if let Some(key) = &self.internal_key {
            request = request.bearer_auth(key);
        }
        if let Some(trace) = &order.trace {
            request = request.header(TRACE_HEADER, trace);
        }
        match request.send().await.and_then(reqwest::Response::error_for_status) {
            Ok(_) => {}
            Err(error) => eprintln!("progress was not taken: {}", error.without_url()),
        }
    }
}

async fn take(State(worker): State<Arc<Worker>>, headers: HeaderMap, body: Bytes) -> Response {
    let read = async {
        worker.verify(&headers, &body)?;
        let order = serde_json::from_slice(&body).map_err(|error| Trouble::Never(error.to_string()))?;
        let order = Order { trace: headers.get(TRACE_HEADER).cloned(), ..order };
        worker.work(&order).await
    };
    read.await.unwrap_or_else(|trouble: Trouble| {
        eprintln!("not read: {trouble}");
        answer(&trouble)
    })
}

fn answer(trouble: &Trouble) -> Response {
    let error = Json(json!({ "error": trouble.to_string() }));
    match trouble {
        Trouble::Unsigned(_) => (StatusCode::UNAUTHORIZED, error).into_response(),
        Trouble::Later(_) => (StatusCode::SERVICE_UNAVAILABLE, error).into_response(),
        Trouble::Never(_) => {
            let status = StatusCode::from_u16(489).expect("three digits");
            (status, [("Upstash-NonRetryable-Error", "true")], error).into_response()
        }
    }
}
