//! The operators' page.

use std::collections::BTreeMap;

use rstest::rstest;
use serde_json::Value;

use crate::support::{
    Browser, Host, On, Site, Viewer,
    documents::{STAGES, confirm, emit, put},
    tokens::KEYS,
};

const STREAM: &str = "/api/v1/patients/p1/documents/stream?follow=1";

#[rstest]
#[tokio::test]
async fn a_running_session_shows_and_agrees_with_the_metrics(#[values(On::Binary, On::Function)] on: On) {
    // The page shows what one process counts, and each time the process that answers.
    let server = Host::start_single(on, &[]).await;
    let browser = Browser::start().await;
    browser.open(&format!("{}/ops", server.url)).await;
    browser.wait_until("!document.getElementById('board').hidden").await;
    let mut viewers = Vec::new();
    for _ in 0..3 {
        let mut viewer = Viewer::open(server.get(STREAM)).await;
        viewer.until("connected").await;
        viewers.push(viewer);
    }

    browser.wait_until("document.getElementById('streams').textContent === '3'").await;
    for number in 0..5 {
        for stage in STAGES {
            emit(&server, "p1", &format!("d{number}"), stage).await;
        }
    }
    let document = put(&server, "p1", "encrypted.pdf").await;
    confirm(&server, &document).await;
    browser.wait_until("document.getElementById('failures').innerText.includes('encrypted')").await;
    browser.wait_until("document.getElementById('latency').textContent !== '–'").await;
    browser
        .wait_until(
            "[...document.querySelectorAll('#stages tr')].every((row) => row.cells[1].textContent === '5')",
        )
        .await;

    browser.wait_until("document.querySelectorAll('#plot-events path.line').length === 2").await;
    let sources = browser.run("return document.getElementById('sources').innerText").await;
    let transport = match on {
        On::Binary => "memory",
        On::Function => "redis",
    };
    assert!(sources.to_string().contains(transport), "{sources}");
    agrees(&browser, &server).await;
    browser.picture("ops-light").await;
    browser.prefer("prefers-color-scheme", "dark").await;
    browser.run("document.querySelector('.columns').scrollIntoView()").await;
    browser.picture("ops-dark").await;
    browser.become_phone(360, 740).await;
    assert_eq!(browser.run("return document.documentElement.scrollWidth").await, 360);
    browser.run("document.querySelector('.plots').scrollIntoView()").await;
    browser.wait_until("document.querySelector('#plot-events').viewBox.baseVal.width < 360").await;
    browser.picture("ops-phone").await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

#[rstest]
#[tokio::test]
async fn with_keys_set_the_page_asks_for_one(#[values(On::Binary, On::Function)] on: On) {
    let server = Host::start(on, &KEYS).await;
    let browser = Browser::start().await;
    browser.open(&format!("{}/ops", server.url)).await;
    browser.wait_until("!document.getElementById('sign-in').hidden").await;
    assert_eq!(browser.run("return document.getElementById('board').hidden").await, true);
    browser.picture("ops-sign-in").await;

    give(&browser, "wrong").await;
    browser.wait_until("document.getElementById('refusal').innerText.includes('token')").await;
    give(&browser, KEYS[1].1).await;

    browser.wait_until("!document.getElementById('board').hidden").await;
    assert_eq!(browser.run("return document.getElementById('sign-in').hidden").await, true);
    assert!(!browser.run("return document.documentElement.outerHTML").await.to_string().contains(KEYS[1].1));
}

#[rstest]
#[tokio::test]
async fn a_server_that_goes_away_is_told_and_found_again(#[values(On::Binary, On::Function)] on: On) {
    let mut server = Host::start_to_return(on, &[]).await;
    let browser = Browser::start().await;
    browser.open(&format!("{}/ops", server.url)).await;
    browser.wait_until("document.getElementById('state').dataset.state === 'live'").await;

    server.crash();
    browser.wait_until("document.getElementById('state').dataset.state === 'lost'").await;
    server.start_again(&[]).await;

    browser.wait_until("document.getElementById('state').dataset.state === 'live'").await;
}

async fn give(browser: &Browser, key: &str) {
    let script = format!(
        "document.getElementById('key').value = '{key}';
         document.querySelector('#sign-in button').click()"
    );
    browser.run(&script).await;
}

/// Compares what the page counts with what `/metrics` says, once both have come to rest.
async fn agrees(browser: &Browser, server: &Site) {
    let script = "return Object.fromEntries([...document.querySelectorAll('[data-metric]')]
        .map(({ dataset }) => [dataset.metric, Number(dataset.value)]))";
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(45);
    loop {
        let shown: BTreeMap<String, f64> = serde_json::from_value(browser.run(script).await).unwrap();
        let text = server.get("/metrics").send().await.unwrap().text().await.unwrap();
        let counted = |name: &str| -> f64 {
            let of_name = |line: &&str| line.split([' ', '{']).next() == Some(name);
            let values = text.lines().filter(of_name).map(|line| line.rsplit(' ').next().unwrap());
            values.map(|value| value.parse::<f64>().unwrap()).sum()
        };
        let differing: Vec<_> =
            shown.iter().filter(|(name, value)| (counted(name) - **value).abs() > f64::EPSILON).collect();
        if differing.is_empty() && shown["tidings_events_published_total"] >= 30.0 {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "{differing:?} differ from {text}");
        let _: Value = browser.run("return null").await;
    }
}
