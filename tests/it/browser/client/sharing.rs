//! One connection for all tabs that follow the same.

use std::time::{Duration, Instant};

use rstest::rstest;
use serde_json::json;
use thirtyfour::WindowHandle;

use super::{
    BEATS, emit_steps, follow, follow_here, go_to, new_tab, open_empty, received, wait_for_received,
    wait_for_state,
};
use crate::support::{
    Browser, Cutter, Host, On,
    documents::{STAGES, confirm, emit, put},
    tokens::{SECRET, viewer},
    viewer::PATIENCE,
};

/// Opens so many tabs that follow the same, all live.
async fn follow_in_tabs(browser: &Browser, url: &str, count: usize) -> Vec<WindowHandle> {
    let mut tabs = Vec::new();
    for _ in 0..count {
        tabs.push(follow_in_new_tab(browser, url).await);
    }
    tabs
}

async fn follow_in_new_tab(browser: &Browser, url: &str) -> WindowHandle {
    let tab = new_tab(browser).await;
    follow_here(browser, url, json!({ "follow": true })).await;
    tab
}

/// Which of the tabs have a connection.
async fn leaders(browser: &Browser, tabs: &[WindowHandle]) -> Vec<usize> {
    let mut leaders = Vec::new();
    for (index, tab) in tabs.iter().enumerate() {
        go_to(browser, tab).await;
        if browser.run("return Boolean(following.connection)").await == json!(true) {
            leaders.push(index);
        }
    }
    leaders
}

/// Makes sure that so many streams are open. Only by its next beats a function notices that one was left.
async fn assert_streams(server: &Host, on: On, count: u64) {
    let begun = Instant::now();
    let patience = if on == On::Function { PATIENCE } else { Duration::ZERO };
    loop {
        let open = server.metric("tidings_streams_open").await;
        if open == count {
            return;
        }
        assert!(begun.elapsed() < patience, "{open} streams are open");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[rstest]
#[tokio::test]
async fn seven_tabs_on_one_host_are_all_live_over_one_connection(#[values(On::Binary, On::Function)] on: On) {
    let server = Host::start(on, &BEATS).await;
    let browser = Browser::start().await;
    let tabs = follow_in_tabs(&browser, &server.url, 7).await;

    let sent = emit_steps(&server, 20).await;

    for tab in &tabs {
        go_to(&browser, tab).await;
        wait_for_received(&browser, 20).await;
        assert_eq!(received(&browser).await, sent);
        assert_eq!(browser.run("return following.state").await, "live");
        // Other requests find a connection too: a browser has six for a host.
        let script = "window.answered = false; fetch('/healthz').then(() => (window.answered = true))";
        browser.run(script).await;
        browser.wait_until("window.answered").await;
    }
    assert_eq!(leaders(&browser, &tabs).await, [0]);
    assert_streams(&server, on, 1).await;
}

#[rstest]
#[tokio::test]
async fn without_sharing_a_browser_has_six_connections_and_no_more(
    #[values(On::Binary, On::Function)] on: On,
) {
    let server = Host::start(on, &BEATS).await;
    let browser = Browser::start().await;
    open_empty(&browser, &server.url).await;

    let script = "import('/tidings.js').then(({ followDocuments }) => {
        window.all = Array.from({ length: 7 }, () => followDocuments({ patientId: 'demo', share: false }));
    })";
    browser.run(script).await;
    browser.wait_until("window.all?.filter(({ state }) => state === 'live').length === 6").await;

    assert_streams(&server, on, 6).await;
    browser.run("all.find(({ state }) => state === 'live').close()").await;
    browser.wait_until("all.filter(({ state }) => state === 'live').length === 6").await;
}

#[rstest]
#[tokio::test]
async fn a_leader_closed_in_mid_stream_loses_nothing_and_doubles_nothing(
    #[values(On::Binary, On::Function)] on: On,
) {
    let server = Host::start(on, &BEATS).await;
    let browser = Browser::start().await;
    let mut tabs = follow_in_tabs(&browser, &server.url, 4).await;
    let last = tabs.last().unwrap().clone();
    let mut sent = Vec::new();

    // Closed at once behind an event, in between, and with events under way.
    for pause in [0, 30, 200] {
        sent.extend(emit_steps(&server, 7).await);
        go_to(&browser, &tabs[0]).await;
        let under_way = {
            let (http, url) = (server.http.clone(), server.url.clone());
            tokio::spawn(async move {
                let mut ids = Vec::new();
                for _ in 0..25 {
                    let body = json!({ "patient_id": "demo", "document_id": "d1", "stage": "ocr_started" });
                    let answer =
                        http.post(format!("{url}/api/v1/progress")).json(&body).send().await.unwrap();
                    let answer: serde_json::Value = answer.json().await.unwrap();
                    ids.push(answer["event_id"].as_str().unwrap().to_owned());
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                ids
            })
        };
        tokio::time::sleep(Duration::from_millis(pause)).await;
        browser.driver.close_window().await.unwrap();
        tabs.remove(0);
        sent.extend(under_way.await.unwrap());
        go_to(&browser, &last).await;
        wait_for_received(&browser, sent.len()).await;
    }

    assert_eq!(tabs.len(), 1);
    assert_eq!(received(&browser).await, sent);
    assert_eq!(leaders(&browser, &tabs).await, [0]);
    assert_eq!(browser.run("return states.includes('closed')").await, false);
}

#[rstest]
#[tokio::test]
async fn a_leader_whose_tab_crashes_is_replaced(#[values(On::Binary, On::Function)] on: On) {
    let server = Host::start(on, &BEATS).await;
    let browser = Browser::start().await;
    let tabs = follow_in_tabs(&browser, &server.url, 2).await;
    let mut sent = emit_steps(&server, 5).await;

    go_to(&browser, &tabs[0]).await;
    browser.crash_tab().await;
    sent.extend(emit_steps(&server, 5).await);
    go_to(&browser, &tabs[1]).await;
    wait_for_received(&browser, 10).await;

    assert_eq!(received(&browser).await, sent);
    assert_eq!(browser.run("return following.leads").await, true);
}

#[rstest]
#[tokio::test]
async fn all_that_stay_go_on_where_they_were_when_the_leader_leaves(
    #[values(On::Binary, On::Function)] on: On,
) {
    let server = Host::start(on, &BEATS).await;
    let browser = Browser::start().await;
    let tabs = follow_in_tabs(&browser, &server.url, 5).await;
    let mut sent = emit_steps(&server, 5).await;

    go_to(&browser, &tabs[0]).await;
    browser.open("about:blank").await;
    sent.extend(emit_steps(&server, 5).await);
    go_to(&browser, &tabs[1]).await;
    browser.run("following.close()").await;
    sent.extend(emit_steps(&server, 5).await);

    for tab in &tabs[2..] {
        go_to(&browser, tab).await;
        wait_for_received(&browser, 15).await;
        assert_eq!(received(&browser).await, sent);
        wait_for_state(&browser, "live").await;
    }
    assert_eq!(leaders(&browser, &tabs[2..]).await.len(), 1);
}

#[rstest]
#[tokio::test]
async fn who_comes_late_gets_the_snapshot_and_what_followed(#[values(On::Binary, On::Function)] on: On) {
    let server = Host::start(on, &BEATS).await;
    let browser = Browser::start().await;
    let first = follow_in_new_tab(&browser, &server.url).await;
    let document = put(&server, "demo", "lab_report.pdf").await;
    confirm(&server, &document).await;
    browser.wait_until("types.includes('done')").await;
    let later = emit(&server, "demo", "d2", STAGES[1]).await["event_id"].clone();
    browser.wait_until("received.length === 7").await;
    let told = received(&browser).await;

    follow_in_new_tab(&browser, &server.url).await;
    wait_for_received(&browser, 7).await;

    assert_eq!(received(&browser).await, told);
    assert_eq!(told.last().map(String::as_str), later.as_str());
    assert_eq!(browser.run("return types[0]").await, "connected");
    assert_eq!(browser.run("return snapshots.length").await, 1);
    assert_eq!(browser.run("return following.leads").await, false);
    assert_streams(&server, on, 1).await;
    go_to(&browser, &first).await;
    assert_eq!(browser.run("return snapshots.length").await, 1);
}

#[rstest]
#[tokio::test]
async fn a_cursor_that_no_tab_knows_is_caught_up_with_over_a_stream_of_its_own(
    #[values(On::Binary, On::Function)] on: On,
) {
    let server = Host::start(on, &BEATS).await;
    let mut sent = emit_steps(&server, 6).await;
    let browser = Browser::start().await;
    let leading = follow_in_new_tab(&browser, &server.url).await;
    new_tab(&browser).await;
    open_empty(&browser, &server.url).await;

    follow(&browser, &json!({ "follow": true, "lastEventId": "earliest" })).await;
    wait_for_received(&browser, 6).await;
    assert_eq!(received(&browser).await, sent);
    browser.wait_until("!following.connection && following.state === 'live'").await;

    sent.extend(emit_steps(&server, 3).await);
    wait_for_received(&browser, 9).await;
    assert_eq!(received(&browser).await, sent);
    assert_streams(&server, on, 1).await;
    go_to(&browser, &leading).await;
    wait_for_received(&browser, 3).await;
    assert_eq!(received(&browser).await, sent[6..]);
}

#[rstest]
#[tokio::test]
async fn a_cut_is_seen_by_all_tabs_and_loses_nothing_in_any(#[values(On::Binary, On::Function)] on: On) {
    let server = Host::start(on, &BEATS).await;
    let cutter = Cutter::before(&server.url).await;
    let browser = Browser::start().await;
    let tabs = follow_in_tabs(&browser, &cutter.url, 3).await;
    let mut sent = emit_steps(&server, 4).await;

    cutter.cut();
    for tab in &tabs {
        go_to(&browser, tab).await;
        wait_for_state(&browser, "reconnecting").await;
    }
    sent.extend(emit_steps(&server, 4).await);
    // Longer than tabs wait for a leader that says nothing.
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(leaders(&browser, &tabs).await, [0]);
    cutter.mend();

    for tab in &tabs {
        go_to(&browser, tab).await;
        wait_for_received(&browser, 8).await;
        wait_for_state(&browser, "live").await;
        assert_eq!(received(&browser).await, sent);
    }
}

#[rstest]
#[tokio::test]
async fn a_browser_without_locks_or_channels_opens_a_stream_in_each_tab(
    #[values(On::Binary, On::Function)] on: On,
) {
    let server = Host::start(on, &BEATS).await;
    let browser = Browser::start().await;

    for missing in [
        "Object.defineProperty(Navigator.prototype, 'locks', { value: undefined })",
        "delete window.BroadcastChannel",
    ] {
        open_empty(&browser, &server.url).await;
        browser.run(missing).await;
        follow(&browser, &json!({ "follow": true })).await;
        wait_for_state(&browser, "live").await;
        let sent = emit_steps(&server, 2).await;
        wait_for_received(&browser, 2).await;
        assert_eq!(received(&browser).await, sent);
        assert_eq!(
            browser.run("return [following.leads, Boolean(following.tabs)]").await,
            json!([true, false])
        );
    }
}

#[rstest]
#[tokio::test]
async fn a_tab_that_is_refused_leaves_the_lead_to_one_that_is_not(
    #[values(On::Binary, On::Function)] on: On,
) {
    let server = Host::start(on, &[("HEARTBEAT_INTERVAL_MS", "500"), ("AUTH_JWT_SECRET", SECRET)]).await;
    let browser = Browser::start().await;
    open_empty(&browser, &server.url).await;
    follow(&browser, &json!({})).await;
    wait_for_state(&browser, "closed").await;
    new_tab(&browser).await;
    open_empty(&browser, &server.url).await;

    follow(&browser, &json!({ "token": viewer(&["doc_progress:demo"]) })).await;
    wait_for_state(&browser, "live").await;

    assert_eq!(browser.run("return following.leads").await, true);
}
