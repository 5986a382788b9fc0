//! `GET /metrics`, as a parser from elsewhere reads it, and the two documents that name what it holds.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Value, json};

use super::{accepted, refused};
use crate::support::{
    Server, Viewer,
    documents::{confirm, emit, put},
    python,
};

const STREAM: &str = "/api/v1/patients/p1/documents/stream";
const DOCUMENT: &str = include_str!("../../../docs/metrics.md");
const DASHBOARD: &str = include_str!("../../../docs/grafana.json");

/// What the parser found under one name.
#[derive(Deserialize)]
struct MetricFamily {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    help: String,
    samples: Vec<(String, BTreeMap<String, String>, f64)>,
}

impl MetricFamily {
    /// Gives the name as queries and `docs/metrics.md` write it.
    fn shown_name(&self) -> String {
        if self.kind == "counter" { format!("{}_total", self.name) } else { self.name.clone() }
    }

    fn labels(&self) -> BTreeSet<&str> {
        let labels = self.samples.iter().flat_map(|(_, labels, _)| labels.keys());
        labels.map(String::as_str).filter(|label| *label != "le").collect()
    }
}

#[tokio::test]
async fn a_parser_from_elsewhere_accepts_every_line() {
    let server = Server::start(&[]);
    count_everything(&server).await;

    let answer = server.get("/metrics").send().await.unwrap();

    let media_type = answer.headers()["content-type"].to_str().unwrap().to_owned();
    assert!(media_type.starts_with("application/openmetrics-text; version=1.0.0"), "{media_type}");
    let families = parse(&answer.text().await.unwrap());
    for family in &families {
        assert!(!family.help.is_empty() && !family.samples.is_empty(), "{}", family.name);
    }
    assert!(python::run("parse_metrics.py", "tidings_events{ 1\n# EOF\n").is_err(), "the parser refuses");
}

#[tokio::test]
async fn the_document_names_what_is_counted_and_nothing_else() {
    let server = Server::start(&[]);

    let families = parse(&text(&server).await);

    let counted: BTreeSet<_> = families
        .iter()
        .map(|family| {
            let labels: Vec<_> = family.labels().into_iter().collect();
            format!("{} {} {}", family.shown_name(), family.kind, labels.join(" ")).trim().to_owned()
        })
        .collect();
    assert_eq!(documented(), counted);
}

#[tokio::test]
async fn the_dashboard_asks_for_what_is_counted_and_leaves_nothing_out() {
    let server = Server::start(&[]);
    let families = parse(&text(&server).await);
    let samples: BTreeSet<_> =
        families.iter().flat_map(|family| family.samples.iter().map(|(name, ..)| name.as_str())).collect();
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let queries: Vec<_> = dashboard["panels"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|panel| panel["targets"].as_array().into_iter().flatten())
        .map(|target| target["expr"].as_str().unwrap())
        .collect();

    let name = regex::Regex::new(r"tidings_\w+").unwrap();
    let asked: BTreeSet<_> =
        queries.iter().flat_map(|query| name.find_iter(query)).map(|found| found.as_str()).collect();

    assert_eq!(asked.difference(&samples).collect::<Vec<_>>(), Vec::<&&str>::new());
    for family in &families {
        assert!(asked.iter().any(|asked| asked.starts_with(&family.name)), "no panel shows {}", family.name);
    }
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
    let open = "tidings_streams_open{kind=\"doc_progress\"}";
    assert!((value(&during, open) - 1.0).abs() < f64::EPSILON);
    assert!(value(&after, open).abs() < f64::EPSILON);
    for (name, expected) in [
        ("tidings_events_published_total", 2.0),
        ("tidings_events_received_total", 2.0),
        ("tidings_events_sent_total", 2.0),
        ("tidings_stream_ends_total{reason=\"done\"}", 1.0),
        ("tidings_streams_declined_total{reason=\"finished\"}", 1.0),
        ("tidings_requests_refused_total{reason=\"not_found\"}", 1.0),
        ("tidings_log_gaps_total", 0.0),
    ] {
        assert!((moved(name) - expected).abs() < f64::EPSILON, "{name} moved by {}", moved(name));
    }
    assert!(moved("tidings_status_reads_total{outcome=\"ok\"}") >= 1.0);
    assert!((value(&after, "tidings_source_up{source=\"memory\"}") - 1.0).abs() < f64::EPSILON);
}

#[tokio::test]
async fn an_event_is_timed_once_for_any_number_of_viewers_and_never_for_a_replay() {
    let server = Server::start(&[]);
    let mut viewers = Vec::new();
    for _ in 0..5 {
        let mut viewer = Viewer::open(server.get(STREAM)).await;
        viewer.until("connected").await;
        viewers.push(viewer);
    }

    emit(&server, "p1", "d1", "ocr_started").await;
    let old = json!({
        "patient_id": "p1", "document_id": "d1", "stage": "ocr_complete", "timestamp": "2020-01-01T00:00:00Z",
    });
    accepted(server.post("/api/v1/progress", &old)).await;
    for viewer in &mut viewers {
        viewer.until("progress").await;
        viewer.until("progress").await;
    }
    emit(&server, "p2", "d2", "matching_complete").await;
    let earliest = "/api/v1/patients/p2/documents/stream?last_event_id=earliest";
    Viewer::open(server.get(earliest)).await.rest().await;

    let counted = read(&server).await;
    let timed = value(&counted, "tidings_delivery_seconds_count{kind=\"doc_progress\"}");
    assert!((timed - 1.0).abs() < f64::EPSILON, "{timed}");
    let sum = value(&counted, "tidings_delivery_seconds_sum{kind=\"doc_progress\"}");
    assert!((0.0..60.0).contains(&sum), "{sum}");
    assert!(value(&counted, "tidings_log_lag_seconds_count") >= 2.0);
}

#[tokio::test]
async fn a_stage_is_timed_by_the_times_its_events_tell() {
    let server = Server::start(&[]);
    for (stage, status, second) in [
        ("ocr_started", "started", 10),
        ("ocr_complete", "completed", 17),
        ("analysis_started", "started", 18),
        ("analysis_started", "failed", 20),
    ] {
        let event = json!({
            "patient_id": "p1", "document_id": "d1", "stage": stage, "status": status,
            "timestamp": format!("2026-04-05T12:00:{second}Z"),
        });
        accepted(server.post("/api/v1/progress", &event)).await;
    }

    let counted = read(&server).await;

    for (stage, outcome, seconds) in [("ocr", "completed", 7.0), ("analysis", "failed", 2.0)] {
        let labels = format!("{{outcome=\"{outcome}\",stage=\"{stage}\"}}");
        let sum = value(&counted, &format!("tidings_stage_seconds_sum{labels}"));
        let count = value(&counted, &format!("tidings_stage_seconds_count{labels}"));
        assert_eq!((sum, count), (seconds, 1.0), "{stage}");
    }
}

#[tokio::test]
async fn no_id_ever_becomes_a_label() {
    let server = Server::start(&[]);
    let mut watching = Viewer::open(server.get("/api/v1/patients/patient-0815/documents/stream")).await;
    emit(&server, "patient-0815", "document-4711", "matching_complete").await;
    watching.until("done").await;

    let text = text(&server).await;

    assert!(!text.contains("patient-0815") && !text.contains("document-4711"), "{text}");
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

async fn text(server: &Server) -> String {
    server.get("/metrics").send().await.unwrap().text().await.unwrap()
}

/// Reads the text as Prometheus' own Python client does.
fn parse(text: &str) -> Vec<MetricFamily> {
    let families = python::run("parse_metrics.py", text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    serde_json::from_str(&families).unwrap()
}

/// The rows of the document's tables: name, type and labels.
fn documented() -> BTreeSet<String> {
    let rows = DOCUMENT.lines().filter(|line| line.starts_with("| `tidings_"));
    let cells = rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>());
    let metrics = cells.filter(|cells| cells.len() == 4);
    let shown = metrics.map(|cells| {
        let mut labels: Vec<_> = cells[2].split(',').map(|label| label.trim().trim_matches('`')).collect();
        labels.sort_unstable();
        format!("{} {} {}", cells[0].trim_matches('`'), cells[1], labels.join(" ")).trim().to_owned()
    });
    shown.collect()
}

async fn read(server: &Server) -> BTreeMap<String, f64> {
    let samples = parse(&text(server).await).into_iter().flat_map(|family| family.samples);
    samples.map(|(name, labels, value)| (written(&name, &labels), value)).collect()
}

/// Writes a sample's name with its labels in the order of the alphabet.
fn written(name: &str, labels: &BTreeMap<String, String>) -> String {
    if labels.is_empty() {
        return name.to_owned();
    }
    let labels: Vec<_> = labels.iter().map(|(label, value)| format!("{label}=\"{value}\"")).collect();
    format!("{name}{{{}}}", labels.join(","))
}

/// A sample's value; one that has not been counted yet is 0.
fn value(samples: &BTreeMap<String, f64>, name: &str) -> f64 {
    samples.get(name).copied().unwrap_or_default()
}
