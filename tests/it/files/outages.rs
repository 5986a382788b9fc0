//! The bucket goes away and comes back.

use serde_json::{Value, json};

use super::{Announced, FILE, start};
use crate::support::{
    Viewer,
    documents::{fixture, read_named},
};

#[tokio::test]
async fn presign_needs_no_bucket_and_confirm_says_that_it_is_away() {
    let (mut s3, server) = start();
    s3.stop();
    let announced = Announced::of(&server, fixture(FILE).len()).await;

    let (refused, problem) = announced.confirm(&server).await;
    let ready: Value = server.get("/readyz").send().await.unwrap().json().await.unwrap();
    s3.start_again();
    assert_eq!(announced.put(&server, fixture(FILE)).await, 200);
    let (confirmed, _) = announced.confirm(&server).await;
    let seen = read_named(&server, "p1", &announced.document).await;

    assert_eq!((refused, confirmed), (503, 202), "{problem}");
    assert_eq!(problem["type"], "urn:tidings:problem:unavailable");
    assert_eq!((&ready["ready"], &ready["files"]["state"]), (&json!(true), &json!("down")));
    assert_eq!(seen.last().unwrap().data["documents"][0]["status"], "complete");
    let ready: Value = server.get("/readyz").send().await.unwrap().json().await.unwrap();
    assert_eq!(ready["files"]["state"], "up");
    assert!(server.log().contains("connection refused"), "{}", server.log());
    assert!(!server.log().contains(&announced.document), "{}", server.log());
}

#[tokio::test]
async fn a_bucket_that_goes_away_in_mid_pipeline_holds_its_document_up_and_loses_nothing() {
    let (mut s3, server) = start();
    let announced = Announced::put_whole(&server).await;
    let stream = format!("/api/v1/patients/p1/documents/stream?document_id={}", announced.document);
    let mut watching = Viewer::open(server.get(&stream)).await;

    // The look at the copy ends confirm; the call after it is the work's, and finds no answer.
    s3.hold_after(3);
    let (confirmed, ()) = tokio::join!(announced.confirm(&server), async {
        s3.holds().await;
        s3.hold_after(0);
        s3.release();
    });
    s3.holds().await;
    s3.stop();
    assert_eq!(confirmed.0, 202);
    let before = watching.until("progress").await;
    s3.start_again();

    let seen = watching.rest().await;

    assert_eq!(before.text("stage"), "upload_received");
    assert_eq!(seen.last().unwrap().data["documents"][0]["status"], "complete", "{seen:?}");
    assert_eq!(announced.taken(&s3).unwrap(), fixture(FILE));
}

#[tokio::test]
async fn a_bucket_that_goes_away_after_any_call_of_a_confirm_leaves_it_to_the_next_one() {
    for call in 0..4 {
        let (mut s3, server) = start();
        let announced = Announced::put_whole(&server).await;

        s3.hold_after(call);
        let (refused, ()) = tokio::join!(announced.confirm(&server), async {
            s3.holds().await;
            s3.stop();
        });
        s3.start_again();
        let (confirmed, _) = announced.confirm(&server).await;
        let seen = read_named(&server, "p1", &announced.document).await;

        assert_eq!((refused.0, confirmed), (503, 202), "after call {call}: {}", refused.1);
        assert_eq!(seen.last().unwrap().data["documents"][0]["status"], "complete", "after call {call}");
        assert_eq!(announced.taken(&s3).unwrap(), fixture(FILE));
    }
}

#[tokio::test]
async fn a_bucket_that_falls_silent_does_not_hold_a_confirm_for_ever() {
    let (s3, server) = start();
    let announced = Announced::put_whole(&server).await;

    // The copy: it is done, and tried again no more than a little.
    s3.hold_after(2);
    let (refused, problem) = announced.confirm(&server).await;
    s3.release();
    let (confirmed, _) = announced.confirm(&server).await;

    assert_eq!((refused, confirmed), (503, 202), "{problem}");
    read_named(&server, "p1", &announced.document).await;
    assert_eq!(announced.taken(&s3).unwrap(), fixture(FILE));
}
