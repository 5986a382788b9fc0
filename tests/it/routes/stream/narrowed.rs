//! Streams that show less than everything.

use super::{FOLLOW, STREAM};
use crate::support::{
    Message, Server, Viewer,
    documents::{STAGES, confirm, emit, put},
    viewer::names,
};

const QUICK: [(&str, &str); 1] = [("HEARTBEAT_INTERVAL_MS", "100")];

#[tokio::test]
async fn events_hides_other_types_but_never_the_frame_of_the_stream() {
    let server = Server::start(&[]);
    let document = put(&server, "p1", "mri_knee.pdf").await;
    let steps_only = Viewer::open(server.get(&format!("{STREAM}?events=progress"))).await;
    let updates_only = Viewer::open(server.get(&format!("{STREAM}?events=document_update"))).await;
    let both = Viewer::open(server.get(&format!("{STREAM}?events=progress,document_update"))).await;

    confirm(&server, &document).await;
    let (steps_only, updates_only, both) =
        (steps_only.rest().await, updates_only.rest().await, both.rest().await);

    let steps: Vec<_> = inner(&steps_only).iter().map(|step| step.text("stage")).collect();
    assert_eq!(steps, STAGES);
    assert!(names(inner(&updates_only)).iter().all(|name| *name == "document_update"));
    assert_eq!(inner(&updates_only).last().unwrap().text("status"), "complete");
    assert!(names(&both).contains(&"progress") && names(&both).contains(&"document_update"));
}

#[tokio::test]
async fn heartbeats_of_a_filtered_stream_carry_the_position_passed() {
    let server = Server::start(&QUICK);
    let mut all = Viewer::open(server.get(FOLLOW)).await;
    let mut filtered = Viewer::open(server.get(&format!("{FOLLOW}&events=document_update"))).await;
    filtered.until("connected").await;
    all.until("connected").await;

    emit(&server, "p1", "d1", "ocr_started").await;
    let hidden = all.until("progress").await.id;
    let beat = all.until("heartbeat").await;
    let mut filtered_beat = filtered.next().await.unwrap();
    while filtered_beat.id != hidden {
        assert_eq!(filtered_beat.name, "heartbeat");
        filtered_beat = filtered.next().await.unwrap();
    }

    assert_eq!(beat.id, None, "the same frame goes to every unfiltered stream");
    emit(&server, "p1", "d1", "ocr_complete").await;
    let request = server.get(FOLLOW).header("Last-Event-ID", filtered_beat.id.unwrap());
    let mut back = Viewer::open(request).await;
    assert_eq!(back.until("progress").await.text("stage"), "ocr_complete", "what was passed is not repeated");
}

#[tokio::test]
async fn document_id_narrows_steps_snapshot_and_end() {
    let server = Server::start(&QUICK);
    emit(&server, "p1", "d2", "ocr_started").await;
    let viewer = Viewer::open(server.get(&format!("{STREAM}?document_id=d1&document_id=d3"))).await;

    for (document, stage) in [
        ("d1", "ocr_started"),
        ("d2", "ocr_complete"),
        ("d3", "ocr_started"),
        ("d1", "matching_complete"),
        ("d2", "analysis_started"),
        ("d3", "matching_complete"),
    ] {
        emit(&server, "p1", document, stage).await;
    }
    let seen = viewer.rest().await;

    assert_eq!(seen[0].data["documents"], serde_json::json!([]));
    let steps: Vec<_> = inner(&seen).iter().map(|step| step.text("document_id")).collect();
    assert_eq!(steps, ["d1", "d3", "d1", "d3"]);
    let done = seen.last().unwrap();
    assert_eq!(done.name, "done", "d2 goes on, but nobody asked for it here");
    let mut ended: Vec<_> = done.data["documents"].as_array().unwrap().iter().collect();
    ended.sort_by_key(|document| document["document_id"].to_string());
    assert_eq!(ended.iter().map(|document| &document["document_id"]).collect::<Vec<_>>(), ["d1", "d3"]);
}

#[tokio::test]
async fn a_narrowed_stream_s_heartbeats_move_past_what_it_hides() {
    let server = Server::start(&QUICK);
    let mut all = Viewer::open(server.get(FOLLOW)).await;
    let mut narrowed = Viewer::open(server.get(&format!("{FOLLOW}&document_id=d1"))).await;
    all.until("connected").await;
    narrowed.until("connected").await;

    emit(&server, "p1", "d2", "ocr_started").await;
    let hidden = all.until("progress").await.id.unwrap();

    loop {
        let beat = narrowed.next().await.unwrap();
        assert_eq!(beat.name, "heartbeat");
        let id = beat.id.unwrap();
        // Nothing covered goes on here, so the mark of `connected` stays.
        if id.split('~').next() == Some(&hidden) {
            assert_eq!(id, format!("{hidden}~idle.0"));
            break;
        }
    }
}

/// What stands between `connected` and `done`.
fn inner(seen: &[Message]) -> &[Message] {
    let [connected, inner @ .., done] = seen else { panic!("{seen:?}") };
    assert_eq!((connected.name.as_str(), done.name.as_str()), ("connected", "done"));
    inner
}
