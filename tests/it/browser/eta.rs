//! How long it will take still, where the server knows.

use std::time::Duration;

use rstest::rstest;
use serde_json::json;

use crate::{
    browser::page::{choose, open_live, wait_for_cards},
    support::{
        Browser, Host, On, Site,
        analyzer::{Answer, AnswersInTurn},
        documents::{STAGES, confirm, emit, put, read_named},
    },
};

const SHOWN: &str = "document.querySelector('.card .eta')?.innerText";

async fn emit_with_eta(server: &Site, stage: &str, eta: serde_json::Value) {
    let body = json!({ "patient_id": "demo", "document_id": "d1", "stage": stage, "eta_seconds": eta });
    assert_eq!(server.post("/api/v1/progress", &body).send().await.unwrap().status(), 202);
}

#[rstest]
#[tokio::test]
async fn it_is_shown_while_the_server_gives_it_and_counts_down(#[values(On::Binary, On::Function)] on: On) {
    let server = Host::start(on, &[]).await;
    let browser = Browser::start().await;
    open_live(&browser, &server.url).await;

    emit_with_eta(&server, STAGES[1], json!([600, 900])).await;
    browser.wait_until(&format!("{SHOWN} === 'about 10–15 min left'")).await;
    browser.picture("eta").await;
    emit_with_eta(&server, STAGES[2], json!([30, 60])).await;
    browser.wait_until(&format!("/^about \\d+–\\d+ s left$/.test({SHOWN})")).await;
    let first = browser.run(&format!("return {SHOWN}")).await;
    browser.wait_until(&format!("{SHOWN} !== {first}")).await;
    emit_with_eta(&server, STAGES[3], json!([0, 1])).await;
    browser.wait_until(&format!("{SHOWN} === 'a little longer than usual'")).await;

    emit(&server, "demo", "d1", STAGES[4]).await;
    browser.wait_until(&format!("{SHOWN} === ''")).await;
    emit_with_eta(&server, STAGES[5], json!([5, 9])).await;
    browser.wait_until("document.querySelector('.card').dataset.status === 'complete'").await;
    assert_eq!(browser.run(&format!("return {SHOWN}")).await, "");
}

#[rstest]
#[tokio::test]
async fn the_server_tells_it_by_itself_from_the_documents_before(#[values(On::Binary, On::Function)] on: On) {
    // As slow as in life: who reloads the page is told it too.
    let analyzer = AnswersInTurn::start(&[Answer::Late(Duration::from_secs(4))]).await;
    let mut server = Host::start_to_return(on, &[("ANALYZER_URL", &analyzer.url)]).await;
    let before = (0..8).map(|_| async {
        let document = put(&server, "p1", "discharge_summary.pdf").await;
        confirm(&server, &document).await;
        read_named(&server, "p1", &document).await;
    });
    futures::future::join_all(before).await;
    server.crash();
    server.start_again(&[]).await;
    let browser = Browser::start().await;
    open_live(&browser, &server.url).await;

    choose(&browser, "discharge_summary.pdf").await;
    browser.wait_until(&format!("/^about \\d+(–\\d+)? s left$/.test({SHOWN})")).await;
    browser.picture("eta-by-itself").await;
    browser.driver.refresh().await.unwrap();
    browser.wait_until(&format!("/ left$|longer than usual$/.test({SHOWN})")).await;

    wait_for_cards(&browser, "complete", 1).await;
    assert_eq!(browser.run(&format!("return {SHOWN}")).await, "");
}
