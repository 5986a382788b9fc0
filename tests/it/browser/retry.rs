//! Failed documents that are tried again in the page.

use rstest::rstest;
use serde_json::json;
use thirtyfour::{By, Key};

use crate::{
    browser::page::{choose, first_done, open_live, steps, wait_for_cards, wait_for_done},
    support::{
        Browser, Host, On,
        analyzer::{Answer, AnswersInTurn},
    },
};

const FILE: &str = "discharge_summary.pdf";
const RETRY: &str = "document.querySelector('.card .retry')";

/// A server whose analyzer refuses the first document it sees and takes every later one.
async fn moody_server(on: On) -> (Host, AnswersInTurn) {
    let answers = [Answer::With(400, "no"), Answer::With(200, r#"{"document_type":"discharge_summary"}"#)];
    let analyzer = AnswersInTurn::start(&answers).await;
    (Host::start(on, &[("ANALYZER_URL", &analyzer.url)]).await, analyzer)
}

#[rstest]
#[tokio::test]
async fn it_begins_afresh_and_the_keyboard_stays_where_it_was(#[values(On::Binary, On::Function)] on: On) {
    let (server, _analyzer) = moody_server(on).await;
    let browser = Browser::start().await;
    open_live(&browser, &server.url).await;
    choose(&browser, FILE).await;
    wait_for_cards(&browser, "failed", 1).await;
    browser.wait_until(&format!("{RETRY}.hidden === false")).await;
    browser.picture("retry-offered").await;
    browser
        .run(
            "window.seen = [];
             new MutationObserver(() => {
                 const card = document.querySelector('.card');
                 const waiting = card.querySelectorAll('.step[data-state=waiting]').length;
                 if (card.dataset.attempt === '2') window.seen.push(waiting);
             }).observe(document.querySelector('.card'), { subtree: true, childList: true, attributes: true })",
        )
        .await;

    browser.run(&format!("{RETRY}.focus()")).await;
    browser.driver.active_element().await.unwrap().send_keys(Key::Enter + "").await.unwrap();
    wait_for_cards(&browser, "complete", 1).await;
    wait_for_done(&browser).await;

    assert_eq!(browser.run("return document.querySelector('.card').dataset.attempt").await, "2");
    assert_eq!(steps(&browser).await, first_done(6));
    assert_eq!(browser.run("return document.querySelectorAll('.card').length").await, 1);
    assert_eq!(browser.run("return document.querySelector('.card .failure').hidden").await, true);
    assert_eq!(browser.run("return document.activeElement.className").await, "filename");
    let most_waiting = browser.run("return Math.max(...window.seen)").await;
    assert!(most_waiting.as_u64().unwrap() >= 4, "the steps start afresh: {most_waiting}");
    browser.picture("retry-complete").await;
}

#[rstest]
#[tokio::test]
async fn a_refusal_is_said_in_words_and_the_button_stays(#[values(On::Binary, On::Function)] on: On) {
    let (mut server, _analyzer) = moody_server(on).await;
    let browser = Browser::start().await;
    open_live(&browser, &server.url).await;
    choose(&browser, FILE).await;
    wait_for_cards(&browser, "failed", 1).await;
    browser.wait_until(&format!("{RETRY}.hidden === false")).await;

    server.crash();
    browser.run(&format!("{RETRY}.focus(); {RETRY}.click()")).await;
    browser.wait_until("document.querySelector('.card .problem').hidden === false").await;

    let words = browser.run("return document.querySelector('.card .problem').innerText").await;
    let expected = match on {
        On::Binary => "The server could not be reached. Check the connection and try again.",
        // The platform is still there, and has nothing to route to.
        On::Function => "The server answered 502.",
    };
    assert_eq!(words, expected);
    assert_eq!(browser.run(&format!("return {RETRY}.hidden")).await, false);
    assert_eq!(browser.run(&format!("return document.activeElement === {RETRY}")).await, true);
    browser.picture("retry-refused").await;
}

#[rstest]
#[tokio::test]
async fn what_another_attempt_cannot_help_is_not_offered_one(#[values(On::Binary, On::Function)] on: On) {
    let server = Host::start(on, &[]).await;
    let browser = Browser::start().await;
    open_live(&browser, &server.url).await;
    choose(&browser, "encrypted.pdf").await;
    wait_for_cards(&browser, "failed", 1).await;
    // Nobody here has its file.
    let told =
        json!({ "patient_id": "demo", "document_id": "d1", "stage": "ocr_started", "status": "failed" });
    assert_eq!(server.post("/api/v1/progress", &told).send().await.unwrap().status(), 202);
    wait_for_cards(&browser, "failed", 2).await;
    wait_for_done(&browser).await;

    for button in browser.driver.find_all(By::Css(".card .failure button")).await.unwrap() {
        assert!(!button.is_displayed().await.unwrap());
    }
}
