//! The button that cuts the connection, and what it proves.

use rstest::rstest;

use crate::{
    browser::page::{choose, kept, open_live, wait_for_cards, wait_for_connection},
    support::{
        Browser, Host, On,
        documents::{STAGES, emit},
    },
};

async fn proof(browser: &Browser) -> String {
    browser.wait_until("['good', 'bad'].includes(document.getElementById('proof').dataset.state)").await;
    browser.run("return document.getElementById('proof').innerText").await.as_str().unwrap().to_owned()
}

async fn cut(browser: &Browser) {
    browser.run("document.getElementById('cut').click()").await;
    wait_for_connection(browser, "reconnecting").await;
}

#[rstest]
#[tokio::test]
async fn a_cut_shows_that_nothing_is_lost_and_nothing_doubled(#[values(On::Binary, On::Function)] on: On) {
    let server = Host::start(on, &[("HEARTBEAT_INTERVAL_MS", "500")]).await;
    // What was there before the page was opened is no loss.
    emit(&server, "demo", "d0", STAGES[0]).await;
    let browser = Browser::start().await;
    open_live(&browser, &server.url).await;
    for stage in &STAGES[..2] {
        emit(&server, "demo", "d1", stage).await;
    }
    browser.wait_until("window.tidings.received.length === 2").await;

    cut(&browser).await;
    browser.picture("cut").await;
    for stage in &STAGES[2..5] {
        emit(&server, "demo", "d1", stage).await;
    }

    let words = proof(&browser).await;
    assert!(words.ends_with("3 events since the cut: lost 0, doubled 0."), "{words}");
    assert_eq!(kept(&browser, "received.length").await, 5);
    browser.picture("proof").await;
}

#[rstest]
#[tokio::test]
async fn a_loss_and_a_doubling_would_be_seen(#[values(On::Binary, On::Function)] on: On) {
    let server = Host::start(on, &[("HEARTBEAT_INTERVAL_MS", "500")]).await;
    let browser = Browser::start().await;
    open_live(&browser, &server.url).await;
    for stage in &STAGES[..3] {
        emit(&server, "demo", "d1", stage).await;
    }
    browser.wait_until("window.tidings.received.length === 3").await;

    // The page is made to forget one event, and to have had another twice.
    browser
        .run("const { received } = window.tidings; received.splice(0, 1); received.push(received[0])")
        .await;
    cut(&browser).await;

    let words = proof(&browser).await;
    assert!(words.ends_with("lost 1, doubled 1."), "{words}");
    assert_eq!(browser.run("return document.getElementById('proof').dataset.state").await, "bad");
}

#[rstest]
#[tokio::test]
async fn a_tab_without_the_connection_can_cut_it_too(#[values(On::Binary, On::Function)] on: On) {
    let server = Host::start(on, &[("HEARTBEAT_INTERVAL_MS", "500")]).await;
    let browser = Browser::start().await;
    open_live(&browser, &server.url).await;
    let first = browser.driver.window().await.unwrap();
    browser.wait_until("document.getElementById('holder').innerText === 'through this tab'").await;
    browser.open_tab(&server.url).await;
    wait_for_connection(&browser, "live").await;
    browser.wait_until("document.getElementById('holder').innerText === 'through another tab'").await;
    browser.picture("other-tab").await;

    cut(&browser).await;
    choose(&browser, "discharge_summary.pdf").await;
    let words = proof(&browser).await;
    assert!(words.ends_with("lost 0, doubled 0."), "{words}");
    wait_for_cards(&browser, "complete", 1).await;

    browser.driver.switch_to_window(first).await.unwrap();
    wait_for_cards(&browser, "complete", 1).await;
    assert_eq!(kept(&browser, "received.length").await, 6);
}
