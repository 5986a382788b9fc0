//! How long a document takes still is told once enough like it have been worked on, also after a restart.

use std::time::Duration;

use serde_json::Value;

use crate::support::{
    Database, Message, Server, Viewer,
    analyzer::{Answer, AnswersInTurn},
    documents::{confirm, put, read_named},
};

/// As many like it must there have been.
const ENOUGH: usize = 8;
/// How long the analyzer takes.
const PAUSE: Duration = Duration::from_millis(1_500);

/// What the events of one document said, from its confirm to its end.
async fn told(server: &Server, file: &str) -> Vec<(String, Value)> {
    let document = put(server, "p1", file).await;
    let stream = format!("/api/v1/patients/p1/documents/stream?document_id={document}");
    let viewer = Viewer::open(server.get(&stream)).await;
    confirm(server, &document).await;
    let seen: Vec<Message> = viewer.rest().await;
    let events = seen.iter().filter(|message| message.name == "progress");
    events.map(|event| (event.text("stage"), event.data["eta_seconds"].clone())).collect()
}

fn is_range(eta: &Value) -> bool {
    let [least, most] = eta.as_array().unwrap().as_slice() else { panic!("{eta}") };
    least.as_u64().unwrap() <= most.as_u64().unwrap()
}

async fn is_told_once_there_are_enough(environment: &[(&str, &str)]) {
    let analyzer = AnswersInTurn::start(&[Answer::Late(PAUSE)]).await;
    let environment = [environment, &[("ANALYZER_URL", analyzer.url.as_str())]].concat();
    let server = Server::start(&environment);
    let first = told(&server, "lab_report.pdf").await;
    assert_eq!(first.len(), 6);
    assert!(first.iter().all(|(_, eta)| eta.is_null()), "{first:?}");
    let more = (1..ENOUGH).map(|_| async {
        let document = put(&server, "p1", "lab_report.pdf").await;
        confirm(&server, &document).await;
        read_named(&server, "p1", &document).await;
    });
    futures::future::join_all(more).await;

    let server = Server::start_in(server.crash(), &environment);
    // The first event of a process comes before it has read anything.
    told(&server, "lab_report.pdf").await;
    let known = told(&server, "lab_report.pdf").await;
    let much_larger = told(&server, "long_history.pdf").await;

    let (last, before) = known.split_last().unwrap();
    assert_eq!((last.0.as_str(), &last.1), ("matching_complete", &Value::Null), "nothing is left");
    assert!(before.iter().all(|(_, eta)| is_range(eta)), "{before:?}");
    let analysis = &before.iter().find(|(stage, _)| stage == "analysis_started").unwrap().1;
    assert!(analysis[0].as_u64().unwrap() >= 1 && analysis[1].as_u64().unwrap() >= 2, "{analysis}");
    let after_reading = much_larger.iter().find(|(stage, _)| stage == "ocr_complete").unwrap();
    assert!(after_reading.1.is_null(), "none of as many pages is known: {after_reading:?}");
    let metrics = server.get("/metrics").send().await.unwrap().text().await.unwrap();
    assert!(!metrics.contains("tidings_estimates_total{outcome=\"within\"} 0\n"), "{metrics}");
}

#[tokio::test]
async fn with_sqlite_it_is_told_once_there_are_enough_and_after_a_restart() {
    is_told_once_there_are_enough(&[]).await;
}

#[tokio::test]
async fn with_postgres_it_is_told_once_there_are_enough_and_after_a_restart() {
    let database = Database::new().await;

    is_told_once_there_are_enough(&[("DATABASE_URL", &database.url)]).await;
}
