//! `GET /healthz`, `/readyz` and `/metrics`.

use std::collections::BTreeMap;

use serde_json::json;

use super::{accepted, refused};
use crate::support::{
    Redis, RedisRest, Server, Viewer,
    documents::{confirm, emit, put},
    tokens::KEYS,
};

const STREAM: &str = "/api/v1/patients/p1/documents/stream";
/// What operators build dashboards and alerts on; a family shows with its first sample.
const NAMES: [&str; 19] = [
    "tidings_streams_open",
    "tidings_stream_ends_total",
    "tidings_streams_declined_total",
    "tidings_events_published_total",
    "tidings_events_received_total",
    "tidings_events_hidden_total",
    "tidings_events_sent_total",
    "tidings_replays_total",
    "tidings_status_reads_total",
    "tidings_status_rows_left_out_total",
    "tidings_source_up",
    "tidings_documents_ended_total",
    "tidings_requests_refused_total",
    "tidings_file_calls_total",
    "tidings_cache_hits_total",
    "tidings_cache_misses_total",
    "tidings_cache_queries_saved_total",
    "tidings_cache_failures_total",
    "tidings_cache_load_seconds_count",
];

#[tokio::test]
async fn a_living_server_says_so_without_a_key() {
    let server = Server::start(&KEYS);

    let answer = server.get("/healthz").send().await.unwrap();

    assert_eq!(answer.status(), 200);
    assert_eq!(answer.text().await.unwrap(), "ok\n");
}

#[tokio::test]
async fn readiness_tells_of_each_source() {
    let server = Server::start(&KEYS);

    let ready = accepted(server.get("/readyz")).await;

    assert_eq!(ready["ready"], true);
    let sources = ready["sources"].as_object().unwrap();
    assert_eq!(sources.keys().collect::<Vec<_>>(), ["memory", "sqlite"]);
    for source in sources.values() {
        assert_eq!(source["state"], "up");
        assert!(source["since"].as_str().unwrap().ends_with('Z'), "{source}");
    }
    assert_eq!(sources["memory"]["latency_ms"], json!(null), "memory is not called");
}

#[tokio::test]
async fn readiness_tells_how_fast_each_part_answered_last() {
    let redis = Redis::start();
    let front = RedisRest::with_token(&redis, "t");
    let settings = [("UPSTASH_REDIS_REST_URL", &*front.url), ("UPSTASH_REDIS_REST_TOKEN", "t")];
    let server = Server::start(&settings);

    Viewer::open(server.get(STREAM)).await.until("connected").await;
    accepted(server.get("/api/v1/procedures/knee_replacement/requirements")).await;
    let ready = accepted(server.get("/readyz")).await;

    for part in [&ready["sources"]["redis"], &ready["sources"]["sqlite"], &ready["cache"]] {
        assert!(part["latency_ms"].as_f64().is_some_and(|latency| latency >= 0.0), "{ready}");
        assert_eq!(part["state"], "up");
    }
}

#[tokio::test]
async fn every_line_of_the_metrics_is_a_name_labels_and_a_value() {
    let server = Server::start(&[]);
    count_everything(&server).await;

    let answer = server.get("/metrics").send().await.unwrap();

    let media_type = answer.headers()["content-type"].to_str().unwrap().to_owned();
    assert!(media_type.starts_with("application/openmetrics-text") || media_type.starts_with("text/plain"));
    let text = answer.text().await.unwrap();
    let samples = samples(&text);
    let types: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    for name in NAMES {
        let family = name.trim_end_matches("_total").trim_end_matches("_count");
        assert!(
            types.iter().any(|line| line.split(' ').next() == Some(family)),
            "{name} is not in {types:?}"
        );
        assert!(samples.keys().any(|sample| sample.split('{').next() == Some(name)), "{name}");
    }
    assert!(text.ends_with("# EOF\n"), "the text is whole");
}

#[tokio::test]
async fn counters_move_with_what_happens() {
    let server = Server::start(&[]);
    let before = read(&server).await;
    let mut watching = Viewer::open(server.get(STREAM)).await;
    watching.until("connected").await;

    let during = read(&server).await;
    emit(&server, "p1", "d1", "ocr_started").await;
    emit(&server, "p1", "d1", "matching_complete").await;
    let done = watching.until("done").await.id.unwrap();
    assert!(watching.next().await.is_none());
    let again = Viewer::open(server.get(STREAM).header("Last-Event-ID", done)).await;
    refused(server.get("/nowhere")).await;
    let after = read(&server).await;

    assert_eq!(again.status, 204);
    let moved = |name: &str| value(&after, name) - value(&before, name);
    assert!((value(&during, "tidings_streams_open") - 1.0).abs() < f64::EPSILON);
    assert!(value(&after, "tidings_streams_open").abs() < f64::EPSILON);
    for (name, expected) in [
        ("tidings_events_published_total", 2.0),
        ("tidings_events_received_total", 2.0),
        ("tidings_events_sent_total", 2.0),
        ("tidings_stream_ends_total{reason=\"done\"}", 1.0),
        ("tidings_streams_declined_total{reason=\"finished\"}", 1.0),
        ("tidings_requests_refused_total{reason=\"not_found\"}", 1.0),
    ] {
        assert!((moved(name) - expected).abs() < f64::EPSILON, "{name} moved by {}", moved(name));
    }
    assert!(moved("tidings_status_reads_total{outcome=\"ok\"}") >= 1.0);
    assert!((value(&after, "tidings_source_up{source=\"memory\"}") - 1.0).abs() < f64::EPSILON);
}

#[tokio::test]
async fn no_id_ever_becomes_a_label() {
    let server = Server::start(&[]);
    let mut watching = Viewer::open(server.get("/api/v1/patients/patient-0815/documents/stream")).await;
    emit(&server, "patient-0815", "document-4711", "matching_complete").await;
    watching.until("done").await;

    let text = server.get("/metrics").send().await.unwrap().text().await.unwrap();

    assert!(!text.contains("0815") && !text.contains("4711"), "{text}");
}

/// Makes every count move that can be moved from outside.
async fn count_everything(server: &Server) {
    let document = put(server, "p1", "mri_knee.pdf").await;
    let viewer = Viewer::open(server.get(STREAM)).await;
    confirm(server, &document).await;
    let seen = viewer.rest().await;
    let back = |id: &Option<String>| server.get(STREAM).header("Last-Event-ID", id.as_deref().unwrap());
    Viewer::open(back(&seen[1].id)).await.rest().await;
    Viewer::open(back(&seen[seen.len() - 1].id)).await;
    let repeated = json!({
        "patient_id": "p2", "document_id": "d1", "stage": "matching_complete", "event_id": "e1",
    });
    for _ in 0..2 {
        accepted(server.post("/api/v1/progress", &repeated)).await;
    }
    let earliest = "/api/v1/patients/p2/documents/stream?last_event_id=earliest";
    Viewer::open(server.get(earliest)).await.rest().await;
    refused(server.get("/nowhere")).await;
}

async fn read(server: &Server) -> BTreeMap<String, f64> {
    samples(&server.get("/metrics").send().await.unwrap().text().await.unwrap())
}

/// Reads the samples, by name and labels as they stand; anything that is not one is a fault.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let sample = regex::Regex::new(
        r#"^([a-zA-Z_:][a-zA-Z0-9_:]*(?:\{(?:[a-zA-Z_]\w*="[^"\\\n]*",?)*\})?) (-?\d+(?:\.\d+)?)$"#,
    );
    let sample = sample.unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let samples: Vec<_> = lines
        .map(|line| {
            let parts = sample.captures(line).unwrap_or_else(|| panic!("not a sample: {line:?}"));
            (parts[1].to_owned(), parts[2].parse().unwrap())
        })
        .collect();
    let count = samples.len();
    let samples: BTreeMap<_, _> = samples.into_iter().collect();
    assert_eq!(samples.len(), count, "a sample stands twice");
    samples
}

/// A sample's value; one that has not been counted yet is 0.
fn value(samples: &BTreeMap<String, f64>, name: &str) -> f64 {
    samples.get(name).copied().unwrap_or_default()
}
