//! How a message is delivered, tried again and given up; published with our own client.

use std::time::{Duration, Instant};

use tidings::{
    clock::Clock,
    upstash::{DEVELOPMENT_KEYS, Message, Receiver, SIGNATURE_HEADER},
};

use crate::support::queue::{Delivered, Destination, Queue, Scripted};

fn failing(times: usize) -> Vec<Scripted> {
    vec![(500, &[], "no".into()); times]
}

fn verify(delivered: &Delivered, url: &str) {
    let receiver = Receiver::new(&DEVELOPMENT_KEYS[0].into(), &DEVELOPMENT_KEYS[1].into(), Clock::System);
    receiver.verify(Some(delivered.header(SIGNATURE_HEADER)), url, &delivered.body).unwrap();
}

#[tokio::test]
async fn a_message_is_tried_again_until_it_is_taken_and_each_answer_is_called_back() {
    let queue = Queue::start();
    let mut place = Destination::answering(failing(2)).await;
    let mut back = Destination::answering(Vec::new()).await;
    let url = format!("{}/read?a=b", place.url);
    let message = Message::json(&url, r#"{"n":1}"#)
        .with_callback(&format!("{}/c?document_id=d1", back.url))
        .with_forward("X-Own", "1");

    let published = queue.client().publish(&message).await.unwrap();

    for retried in 0..3 {
        let delivered = place.next().await;
        verify(&delivered, &url);
        assert_eq!(delivered.header("upstash-message-id"), published.message_id);
        assert_eq!(delivered.header("upstash-retried"), retried.to_string());
        assert_eq!((delivered.header("x-own"), &delivered.body[..]), ("1", &br#"{"n":1}"#[..]));
    }
    let mut told = Vec::new();
    for _ in 0..3 {
        let delivered = back.next().await;
        verify(&delivered, &format!("{}/c?document_id=d1", back.url));
        assert_ne!(delivered.header("upstash-message-id"), published.message_id);
        let callback = delivered.json();
        assert_eq!(callback["sourceMessageId"], published.message_id.as_str());
        told.push((callback["retried"].as_u64().unwrap(), callback["status"].as_u64().unwrap()));
    }
    told.sort_unstable();
    assert_eq!(told, [(0, 500), (1, 500), (2, 200)]);
    assert_eq!(place.waiting(), 0);
}

#[tokio::test]
async fn a_message_nobody_takes_ends_with_one_failure_callback() {
    let queue = Queue::start();
    let mut place = Destination::answering(failing(9)).await;
    let mut dead = Destination::answering(Vec::new()).await;
    let message = Message::json(&place.url, "{}").with_failure_callback(&dead.url).with_retries(1);

    queue.client().publish(&message).await.unwrap();
    let failure = dead.next().await;

    verify(&failure, &dead.url);
    let failure = failure.json();
    assert_eq!(
        (&failure["status"], &failure["retried"], &failure["maxRetries"]),
        (&500.into(), &1.into(), &1.into())
    );
    assert!(failure["dlqId"].is_string(), "{failure}");
    assert_eq!((place.waiting(), dead.waiting()), (2, 0));
}

#[tokio::test]
async fn a_destination_may_say_that_no_retry_helps() {
    let queue = Queue::start();
    let final_answer: Scripted = (489, &[("upstash-nonretryable-error", "true")], "never".into());
    let mut place = Destination::answering(vec![(489, &[], "again".into()), final_answer]).await;
    let mut dead = Destination::answering(Vec::new()).await;

    let message = Message::json(&place.url, "{}").with_failure_callback(&dead.url);
    queue.client().publish(&message).await.unwrap();
    let failure = dead.next().await.json();

    assert_eq!(
        (&failure["status"], &failure["retried"], &failure["maxRetries"]),
        (&489.into(), &1.into(), &3.into())
    );
    assert_eq!(place.waiting(), 2, "489 alone is tried again");
}

#[tokio::test]
async fn a_callback_is_a_message_with_retries_of_its_own() {
    let queue = Queue::start();
    let mut place = Destination::answering(Vec::new()).await;
    let mut back = Destination::answering(failing(2)).await;

    queue.client().publish(&Message::json(&place.url, "{}").with_callback(&back.url)).await.unwrap();
    let tries = [back.next().await, back.next().await, back.next().await];

    assert!(tries.iter().all(|delivered| delivered.body == tries[0].body));
    assert_eq!(tries.map(|delivered| delivered.header("upstash-retried").to_owned()), ["0", "1", "2"]);
    place.next().await;
    assert_eq!(place.waiting(), 0);
}

#[tokio::test]
async fn a_place_where_nobody_listens_is_tried_again_too() {
    let queue = Queue::start();
    let mut back = Destination::answering(Vec::new()).await;
    let nowhere = Destination::answering(Vec::new()).await.url.clone();

    let message = Message::json(nowhere, "{}").with_failure_callback(&back.url).with_retries(2);
    queue.client().publish(&message).await.unwrap();

    let failure = back.next().await.json();
    assert_eq!((&failure["status"], &failure["retried"]), (&0.into(), &2.into()));
}

#[tokio::test]
async fn the_pause_a_destination_asks_for_beats_the_schedule() {
    let queue = Queue::start();
    let later: Scripted = (503, &[("retry-after", "700")], "later".into());
    let mut place = Destination::answering(vec![later]).await;

    queue.client().publish(&Message::json(&place.url, "{}")).await.unwrap();
    place.next().await;
    let begun = Instant::now();
    place.next().await;

    // 700 s at a thousandth; the schedule says 12 s. The clock may only be slow.
    assert!(begun.elapsed() >= Duration::from_millis(600), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_repeat_is_accepted_under_the_earlier_id_and_delivered_once() {
    let queue = Queue::start();
    let mut place = Destination::answering(Vec::new()).await;
    let message = Message::json(&place.url, "{}").with_deduplication_id("d1.1");

    let first = queue.client().publish(&message).await.unwrap();
    let again = queue.client().publish(&message).await.unwrap();

    assert_eq!((first.is_repeat, again.is_repeat), (false, true));
    assert_eq!(first.message_id, again.message_id);
    place.next().await;
    queue.client().publish(&Message::json(&place.url, "last")).await.unwrap();
    assert_eq!(&place.next().await.body[..], b"last");
}
