//! `followChat` and `followStream` in pages that are not ours.

use rstest::rstest;
use serde_json::{Value, json};

use crate::{
    browser::client::{open_empty, wait_for_state},
    support::{Browser, Cutter, Host, On, Site},
};

const CHAT: &str = "/api/v1/streams/chat/c1/events";

/// Follows in the page, and keeps every event that comes, as its type and its data.
async fn follow(browser: &Browser, call: &str) {
    let script = format!(
        "Object.assign(window, {{ told: [], repeats: 0 }});
         const keep = {{
             heartbeatMs: 500,
             onEvent: (type, data) => type === 'heartbeat' || told.push([type, data]),
             onRepeat: () => (repeats += 1),
         }};
         import('/tidings.js').then(({{ followChat, followStream }}) => {{ window.following = {call}; }})"
    );
    browser.run(&script).await;
    wait_for_state(browser, "live").await;
}

/// The data of the events of a type, as they came.
async fn told(browser: &Browser, kind: &str) -> Vec<Value> {
    let script = format!("return told.filter(([type]) => type === '{kind}').map(([, data]) => data)");
    serde_json::from_value(browser.run(&script).await).unwrap()
}

async fn publish(server: &Site, path: &str, event: Value) {
    assert_eq!(server.post(path, &event).send().await.unwrap().status(), 202);
}

async fn publish_token(server: &Site, index: usize) {
    let data = json!({ "message_id": "answer-1", "index": index, "text": format!("<{index}>") });
    publish(server, CHAT, json!({ "type": "token", "data": data })).await;
}

#[rstest]
#[tokio::test]
async fn follow_chat_hands_over_an_answer_once_and_in_order_over_a_cut(
    #[values(On::Binary, On::Function)] on: On,
) {
    let server = Host::start(on, &[("HEARTBEAT_INTERVAL_MS", "500"), ("STATUS_INTERVAL_MS", "300")]).await;
    let cutter = Cutter::before(&server.url).await;
    let browser = Browser::start().await;
    open_empty(&browser, &cutter.url).await;
    let calls = "followChat({ caseId: 'c1', ...keep, onToken: ({ text }) => (window.text = (window.text ?? '') + text),
        onAgentJoined: () => (window.joined = true), onTyping: () => (window.typed = true),
        onAnswerDone: () => (window.done = true), onMessage: ({ content }) => (window.content = content) })";
    follow(&browser, calls).await;

    publish(&server, CHAT, json!({ "type": "agent_joined", "data": { "name": "Ada" } })).await;
    publish(&server, CHAT, json!({ "type": "typing", "data": { "name": "Ada" } })).await;
    for index in 0..3 {
        publish_token(&server, index).await;
    }
    browser.wait_until("window.text === '<0><1><2>'").await;
    cutter.cut();
    wait_for_state(&browser, "reconnecting").await;
    for index in 3..6 {
        publish_token(&server, index).await;
    }
    cutter.mend();
    wait_for_state(&browser, "live").await;
    publish_token(&server, 6).await;
    let whole: String = (0..7).map(|index| format!("<{index}>")).collect();
    if on == On::Function {
        // Between processes the store may be read before the log is, and the message ends its answer.
        browser.wait_until(&format!("window.text === '{whole}'")).await;
    }
    let message = json!({ "id": "answer-1", "content": whole, "role": "assistant" });
    assert_eq!(server.post("/api/v1/cases/c1/messages", &message).send().await.unwrap().status(), 201);
    publish(&server, CHAT, json!({ "type": "answer_done", "data": { "message_id": "answer-1" } })).await;
    browser.wait_until("window.done").await;
    // The store is read once more: its copy of the message is not handed over.
    browser
        .run(
            "const count = told.length; window.beats = 0; following.options.onHeartbeat = () => (beats += 1)",
        )
        .await;
    browser.wait_until("beats >= 3").await;

    let indices: Vec<_> = told(&browser, "token").await.iter().map(|token| token["index"].clone()).collect();
    assert_eq!(indices, (0..7).map(Value::from).collect::<Vec<_>>());
    assert_eq!(browser.run("return [text, content, joined, typed]").await, json!([whole, whole, true, true]));
    assert_eq!(told(&browser, "message").await.len(), 1);
    assert_eq!(told(&browser, "connected").await[1]["resumed"], true);
}

#[rstest]
#[tokio::test]
async fn follow_stream_hands_over_every_event_of_any_other_work_once_over_a_cut(
    #[values(On::Binary, On::Function)] on: On,
) {
    let server = Host::start(on, &[("HEARTBEAT_INTERVAL_MS", "500"), ("STREAM_KINDS", "transcode")]).await;
    let cutter = Cutter::before(&server.url).await;
    let browser = Browser::start().await;
    open_empty(&browser, &cutter.url).await;
    follow(&browser, "followStream({ kind: 'transcode', id: 'job-7', events: ['frame.done'], ...keep })")
        .await;
    let frame = |n: usize| json!({ "type": "frame.done", "data": { "n": n } });
    let path = "/api/v1/streams/transcode/job-7/events";

    for n in 0..3 {
        publish(&server, path, frame(n)).await;
    }
    publish(&server, path, json!({ "type": "not.asked.for" })).await;
    browser.wait_until("told.filter(([type]) => type === 'frame.done').length === 3").await;
    cutter.cut();
    wait_for_state(&browser, "reconnecting").await;
    for n in 3..5 {
        publish(&server, path, frame(n)).await;
    }
    cutter.mend();
    wait_for_state(&browser, "live").await;
    publish(&server, path, frame(5)).await;
    browser.wait_until("told.some(([, data]) => data.n === 5)").await;

    let frames: Vec<_> = told(&browser, "frame.done").await.iter().map(|frame| frame["n"].clone()).collect();
    assert_eq!(frames, (0..6).map(Value::from).collect::<Vec<_>>());
    assert!(told(&browser, "not.asked.for").await.is_empty());
    assert_eq!(told(&browser, "connected").await[0]["events"], json!([]));
}
