//! How streams end that nobody reads any more, and how an instance ends.

use std::time::{Duration, Instant};

use futures::future::join_all;
use serde_json::json;

use crate::support::{
    Gate, Outside, Platform, Viewer,
    documents::fixture,
    platform::{GRACE, Instance},
    tokens::SERVICE_KEY,
    viewer::names,
};

const VIEWERS: usize = 40;
/// Far above the platform's grace, for busy machines; a function that waits for its streams never ends.
const SOON: Duration = Duration::from_secs(3);

async fn open(platform: &Platform, number: usize) -> Viewer {
    let stream = format!("/api/v1/patients/p{number}/documents/stream");
    let mut viewer = Viewer::open(platform.get(&stream).bearer_auth(SERVICE_KEY)).await;
    viewer.until("connected").await;
    viewer
}

/// Commands to Redis and reads of Postgres so far.
async fn asked_of_others(outside: &Outside, instance: &Instance) -> (u64, u64) {
    let reads = instance.metric("tidings_status_reads_total{outcome=\"ok\"}").await;
    (outside.redis.commands().await, reads)
}

#[tokio::test]
async fn abandoned_streams_are_noticed_and_then_nothing_is_asked_of_anybody() {
    let outside = Outside::start().await;
    let settings = [("HEARTBEAT_INTERVAL_MS", "300"), ("STATUS_INTERVAL_MS", "300")];
    let platform = Platform::start(&outside, &settings).await;
    let [instance] = &platform.instances()[..] else { panic!("one instance") };
    let viewers = join_all((0..VIEWERS).map(|number| open(&platform, number))).await;
    assert_eq!(instance.metric("tidings_streams_open").await, VIEWERS as u64);

    drop(viewers);
    instance.until_under_way(0).await;

    assert_eq!(instance.metric("tidings_streams_open").await, 0);
    // One read may still be on its way; after that there are none, though many would be due.
    let mut asked = asked_of_others(&outside, instance).await;
    let begun = Instant::now();
    loop {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let now = asked_of_others(&outside, instance).await;
        if std::mem::replace(&mut asked, now) == now {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "nobody watches, and still it asks: {now:?}");
    }
}

#[tokio::test]
async fn an_instance_that_is_told_to_go_tells_its_viewers_and_goes() {
    let outside = Outside::start().await;
    let platform = Platform::start(&outside, &[]).await;
    let viewers = join_all((0..VIEWERS).map(|number| open(&platform, number))).await;

    let instance = platform.retire_oldest();
    let ((status, took), seen) =
        tokio::join!(instance.ended(), join_all(viewers.into_iter().map(Viewer::rest)));

    assert!(status.success(), "{status}: {}", instance.log());
    assert!(took < SOON, "{took:?}");
    for seen in seen {
        assert_eq!(names(&seen), ["reconnect"]);
        assert_eq!(seen[0].text("reason"), "shutdown");
    }
    assert_eq!(instance.under_way(), [0_u64; 0], "the platform has heard of each end");
    eprintln!("{VIEWERS} streams were told and the process ended in {took:?} (grace {GRACE:?})");
}

#[tokio::test]
async fn the_last_events_are_handed_over_within_the_grace() {
    let outside = Outside::start().await;
    let gate = Gate::before(&outside.front.url).await;
    let platform = Platform::over(&outside, &gate.url, &[]).await;
    let mut calls = gate.step().await;
    let event =
        json!({ "patient_id": "p1", "document_id": "d1", "stage": "ocr_started", "event_id": "last" });
    let posting = tokio::spawn(platform.post("/api/v1/progress", &event).send());
    let held = calls.recv().await.unwrap();

    let instance = platform.retire_oldest();
    held.go_on();
    let passing = tokio::spawn(async move {
        while let Some(held) = calls.recv().await {
            held.go_on()
        }
    });
    let (status, took) = instance.ended().await;

    assert!(status.success() && took < SOON, "{status} after {took:?}: {}", instance.log());
    assert!(!instance.log().contains("lost"), "{}", instance.log());
    let exists = json!(["EXISTS", "doc_progress:p1"]);
    let stored = outside.front.post("/", &exists).bearer_auth("t").send().await.unwrap();
    assert_eq!(stored.json::<serde_json::Value>().await.unwrap()["result"], 1);
    let _ = posting.await;
    passing.abort();
}

#[tokio::test]
async fn neither_a_silent_redis_nor_a_document_under_way_keeps_the_process() {
    let outside = Outside::start().await;
    let gate = Gate::before(&outside.front.url).await;
    let platform = Platform::over(&outside, &gate.url, &[]).await;
    let file = fixture("form_bomb.pdf");
    let announced = json!({
        "patient_id": "p1", "filename": "a.pdf", "content_type": "application/pdf", "size": file.len(),
    });
    let answer = platform.post("/api/v1/uploads/presign", &announced).send().await.unwrap();
    let upload: serde_json::Value = answer.json().await.unwrap();
    reqwest::Client::new().put(upload["upload_url"].as_str().unwrap()).body(file).send().await.unwrap();
    let document = json!({ "document_id": upload["document_id"] });
    platform.post("/api/v1/uploads/confirm", &document).send().await.unwrap();
    let viewer = open(&platform, 1).await;
    let mut calls = gate.step().await;
    let _silent = calls.recv().await.unwrap();

    let begun = Instant::now();
    let instance = platform.retire_oldest();
    let ((status, took), seen) = tokio::join!(instance.ended(), viewer.rest());

    assert!(status.success() && took < SOON, "{status} after {took:?}: {}", instance.log());
    assert_eq!(seen.last().unwrap().text("reason"), "shutdown");
    assert!(instance.log().contains("documents are still under way"), "{}", instance.log());
    eprintln!("with a silent Redis and a document under way it took {:?} (grace {GRACE:?})", begun.elapsed());
}
