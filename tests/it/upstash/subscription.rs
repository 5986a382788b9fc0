//! Subscriptions: lines in, payloads out, and an end that is told.

use std::{sync::Arc, time::Duration};

use futures::StreamExt;
use tidings::upstash::{RedisError, RedisRest, Subscription};
use tokio::time::timeout;

use super::front::{Front, SOON, TOKEN, silent};

const CONFIRMED: &str = "data: subscribe,ch:a,1\n\n";

async fn next(messages: &mut Subscription) -> Option<Result<String, RedisError>> {
    timeout(SOON, messages.next()).await.expect("a message or the end comes")
}

async fn subscribe(front: &Front) -> Result<Subscription, RedisError> {
    front.client(&Arc::default()).subscribe("ch:a", SOON).await
}

#[tokio::test]
async fn payloads_come_in_order_with_their_commas_wherever_the_bytes_were_cut() {
    let parts = [
        "data: subscr",
        "ibe,ch:a,1\n\ndata: message,ch:a,{\"a\":1,\"b\":\"x, ä\"}\n",
        "\n: a comment\r\n\r\ndata: mess",
        "age,ch:a,second\r\n\r\ndata: message,ch:a,third\n",
    ];
    let front = Front::streaming(&parts, true).await;

    let mut messages = subscribe(&front).await.unwrap();

    for payload in ["{\"a\":1,\"b\":\"x, ä\"}", "second", "third"] {
        assert_eq!(next(&mut messages).await.unwrap().unwrap(), payload);
    }
}

#[tokio::test]
async fn a_channel_is_one_segment_of_the_path_under_the_token() {
    let front = Front::streaming(&[CONFIRMED], false).await;

    let _messages = front.client(&Arc::default()).subscribe("ch:a/b c?", SOON).await.unwrap();

    let asked = &front.asked()[0];
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", "/subscribe/ch:a%2Fb%20c%3F"));
    assert_eq!(asked.headers["accept"], "text/event-stream");
    assert_eq!(asked.headers["authorization"], format!("Bearer {TOKEN}"));
}

#[tokio::test]
async fn the_stream_ends_with_the_connection_and_half_a_line_is_not_told() {
    let parts = [CONFIRMED, "data: message,ch:a,whole\n\ndata: message,ch:a,ha"];
    let front = Front::streaming(&parts, false).await;

    let mut messages = subscribe(&front).await.unwrap();

    assert_eq!(next(&mut messages).await.unwrap().unwrap(), "whole");
    assert!(next(&mut messages).await.is_none());
}

#[tokio::test]
async fn silence_for_longer_than_asked_ends_the_stream_with_a_timeout() {
    let front = Front::streaming(&[CONFIRMED], true).await;
    let redis = front.client(&Arc::default());

    let mut messages = redis.subscribe("ch:a", Duration::from_millis(200)).await.unwrap();

    assert!(matches!(next(&mut messages).await, Some(Err(RedisError::Timeout))));
    assert!(next(&mut messages).await.is_none());
}

#[tokio::test]
async fn a_stream_outlives_the_time_limit_of_a_call() {
    let front = Front::streaming(&[CONFIRMED], true).await;
    let limit = Duration::from_millis(500);
    let redis = front.client(&Arc::default()).with_timeout(limit);

    let mut messages = redis.subscribe("ch:a", SOON).await.unwrap();

    assert!(timeout(limit * 2, messages.next()).await.is_err(), "it is still open");
}

#[tokio::test]
async fn what_is_not_confirmed_is_no_subscription() {
    let answers = ["", "data: message,ch:a,early\n\n", "{\"result\":1}\n", "data: {\"error\":\"ERR\"}\n\n"];
    for answer in answers {
        let front = Front::streaming(&[answer], false).await;

        let error = subscribe(&front).await.err().unwrap();

        assert_eq!(error.kind(), "garbled", "{answer}");
    }
}

#[tokio::test]
async fn a_refused_subscription_says_why() {
    let table = [
        (401, r#"{"error":"Unauthorized"}"#, "auth"),
        (400, r#"{"error":"ERR max daily request limit exceeded"}"#, "quota"),
        (404, "", "refused"),
    ];
    for (status, body, kind) in table {
        let front = Front::answering(status, body).await;

        assert_eq!(subscribe(&front).await.err().unwrap().kind(), kind);
    }
}

#[tokio::test]
async fn a_subscription_that_is_not_confirmed_in_time_is_a_timeout() {
    let (_listener, url) = silent();
    let redis = RedisRest::new(url, TOKEN.into(), Arc::default()).with_timeout(Duration::from_millis(200));

    let error = redis.subscribe("ch:a", SOON).await.err().unwrap();

    assert!(matches!(error, RedisError::Timeout), "{error:?}");
}
