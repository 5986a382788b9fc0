//! Connections cut, pages reloaded, servers restarted.

use chrono::TimeDelta;
use rstest::rstest;
use serde_json::json;

use crate::{
    browser::page::{
        choose, first_done, kept, open_live, record_percents, recorded_percents, stages_received, step_names,
        step_times, steps, wait_for_cards, wait_for_connection, wait_for_done,
    },
    support::{
        Browser, Cutter, Host, On, Site,
        documents::{STAGES, emit},
    },
};

#[rstest]
#[tokio::test]
async fn a_cut_in_mid_stream_loses_no_event_and_shows_none_twice(#[values(On::Binary, On::Function)] on: On) {
    let server = Host::start(on, &[]).await;
    let cutter = Cutter::before(&server.url).await;
    let browser = Browser::start().await;
    open_live(&browser, &cutter.url).await;
    record_percents(&browser).await;
    let mut sent = emit_all(&server, &STAGES[..3]).await;
    browser.wait_until("window.tidings.received.length === 3").await;

    cutter.cut();
    wait_for_connection(&browser, "reconnecting").await;
    browser.picture("reconnecting").await;
    sent.extend(emit_all(&server, &STAGES[3..5]).await);
    cutter.mend();
    wait_for_connection(&browser, "live").await;
    sent.extend(emit_all(&server, &STAGES[5..]).await);
    wait_for_done(&browser).await;

    assert_eq!(kept(&browser, "received").await, json!(sent));
    assert_eq!(kept(&browser, "repeats").await, 0);
    assert_eq!(stages_received(&browser).await, STAGES);
    let percents = recorded_percents(&browser).await;
    assert!(percents.is_sorted() && percents.len() > 3, "{percents:?}");
    assert_eq!(percents.last(), Some(&100));
    assert_eq!(last_connected(&browser, "resumed").await, "true");
    assert_eq!(last_connected(&browser, "gap").await, "false");
}

#[rstest]
#[tokio::test]
async fn a_reload_in_the_middle_keeps_the_steps_and_their_times(#[values(On::Binary, On::Function)] on: On) {
    let server = Host::start(on, &[]).await;
    let browser = Browser::start().await;
    open_live(&browser, &server.url).await;
    emit_all(&server, &STAGES[..3]).await;
    browser.wait_until("window.tidings.received.length === 3").await;
    let (times, names) = (step_times(&browser).await, step_names(&browser).await);

    browser.driver.refresh().await.unwrap();
    wait_for_cards(&browser, "ocr_complete", 1).await;

    assert_eq!(steps(&browser).await, first_done(3));
    assert_eq!(step_names(&browser).await, names);
    let shown = step_times(&browser).await;
    assert_eq!(shown.len(), 3);
    // The event's own time and that of its place in the log are not taken in the same instant.
    let apart = times.iter().zip(&shown).map(|(before, after)| (*after - *before).abs());
    assert!(apart.max().unwrap() < TimeDelta::seconds(1), "{times:?} {shown:?}");
    browser.picture("reloaded").await;
    emit_all(&server, &STAGES[3..]).await;
    wait_for_done(&browser).await;
    assert_eq!(steps(&browser).await, first_done(6));
}

#[rstest]
#[tokio::test]
async fn a_page_outlives_a_crash_of_the_server(#[values(On::Binary, On::Function)] on: On) {
    let mut server = Host::start_to_return(on, &[]).await;
    let browser = Browser::start().await;
    open_live(&browser, &server.url).await;
    choose(&browser, "prescription.pdf").await;
    wait_for_cards(&browser, "complete", 1).await;

    server.crash();
    wait_for_connection(&browser, "reconnecting").await;
    server.start_again(&[]).await;
    wait_for_connection(&browser, "live").await;
    choose(&browser, "referral_letter.pdf").await;

    wait_for_cards(&browser, "complete", 2).await;
    wait_for_done(&browser).await;
    assert_eq!(steps(&browser).await, first_done(6));
}

async fn emit_all(server: &Site, stages: &[&str]) -> Vec<String> {
    let mut sent = Vec::new();
    for stage in stages {
        let answer = emit(server, "demo", "d1", stage).await;
        sent.push(answer["event_id"].as_str().unwrap().to_owned());
    }
    sent
}

/// What the newest `connected` said.
async fn last_connected(browser: &Browser, field: &str) -> String {
    let script = format!(
        r#"return document.querySelector('#log [data-type="connected"]').textContent
            .match(/"{field}":(\w+)/)[1]"#
    );
    browser.run(&script).await.as_str().unwrap().to_owned()
}
