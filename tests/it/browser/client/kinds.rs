//! Other kinds than documents: a case's chat, and any other work.

use rstest::rstest;
use serde_json::{Value, json};

use super::{BEATS, open_empty};
use crate::support::{Browser, Host, On, Site};

/// Follows with a function of the module and keeps what comes, as `[type, data]`.
async fn follow_with(browser: &Browser, function: &str, options: Value) {
    let script = format!(
        "window.told = [];
         import('/tidings.js').then((client) => {{
             window.following = client.{function}({{
                 ...{options}, heartbeatMs: 500,
                 onEvent: (type, data) => type === 'heartbeat' || told.push([type, data]),
                 onMessage: ({{ content }}) => (window.message = content),
                 onToken: ({{ text }}) => (window.text = (window.text ?? '') + text),
             }});
         }});"
    );
    browser.run(&script).await;
    browser.wait_until("window.following?.state === 'live'").await;
}

async fn publish(server: &Site, path: &str, body: Value) {
    assert!(server.post(path, &body).send().await.unwrap().status().is_success(), "{path} {body}");
}

#[rstest]
#[tokio::test]
async fn a_chat_is_followed_over_a_cut_and_each_message_comes_once(
    #[values(On::Binary, On::Function)] on: On,
) {
    let server = Host::start(on, &BEATS).await;
    let browser = Browser::start().await;
    open_empty(&browser, &server.url).await;
    follow_with(&browser, "followChat", json!({ "caseId": "c1" })).await;

    publish(&server, "/api/v1/cases/c1/messages", json!({ "id": "m1", "content": "Is my scan enough?" }))
        .await;
    browser.wait_until("window.message === 'Is my scan enough?'").await;
    browser.run("following.reconnect(300)").await;
    let token = |index: u32, text: &str| json!({ "type": "token", "data": { "message_id": "answer-1", "index": index, "text": text } });
    publish(&server, "/api/v1/streams/chat/c1/events", token(0, "It ")).await;
    publish(&server, "/api/v1/streams/chat/c1/events", token(1, "is.")).await;
    browser.wait_until("window.text === 'It is.'").await;
    publish(&server, "/api/v1/cases/c1/messages", json!({ "id": "m2", "content": "Thank you" })).await;
    browser.wait_until("window.message === 'Thank you'").await;

    let messages =
        browser.run("return told.filter(([type]) => type === 'message').map(([, { id }]) => id)").await;
    assert_eq!(messages, json!(["m1", "m2"]));
    assert_eq!(browser.run("return following.state").await, "live", "a chat has no end");
}

#[rstest]
#[tokio::test]
async fn any_other_work_is_followed_by_its_own_types(#[values(On::Binary, On::Function)] on: On) {
    let server = Host::start(on, &[BEATS[0], ("STREAM_KINDS", "transcode")]).await;
    let browser = Browser::start().await;
    open_empty(&browser, &server.url).await;
    let options = json!({ "kind": "transcode", "id": "job-7", "events": ["frame.done", "ended"] });
    follow_with(&browser, "followStream", options).await;

    let path = "/api/v1/streams/transcode/job-7/events";
    for n in 1..=3 {
        publish(&server, path, json!({ "type": "frame.done", "data": { "n": n } })).await;
        if n == 2 {
            browser.wait_until("told.filter(([type]) => type === 'frame.done').length === 2").await;
            browser.run("following.reconnect(300)").await;
        }
    }
    publish(&server, path, json!({ "type": "of_no_interest", "data": {} })).await;
    publish(&server, path, json!({ "type": "ended", "data": { "frames": 3 } })).await;
    browser.wait_until("told.at(-1)[0] === 'ended'").await;

    let told = browser.run("return told.filter(([type]) => type !== 'connected')").await;
    let frame = |n: u32| json!(["frame.done", { "n": n }]);
    assert_eq!(told, json!([frame(1), frame(2), frame(3), ["ended", { "frames": 3 }]]));
}
