//! The page's words for its tests.

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use serde_json::Value;
use thirtyfour::By;

use crate::support::{Browser, documents::STAGES};

/// Chooses a file of `fixtures/` as a person would.
pub async fn choose(browser: &Browser, name: &str) {
    choose_all(browser, &[name]).await;
}

/// Chooses several files at once.
pub async fn choose_all(browser: &Browser, names: &[&str]) {
    let field = browser.driver.find(By::Css("[data-testid=file-input]")).await.unwrap();
    let paths = names.iter().map(|name| format!("{}/fixtures/{name}", env!("CARGO_MANIFEST_DIR")));
    field.send_keys(paths.collect::<Vec<_>>().join("\n")).await.unwrap();
}

/// Drops files on the page, as a person would: each a name and what is in it.
pub async fn drop_files(browser: &Browser, files: &[(&str, &[u8])]) {
    let add = |(name, bytes): &(&str, &[u8])| {
        let bytes = STANDARD.encode(bytes);
        format!(
            "dataTransfer.items.add(new File(
                 [Uint8Array.from(atob('{bytes}'), (letter) => letter.charCodeAt(0))], '{name}'));"
        )
    };
    let script = format!(
        "const dataTransfer = new DataTransfer();
         {}
         document.getElementById('drop')
             .dispatchEvent(new DragEvent('drop', {{ dataTransfer, bubbles: true, cancelable: true }}));",
        files.iter().map(add).collect::<String>()
    );
    browser.run(&script).await;
}

/// Opens the page and waits until it is live.
pub async fn open_live(browser: &Browser, url: &str) {
    browser.open(url).await;
    wait_for_connection(browser, "live").await;
}

pub async fn wait_for_connection(browser: &Browser, state: &str) {
    let line = format!("document.querySelector('[data-testid=connection-state][data-state={state}]')");
    browser.wait_until(&line).await;
}

/// Waits until so many documents have a status.
pub async fn wait_for_cards(browser: &Browser, status: &str, count: usize) {
    let cards = format!("document.querySelectorAll('.card[data-status={status}]').length === {count}");
    browser.wait_until(&cards).await;
}

/// Waits until the page says that all is over.
pub async fn wait_for_done(browser: &Browser) {
    browser.wait_until("document.querySelector('[data-testid=done]')?.hidden === false").await;
}

/// Each step of the newest card: its stage and its state.
pub async fn steps(browser: &Browser) -> Vec<(String, String)> {
    let script = "return [...document.querySelector('.card').querySelectorAll('.step')]\
                  .map(({ dataset }) => [dataset.stage, dataset.state])";
    serde_json::from_value(browser.run(script).await).unwrap()
}

/// When the steps of the newest card were told, without those that were not.
pub async fn step_times(browser: &Browser) -> Vec<DateTime<Utc>> {
    let script = "return [...document.querySelectorAll('.card:first-child time')]\
                  .map((time) => time.dateTime).filter(Boolean)";
    serde_json::from_value(browser.run(script).await).unwrap()
}

/// What the steps of the newest card are called.
pub async fn step_names(browser: &Browser) -> Vec<String> {
    let script =
        "return [...document.querySelectorAll('.card:first-child .name')].map((name) => name.innerText)";
    serde_json::from_value(browser.run(script).await).unwrap()
}

/// The steps in order with so many of them done and all others waiting.
pub fn first_done(count: usize) -> Vec<(String, String)> {
    let state = |index| if index < count { "done" } else { "waiting" };
    STAGES.iter().enumerate().map(|(index, stage)| ((*stage).into(), state(index).into())).collect()
}

/// The stages of the progress events as they came, oldest first.
pub async fn stages_received(browser: &Browser) -> Vec<String> {
    let script = r#"return [...document.querySelectorAll('#log [data-type="progress"]')].reverse()
        .map((line) => line.textContent.match(/"stage":"(\w+)"/)[1])"#;
    serde_json::from_value(browser.run(script).await).unwrap()
}

/// A property of what the page keeps for its tests.
pub async fn kept(browser: &Browser, property: &str) -> Value {
    browser.run(&format!("return window.tidings.{property}")).await
}

/// Keeps every percent that a document is shown with from now on.
pub async fn record_percents(browser: &Browser) {
    let script = "window.percents = [];
        new MutationObserver(() => {
            const shown = document.querySelector('.card')?.dataset.percent;
            if (shown && shown !== window.percents.at(-1)) window.percents.push(shown);
        }).observe(document.body, { subtree: true, childList: true, attributeFilter: ['data-percent'] })";
    browser.run(script).await;
}

/// The percents that [`record_percents`] has kept.
pub async fn recorded_percents(browser: &Browser) -> Vec<u8> {
    let percents = browser.run("return window.percents.map(Number)").await;
    serde_json::from_value(percents).unwrap()
}
