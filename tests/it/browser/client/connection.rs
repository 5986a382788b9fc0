//! Connections that die, and answers that are no stream.

use rstest::rstest;
use serde_json::json;

use super::{
    BEATS, emit_steps, follow, follow_here, open_empty, received, wait_for_received, wait_for_state,
};
use crate::support::{
    Browser, Cutter, Host, On,
    documents::{STAGES, emit},
    tokens::{KEYS, viewer},
};

#[rstest]
#[tokio::test]
async fn connections_that_die_without_a_word_are_noticed_and_replaced(
    #[values(On::Binary, On::Function)] on: On,
) {
    let server = Host::start(on, &BEATS).await;
    let cutter = Cutter::before(&server.url).await;
    let browser = Browser::start().await;
    follow_here(&browser, &cutter.url, json!({})).await;
    let mut sent = vec![emit(&server, "demo", "d1", STAGES[0]).await["event_id"].clone()];
    wait_for_received(&browser, 1).await;

    cutter.stall();
    wait_for_state(&browser, "reconnecting").await;
    for stage in &STAGES[1..] {
        sent.push(emit(&server, "demo", "d1", stage).await["event_id"].clone());
    }
    cutter.mend();
    wait_for_state(&browser, "closed").await;

    assert_eq!(browser.run("return received").await, json!(sent));
    let states = browser.run("return states").await;
    assert_eq!(states, json!(["connecting", "live", "stalled", "reconnecting", "live", "closed"]));
    assert_eq!(browser.run("return reasons").await, json!(["done"]));
}

#[rstest]
#[tokio::test]
async fn every_cut_is_followed_by_the_rest_once_and_in_order(#[values(On::Binary, On::Function)] on: On) {
    let server = Host::start(on, &BEATS).await;
    let cutter = Cutter::before(&server.url).await;
    let browser = Browser::start().await;
    follow_here(&browser, &cutter.url, json!({})).await;

    let mut sent = Vec::new();
    for _ in 0..3 {
        sent.extend(emit_steps(&server, 5).await);
        cutter.cut();
        sent.extend(emit_steps(&server, 5).await);
        cutter.mend();
        wait_for_received(&browser, sent.len()).await;
        wait_for_state(&browser, "live").await;
    }

    assert_eq!(received(&browser).await, sent);
}

#[rstest]
#[tokio::test]
async fn the_page_itself_can_cut_and_comes_back_with_its_cursor(#[values(On::Binary, On::Function)] on: On) {
    let server = Host::start(on, &BEATS).await;
    let browser = Browser::start().await;
    follow_here(&browser, &server.url, json!({})).await;
    let mut sent = emit_steps(&server, 2).await;
    wait_for_received(&browser, 2).await;

    browser.run("following.reconnect(1500)").await;
    assert_eq!(browser.run("return following.state").await, "reconnecting");
    sent.extend(emit_steps(&server, 3).await);
    wait_for_state(&browser, "live").await;
    wait_for_received(&browser, 5).await;

    assert_eq!(received(&browser).await, sent);
    assert_eq!(browser.run("return snapshots.at(-1).resumed").await, true);
    assert_eq!(browser.run("return reasons").await, json!(["cut"]));
}

#[rstest]
#[tokio::test]
async fn a_refusal_ends_the_stream_with_words_for_the_page(#[values(On::Binary, On::Function)] on: On) {
    let server = Host::start(on, &KEYS).await;
    let browser = Browser::start().await;
    open_empty(&browser, &server.url).await;
    let stranger = viewer(&["doc_progress:other"]);

    for (options, status) in [
        (json!({}), 401),
        (json!({ "token": stranger }), 403),
        (json!({ "token": stranger, "baseUrl": "/nowhere" }), 404),
    ] {
        follow(&browser, &options).await;
        wait_for_state(&browser, "closed").await;

        assert_eq!(browser.run("return problem.status").await, status);
        assert!(browser.run("return problem.title").await.as_str().is_some_and(|title| !title.is_empty()));
        assert_eq!(browser.run("return reasons").await, json!(["refused"]));
    }
}

#[rstest]
#[tokio::test]
async fn an_answer_that_is_no_stream_is_named_and_asked_for_again(
    #[values(On::Binary, On::Function)] on: On,
) {
    let server = Host::start(on, &BEATS).await;
    let browser = Browser::start().await;
    open_empty(&browser, &server.url).await;

    // What stands before a server may answer a page of its own: here a query ends the path too early.
    follow(&browser, &json!({ "baseUrl": "/tidings.d.ts?" })).await;
    browser.wait_until("window.problem").await;

    assert_eq!(browser.run("return problem.title").await, "The answer is not a stream");
    let detail = browser.run("return problem.detail").await;
    assert!(detail.as_str().unwrap().contains("text/plain"), "{detail}");
    browser.run("following.baseUrl = ''").await;
    wait_for_state(&browser, "live").await;
}

#[rstest]
#[tokio::test]
async fn a_stream_that_is_over_is_not_asked_for_again(#[values(On::Binary, On::Function)] on: On) {
    let server = Host::start(on, &BEATS).await;
    let browser = Browser::start().await;
    follow_here(&browser, &server.url, json!({})).await;
    for stage in STAGES {
        emit(&server, "demo", "d1", stage).await;
    }
    wait_for_state(&browser, "closed").await;
    let cursor = browser.run("return following.lastEventId").await;

    follow(&browser, &json!({ "lastEventId": cursor })).await;
    wait_for_state(&browser, "closed").await;

    assert_eq!(browser.run("return reasons").await, json!(["finished"]));
    assert_eq!(browser.run("return types").await, json!([]));
}

#[rstest]
#[tokio::test]
async fn documents_and_types_can_be_chosen(#[values(On::Binary, On::Function)] on: On) {
    let server = Host::start(on, &BEATS).await;
    let browser = Browser::start().await;
    follow_here(
        &browser,
        &server.url,
        json!({ "documentIds": ["d1", "d2"], "events": ["progress"], "follow": true }),
    )
    .await;

    emit(&server, "demo", "d3", STAGES[1]).await;
    let mut sent = Vec::new();
    for document in ["d1", "d2"] {
        for stage in STAGES {
            sent.push(emit(&server, "demo", document, stage).await["event_id"].clone());
        }
    }
    wait_for_received(&browser, 12).await;
    browser.wait_until("types.includes('done')").await;

    assert_eq!(browser.run("return received").await, json!(sent));
    assert_eq!(browser.run("return types.includes('document_update')").await, false);
    // With `follow` the stream stays behind `done`.
    sent.push(emit(&server, "demo", "d1", STAGES[0]).await["event_id"].clone());
    wait_for_received(&browser, 13).await;
    assert_eq!(browser.run("return following.state").await, "live");
}
