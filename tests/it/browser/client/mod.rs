//! The client module in pages that are not ours.

mod connection;
mod kinds;
mod module;
mod repeats;
mod sharing;
mod sleep;
mod tokens;

use serde_json::{Value, json};
use thirtyfour::WindowHandle;

use crate::support::{Browser, Site, documents::emit};

/// The server beats as often as the tests tell the client.
pub const BEATS: [(&str, &str); 1] = [("HEARTBEAT_INTERVAL_MS", "500")];

/// Opens a tab on any document of the origin that follows nothing by itself.
pub async fn open_empty(browser: &Browser, url: &str) {
    browser.open_without_policy(&format!("{url}/tidings.d.ts")).await;
}

/// Follows the patient `demo`, and keeps what comes: states, event ids, events and problems.
pub async fn follow(browser: &Browser, options: &Value) {
    let options = json!({ "patientId": "demo", "heartbeatMs": 500 })
        .as_object()
        .unwrap()
        .iter()
        .chain(options.as_object().unwrap())
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect::<serde_json::Map<_, _>>();
    let script = format!(
        "Object.assign(window, {{ states: [], received: [], types: [], snapshots: [], problem: null, reasons: [], tokens: [] }});
         import('/tidings.js').then(({{ followDocuments }}) => {{
             window.following = followDocuments({{
                 ...{},
                 onState: (state, {{ reason, problem }}) => {{
                     states.push(state);
                     if (reason) reasons.push(reason);
                     if (problem) window.problem = problem;
                 }},
                 onEvent: (type) => types.push(type),
                 onConnected: (data) => snapshots.push(data),
                 onProgress: ({{ event_id }}) => received.push(event_id),
                 onRepeat: (id) => window.repeats?.push(id),
                 onTokenRenewed: (token) => tokens.push(token),
             }});
         }});",
        Value::Object(options)
    );
    browser.run(&script).await;
}

/// Opens such a document in this tab, and follows from it until that is live.
pub async fn follow_here(browser: &Browser, url: &str, options: Value) {
    open_empty(browser, url).await;
    follow(browser, &options).await;
    wait_for_state(browser, "live").await;
}

/// Opens an empty tab and goes on there.
pub async fn new_tab(browser: &Browser) -> WindowHandle {
    let tab = browser.driver.new_tab().await.unwrap();
    go_to(browser, &tab).await;
    tab
}

pub async fn go_to(browser: &Browser, tab: &WindowHandle) {
    browser.driver.switch_to_window(tab.clone()).await.unwrap();
}

pub async fn wait_for_state(browser: &Browser, state: &str) {
    browser.wait_until(&format!("window.following?.state === '{state}'")).await;
}

/// What the page has been handed, as event ids.
pub async fn received(browser: &Browser) -> Vec<String> {
    serde_json::from_value(browser.run("return received").await).unwrap()
}

pub async fn wait_for_received(browser: &Browser, count: usize) {
    browser.wait_until(&format!("window.received?.length >= {count}")).await;
}

/// Emits steps of a document that never ends; gives their event ids.
pub async fn emit_steps(server: &Site, count: usize) -> Vec<String> {
    let mut sent = Vec::new();
    for _ in 0..count {
        let answer = emit(server, "demo", "d1", "ocr_started").await;
        sent.push(answer["event_id"].as_str().unwrap().to_owned());
    }
    sent
}
