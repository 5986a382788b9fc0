//! The client of QStash against a server that answers as a test says.

use std::time::Duration;

use tidings::upstash::{Message, QStash, QStashError};

use super::front::silent;
use crate::support::queue::{Destination, Scripted};

const TOKEN: &str = "token-of-the-tests";
const SECRET: &str = "signed-link-of-the-tests";

fn message() -> Message {
    Message::json("https://ocr.example.org/read?language=de", format!(r#"{{"file_url":"{SECRET}"}}"#))
        .with_callback("https://app.example.org/c?document_id=d1&attempt=1")
        .with_failure_callback("https://app.example.org/f")
        .with_deduplication_id("d1.1")
        .with_retries(2)
        .with_timeout(Duration::from_secs(90))
        .with_forward("X-Own", "1")
}

async fn refusal(status: u16, headers: &'static [(&str, &str)], body: &str) -> (QStashError, usize) {
    let answer: Scripted = (status, headers, body.into());
    let mut server = Destination::answering(vec![answer]).await;
    let client = QStash::new(server.url.parse().unwrap(), TOKEN.into());
    let error = client.publish(&message()).await.unwrap_err();
    (error, server.waiting())
}

#[tokio::test]
async fn a_message_is_written_as_documented() {
    let answer = (202, &[][..], r#"{"messageId":"msg_7","deduplicated":true}"#.to_owned());
    let mut server = Destination::answering(vec![answer]).await;
    let client = QStash::new(server.url.parse().unwrap(), TOKEN.into());

    let published = client.publish(&message()).await.unwrap();
    let sent = server.next().await;

    assert_eq!((published.message_id.as_str(), published.is_repeat), ("msg_7", true));
    assert_eq!(sent.path, "/v2/publish/https://ocr.example.org/read?language=de");
    for (name, value) in [
        ("authorization", "Bearer token-of-the-tests"),
        ("content-type", "application/json"),
        ("upstash-callback", "https://app.example.org/c?document_id=d1&attempt=1"),
        ("upstash-failure-callback", "https://app.example.org/f"),
        ("upstash-deduplication-id", "d1.1"),
        ("upstash-retries", "2"),
        ("upstash-timeout", "90s"),
        ("upstash-forward-x-own", "1"),
    ] {
        assert_eq!(sent.header(name), value, "{name}");
    }
}

#[tokio::test]
async fn refusals_are_told_apart_and_say_nothing_secret() {
    for (status, headers, body, kind, is_transient) in [
        (401, &[][..], r#"{"error":"unauthorized token-of-the-tests"}"#, "auth", false),
        (
            400,
            &[],
            r#"{"error":"invalid destination https://x.example/signed-link-of-the-tests"}"#,
            "refused",
            false,
        ),
        (429, &[("retry-after", "3")], r#"{"error":"burst rate limit"}"#, "throttled", true),
        (503, &[], "away", "unavailable", true),
        (307, &[("location", "http://127.0.0.1:9/")], "", "refused", false),
        (200, &[], "<html>", "garbled", true),
    ] {
        let (error, requests) = refusal(status, headers, body).await;

        assert_eq!((error.kind(), error.is_transient(), requests), (kind, is_transient, 1), "{status}");
        let words = format!("{error} {error:?}");
        assert!(!words.contains(TOKEN) && !words.contains(SECRET), "{words}");
    }
    let (error, _) = refusal(429, &[("retry-after", "3")], "{}").await;
    assert_eq!(error.back_off(), Some(Duration::from_secs(3)));
}

#[tokio::test]
async fn silence_and_absence_are_transient() {
    let (_listener, silent) = silent();
    let hasty = QStash::new(silent, TOKEN.into()).with_timeout(Duration::from_millis(50));
    let absent = QStash::new("http://user:pass@127.0.0.1:9/?a=b".parse().unwrap(), TOKEN.into());

    let timeout = hasty.publish(&message()).await.unwrap_err();
    let refused = absent.publish(&message()).await.unwrap_err();

    assert_eq!((timeout.kind(), timeout.is_transient()), ("timeout", true));
    assert_eq!((refused.kind(), refused.is_transient()), ("transport", true));
    for words in [format!("{refused:?}"), format!("{absent:?} {:?}", message())] {
        assert!(!words.contains("pass") && !words.contains(TOKEN) && !words.contains(SECRET), "{words}");
    }
}
