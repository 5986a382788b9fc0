//! Progress as traces, as a receiver of real OTLP sees it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use opentelemetry_proto::tonic::trace::v1::{Span, status::StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tidings::{
    broker::{Emitter, EmitterLimits, MemoryBroker, MemoryLimits},
    clock::Clock,
    config::{Config, Variables},
    event::{Id, ProgressEvent, Stage},
    telemetry::{Metrics, Traces},
};
use tokio::net::TcpListener;

use crate::support::{
    Server,
    otlp::{Collector, attribute},
};

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const STEPS: [(&str, u64); 6] = [
    ("upload_received", 10),
    ("ocr_started", 11),
    ("ocr_complete", 17),
    ("analysis_started", 18),
    ("analysis_complete", 21),
    ("matching_complete", 22),
];

fn step(stage: &str, second: u64) -> Value {
    json!({
        "patient_id": "patient-0815", "document_id": "document-4711", "stage": stage,
        "detail": "page 2 of 5", "event_id": format!("e-{stage}"),
        "timestamp": format!("2026-04-05T12:00:{second}Z"),
    })
}

async fn post(server: &Server, event: &Value, parent: Option<&str>) {
    let request = server.post("/api/v1/progress", event);
    let request = match parent {
        Some(parent) => request.header("traceparent", parent),
        None => request,
    };
    assert_eq!(request.send().await.unwrap().status(), 202);
}

/// Counts seconds from 12:00:00 of the day the steps tell.
fn second(nanoseconds: u64) -> u64 {
    nanoseconds / 1_000_000_000 % 60
}

#[tokio::test]
async fn a_document_is_a_trace_and_each_event_a_span_in_it() {
    let collector = Collector::start().await;
    let server = Server::start(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url),
        ("OTEL_EXPORTER_OTLP_HEADERS", "Authorization=Basic%20cGs6c2s="),
    ]);

    for (stage, second) in STEPS {
        post(&server, &step(stage, second), None).await;
    }
    let spans = collector.wait_for(7).await;

    let by_name: BTreeMap<_, _> = spans.iter().map(|span| (span.name.as_str(), span)).collect();
    let root = by_name["document"];
    assert_eq!(spans.len(), 7);
    let hash = Sha256::digest("trace\0document-4711\x001\0");
    assert_eq!(root.trace_id, hash[..16], "docs/traces.md says how to find it");
    assert!(root.parent_span_id.is_empty());
    assert_eq!((second(root.start_time_unix_nano), second(root.end_time_unix_nano)), (10, 22));
    for (stage, from, to) in [
        ("upload_received", 10, 10),
        ("ocr_started", 11, 11),
        ("ocr_complete", 11, 17),
        ("analysis_started", 18, 18),
        ("analysis_complete", 18, 21),
        ("matching_complete", 21, 22),
    ] {
        let span = by_name[stage];
        assert_eq!((&span.trace_id, &span.parent_span_id), (&root.trace_id, &root.span_id), "{stage}");
        assert_eq!(
            (second(span.start_time_unix_nano), second(span.end_time_unix_nano)),
            (from, to),
            "{stage}"
        );
        assert_eq!(attribute(&span.attributes, "tidings.stage"), stage);
        assert_eq!(attribute(&span.attributes, "tidings.event_id"), format!("e-{stage}"));
    }
    let ocr = &by_name["ocr_complete"].attributes;
    for (name, expected) in [("status", "completed"), ("percent", "50"), ("attempt", "1")] {
        assert_eq!(attribute(ocr, &format!("tidings.{name}")), expected);
    }
    let ids: BTreeSet<_> = spans.iter().map(|span| &span.span_id).collect();
    assert_eq!(ids.len(), 7, "no two spans have one id");
    for received in collector.received() {
        assert_eq!(received.headers["authorization"], "Basic cGs6c2s=");
        assert_eq!(received.headers["content-type"], "application/x-protobuf");
        for word in ["0815", "4711", "page 2"] {
            let is_told = received.body.windows(word.len()).any(|bytes| bytes == word.as_bytes());
            assert!(!is_told, "a span tells of {word}");
        }
    }
    let resource = &collector.resources()[0].attributes;
    assert_eq!(attribute(resource, "service.name"), "tidings");
    assert_eq!(attribute(resource, "service.version"), env!("CARGO_PKG_VERSION"));
}

#[tokio::test]
async fn instances_put_one_document_into_one_trace_and_a_retry_into_another() {
    let collector = Collector::start().await;
    let settings = [("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.as_str())];
    let (one, other) = (Server::start(&settings), Server::start(&settings));
    let mut retry = step("upload_received", 40);
    retry["attempt"] = 2.into();

    post(&one, &step("ocr_started", 11), None).await;
    post(&other, &step("ocr_complete", 17), None).await;
    post(&one, &retry, None).await;
    let spans = collector.wait_for(3).await;

    let found = |name: &str| spans.iter().find(|span| span.name == name).unwrap();
    let (started, complete, retried) =
        (found("ocr_started"), found("ocr_complete"), found("upload_received"));
    assert_eq!(started.trace_id, complete.trace_id);
    assert_eq!(started.parent_span_id, complete.parent_span_id);
    assert_eq!(
        complete.start_time_unix_nano, complete.end_time_unix_nano,
        "the other instance saw the start"
    );
    assert_ne!(started.trace_id, retried.trace_id);
}

#[tokio::test]
async fn a_callers_trace_takes_the_documents_spans() {
    let collector = Collector::start().await;
    let server = Server::start(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url)]);
    let mut unsampled = step("ocr_started", 12);
    unsampled["document_id"] = "d2".into();
    let mut malformed = step("ocr_started", 13);
    malformed["document_id"] = "d3".into();

    post(&server, &step("ocr_started", 11), Some(PARENT)).await;
    post(&server, &step("matching_complete", 22), None).await;
    post(&server, &unsampled, Some(&PARENT.replace("-01", "-00"))).await;
    post(&server, &malformed, Some("00-nonsense")).await;
    let spans = collector.wait_for(3).await;

    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let under_caller = |span: &&Span| hex(&span.trace_id) == "0af7651916cd43dd8448eb211c80319c";
    let caller: Vec<_> = spans.iter().filter(under_caller).collect();
    assert_eq!(spans.len(), 3, "what the caller does not record is not sent: {spans:?}");
    assert_eq!(
        caller.iter().map(|span| span.name.as_str()).collect::<Vec<_>>(),
        ["ocr_started", "matching_complete"]
    );
    assert!(caller.iter().all(|span| hex(&span.parent_span_id) == "b7ad6b7169203331"));
}

#[tokio::test]
async fn a_failure_ends_its_trace_as_an_error() {
    let collector = Collector::start().await;
    let server = Server::start(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url)]);
    let mut failed = step("ocr_started", 15);
    failed["status"] = "failed".into();
    failed["reason"] = "needs_ocr".into();

    post(&server, &failed, None).await;
    let spans = collector.wait_for(2).await;

    for span in &spans {
        let status = span.status.as_ref().unwrap();
        assert_eq!((status.code, status.message.as_str()), (StatusCode::Error as i32, "needs_ocr"));
    }
}

#[tokio::test]
async fn spans_still_waiting_leave_when_the_server_goes_down() {
    let collector = Collector::start().await;
    let mut server = Server::start(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url)]);
    post(&server, &step("ocr_started", 11), None).await;

    server.terminate();
    let status = server.ended(Duration::from_secs(20)).await;

    assert!(status.unwrap().success());
    assert_eq!(collector.spans().len(), 1);
}

#[tokio::test]
async fn a_dead_receiver_costs_a_counted_drop_and_nothing_else() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let mut server = Server::start(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://{closed}"))]);

    for (stage, second) in STEPS {
        post(&server, &step(stage, second), None).await;
    }
    let dropped = async {
        loop {
            let text = server.get("/metrics").send().await.unwrap().text().await.unwrap();
            if text.contains("tidings_spans_dropped_total{reason=\"failed\"} 7\n") {
                return text;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let text = tokio::time::timeout(Duration::from_secs(30), dropped).await.expect("they are counted");

    assert!(text.contains("tidings_events_published_total 6\n"), "{text}");
    assert!(text.contains("tidings_spans_sent_total 0\n"), "{text}");
    assert_eq!(server.log().matches("traces cannot be sent").count(), 1, "{}", server.log());
    server.terminate();
    assert!(server.ended(Duration::from_secs(20)).await.unwrap().success());
}

#[tokio::test]
async fn a_receiver_that_never_answers_fills_a_bounded_queue() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let config = Config::read(&Variables::of(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &url)])).unwrap();
    let metrics = Arc::new(Metrics::default());
    let traces = Traces::start(&config.traces.unwrap(), Arc::clone(&metrics)).unwrap();
    let broker = Arc::new(MemoryBroker::new(Clock::System, MemoryLimits::default()));
    let limits = EmitterLimits { queue: 10_000, ..EmitterLimits::default() };
    let emitter = Emitter::start(broker, Clock::System, Arc::clone(&metrics), limits).traced_by(traces);
    let (patient, document) = (Id::parse("p1").unwrap(), Id::parse("d1").unwrap());

    for _ in 0..4_000 {
        emitter.emit_progress(&patient, ProgressEvent::new(document.clone(), Stage::OcrStarted));
    }
    let are_all_stored = emitter.flush(Duration::from_secs(30)).await;

    let text = metrics.encode();
    assert!(are_all_stored && text.contains("tidings_events_published_total 4000\n"), "{text}");
    let lost = text
        .lines()
        .find_map(|line| line.strip_prefix("tidings_spans_dropped_total{reason=\"queue_full\"} "));
    let lost: u64 = lost.unwrap().parse().unwrap();
    assert!((1_000..4_000).contains(&lost), "{lost}");
}
