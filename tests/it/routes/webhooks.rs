//! `POST /api/v1/webhooks/qstash/*`: what the queue tells, in any order and any number of times.

mod estimates;
mod faults;
mod files;
pub mod world;

use serde_json::json;
use tidings::{clock::Clock, qstash_dev::Signer, upstash::DEVELOPMENT_KEYS};

use self::world::{
    CALLBACK, PUBLIC, TEXT, World, callback, callback_of, failure_of, given_up, outcome, read,
};
use crate::support::{
    Server, Viewer,
    documents::{confirm, put, put_in_case},
    queue::signer,
};

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
async fn deliveries_that_come_again_tell_the_case_once() {
    let mut world = World::start().await;
    let document = put_in_case(&world.server, "p1", "scanned_letter.pdf", "c1").await;
    confirm(&world.server, &document).await;
    world.queue.next().await;
    let path = callback_of(&document);

    futures::future::join_all((0..4).map(|_| async { world.deliver(&path, &read()).await })).await;
    assert_eq!(world.end(&document).await.0, "complete");
    assert_eq!(outcome(world.deliver(&path, &read()).await).await, "taken");

    let mut viewer = Viewer::open(world.server.get("/api/v1/cases/c1/chat/stream")).await;
    let messages = viewer.until("connected").await.data["messages"].take();
    let stages: Vec<_> = messages.as_array().unwrap().iter().map(|told| &told["sender"]["stage"]).collect();
    assert_eq!(stages, ["ocr_complete", "analysis_complete"]);
    let words = messages.to_string();
    assert!(!words.contains("osteoarthritis") && !words.contains("scanned_letter"), "{words}");
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
async fn a_scan_that_failed_is_sent_and_read_again_as_the_next_attempt() {
    let mut world = World::start().await;
    let document = world.scan().await;
    let failure = callback(500, 3, &json!({}));
    assert_eq!(outcome(world.deliver(&failure_of(&document), &failure).await).await, "taken");
    assert_eq!(world.end(&document).await.1.as_deref(), Some("ocr_failed"));

    let retry = format!("/api/v1/documents/{document}/retry");
    let answer = world.server.post(&retry, &json!(null)).send().await.unwrap();
    assert_eq!(answer.status(), 202);
    let sent = world.queue.next().await;
    assert_eq!(sent.json()["attempt"], 2);
    assert!(sent.header("Upstash-Callback").contains("attempt=2"), "{sent:?}");
    assert_eq!(outcome(world.deliver(&callback_of(&document), &read()).await).await, "too_late");
    assert_eq!(world.status(&document).await, "ocr_processing");
    let second = callback_of(&document).replace("attempt=1", "attempt=2");
    assert_eq!(outcome(world.deliver(&second, &read()).await).await, "taken");

    assert_eq!(world.end(&document).await, ("complete".into(), None));
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
