//! Answers about the documents, token by token.

use rstest::rstest;

use super::{
    go_to, kept, open_talk, open_talk_in_tab, record_answer, recorded_answer, said, say, talk_proof, upload,
    wait_for_answers, wait_for_talk,
};
use crate::support::{Browser, Host, On};

const QUESTION: &str = "What does my discharge summary say?";

#[rstest]
#[tokio::test]
async fn an_answer_cut_in_the_middle_is_whole_in_both_tabs(#[values(On::Binary, On::Function)] on: On) {
    let server = Host::start(on, &[("HEARTBEAT_INTERVAL_MS", "500")]).await;
    let browser = Browser::start().await;
    let first = open_talk(&browser, &server.url).await;
    upload(&browser).await;
    record_answer(&browser).await;
    let second = open_talk_in_tab(&browser, &server.url).await;
    record_answer(&browser).await;

    say(&browser, QUESTION).await;
    browser.wait_until("texts.length >= 5").await;
    wait_for_answers(&browser, "writing", 1).await;
    browser.run("document.getElementById('chat-cut').click()").await;
    wait_for_talk(&browser, "reconnecting").await;
    let words = talk_proof(&browser).await;
    assert!(words.ends_with("lost 0, doubled 0."), "{words}");

    wait_for_answers(&browser, "stored", 1).await;
    let kept = kept(&server).await;
    for tab in [&first, &second] {
        go_to(&browser, tab).await;
        wait_for_answers(&browser, "stored", 1).await;
        assert_eq!(said(&browser).await, kept);
        let texts = recorded_answer(&browser).await;
        assert!(texts.len() > 3 && texts.last() == kept.last(), "{} pieces", texts.len());
    }
    assert_eq!(kept[0], QUESTION);
    assert!(kept[1].contains("discharge_summary.pdf, a discharge summary"), "{}", kept[1]);
}

#[rstest]
#[tokio::test]
async fn a_page_opened_in_mid_answer_shows_what_was_said_and_goes_on(
    #[values(On::Binary, On::Function)] on: On,
) {
    let server = Host::start(on, &[("HEARTBEAT_INTERVAL_MS", "500")]).await;
    let browser = Browser::start().await;
    open_talk(&browser, &server.url).await;
    upload(&browser).await;
    say(&browser, QUESTION).await;
    wait_for_answers(&browser, "writing", 1).await;

    browser.driver.refresh().await.unwrap();
    wait_for_answers(&browser, "writing", 1).await;
    record_answer(&browser).await;

    wait_for_answers(&browser, "stored", 1).await;
    let (kept, texts) = (kept(&server).await, recorded_answer(&browser).await);
    assert_eq!((said(&browser).await, texts.last()), (kept.clone(), kept.last()));
}

#[rstest]
#[tokio::test]
async fn an_answer_whose_server_dies_is_not_shown_as_being_written_for_ever(
    #[values(On::Binary, On::Function)] on: On,
) {
    let mut server = Host::start_to_return(on, &[]).await;
    let browser = Browser::start().await;
    open_talk(&browser, &server.url).await;
    upload(&browser).await;
    say(&browser, QUESTION).await;
    wait_for_answers(&browser, "writing", 1).await;

    server.crash();
    wait_for_talk(&browser, "reconnecting").await;
    server.start_again(&[("STATUS_INTERVAL_MS", "300")]).await;

    wait_for_answers(&browser, "stored", 1).await;
    assert_eq!(said(&browser).await, kept(&server).await);
}
