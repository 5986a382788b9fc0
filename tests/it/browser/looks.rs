//! The page on other screens.

use rstest::rstest;
use serde_json::{Value, json};

use crate::{
    browser::{
        checklist::choose_case,
        page::{choose_all, drop_files, open_live, wait_for_cards},
    },
    support::{
        Browser, Host, On, Site,
        analyzer::{Answer, AnswersInTurn},
        documents::{STAGES, fixture},
    },
};

#[rstest]
#[tokio::test]
async fn on_a_phone_nothing_is_wider_than_the_screen(#[values(On::Binary, On::Function)] on: On) {
    let server = Host::start(on, &[]).await;
    let browser = Browser::start().await;
    browser.become_phone(360, 740).await;
    open_live(&browser, &server.url).await;
    browser.picture("phone-empty").await;

    choose_all(&browser, &["encrypted.pdf", "discharge_summary.pdf"]).await;
    wait_for_cards(&browser, "complete", 1).await;
    wait_for_cards(&browser, "failed", 1).await;

    assert_eq!(browser.run("return document.documentElement.clientWidth").await, 360);
    assert_eq!(browser.run("return document.documentElement.scrollWidth").await, 360);
    browser.picture("phone-top").await;
    browser.run("document.querySelector('.card').scrollIntoView()").await;
    browser.picture("phone-cards").await;
}

#[rstest]
#[tokio::test]
async fn on_a_dark_phone_every_part_of_the_page_keeps_to_the_screen(
    #[values(On::Binary, On::Function)] on: On,
) {
    let analyzer = AnswersInTurn::start(&[Answer::With(400, "no"), Answer::With(200, "{}")]).await;
    let server = Host::start(on, &[("ANALYZER_URL", &analyzer.url)]).await;
    let browser = Browser::start().await;
    browser.become_phone(360, 740).await;
    browser.prefer("prefers-color-scheme", "dark").await;
    open_live(&browser, &server.url).await;
    choose_case(&browser, "a-case-with-a-name-that-is-longer-than-any-phone-is-wide-2026", "coronary_bypass")
        .await;
    let long = "a_report_with_a_name_that_is_longer_than_any_phone_is_wide_and_then_some.pdf";

    drop_files(&browser, &[(long, &fixture("lab_report.pdf")), ("a_list_of_what_she_takes.docx", b"words")])
        .await;
    wait_for_cards(&browser, "failed", 1).await;
    drop_files(&browser, &[("second.pdf", &fixture("discharge_summary.pdf"))]).await;
    wait_for_cards(&browser, "complete", 1).await;
    browser.wait_until("document.querySelectorAll('#checklist-items .item').length === 6").await;
    browser.run("document.querySelector('.log').open = true").await;

    assert_eq!(browser.run("return document.documentElement.scrollWidth").await, 360);
    for part in ["#drop", "#checklist", ".card", ".card:last-child", ".log"] {
        browser.run(&format!("document.querySelector('{part}').scrollIntoView()")).await;
        browser.picture(&format!("phone-dark{}", part.replace(['#', '.', ':'], "-"))).await;
    }
}

#[rstest]
#[tokio::test]
async fn on_a_dark_system_the_page_is_dark(#[values(On::Binary, On::Function)] on: On) {
    let server = Host::start(on, &[]).await;
    let browser = Browser::start().await;
    open_live(&browser, &server.url).await;
    let (ground, ink) = (light_of(&browser, "backgroundColor").await, light_of(&browser, "color").await);
    assert!(ground > ink);

    browser.prefer("prefers-color-scheme", "dark").await;
    choose_all(&browser, &["encrypted.pdf", "discharge_summary.pdf"]).await;
    wait_for_cards(&browser, "complete", 1).await;
    wait_for_cards(&browser, "failed", 1).await;

    let (ground, ink) = (light_of(&browser, "backgroundColor").await, light_of(&browser, "color").await);
    assert!(ground < ink);
    browser.picture("dark").await;
    browser.run("document.querySelector('.cards').scrollIntoView()").await;
    browser.picture("dark-cards").await;
}

#[rstest]
#[tokio::test]
async fn documents_in_all_their_states_stand_side_by_side(#[values(On::Binary, On::Function)] on: On) {
    let server = Host::start(on, &[("HEARTBEAT_INTERVAL_MS", "500")]).await;
    let browser = Browser::start().await;
    browser.become_phone(1_040, 1_840).await;
    open_live(&browser, &server.url).await;
    choose_case(&browser, "knee-2026", "knee_replacement").await;
    choose_all(&browser, &["encrypted.pdf", "discharge_summary.pdf", "mri_knee.pdf"]).await;
    wait_for_cards(&browser, "complete", 2).await;
    wait_for_cards(&browser, "failed", 1).await;
    // One of them is worked on once more, as slowly as in life.
    let document =
        browser.run("return document.querySelector('.card[data-status=complete]').dataset.documentId").await;
    work_again(&server, &document, STAGES[0], 10, json!(null)).await;
    work_again(&server, &document, STAGES[1], 20, json!("page 1 of 5")).await;
    wait_for_cards(&browser, "ocr_processing", 1).await;
    browser.run("document.getElementById('cut').click()").await;
    for (page, percent) in [(2, 26), (3, 32), (4, 38)] {
        work_again(&server, &document, STAGES[1], percent, json!(format!("page {page} of 5"))).await;
    }
    browser.wait_until("document.getElementById('proof').innerText.endsWith('lost 0, doubled 0.')").await;

    assert_eq!(
        browser.run("return document.getElementById('summary').innerText").await,
        "3 documents: 1 in progress, 1 complete, 1 failed."
    );
    let line =
        browser.run("return document.querySelector('.card[data-phase=active] .bar-line').innerText").await;
    let line = line.as_str().unwrap();
    assert!(line.starts_with("page 4 of 5") && line.contains(" left") && line.ends_with("38 %"), "{line}");
    browser.run("document.activeElement.blur()").await;
    browser.picture("page").await;
    browser.prefer("prefers-color-scheme", "dark").await;
    browser.picture("page-dark").await;
    browser.become_phone(360, 740).await;
    assert_eq!(browser.run("return document.documentElement.scrollWidth").await, 360);
    browser.picture("page-phone").await;
    browser.run("document.querySelector('.card').scrollIntoView()").await;
    browser.picture("page-phone-cards").await;
}

async fn work_again(server: &Site, document: &Value, stage: &str, percent: u8, detail: Value) {
    let body = json!({
        "patient_id": "demo", "document_id": document, "attempt": 2, "stage": stage, "percent": percent,
        "detail": detail, "eta_seconds": [25, 40],
    });
    assert_eq!(server.post("/api/v1/progress", &body).send().await.unwrap().status(), 202);
}

/// How light a colour of the page is: the sum of its parts.
async fn light_of(browser: &Browser, property: &str) -> u64 {
    let script = format!(
        "return getComputedStyle(document.body).{property}.match(/\\d+/g).slice(0, 3)
            .reduce((sum, part) => sum + Number(part), 0)"
    );
    let light: Value = browser.run(&script).await;
    light.as_u64().unwrap()
}
