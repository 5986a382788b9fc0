//! Tabs that are hidden, frozen or kept for later, and servers that go away meanwhile.

use rstest::rstest;
use serde_json::json;

use super::{BEATS, emit_steps, follow_here, go_to, new_tab, received, wait_for_received, wait_for_state};
use crate::support::{Browser, Host, On};

#[rstest]
#[tokio::test]
async fn a_page_taken_back_from_the_cache_has_missed_nothing(#[values(On::Binary, On::Function)] on: On) {
    let server = Host::start(on, &BEATS).await;
    let browser = Browser::start().await;
    follow_here(&browser, &server.url, json!({ "follow": true })).await;
    let mut sent = emit_steps(&server, 3).await;
    wait_for_received(&browser, 3).await;
    browser.run("addEventListener('pageshow', ({ persisted }) => (window.wasKept = persisted))").await;

    browser.open(&format!("{}/healthz", server.url)).await;
    sent.extend(emit_steps(&server, 3).await);
    browser.driver.back().await.unwrap();
    wait_for_received(&browser, 6).await;

    assert_eq!(
        browser.run("return window.wasKept").await,
        true,
        "the module keeps the page out of the cache"
    );
    assert_eq!(received(&browser).await, sent);
    wait_for_state(&browser, "live").await;
}

#[rstest]
#[tokio::test]
async fn a_page_taken_back_meets_another_tab_that_has_led_meanwhile(
    #[values(On::Binary, On::Function)] on: On,
) {
    let server = Host::start(on, &BEATS).await;
    let browser = Browser::start().await;
    follow_here(&browser, &server.url, json!({ "follow": true })).await;
    let first = browser.driver.window().await.unwrap();
    let mut sent = emit_steps(&server, 3).await;
    wait_for_received(&browser, 3).await;

    browser.open(&format!("{}/healthz", server.url)).await;
    sent.extend(emit_steps(&server, 3).await);
    let second = new_tab(&browser).await;
    follow_here(&browser, &server.url, json!({ "follow": true })).await;
    assert_eq!(browser.run("return following.leads").await, true);
    sent.extend(emit_steps(&server, 2).await);
    wait_for_received(&browser, 2).await;
    go_to(&browser, &first).await;
    browser.driver.back().await.unwrap();
    wait_for_received(&browser, 8).await;
    sent.extend(emit_steps(&server, 2).await);
    wait_for_received(&browser, 10).await;

    assert_eq!(received(&browser).await, sent);
    browser.wait_until("!following.connection && following.state === 'live'").await;
    go_to(&browser, &second).await;
    wait_for_received(&browser, 4).await;
    let second = received(&browser).await;
    match on {
        On::Binary => assert_eq!(second, sent[6..]),
        // What was not yet in the log when this tab came is told to it as well.
        On::Function => assert!(second.len() <= 7 && sent.ends_with(&second), "{second:?} of {sent:?}"),
    }
}

#[rstest]
#[tokio::test]
async fn a_frozen_leader_hands_over_and_comes_back_as_a_follower(#[values(On::Binary, On::Function)] on: On) {
    let server = Host::start(on, &BEATS).await;
    let browser = Browser::start().await;
    follow_here(&browser, &server.url, json!({ "follow": true })).await;
    let first = browser.driver.window().await.unwrap();
    let second = new_tab(&browser).await;
    follow_here(&browser, &server.url, json!({ "follow": true })).await;
    let mut sent = emit_steps(&server, 3).await;

    go_to(&browser, &first).await;
    wait_for_received(&browser, 3).await;
    browser.freeze(true).await;
    go_to(&browser, &second).await;
    browser.wait_until("following.leads").await;
    sent.extend(emit_steps(&server, 4).await);
    wait_for_received(&browser, 7).await;
    go_to(&browser, &first).await;
    browser.freeze(false).await;
    wait_for_received(&browser, 7).await;

    assert_eq!(received(&browser).await, sent);
    wait_for_state(&browser, "live").await;
    assert_eq!(browser.run("return following.leads").await, false);
    go_to(&browser, &second).await;
    assert_eq!(received(&browser).await, sent);
}

#[rstest]
#[tokio::test]
async fn the_lead_is_taken_from_a_tab_that_says_nothing_any_more(#[values(On::Binary, On::Function)] on: On) {
    let server = Host::start(on, &BEATS).await;
    let browser = Browser::start().await;
    follow_here(&browser, &server.url, json!({ "follow": true })).await;
    let first = browser.driver.window().await.unwrap();
    let second = new_tab(&browser).await;
    follow_here(&browser, &server.url, json!({ "follow": true })).await;
    let mut sent = emit_steps(&server, 3).await;
    wait_for_received(&browser, 3).await;

    // No event tells of it: its scripts get no turn until two heartbeats and more have gone by unheard.
    go_to(&browser, &first).await;
    let block = "setTimeout(() => { const end = Date.now() + 10_000; while (Date.now() < end); }, 200)";
    browser.run(block).await;
    go_to(&browser, &second).await;
    browser.wait_until("following.leads && following.state === 'live'").await;
    sent.extend(emit_steps(&server, 3).await);
    wait_for_received(&browser, 6).await;

    assert_eq!(received(&browser).await, sent);
    assert_eq!(browser.run("return states.includes('stalled')").await, true);
    go_to(&browser, &first).await;
    wait_for_received(&browser, 6).await;
    browser.wait_until("!following.leads && following.state === 'live'").await;
    assert_eq!(received(&browser).await, sent);
}

#[rstest]
#[tokio::test]
async fn a_network_that_comes_back_is_used_at_once(#[values(On::Binary, On::Function)] on: On) {
    let server = Host::start(on, &[]).await;
    let browser = Browser::start().await;
    follow_here(&browser, &server.url, json!({ "follow": true })).await;
    browser.run("following.reconnect(3600_000)").await;
    let sent = emit_steps(&server, 2).await;

    browser.run("dispatchEvent(new Event('online'))").await;
    wait_for_received(&browser, 2).await;

    assert_eq!(received(&browser).await, sent);
}

#[rstest]
#[tokio::test]
async fn tabs_outlive_a_restart_of_the_server(#[values(On::Binary, On::Function)] on: On) {
    let mut server = Host::start_to_return(on, &BEATS).await;
    let browser = Browser::start().await;
    follow_here(&browser, &server.url, json!({ "follow": true })).await;
    let first = browser.driver.window().await.unwrap();
    let second = new_tab(&browser).await;
    follow_here(&browser, &server.url, json!({ "follow": true })).await;

    server.crash();
    wait_for_state(&browser, "reconnecting").await;
    server.start_again(&[]).await;

    for tab in [&first, &second] {
        go_to(&browser, tab).await;
        wait_for_state(&browser, "live").await;
        browser.run("received.length = 0").await;
    }
    let sent = emit_steps(&server, 3).await;
    for tab in [&first, &second] {
        go_to(&browser, tab).await;
        wait_for_received(&browser, 3).await;
        assert_eq!(received(&browser).await, sent);
    }
}
