//! Work that somebody's trace asked for goes on in that trace: over confirm, a retry, the queue and other instances.

use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::{Value, json};
use tidings::qstash_dev::Signer;

use crate::support::{
    Database, Queue, Server, Site,
    documents::{confirm, put, read_named},
    ocr::{OcrEnvironment, Relay, Worker},
    otlp::Collector,
    queue::{Destination, signer},
    tokens::{SECRET, viewer},
};

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const OTHER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

async fn post(server: &Site, path: &str, body: &Value, parent: &str) {
    let answer = server.post(path, body).header("traceparent", parent).send().await.unwrap();
    assert_eq!(answer.status(), 202, "{path}");
}

async fn confirm_under(server: &Site, document: &str, parent: &str) {
    post(server, "/api/v1/uploads/confirm", &json!({ "document_id": document }), parent).await;
}

/// Says whose trace a span is in and what it stands under, as a `traceparent` does.
fn place(span: &Span) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    format!("00-{}-{}-01", hex(&span.trace_id), hex(&span.parent_span_id))
}

fn names_under<'a>(spans: &'a [Span], parent: &str) -> Vec<&'a str> {
    let mut names: Vec<_> = spans.iter().filter(|span| place(span) == parent).map(|it| &*it.name).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn a_confirm_puts_all_steps_of_its_document_into_the_callers_trace() {
    let collector = Collector::start().await;
    let server = Server::start(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url)]);
    let (document, without) =
        (put(&server, "p1", "mri_knee.pdf").await, put(&server, "p1", "mri_knee.pdf").await);

    confirm_under(&server, &document, PARENT).await;
    confirm_under(&server, &document, OTHER).await;
    confirm(&server, &without).await;
    let spans = collector.wait_for(6 + 7).await;

    let six = [
        "analysis_complete",
        "analysis_started",
        "matching_complete",
        "ocr_complete",
        "ocr_started",
        "upload_received",
    ];
    assert_eq!(names_under(&spans, PARENT), six);
    assert!(names_under(&spans, OTHER).is_empty(), "a second confirm begins nothing");
    let own = spans.iter().filter(|span| place(span) != PARENT).count();
    assert_eq!(own, 7, "without a caller's trace a document has one of its own, with its root");
}

#[tokio::test]
async fn a_retry_joins_the_trace_of_who_asked_for_it() {
    let collector = Collector::start().await;
    let server = Server::start(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url)]);
    let document = put(&server, "p1", "encrypted.pdf").await;
    confirm_under(&server, &document, PARENT).await;
    read_named(&server, "p1", &document).await;

    let path = format!("/api/v1/documents/{document}/retry");
    post(&server, &path, &Value::Null, OTHER).await;
    let spans = collector.wait_for(6).await;

    let failed = ["ocr_started", "ocr_started", "upload_received"];
    assert_eq!(names_under(&spans, PARENT), failed);
    assert_eq!(names_under(&spans, OTHER), failed);
}

#[tokio::test]
async fn the_queue_is_told_the_trace_and_brings_it_to_an_instance_that_never_heard_of_it() {
    let collector = Collector::start().await;
    let taken = (201, &[][..], r#"{"messageId":"msg_1"}"#.to_owned());
    let mut queue = Destination::answering(vec![taken]).await;
    let public = "https://tidings.example.org";
    let environment = OcrEnvironment::new(&queue.url, "http://127.0.0.1:1/read", public);
    let settings = [&environment.pairs()[..], &[("OTEL_EXPORTER_OTLP_ENDPOINT", &*collector.url)]].concat();
    let server = Server::start(&settings);
    let document = put(&server, "p1", "scanned_letter.pdf").await;

    confirm_under(&server, &document, PARENT).await;
    let published = queue.next().await;
    collector.wait_for(2).await;
    let server = Server::start_in(server.crash(), &settings);
    deliver(&server, &signer(), public, &document).await;
    let spans = collector.wait_for(6).await;

    for kind in ["", "callback-", "failure-callback-"] {
        assert_eq!(published.header(&format!("upstash-{kind}forward-traceparent")), PARENT, "{kind}");
    }
    assert_eq!(names_under(&spans, PARENT).len(), 6, "{spans:?}");
}

/// Delivers what OCR read, as the queue does: with the header it was told to forward.
async fn deliver(server: &Server, signer: &Signer, public: &str, document: &str) {
    let path = format!("/api/v1/webhooks/qstash/ocr?document_id={document}&attempt=1");
    let callback = json!({
        "status": 200, "retried": 0, "maxRetries": 3, "sourceMessageId": "msg_1",
        // {"text":"Osteoarthritis of the right knee.","pages":1}
        "body": "eyJ0ZXh0IjoiT3N0ZW9hcnRocml0aXMgb2YgdGhlIHJpZ2h0IGtuZWUuIiwicGFnZXMiOjF9",
    });
    let body = callback.to_string();
    let request = server
        .http
        .post(format!("{}{path}", server.url))
        .header("Upstash-Signature", signer.sign(&format!("{public}{path}"), body.as_bytes()))
        .header("traceparent", PARENT);
    let answer = request.body(body).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
}

#[tokio::test]
async fn a_scan_read_by_a_worker_and_ended_by_another_instance_is_one_trace() {
    let collector = Collector::start().await;
    let (queue, public, relay, database) =
        (Queue::start(), Relay::start().await, Relay::start().await, Database::new().await);
    let worker = Worker::start(&relay.url);
    relay.lead_to(&worker.url);
    let environment = OcrEnvironment::new(&queue.url, &relay.url, &public.url);
    let files = tempfile::tempdir().unwrap();
    let files = format!("file://{}", files.path().display());
    let more = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &*collector.url),
        ("DATABASE_URL", &*database.url),
        ("STORAGE_URL", &*files),
        ("AUTH_JWT_SECRET", SECRET),
    ];
    let settings = [&environment.pairs()[..], &more].concat();
    let (first, second) = (Server::start(&settings), Server::start(&settings));
    // The queue and the worker reach the other instance only.
    public.lead_to(&second.url);
    let first = first.shown(&viewer(&["doc_progress:p1"]));
    let document = put(&first, "p1", "scanned_letter.pdf").await;

    confirm_under(&first, &document, PARENT).await;
    let spans = collector.wait_for(9).await;

    let nine = [
        "analysis_complete",
        "analysis_started",
        "matching_complete",
        "ocr_complete",
        "ocr_started",
        "ocr_started",
        "ocr_started",
        "ocr_started",
        "upload_received",
    ];
    assert_eq!(names_under(&spans, PARENT), nine, "{spans:?}");
}
