//! The client module in a page that is not ours.

use serde_json::json;

use crate::support::{
    Browser, Cutter, Server,
    documents::{STAGES, emit},
};

/// Follows with heartbeats as short as the server's of these tests.
const FOLLOW: &str = "
    Object.assign(window, { states: [], received: [] });
    import('/tidings.js').then(({ followDocuments }) => followDocuments({
        patientId: 'demo',
        heartbeatMs: 500,
        onState: (state) => states.push(state),
        onProgress: ({ event_id }) => received.push(event_id),
    }));";

#[tokio::test]
async fn connections_that_die_without_a_word_are_noticed_and_replaced() {
    let server = Server::start(&[("HEARTBEAT_INTERVAL_MS", "500")]);
    let cutter = Cutter::before(&server.url).await;
    let browser = Browser::start().await;
    // Any document of this origin that opens no stream by itself.
    browser.open(&format!("{}/tidings.js", cutter.url)).await;
    browser.run(FOLLOW).await;
    browser.wait_until("states.at(-1) === 'live'").await;
    let mut sent = vec![emit(&server, "demo", "d1", STAGES[0]).await["event_id"].clone()];
    browser.wait_until("received.length === 1").await;

    cutter.stall();
    browser.wait_until("states.at(-1) === 'reconnecting'").await;
    for stage in &STAGES[1..] {
        sent.push(emit(&server, "demo", "d1", stage).await["event_id"].clone());
    }
    cutter.mend();
    browser.wait_until("states.at(-1) === 'closed'").await;

    assert_eq!(browser.run("return received").await, json!(sent));
    let states = browser.run("return states").await;
    assert_eq!(states, json!(["connecting", "live", "stalled", "reconnecting", "live", "closed"]));
}
