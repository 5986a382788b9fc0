//! The conversation on other screens.

use rstest::rstest;

use super::{open_talk, say, speak_as, upload, wait_for_answers, wait_for_message};
use crate::support::{Browser, Host, On};

const QUESTION: &str = "What medications do I take, and which values are out of range?";

#[rstest]
#[tokio::test]
async fn a_conversation_with_an_answer_under_way_looks_right_everywhere(
    #[values(On::Binary, On::Function)] on: On,
) {
    let server = Host::start(on, &[("HEARTBEAT_INTERVAL_MS", "500")]).await;
    let browser = Browser::start().await;
    browser.become_phone(1_040, 1_100).await;
    open_talk(&browser, &server.url).await;
    browser.run("document.querySelector('.conversation').scrollIntoView()").await;
    browser.picture("chat-empty").await;
    upload(&browser).await;
    speak_as(&browser, "agent").await;
    say(&browser, "Thank you, your documents have arrived.").await;
    wait_for_message(&browser, "Thank you, your documents have arrived.").await;
    speak_as(&browser, "patient").await;
    say(&browser, QUESTION).await;
    wait_for_answers(&browser, "writing", 1).await;
    browser.run("document.querySelector('.conversation').scrollIntoView()").await;
    browser.picture("chat-writing").await;
    wait_for_answers(&browser, "stored", 1).await;
    browser.picture("chat").await;
    browser.run("document.getElementById('chat-cut').click()").await;
    browser.picture("chat-cut").await;
    browser
        .wait_until("document.getElementById('chat-proof').innerText.endsWith('lost 0, doubled 0.')")
        .await;
    browser.prefer("prefers-color-scheme", "dark").await;
    browser.picture("chat-dark").await;

    browser.become_phone(360, 740).await;
    assert_eq!(browser.run("return document.documentElement.scrollWidth").await, 360);
    browser.run("document.querySelector('.conversation').scrollIntoView()").await;
    browser.picture("chat-phone-dark").await;
    browser.prefer("prefers-color-scheme", "light").await;
    browser.run("document.querySelector('.messages').scrollTop = 0").await;
    browser.picture("chat-phone").await;
    browser.run("document.querySelector('.compose').scrollIntoView({ block: 'end' })").await;
    browser.picture("chat-phone-compose").await;
    // The newest message is in sight without scrolling by hand.
    browser.become_phone(1_040, 1_100).await;
    say(&browser, "Thanks!").await;
    wait_for_message(&browser, "Thanks!").await;
    let script = "const list = document.getElementById('messages');
        return list.scrollHeight - list.scrollTop - list.clientHeight < 2";
    browser.run("const list = document.getElementById('messages'); list.scrollTop = list.scrollHeight").await;
    say(&browser, "Thanks again!").await;
    wait_for_message(&browser, "Thanks again!").await;
    wait_for_answers(&browser, "stored", 3).await;
    assert_eq!(browser.run(script).await, true);
}
