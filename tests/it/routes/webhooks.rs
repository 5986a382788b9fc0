//! `POST /api/v1/webhooks/qstash/*`: what the queue tells, in any order and any number of times.

mod faults;
mod files;

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::{Body, Response, StatusCode};
use serde_json::{Value, json};
use tidings::{clock::Clock, qstash_dev::Signer, upstash::DEVELOPMENT_KEYS};
use tokio::time::timeout;

use crate::support::{
    Server, Viewer,
    documents::{confirm, put, read_named},
    ocr::OcrEnvironment,
    queue::{Destination, Scripted, signer},
};

const CALLBACK: &str = "/api/v1/webhooks/qstash/ocr";
const FAILURE: &str = "/api/v1/webhooks/qstash/failure";
/// How long a document may take to its end, on a machine that does other things too.
const WITHIN: Duration = Duration::from_secs(60);
/// A server as the queue knows it, which is not where it listens.
const PUBLIC: &str = "https://tidings.example.org/behind/a/proxy";
const TEXT: &str = "Referral letter. Diagnosis: osteoarthritis of the right knee. Hemoglobin 11.2 g/dL.";

/// A server and a queue that takes everything and delivers nothing: the test does.
struct World {
    server: Server,
    queue: Destination,
    environment: OcrEnvironment,
}

impl World {
    async fn start() -> Self {
        let taken = || (201, &[][..], r#"{"messageId":"msg_1"}"#.to_owned());
        Self::over((0..20).map(|_| taken()).collect()).await
    }

    /// Starts a server over a queue that answers so.
    async fn over(answers: Vec<Scripted>) -> Self {
        let queue = Destination::answering(answers).await;
        let environment = OcrEnvironment::new(&queue.url, "http://127.0.0.1:1/read", PUBLIC);
        let server = Server::start(&environment.pairs());
        Self { server, queue, environment }
    }

    /// Uploads a scan and waits until it has been published.
    async fn scan(&mut self) -> String {
        let document = put(&self.server, "p1", "scanned_letter.pdf").await;
        confirm(&self.server, &document).await;
        self.queue.next().await;
        document
    }

    async fn deliver(&self, path: &str, body: &Value) -> Response {
        self.deliver_signed(&signer(), path, body.to_string()).await
    }

    async fn deliver_signed(&self, signer: &Signer, path: &str, body: String) -> Response {
        let signature = signer.sign(&format!("{PUBLIC}{path}"), body.as_bytes());
        self.send(path, Some(&signature), body).await
    }

    async fn send(&self, path: &str, signature: Option<&str>, body: impl Into<Body>) -> Response {
        let mut request = self.server.http.post(format!("{}{path}", self.server.url)).body(body);
        if let Some(signature) = signature {
            request = request.header("Upstash-Signature", signature);
        }
        request.send().await.unwrap()
    }

    /// The status and reason a document ends with.
    async fn end(&self, document: &str) -> (String, Option<String>) {
        // A stream of a document that does not end goes on with heartbeats.
        let seen = timeout(WITHIN, read_named(&self.server, "p1", document)).await.expect("it ends");
        let end = &seen.last().unwrap().data["documents"][0];
        (end["status"].as_str().unwrap().into(), end["reason"].as_str().map(str::to_owned))
    }

    async fn status(&self, document: &str) -> String {
        let list = self.server.get("/api/v1/patients/p1/documents").send().await.unwrap();
        let list: Value = list.json().await.unwrap();
        let entry =
            list["documents"].as_array().unwrap().iter().find(|entry| entry["document_id"] == document);
        entry.unwrap()["status"].as_str().unwrap().into()
    }

    async fn counts(&self, outcome: &str, number: u32) -> bool {
        let metrics = self.server.get("/metrics").send().await.unwrap().text().await.unwrap();
        metrics.contains(&format!("tidings_ocr_deliveries_total{{outcome=\"{outcome}\"}} {number}\n"))
    }
}

fn callback_of(document: &str) -> String {
    format!("{CALLBACK}?document_id={document}&attempt=1")
}

fn failure_of(document: &str) -> String {
    format!("{FAILURE}?document_id={document}&attempt=1")
}

/// A callback as the queue's documentation shows it.
fn callback(status: u16, retried: u32, answer: &Value) -> Value {
    json!({
        "status": status, "header": { "Content-Type": ["application/json"] },
        "body": STANDARD.encode(answer.to_string()), "retried": retried, "maxRetries": 3,
        "sourceMessageId": "msg_1", "topicName": "", "endpointName": "", "url": "http://127.0.0.1:1/read",
        "method": "POST", "sourceHeader": { "Content-Type": "application/json" }, "sourceBody": "e30=",
        "notBefore": "1701198458025", "createdAt": "1701198447054", "scheduleId": "",
        "callerIP": "178.247.74.179",
    })
}

fn read() -> Value {
    callback(200, 0, &json!({ "text": TEXT, "pages": 2 }))
}

async fn outcome(answer: Response) -> String {
    assert_eq!(answer.status(), 200);
    answer.json::<Value>().await.unwrap()["outcome"].as_str().unwrap().into()
}

/// Says that the queue must not come again, and what is wrong.
async fn given_up(answer: Response) -> String {
    assert_eq!(answer.status(), StatusCode::from_u16(489).unwrap());
    assert_eq!(answer.headers()["upstash-nonretryable-error"], "true");
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    answer.json::<Value>().await.unwrap()["detail"].as_str().unwrap().into()
}

#[tokio::test]
async fn the_same_delivery_again_gets_the_same_answer_and_changes_nothing() {
    let mut world = World::start().await;
    let document = world.scan().await;
    let path = callback_of(&document);
    let live = format!("/api/v1/patients/p1/documents/stream?document_id={document}");
    let viewer = Viewer::open(world.server.get(&live)).await;

    let at_once = futures::future::join_all(
        (0..4).map(|_| async { outcome(world.deliver(&path, &read()).await).await }),
    );
    assert_eq!(at_once.await, ["taken"; 4]);
    let seen = viewer.rest().await;
    assert_eq!(outcome(world.deliver(&path, &read()).await).await, "taken");

    let completed = seen.iter().filter(|step| step.text("stage") == "ocr_complete").count();
    assert_eq!(completed, 1, "{seen:?}");
    assert_eq!(world.end(&document).await.0, "complete");
    assert!(world.counts("taken", 1).await && world.counts("repeat", 4).await);
}

#[tokio::test]
async fn tries_that_failed_do_not_fail_the_document_and_the_last_one_does() {
    let mut world = World::start().await;
    let (tried, given_up) = (world.scan().await, world.scan().await);
    let failed = |retried| callback(500, retried, &json!({}));

    for retried in 0..3 {
        assert_eq!(outcome(world.deliver(&callback_of(&tried), &failed(retried)).await).await, "noted");
        assert_eq!(world.status(&tried).await, "ocr_processing");
    }
    assert_eq!(
        outcome(
            world
                .deliver(&callback_of(&tried), &callback(200, 3, &json!({ "text": TEXT, "pages": 1 })))
                .await
        )
        .await,
        "taken"
    );
    assert_eq!(world.end(&tried).await, ("complete".into(), None));

    let mut last = failed(3);
    let most = last.as_object_mut().unwrap().remove("maxRetries").unwrap();
    last["maxRteries"] = most;
    last["createdAt"] = json!(1_701_198_447_054_u64);
    last["sourceHeader"] = json!({ "Content-Type": ["application/json"] });
    assert_eq!(outcome(world.deliver(&callback_of(&given_up), &last).await).await, "taken");
    assert_eq!(world.end(&given_up).await, ("failed".into(), Some("ocr_failed".into())));
}

#[tokio::test]
async fn news_in_reverse_order_changes_nothing() {
    let mut world = World::start().await;
    let (read_first, failed_first) = (world.scan().await, world.scan().await);
    let mut failure = callback(500, 3, &json!({}));
    failure["dlqId"] = "1701198458025-0".into();

    assert_eq!(outcome(world.deliver(&callback_of(&read_first), &read()).await).await, "taken");
    assert_eq!(outcome(world.deliver(&failure_of(&read_first), &failure).await).await, "too_late");
    assert_eq!(world.end(&read_first).await.0, "complete");
    let late_try = callback(500, 1, &json!({}));
    assert_eq!(outcome(world.deliver(&callback_of(&read_first), &late_try).await).await, "noted");
    assert_eq!(world.status(&read_first).await, "complete");

    assert_eq!(outcome(world.deliver(&failure_of(&failed_first), &failure).await).await, "taken");
    assert_eq!(world.end(&failed_first).await.1.as_deref(), Some("ocr_failed"));
    assert_eq!(outcome(world.deliver(&callback_of(&failed_first), &read()).await).await, "too_late");
    assert_eq!(world.status(&failed_first).await, "failed");
}

#[tokio::test]
async fn another_attempt_s_delivery_is_too_late() {
    let mut world = World::start().await;
    let document = world.scan().await;

    let other = format!("{CALLBACK}?document_id={document}&attempt=2");
    assert_eq!(outcome(world.deliver(&other, &read()).await).await, "too_late");

    assert_eq!(world.status(&document).await, "ocr_processing");
}

#[tokio::test]
async fn a_callback_may_be_faster_than_the_answer_to_the_publish() {
    // The queue takes the message at once, but says so to nobody, and in the end refuses the repeats.
    let away = || (503, &[][..], "away".to_owned());
    let refused = (400, &[][..], r#"{"error":"no"}"#.to_owned());
    let mut world = World::over(vec![away(), away(), away(), away(), away(), refused]).await;
    let document = put(&world.server, "p1", "scanned_letter.pdf").await;
    let path = callback_of(&document);
    let before_confirm = given_up(world.deliver(&path, &read()).await).await;
    assert!(before_confirm.contains("document_id"), "{before_confirm}");

    confirm(&world.server, &document).await;
    world.queue.next().await;
    assert_eq!(outcome(world.deliver(&path, &read()).await).await, "taken");
    assert_eq!(world.end(&document).await, ("complete".into(), None));

    for _ in 0..5 {
        world.queue.next().await;
    }
    assert_eq!(world.status(&document).await, "complete", "the late refusal changes nothing");
}

#[tokio::test]
async fn what_no_retry_can_cure_is_given_up_and_ends_its_document() {
    let mut world = World::start().await;
    let nonsense = callback(200, 0, &json!({ "words": "none" }));

    let unknown = given_up(world.deliver(&callback_of("nobody-s"), &read()).await).await;
    let nameless = given_up(world.deliver(CALLBACK, &read()).await).await;
    assert!(unknown.contains("document_id") && nameless.contains("document_id"));

    let document = world.scan().await;
    let words = given_up(world.deliver(&callback_of(&document), &nonsense).await).await;
    assert!(words.contains("text"), "{words}");
    assert_eq!(world.end(&document).await.1.as_deref(), Some("ocr_failed"));

    let document = world.scan().await;
    let garbled = world.deliver_signed(&signer(), &callback_of(&document), "{not json".into()).await;
    assert!(given_up(garbled).await.contains("callback"));
    assert_eq!(world.end(&document).await.1.as_deref(), Some("ocr_failed"));

    let document = world.scan().await;
    let large = world.deliver_signed(&signer(), &callback_of(&document), "x".repeat(4_500_001)).await;
    assert!(given_up(large).await.contains("4500000"));
    assert_eq!(world.end(&document).await.1.as_deref(), Some("ocr_failed"));
    assert!(world.counts("unusable", 5).await);
}

#[tokio::test]
async fn an_answer_just_below_the_limit_is_taken() {
    let mut world = World::start().await;
    let document = world.scan().await;
    let text = format!("{TEXT} {}", "word ".repeat(600_000));
    let body = callback(200, 0, &json!({ "text": text, "pages": 400 }));
    assert!((4_000_000..4_500_000).contains(&body.to_string().len()));

    assert_eq!(outcome(world.deliver(&callback_of(&document), &body).await).await, "taken");

    assert_eq!(world.end(&document).await.0, "complete");
}

#[tokio::test]
async fn what_the_queue_did_not_sign_is_refused_and_changes_nothing() {
    let mut world = World::start().await;
    let document = world.scan().await;
    let (path, body) = (callback_of(&document), read().to_string());
    let sign = |url: &str| signer().sign(url, body.as_bytes());
    let stranger = Signer::new(&"sig_other".into(), Clock::System);
    let good = sign(&format!("{PUBLIC}{path}"));

    for (signature, body) in [
        (None, body.clone()),
        (Some("no token".to_owned()), body.clone()),
        (Some(stranger.sign(&format!("{PUBLIC}{path}"), body.as_bytes())), body.clone()),
        (Some(sign(&format!("{}{path}", world.server.url))), body.clone()),
        (Some(sign(&format!("{PUBLIC}{CALLBACK}"))), body.clone()),
        (Some(sign(&format!("{PUBLIC}{}", failure_of(&document)))), body.clone()),
        (Some(good.clone()), format!("{body} ")),
    ] {
        let answer = world.send(&path, signature.as_deref(), body).await;
        assert_eq!(answer.status(), 401, "{signature:?}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
    }
    assert!(world.counts("unsigned", 7).await);
    assert_eq!(world.status(&document).await, "ocr_processing");

    let next = Signer::new(&DEVELOPMENT_KEYS[1].into(), Clock::System);
    let answer = world.deliver_signed(&next, &path, body).await;
    assert_eq!(outcome(answer).await, "taken", "after the keys were rolled");
}

#[tokio::test]
async fn without_ocr_there_is_no_such_door() {
    let server = Server::start(&[]);

    for path in [callback_of("d1"), failure_of("d1")] {
        assert_eq!(server.post(&path, &read()).send().await.unwrap().status(), 404);
    }
    assert_eq!(server.get("/api/v1/documents/d1/file?token=t").send().await.unwrap().status(), 401);
}
