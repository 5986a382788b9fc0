//! Documents chosen in the page.

use rstest::rstest;
use serde_json::json;

use crate::{
    browser::page::{
        choose, drop_files, first_done, kept, open_live, stages_received, steps, wait_for_cards,
        wait_for_done,
    },
    support::{
        Browser, Gate, Host, On,
        analyzer::{Answer, AnswersInTurn},
        documents::{STAGES, fixture},
    },
};

#[rstest]
#[tokio::test]
async fn an_upload_is_seen_step_by_step_also_in_a_tab_that_did_not_upload(
    #[values(On::Binary, On::Function)] on: On,
) {
    let server = Host::start(on, &[]).await;
    let browser = Browser::start().await;
    open_live(&browser, &server.url).await;
    let uploading = browser.driver.window().await.unwrap();
    browser.open_tab(&server.url).await;
    let watching = browser.driver.window().await.unwrap();
    browser.wait_until("document.querySelector('[data-state=live]')").await;

    browser.driver.switch_to_window(uploading.clone()).await.unwrap();
    choose(&browser, "discharge_summary.pdf").await;

    for tab in [uploading, watching] {
        browser.driver.switch_to_window(tab).await.unwrap();
        wait_for_done(&browser).await;
        browser
            .wait_until("document.querySelector('.filename').textContent === 'discharge_summary.pdf'")
            .await;
        assert_eq!(steps(&browser).await, first_done(6));
        assert_eq!(stages_received(&browser).await, STAGES);
        assert_eq!(browser.run("return document.querySelector('.card').dataset.percent").await, "100");
        assert_eq!(kept(&browser, "repeats").await, 0);
        browser.picture("uploaded").await;
    }
}

#[rstest]
#[tokio::test]
async fn several_files_are_dropped_at_once_and_those_that_cannot_be_read_are_named(
    #[values(On::Binary, On::Function)] on: On,
) {
    let server = Host::start(on, &[]).await;
    let browser = Browser::start().await;
    open_live(&browser, &server.url).await;
    let files = ["lab_report.pdf", "mri_knee.pdf", "referral_letter.pdf"].map(|name| (name, fixture(name)));
    let mut dropped: Vec<_> = files.iter().map(|(name, bytes)| (*name, &bytes[..])).collect();
    dropped.extend([("notes.docx", &b"words"[..]), ("empty.pdf", &b""[..])]);

    drop_files(&browser, &dropped).await;
    wait_for_cards(&browser, "complete", 3).await;
    wait_for_done(&browser).await;

    let words = browser.run("return document.getElementById('problems').innerText").await;
    assert_eq!(words, "notes.docx: only PDF files can be read.\nempty.pdf: the file is empty.");
    let summary = browser.run("return document.getElementById('summary').innerText").await;
    assert_eq!(summary, "3 documents: 3 complete.");
    browser.picture("dropped").await;
}

#[rstest]
#[tokio::test]
async fn a_file_on_its_way_shows_how_much_of_it_is_sent(#[values(On::Binary, On::Function)] on: On) {
    let server = Host::start(on, &[]).await;
    let browser = Browser::start().await;
    open_live(&browser, &server.url).await;
    browser.send_at_most(8 * 1_024).await;

    choose(&browser, "scanned_letter.pdf").await;
    let sent = "document.querySelector('.card[data-status=uploading] .percent')?.innerText";
    browser.wait_until(&format!("/^[1-9]\\d? % sent$/.test({sent})")).await;
    let bar = browser.run("return document.querySelector('.card [role=progressbar]').ariaLabel").await;
    assert_eq!(bar, "Upload of scanned_letter.pdf");
    browser.picture("uploading").await;
    browser.send_at_most(-1).await;

    wait_for_cards(&browser, "failed", 1).await;
    let words = browser.run("return document.querySelector('.failure').innerText").await;
    assert!(words.as_str().unwrap().starts_with("The document is a picture without text"), "{words}");
}

#[rstest]
#[tokio::test]
async fn a_document_that_cannot_be_read_says_why_in_words(#[values(On::Binary, On::Function)] on: On) {
    let server = Host::start(on, &[]).await;
    let browser = Browser::start().await;
    open_live(&browser, &server.url).await;

    choose(&browser, "encrypted.pdf").await;
    wait_for_cards(&browser, "failed", 1).await;
    wait_for_done(&browser).await;

    let words = browser.run("return document.querySelector('.failure').innerText").await;
    assert_eq!(words, "The file is protected by a password. Remove the password and upload it again.");
    let states: Vec<_> = steps(&browser).await.into_iter().map(|(_, state)| state).collect();
    assert_eq!(states, ["done", "failed", "waiting", "waiting", "waiting", "waiting"]);
    browser.picture("failed").await;
}

#[rstest]
#[tokio::test]
async fn a_status_from_before_a_failure_does_not_take_it_back_and_the_outcome_does(
    #[values(On::Binary, On::Function)] on: On,
) {
    let analyzer = AnswersInTurn::start(&[Answer::With(200, "{}")]).await;
    let gate = Gate::before(&analyzer.url).await;
    let mut calls = gate.step().await;
    let server = Host::start(on, &[("ANALYZER_URL", &gate.url)]).await;
    let browser = Browser::start().await;
    open_live(&browser, &server.url).await;
    choose(&browser, "discharge_summary.pdf").await;
    let held = calls.recv().await.unwrap();
    wait_for_cards(&browser, "analyzing", 1).await;

    let document = browser.run("return document.querySelector('.card').dataset.documentId").await;
    let failure = json!({
        "patient_id": "demo", "document_id": document, "stage": "analysis_started", "status": "failed",
    });
    assert_eq!(server.post("/api/v1/progress", &failure).send().await.unwrap().status(), 202);
    wait_for_cards(&browser, "failed", 1).await;
    let watch = "window.others = [];
        const card = document.querySelector('.card');
        new MutationObserver(() => card.dataset.status === 'failed' || others.push(card.dataset.status))
            .observe(card, { attributeFilter: ['data-status'] })";
    browser.run(watch).await;
    // The store still says what it said before: the connection comes back with a snapshot of it.
    browser.run("document.getElementById('cut').click()").await;
    browser.wait_until("document.querySelectorAll('#log [data-type=\"connected\"]').length === 2").await;
    let told = "return document.querySelector('#log [data-type=\"connected\"]').textContent";
    let told = browser.run(told).await;
    let others = browser.run("return others").await;
    held.go_on();
    wait_for_cards(&browser, "complete", 1).await;

    assert!(told.as_str().unwrap().contains(r#""status":"analyzing""#), "{told}");
    assert_eq!(others, json!([]));
    assert_eq!(browser.run("return document.querySelector('.card .failure').hidden").await, true);
}

#[rstest]
#[tokio::test]
async fn a_second_upload_on_the_same_page_is_seen_to_its_end(#[values(On::Binary, On::Function)] on: On) {
    let server = Host::start(on, &[]).await;
    let browser = Browser::start().await;
    open_live(&browser, &server.url).await;
    choose(&browser, "discharge_summary.pdf").await;
    wait_for_cards(&browser, "complete", 1).await;
    wait_for_done(&browser).await;

    choose(&browser, "lab_report.pdf").await;
    wait_for_cards(&browser, "complete", 2).await;
    wait_for_done(&browser).await;

    let newest = browser.run("return document.querySelector('.filename').textContent").await;
    assert_eq!(newest, "lab_report.pdf");
    assert_eq!(steps(&browser).await, first_done(6));
    assert_eq!(kept(&browser, "received.length").await, 12);
    browser.picture("second-upload").await;
}

#[rstest]
#[tokio::test]
async fn the_console_stays_empty_under_a_policy_that_allows_no_inline_code(
    #[values(On::Binary, On::Function)] on: On,
) {
    let server = Host::start(on, &[]).await;
    let answer = server.get("/").send().await.unwrap();
    let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self'"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    let browser = Browser::start().await;
    open_live(&browser, &server.url).await;

    choose(&browser, "mri_knee.pdf").await;
    wait_for_cards(&browser, "complete", 1).await;
    wait_for_done(&browser).await;

    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.run("document.body.setAttribute('onclick', 'alert(1)')").await;
    let complaints = browser.complaints().await;
    assert!(
        complaints.iter().any(|complaint| complaint.contains("Content Security Policy")),
        "{complaints:?}"
    );
}
