//! Redis killed in mid-conversation.

use rstest::rstest;
use serde_json::json;

use super::{
    go_to, kept, open_talk, open_talk_in_tab, said, say, upload, wait_for_answers, wait_for_message,
    wait_for_talk,
};
use crate::support::{Browser, Database, Host, On, Redis, RedisRest, Site};

async fn say_as_service(server: &Site, words: &str) {
    let message = json!({ "content": words, "role": "agent" });
    assert_eq!(server.post("/api/v1/cases/demo/messages", &message).send().await.unwrap().status(), 201);
}

#[rstest]
#[tokio::test]
async fn with_redis_killed_every_stored_message_arrives_once_in_both_tabs(
    #[values(On::Binary, On::Function)] on: On,
) {
    let (mut redis, database) = (Redis::start(), Database::new().await);
    let front = RedisRest::with_token(&redis, "t");
    let server = Host::start(
        on,
        &[
            ("UPSTASH_REDIS_REST_URL", &front.url),
            ("UPSTASH_REDIS_REST_TOKEN", "t"),
            ("DATABASE_URL", &database.url),
            ("STATUS_INTERVAL_MS", "500"),
        ],
    )
    .await;
    let browser = Browser::start().await;
    let first = open_talk(&browser, &server.url).await;
    upload(&browser).await;
    let second = open_talk_in_tab(&browser, &server.url).await;
    say(&browser, "What does my discharge summary say?").await;
    wait_for_answers(&browser, "writing", 1).await;

    redis.crash();
    browser.wait_until("document.getElementById('chat-notice').innerText.includes('None is lost')").await;
    wait_for_talk(&browser, "live").await;
    browser.picture("chat-redis-down").await;
    wait_for_answers(&browser, "stored", 1).await;
    say_as_service(&server, "one while it is down").await;
    wait_for_message(&browser, "one while it is down").await;
    go_to(&browser, &first).await;
    say(&browser, "two while it is down").await;
    wait_for_answers(&browser, "stored", 2).await;
    redis.start_again();
    browser.wait_until("document.getElementById('chat-notice').hidden").await;
    say_as_service(&server, "three after it").await;

    let mut shown = Vec::new();
    for tab in [&first, &second] {
        go_to(&browser, tab).await;
        wait_for_message(&browser, "three after it").await;
        shown.push(said(&browser).await);
    }
    let kept = kept(&server).await;
    assert_eq!(kept.len(), 6, "{kept:?}");
    assert_eq!(shown, [kept.clone(), kept]);
}
