//! Tokens that end while a stream is followed.

use rstest::rstest;
use serde_json::{Value, json};

use super::{emit_steps, follow, open_empty, received, wait_for_received, wait_for_state};
use crate::support::{
    Browser, Host, On,
    tokens::{SECRET, claims, in_seconds, sign},
};

fn lasting(seconds: i64) -> String {
    sign(&json!({ "exp": in_seconds(seconds), "channels": ["doc_progress:demo", "chat:*"] }))
}

/// Viewers need a token; services need no key.
async fn server(on: On) -> Host {
    Host::start(on, &[("HEARTBEAT_INTERVAL_MS", "500"), ("AUTH_JWT_SECRET", SECRET)]).await
}

#[rstest]
#[tokio::test]
async fn a_token_is_renewed_before_it_ends_and_the_stream_goes_on(
    #[values(On::Binary, On::Function)] on: On,
) {
    let server = server(on).await;
    let browser = Browser::start().await;
    open_empty(&browser, &server.url).await;
    // Streams end 10 s before the token does: it is renewed earlier.
    follow(&browser, &json!({ "token": lasting(30), "tokenTtlSeconds": 30 })).await;
    wait_for_state(&browser, "live").await;
    let mut sent = emit_steps(&server, 2).await;

    browser.wait_until("tokens.length === 2").await;
    sent.extend(emit_steps(&server, 2).await);
    wait_for_received(&browser, 4).await;

    assert_eq!(received(&browser).await, sent);
    let renewed = browser.run("return tokens.at(-1)").await;
    assert_eq!(claims(renewed.as_str().unwrap())["channels"], json!(["doc_progress:demo", "chat:*"]));
    assert_eq!(browser.run("return states.filter((state) => state !== 'live')").await, json!(["connecting"]));
    assert_eq!(browser.run("return reasons").await, json!([]));
    assert_eq!(
        browser.run("return snapshots.slice(1).every(({ resumed, gap }) => resumed && !gap)").await,
        true
    );
}

#[rstest]
#[tokio::test]
async fn a_stream_that_ended_for_its_token_renews_it_and_goes_on(#[values(On::Binary, On::Function)] on: On) {
    let server = server(on).await;
    let browser = Browser::start().await;
    open_empty(&browser, &server.url).await;
    // So short that the server ends the stream at once.
    follow(&browser, &json!({ "token": lasting(9) })).await;

    browser.wait_until("tokens.length === 1 && following.state === 'live'").await;
    let sent = emit_steps(&server, 2).await;
    wait_for_received(&browser, 2).await;

    assert_eq!(received(&browser).await, sent);
}

#[rstest]
#[tokio::test]
async fn a_token_that_has_ended_is_said_unless_the_page_gets_another(
    #[values(On::Binary, On::Function)] on: On,
) {
    let server = server(on).await;
    let browser = Browser::start().await;
    open_empty(&browser, &server.url).await;

    follow(&browser, &json!({ "token": lasting(-60) })).await;
    wait_for_state(&browser, "closed").await;
    assert_eq!(browser.run("return problem.status").await, 401);

    let script = format!(
        "import('/tidings.js').then(({{ followDocuments }}) => {{
            window.other = followDocuments({{
                patientId: 'demo', token: '{}', renewToken: async (old) => (window.asked = old) && '{}',
            }});
         }})",
        lasting(-60),
        lasting(600)
    );
    browser.run(&script).await;
    browser.wait_until("window.other?.state === 'live'").await;
    let asked: Value = browser.run("return asked").await;
    assert!(asked.as_str().is_some_and(|token| token.contains('.')), "{asked}");
}
