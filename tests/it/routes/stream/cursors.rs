//! Where a stream begins.

use serde_json::json;

use super::{FOLLOW, STREAM};
use crate::support::{Message, Server, Viewer, documents::emit, viewer::names};

const STEPS: [&str; 3] = ["upload_received", "ocr_started", "ocr_complete"];

#[tokio::test]
async fn without_a_cursor_past_steps_are_in_the_snapshot_only() {
    let server = with_three_steps().await;

    let seen = first_and_next(&server, Viewer::open(server.get(FOLLOW)).await).await;

    assert_eq!(names(&seen), ["connected", "progress"]);
    assert_eq!(seen[0].data["channel"], "doc_progress:p1");
    assert_eq!((&seen[0].data["resumed"], &seen[0].data["gap"]), (&json!(false), &json!(false)));
    let [document] = &seen[0].data["documents"].as_array().unwrap()[..] else { panic!("{seen:?}") };
    assert_eq!(document["document_id"], "d1");
    assert_eq!((&document["stage"], &document["percent"]), (&json!("ocr_complete"), &json!(50)));
    assert_eq!(document["status"], "ocr_complete");
    assert_eq!(seen[1].text("stage"), "analysis_started");
}

#[tokio::test]
async fn earliest_brings_everything_the_log_holds() {
    let server = with_three_steps().await;

    let mut viewer = Viewer::open(server.get(STREAM).query(&[("last_event_id", "earliest")])).await;
    let connected = viewer.until("connected").await;
    let steps = [viewer.next().await, viewer.next().await, viewer.next().await];

    assert_eq!((&connected.data["resumed"], &connected.data["gap"]), (&json!(true), &json!(false)));
    assert_eq!(steps.map(|step| step.unwrap().text("stage")), STEPS);
}

#[tokio::test]
async fn an_unreadable_cursor_is_a_gap_and_never_refused() {
    let server = with_three_steps().await;

    for cursor in [&b"nonsense"[..], b"1-0~gone.1", b"99999999999999999999-0", b"\xff\xfe", b"' OR 1=1 --"] {
        let viewer = Viewer::open(server.get(FOLLOW).header("Last-Event-ID", cursor)).await;
        assert_eq!(viewer.status, 200, "{cursor:?}");

        let seen = first_and_next(&server, viewer).await;

        assert_eq!(names(&seen), ["connected", "progress"]);
        assert_eq!((&seen[0].data["resumed"], &seen[0].data["gap"]), (&json!(false), &json!(true)));
        assert_eq!(seen[0].data["documents"][0]["document_id"], "d1", "a gap comes with fresh state");
    }
}

#[tokio::test]
async fn the_header_beats_the_query() {
    let server = with_three_steps().await;
    let mut all = Viewer::open(server.get(STREAM).query(&[("last_event_id", "earliest")])).await;
    let second =
        [all.until("progress").await, all.until("progress").await].map(|step| step.id.unwrap())[1].clone();

    let request = server.get(STREAM).query(&[("last_event_id", "earliest")]).header("Last-Event-ID", &second);
    let mut by_header = Viewer::open(request).await;
    let mut by_query = Viewer::open(server.get(STREAM).query(&[("last_event_id", &second)])).await;

    assert_eq!(by_header.until("connected").await.id.unwrap(), second);
    assert_eq!(by_header.next().await.unwrap().text("stage"), "ocr_complete");
    assert_eq!(by_query.until("progress").await.text("stage"), "ocr_complete");
}

#[tokio::test]
async fn a_follower_that_was_told_the_end_is_never_sent_away() {
    let server = Server::start(&[]);
    let mut viewer = Viewer::open(server.get(STREAM)).await;
    viewer.until("connected").await;
    emit(&server, "p1", "d1", "matching_complete").await;
    let done = viewer.until("done").await.id.unwrap();

    let leaving = Viewer::open(server.get(STREAM).header("Last-Event-ID", &done)).await;
    let mut following = Viewer::open(server.get(FOLLOW).header("Last-Event-ID", &done)).await;

    assert_eq!(leaving.status, 204);
    assert_eq!(following.status, 200);
    assert_eq!(following.until("connected").await.id.unwrap(), done);
}

async fn with_three_steps() -> Server {
    let server = Server::start(&[]);
    for stage in STEPS {
        emit(&server, "p1", "d1", stage).await;
    }
    server
}

/// Reads `connected`, then makes one event happen and reads that.
async fn first_and_next(server: &Server, mut viewer: Viewer) -> Vec<Message> {
    let connected = viewer.until("connected").await;
    emit(server, "p1", "d1", "analysis_started").await;
    vec![connected, viewer.next().await.unwrap()]
}
