//! Documents chosen in the page.

use crate::{
    browser::page::{
        choose, first_done, kept, open_live, stages_received, steps, wait_for_cards, wait_for_done,
    },
    support::{Browser, Server, documents::STAGES},
};

#[tokio::test]
async fn an_upload_is_seen_step_by_step_also_in_a_tab_that_did_not_upload() {
    let server = Server::start(&[]);
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

#[tokio::test]
async fn a_document_that_cannot_be_read_says_why_in_words() {
    let server = Server::start(&[]);
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

#[tokio::test]
async fn a_second_upload_on_the_same_page_is_seen_to_its_end() {
    let server = Server::start(&[]);
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

#[tokio::test]
async fn the_console_stays_empty_under_a_policy_that_allows_no_inline_code() {
    let server = Server::start(&[]);
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
