//! Subscriptions as Server-Sent Events.

use std::time::Duration;

use reqwest::RequestBuilder;
use serde_json::json;
use tokio::time::{sleep, timeout};

use super::refused;
use crate::support::{Redis, RedisRest, viewer::PATIENCE};

/// A subscription, read as the official client reads it: lines that begin with `data: `.
struct Lines {
    answer: reqwest::Response,
    text: String,
}

impl Lines {
    async fn open(request: RequestBuilder) -> Self {
        let answer = request.header("Accept", "text/event-stream").send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("text/event-stream"));
        Self { answer, text: String::new() }
    }

    /// Reads the data of the next event; nothing at the end.
    async fn next(&mut self) -> Option<String> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let line = event.strip_prefix("data: ").expect("a line of data").to_owned();
                self.text = rest.to_owned();
                return Some(line);
            }
            let bytes = timeout(PATIENCE, self.answer.chunk()).await.expect("the stream is silent");
            self.text += std::str::from_utf8(&bytes.ok()??).unwrap();
        }
    }
}

#[tokio::test]
async fn a_channel_is_confirmed_and_then_tells_each_message() {
    let redis = Redis::start();
    let rest = RedisRest::before(&redis);

    for request in [rest.post("/subscribe/news:1", &json!([])), rest.get("/subscribe/news%3A1")] {
        let mut lines = Lines::open(request).await;
        assert_eq!(lines.next().await.unwrap(), "subscribe,news:1,1");
        for payload in ["{\"a\": [1, 2]}", "plain, with commas", "ä"] {
            rest.run(json!(["PUBLISH", "news:1", payload])).await;

            assert_eq!(lines.next().await.unwrap(), format!("message,news:1,{payload}"));
        }
    }
}

#[tokio::test]
async fn a_pattern_tells_the_channel_of_each_message() {
    let redis = Redis::start();
    let rest = RedisRest::before(&redis);
    let mut lines = Lines::open(rest.post("/psubscribe/news:*", &json!([]))).await;

    assert_eq!(lines.next().await.unwrap(), "psubscribe,news:*,1");
    rest.run(json!(["PUBLISH", "weather:1", "0"])).await;
    rest.run(json!(["PUBLISH", "news:7", "1"])).await;

    assert_eq!(lines.next().await.unwrap(), "pmessage,news:*,news:7,1");
}

#[tokio::test]
async fn several_channels_share_a_stream() {
    let redis = Redis::start();
    let rest = RedisRest::before(&redis);
    let mut lines = Lines::open(rest.get("/subscribe/a/b")).await;

    assert_eq!(lines.next().await.unwrap(), "subscribe,a,1");
    assert_eq!(lines.next().await.unwrap(), "subscribe,b,2");
    rest.run(json!(["PUBLISH", "b", "1"])).await;

    assert_eq!(lines.next().await.unwrap(), "message,b,1");
}

#[tokio::test]
async fn a_subscription_ends_in_redis_when_its_client_goes() {
    let redis = Redis::start();
    let rest = RedisRest::before(&redis);
    let mut lines = Lines::open(rest.get("/subscribe/news")).await;
    lines.next().await.unwrap();
    assert_eq!(rest.run(json!(["PUBSUB", "NUMSUB", "news"])).await, json!(["news", 1]));

    drop(lines);

    let unsubscribed = async {
        while rest.run(json!(["PUBSUB", "NUMSUB", "news"])).await != json!(["news", 0]) {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, unsubscribed).await.expect("the connection to Redis is closed");
}

#[tokio::test]
async fn a_subscription_ends_when_redis_goes_and_another_can_be_opened_when_it_is_back() {
    let mut redis = Redis::start();
    let rest = RedisRest::before(&redis);
    let mut lines = Lines::open(rest.get("/subscribe/news")).await;
    lines.next().await.unwrap();

    redis.crash();
    let end = lines.next().await;
    let (status, error) = refused(rest.get("/subscribe/news")).await;
    redis.start_again();

    assert_eq!(end, None);
    assert_eq!((status, &error[..]), (503, "ERR redis is not reachable"));
    let mut lines = Lines::open(rest.get("/subscribe/news")).await;
    assert_eq!(lines.next().await.unwrap(), "subscribe,news,1");
}

#[tokio::test]
async fn a_subscription_to_nothing_is_refused() {
    let redis = Redis::start();
    let rest = RedisRest::before(&redis);

    for path in ["/subscribe", "/subscribe/", "/psubscribe"] {
        assert_eq!(refused(rest.get(path)).await.0, 400, "{path}");
    }
}
