//! A server, and a queue in the test's own hands.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::{Body, Response, StatusCode};
use serde_json::{Value, json};
use tidings::qstash_dev::Signer;
use tokio::time::timeout;

use crate::support::{
    Server,
    documents::{confirm, put, read_named},
    ocr::OcrEnvironment,
    queue::{Destination, Scripted, signer},
};

pub const CALLBACK: &str = "/api/v1/webhooks/qstash/ocr";
pub const FAILURE: &str = "/api/v1/webhooks/qstash/failure";
/// How long a document may take to its end, on a machine that does other things too.
pub const WITHIN: Duration = Duration::from_secs(60);
/// A server as the queue knows it, which is not where it listens.
pub const PUBLIC: &str = "https://tidings.example.org/behind/a/proxy";
pub const TEXT: &str = "Referral letter. Diagnosis: osteoarthritis of the right knee. Hemoglobin 11.2 g/dL.";

/// A server and a queue that takes everything and delivers nothing: the test does.
pub struct World {
    pub server: Server,
    pub queue: Destination,
    pub environment: OcrEnvironment,
}

impl World {
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// Starts a server over a queue that answers so.
    pub async fn over(answers: Vec<Scripted>) -> Self {
        Self::over_with(answers, &[]).await
    }

    /// Starts a server that has more set than the queue.
    pub async fn with(settings: &[(&str, &str)]) -> Self {
        let taken = || (201, &[][..], r#"{"messageId":"msg_1"}"#.to_owned());
        Self::over_with((0..20).map(|_| taken()).collect(), settings).await
    }

    async fn over_with(answers: Vec<Scripted>, settings: &[(&str, &str)]) -> Self {
        let queue = Destination::answering(answers).await;
        let environment = OcrEnvironment::new(&queue.url, "http://127.0.0.1:1/read", PUBLIC);
        let server = Server::start(&[&environment.pairs()[..], settings].concat());
        Self { server, queue, environment }
    }

    /// Uploads a scan and waits until it has been published.
    pub async fn scan(&mut self) -> String {
        let document = put(&self.server, "p1", "scanned_letter.pdf").await;
        confirm(&self.server, &document).await;
        self.queue.next().await;
        document
    }

    pub async fn deliver(&self, path: &str, body: &Value) -> Response {
        self.deliver_signed(&signer(), path, body.to_string()).await
    }

    pub async fn deliver_signed(&self, signer: &Signer, path: &str, body: String) -> Response {
        let signature = signer.sign(&format!("{PUBLIC}{path}"), body.as_bytes());
        self.send(path, Some(&signature), body).await
    }

    pub async fn send(&self, path: &str, signature: Option<&str>, body: impl Into<Body>) -> Response {
        let mut request = self.server.http.post(format!("{}{path}", self.server.url)).body(body);
        if let Some(signature) = signature {
            request = request.header("Upstash-Signature", signature);
        }
        request.send().await.unwrap()
    }

    /// The status and reason a document ends with.
    pub async fn end(&self, document: &str) -> (String, Option<String>) {
        // A stream of a document that does not end goes on with heartbeats.
        let seen = timeout(WITHIN, read_named(&self.server, "p1", document)).await.expect("it ends");
        let end = &seen.last().unwrap().data["documents"][0];
        (end["status"].as_str().unwrap().into(), end["reason"].as_str().map(str::to_owned))
    }

    pub async fn status(&self, document: &str) -> String {
        let list = self.server.get("/api/v1/patients/p1/documents").send().await.unwrap();
        let list: Value = list.json().await.unwrap();
        let entry =
            list["documents"].as_array().unwrap().iter().find(|entry| entry["document_id"] == document);
        entry.unwrap()["status"].as_str().unwrap().into()
    }

    pub async fn counts(&self, outcome: &str, number: u32) -> bool {
        let metrics = self.server.get("/metrics").send().await.unwrap().text().await.unwrap();
        metrics.contains(&format!("tidings_ocr_deliveries_total{{outcome=\"{outcome}\"}} {number}\n"))
    }
}

pub fn callback_of(document: &str) -> String {
    format!("{CALLBACK}?document_id={document}&attempt=1")
}

pub fn failure_of(document: &str) -> String {
    format!("{FAILURE}?document_id={document}&attempt=1")
}

/// A callback as the queue's documentation shows it.
pub fn callback(status: u16, retried: u32, answer: &Value) -> Value {
    json!({
        "status": status, "header": { "Content-Type": ["application/json"] },
        "body": STANDARD.encode(answer.to_string()), "retried": retried, "maxRetries": 3,
        "sourceMessageId": "msg_1", "topicName": "", "endpointName": "", "url": "http://127.0.0.1:1/read",
        "method": "POST", "sourceHeader": { "Content-Type": "application/json" }, "sourceBody": "e30=",
        "notBefore": "1701198458025", "createdAt": "1701198447054", "scheduleId": "",
        "callerIP": "178.247.74.179",
    })
}

pub fn read() -> Value {
    callback(200, 0, &json!({ "text": TEXT, "pages": 2 }))
}

pub async fn outcome(answer: Response) -> String {
    assert_eq!(answer.status(), 200);
    answer.json::<Value>().await.unwrap()["outcome"].as_str().unwrap().into()
}

/// Says that the queue must not come again, and what is wrong.
pub async fn given_up(answer: Response) -> String {
    assert_eq!(answer.status(), StatusCode::from_u16(489).unwrap());
    assert_eq!(answer.headers()["upstash-nonretryable-error"], "true");
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    answer.json::<Value>().await.unwrap()["detail"].as_str().unwrap().into()
}
