//! What the page says of its connection, in each of its states.

use rstest::rstest;

use crate::{
    browser::page::{open_live, wait_for_connection},
    support::{Browser, Cutter, Host, On, Viewer, tokens},
};

const NOTICE: &str =
    "document.getElementById('notice').checkVisibility() && document.getElementById('notice').innerText";
const STATE: &str = "document.getElementById('connection-state').innerText";
const HEARTBEAT: &str = "document.getElementById('heartbeat').innerText";

async fn text(browser: &Browser, expression: &str) -> String {
    browser.run(&format!("return {expression}")).await.as_str().unwrap_or_default().to_owned()
}

#[rstest]
#[tokio::test]
async fn heartbeats_are_shown_and_silence_is_said(#[values(On::Binary, On::Function)] on: On) {
    let server = Host::start(on, &[]).await;
    let cutter = Cutter::before(&server.url).await;
    let browser = Browser::start().await;
    open_live(&browser, &cutter.url).await;
    browser.wait_until(&format!("{HEARTBEAT}.startsWith('last heartbeat ')")).await;

    cutter.stall();
    wait_for_connection(&browser, "stalled").await;

    assert_eq!(text(&browser, STATE).await, "Stalled");
    let said = "Nothing has been heard from the server for a while. Trying again shortly.";
    assert_eq!(text(&browser, NOTICE).await, said);
    browser.picture("stalled").await;
    cutter.cut();
    wait_for_connection(&browser, "reconnecting").await;
    cutter.mend();
    wait_for_connection(&browser, "live").await;
    browser.wait_until(&format!("!({NOTICE})")).await;
}

#[rstest]
#[tokio::test]
async fn a_refusal_is_said_in_words_and_a_token_in_the_fragment_opens(
    #[values(On::Binary, On::Function)] on: On,
) {
    let server = Host::start(on, &tokens::KEYS).await;
    let browser = Browser::start().await;
    browser.open(&server.url).await;

    wait_for_connection(&browser, "closed").await;
    assert_eq!(text(&browser, STATE).await, "Not connected");
    let words = text(&browser, NOTICE).await;
    assert!(words.contains("token") && words.ends_with('.'), "{words}");
    browser.picture("refused").await;

    let token = tokens::viewer(&["doc_progress:demo"]);
    browser.open_tab(&format!("{}/#token={token}", server.url)).await;
    wait_for_connection(&browser, "live").await;
    assert_eq!(text(&browser, "location.hash").await, "", "it is taken out of sight");
}

#[rstest]
#[tokio::test]
async fn a_server_that_is_full_is_waited_for(#[values(On::Binary, On::Function)] on: On) {
    let server = Host::start_single(on, &[("MAX_STREAMS", "1")]).await;
    let first = Viewer::open(server.get("/api/v1/patients/other/documents/stream")).await;
    let browser = Browser::start().await;
    browser.open(&server.url).await;

    browser.wait_until(&format!("{NOTICE} === 'The server is busy. The page comes back by itself.'")).await;
    assert_eq!(text(&browser, STATE).await, "Reconnecting…");
    browser.picture("busy").await;

    drop(first);
    wait_for_connection(&browser, "live").await;
}
