//! The checklist of a case as it fills up.

use chrono::{Days, Utc};
use rstest::rstest;
use thirtyfour::{By, Key};

use crate::{
    browser::page::{choose_all, open_live, wait_for_cards, wait_for_done},
    support::{Browser, Host, On, documents::pdf_of, tokens},
};

const COUNT: &str = "document.querySelector('[data-testid=checklist-count]').innerText";

/// Chooses a case and its procedure as a person would.
pub async fn choose_case(browser: &Browser, case: &str, procedure: &str) {
    browser.wait_until("document.querySelectorAll('[data-testid=procedure] option').length > 1").await;
    let field = browser.driver.find(By::Css("[data-testid=case-id]")).await.unwrap();
    field.send_keys(case.to_owned() + Key::Tab).await.unwrap();
    let option = format!("[data-testid=procedure] option[value={procedure}]");
    browser.driver.find(By::Css(option)).await.unwrap().click().await.unwrap();
}

/// Uploads a PDF that says `lines`, under the name `name`.
pub async fn choose_written(browser: &Browser, name: &str, lines: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, pdf_of(lines)).unwrap();
    let field = browser.driver.find(By::Css("[data-testid=file-input]")).await.unwrap();
    field.send_keys(path.to_str().unwrap()).await.unwrap();
    let sent = format!(
        "[...document.querySelectorAll('.card')].some(({{ innerText, dataset }}) =>
        innerText.includes('{name}') && ['complete', 'failed'].includes(dataset.status))"
    );
    browser.wait_until(&sent).await;
}

/// The day before yesterday, as doctors write it.
pub fn lately() -> String {
    (Utc::now() - Days::new(2)).format("%B %-d, %Y").to_string()
}

/// What stands in the list: id, state and why.
async fn items(browser: &Browser) -> Vec<(String, String, String)> {
    let script = "return [...document.querySelectorAll('#checklist-items .item')].map((item) =>
        [item.dataset.id, item.dataset.state, item.querySelector('.reason').textContent])";
    serde_json::from_value(browser.run(script).await).unwrap()
}

async fn item(browser: &Browser, id: &str) -> (String, String) {
    let items = items(browser).await;
    let found = items.iter().find(|(own, ..)| own == id).unwrap_or_else(|| panic!("{id}: {items:?}"));
    (found.1.clone(), found.2.clone())
}

#[rstest]
#[tokio::test]
async fn it_says_what_is_missing_and_fills_up_as_documents_end(#[values(On::Binary, On::Function)] on: On) {
    let server = Host::start(on, &[]).await;
    let browser = Browser::start().await;
    open_live(&browser, &server.url).await;
    assert_eq!(browser.run("return document.querySelector('#checklist').hidden").await, true);

    choose_case(&browser, "c1", "knee_replacement").await;
    browser.wait_until(&format!("{COUNT} === 'Case c1: 0 of 5 ready'")).await;
    assert_eq!(item(&browser, "blood_tests").await, ("missing".into(), "not older than 30 days".into()));
    browser.picture("checklist-empty").await;

    choose_all(&browser, &["discharge_summary.pdf", "lab_report.pdf"]).await;
    wait_for_cards(&browser, "complete", 2).await;
    browser.wait_until(&format!("{COUNT} === 'Case c1: 1 of 5 ready'")).await;
    wait_for_done(&browser).await;

    assert_eq!(item(&browser, "earlier_stays").await, ("satisfied".into(), "discharge_summary.pdf".into()));
    let blood = ("expired".into(), "lab_report.pdf is older than 30 days".into());
    browser.wait_until("document.querySelector('.item[data-state=expired]')").await;
    assert_eq!(item(&browser, "blood_tests").await, blood);

    let line = format!("Collected: {}", lately());
    let report = [
        "LABORATORY REPORT",
        &line,
        "Hemoglobin 13.2 g/dL (12.0 - 16.0)",
        "Platelets 250 10^9/L (150 - 400)",
    ];
    choose_written(&browser, "blood_tests_new.pdf", &report).await;
    browser.wait_until(&format!("{COUNT} === 'Case c1: 2 of 5 ready'")).await;
    assert_eq!(item(&browser, "blood_tests").await, ("satisfied".into(), "blood_tests_new.pdf".into()));
    browser.picture("checklist-filling").await;
}

#[rstest]
#[tokio::test]
async fn another_tab_and_another_visit_see_it_too(#[values(On::Binary, On::Function)] on: On) {
    let server = Host::start(on, &[]).await;
    let browser = Browser::start().await;
    open_live(&browser, &server.url).await;
    choose_case(&browser, "c1", "knee_replacement").await;
    let uploading = browser.driver.window().await.unwrap();
    browser.open_tab(&server.url).await;
    let watching = browser.driver.window().await.unwrap();
    browser.wait_until(&format!("{COUNT} === 'Case c1: 0 of 5 ready'")).await;

    browser.driver.switch_to_window(uploading).await.unwrap();
    choose_all(&browser, &["discharge_summary.pdf"]).await;
    browser.driver.switch_to_window(watching).await.unwrap();
    // Events tell no names: they are asked for, and the list says them then.
    let named = "document.querySelector('.item[data-state=satisfied] .reason')?.innerText === 'discharge_summary.pdf'";
    browser.wait_until(named).await;
    assert_eq!(browser.run(&format!("return {COUNT}")).await, "Case c1: 1 of 5 ready");

    browser.driver.refresh().await.unwrap();
    browser.wait_until(named).await;
    assert_eq!(browser.run(&format!("return {COUNT}")).await, "Case c1: 1 of 5 ready");
}

#[rstest]
#[tokio::test]
async fn a_case_that_is_none_or_not_ones_own_is_said_in_words(#[values(On::Binary, On::Function)] on: On) {
    let server = Host::start(on, &tokens::KEYS).await;
    let browser = Browser::start().await;
    let token = tokens::viewer(&["doc_progress:demo", "chat:c1"]);
    open_live(&browser, &format!("{}/#token={token}", server.url)).await;
    let field = browser.driver.find(By::Css("[data-testid=case-id]")).await.unwrap();

    field.send_keys("a b" + Key::Tab).await.unwrap();
    browser.wait_until("document.querySelector('#case-error').hidden === false").await;
    assert_eq!(browser.run("return document.querySelector('#case-id').ariaInvalid").await, "true");

    field.clear().await.unwrap();
    field.send_keys("c2" + Key::Tab).await.unwrap();
    browser.wait_until("document.querySelector('#checklist-note')?.checkVisibility()").await;
    let words = browser.run("return document.querySelector('#checklist-note').innerText").await;
    assert!(words.as_str().unwrap().to_lowercase().contains("token"), "{words}");
    browser.picture("checklist-refused").await;

    field.clear().await.unwrap();
    field.send_keys("c1" + Key::Tab).await.unwrap();
    browser.wait_until("document.querySelector('#checklist-note').hidden").await;
    assert_eq!(browser.run("return document.querySelector('#checklist').hidden").await, true);
}
