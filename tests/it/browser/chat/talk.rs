//! Two people in one conversation.

use rstest::rstest;
use serde_json::json;
use thirtyfour::Key;

use super::{
    choose_case, go_to, kept, open_talk, open_talk_in_tab, said, say, shown, speak_as, talk_proof, upload,
    wait_for_answers, wait_for_message, wait_for_talk, write,
};
use crate::support::{
    Browser, Host, On,
    tokens::{in_seconds, keys_and, sign},
};

/// Keeps who is said to be typing.
const RECORD_TYPING: &str = "window.typed = [];
    new MutationObserver(() => typed.push(document.getElementById('typing').textContent))
        .observe(document.getElementById('typing'), { childList: true })";

#[rstest]
#[tokio::test]
async fn two_tabs_talk_and_see_each_other_come_and_type(#[values(On::Binary, On::Function)] on: On) {
    let server = Host::start(on, &[]).await;
    let browser = Browser::start().await;
    let patient = open_talk(&browser, &server.url).await;
    browser.run(RECORD_TYPING).await;
    let agent = open_talk_in_tab(&browser, &server.url).await;
    browser.run(RECORD_TYPING).await;

    speak_as(&browser, "agent").await;
    write(&browser, "Hello, ").await;
    say(&browser, "how can I help?").await;
    wait_for_message(&browser, "Hello, how can I help?").await;
    go_to(&browser, &patient).await;
    wait_for_message(&browser, "Hello, how can I help?").await;
    browser.wait_until("typed.includes('Care team is typing…')").await;
    browser.wait_until("document.getElementById('typing').textContent === ''").await;
    say(&browser, "Is my <b>scan</b> enough?").await;

    for tab in [&patient, &agent] {
        go_to(&browser, tab).await;
        wait_for_message(&browser, "Is my <b>scan</b> enough?").await;
        let (joined, first, second) =
            ("Care team joined the conversation.", "Hello, how can I help?", "Is my <b>scan</b> enough?");
        let expected = [("system", joined), ("agent", first), ("patient", second)];
        let mut shown = shown(&browser).await;
        // The note stands where it came, and the store may tell a message before the log tells who joined.
        if on == On::Function && shown[0].0 == "agent" {
            shown.swap(0, 1);
        }
        assert_eq!(shown, expected.map(|(role, words)| (role.to_owned(), words.to_owned())));
    }
    // Nobody is told of the own typing.
    let typed = browser.run("return [...new Set(typed)].filter(Boolean)").await;
    assert_eq!(typed, json!(["Patient is typing…"]), "the tab of the care team");
    assert_eq!(kept(&server).await, ["Hello, how can I help?", "Is my <b>scan</b> enough?"]);
}

/// A talk of one message, on a server that beats so often, in milliseconds.
async fn begun_talk(on: On, heartbeat: &str) -> (Host, Browser) {
    let server = Host::start(on, &[("HEARTBEAT_INTERVAL_MS", heartbeat)]).await;
    let browser = Browser::start().await;
    open_talk(&browser, &server.url).await;
    say(&browser, "one").await;
    wait_for_message(&browser, "one").await;
    (server, browser)
}

#[rstest]
#[tokio::test]
async fn what_is_said_while_the_connection_is_cut_comes_once(#[values(On::Binary, On::Function)] on: On) {
    let (server, browser) = begun_talk(on, "500").await;

    browser.run("document.getElementById('chat-cut').click()").await;
    wait_for_talk(&browser, "reconnecting").await;
    say(&browser, "two").await;
    let other = json!({ "content": "three", "role": "agent" });
    wait_for_message(&browser, "two").await;
    assert_eq!(server.post("/api/v1/cases/demo/messages", &other).send().await.unwrap().status(), 201);

    let words = talk_proof(&browser).await;
    assert!(words.ends_with("2 messages since the cut: lost 0, doubled 0."), "{words}");
    assert_eq!(said(&browser).await, ["one", "two", "three"]);
}

#[rstest]
#[tokio::test]
async fn a_message_shown_twice_would_be_seen(#[values(On::Binary, On::Function)] on: On) {
    let (_server, browser) = begun_talk(on, "500").await;

    // The page is made to show it once more.
    let twice = "const list = document.getElementById('messages'); list.append(list.lastElementChild.cloneNode(true))";
    browser.run(twice).await;
    browser.run("document.getElementById('chat-cut').click()").await;

    let words = talk_proof(&browser).await;
    assert!(words.ends_with("lost 0, doubled 1."), "{words}");
    assert_eq!(browser.run("return document.getElementById('chat-proof').dataset.state").await, "bad");
}

#[rstest]
#[tokio::test]
async fn a_proof_under_way_goes_with_its_case_and_the_next_is_of_its_own(
    #[values(On::Binary, On::Function)] on: On,
) {
    let (_server, browser) = begun_talk(on, "2000").await;
    browser.run("document.getElementById('chat-cut').click()").await;
    wait_for_talk(&browser, "reconnecting").await;
    wait_for_talk(&browser, "live").await;

    // It waits for the next heartbeat still.
    let script = "window.proved = [];
        const place = document.getElementById('chat-proof');
        new MutationObserver(() => place.hidden || proved.push(place.textContent))
            .observe(place, { childList: true, attributes: true });
        const field = document.getElementById('case-id');
        field.value = 'another'; field.dispatchEvent(new Event('change'));
        window.beats = 0;
        import('/tidings.js').then(({ followChat }) =>
            followChat({ caseId: 'another', share: false, onHeartbeat: () => (beats += 1) }))";
    browser.run(script).await;
    wait_for_talk(&browser, "live").await;
    // Every stream has had one of them by then.
    browser.wait_until("beats >= 2").await;
    assert_eq!(browser.run("return proved").await, json!([]));
    say(&browser, "two").await;
    wait_for_message(&browser, "two").await;
    browser.run("document.getElementById('chat-cut').click()").await;
    let words = talk_proof(&browser).await;

    assert!(words.ends_with("0 messages since the cut: lost 0, doubled 0."), "{words}");
    let proved = browser.run("return [...new Set(proved)].map((words) => words.slice(0, 7))").await;
    assert_eq!(proved, json!(["Cut for", "Back af"]));
}

#[rstest]
#[tokio::test]
async fn a_message_that_is_refused_stays_in_the_field_and_says_why(
    #[values(On::Binary, On::Function)] on: On,
) {
    let server = Host::start(on, &keys_and(&[])).await;
    let browser = Browser::start().await;
    let claims = json!({ "exp": in_seconds(3_600), "channels": ["doc_progress:demo"] });
    browser.open(&format!("{}/#token={}", server.url, sign(&claims))).await;
    choose_case(&browser).await;

    wait_for_talk(&browser, "closed").await;
    browser.wait_until("document.getElementById('chat-notice').innerText.includes('does not cover')").await;
    say(&browser, "Is my scan enough?").await;

    browser.wait_until("!document.getElementById('compose-problem').hidden").await;
    assert_eq!(browser.run("return document.getElementById('message').value").await, "Is my scan enough?");
    assert!(said(&browser).await.is_empty());
    // The token says in which role.
    assert_eq!(browser.run("return document.getElementById('speaker-field').hidden").await, true);
}

#[rstest]
#[tokio::test]
async fn everything_is_reached_with_the_keyboard_and_answers_are_said_once(
    #[values(On::Binary, On::Function)] on: On,
) {
    let server = Host::start(on, &[]).await;
    let browser = Browser::start().await;
    browser.open(&server.url).await;
    assert_eq!(browser.run("return document.getElementById('conversation').checkVisibility()").await, false);
    open_talk(&browser, &server.url).await;

    browser.run("document.getElementById('chat-cut').focus()").await;
    for wanted in ["speaker", "message", "send"] {
        browser.driver.action_chain().key_down(Key::Tab).key_up(Key::Tab).perform().await.unwrap();
        let script = "const { outlineStyle } = getComputedStyle(document.activeElement);
            return [document.activeElement.id, outlineStyle !== 'none']";
        assert_eq!(browser.run(script).await, json!([wanted, true]));
    }
    upload(&browser).await;
    browser
        .run(
            "window.said = []; const place = document.getElementById('announcement');
            new MutationObserver(() => said.push(place.textContent)).observe(place, { childList: true })",
        )
        .await;
    say(&browser, "Which medications do I take?").await;
    wait_for_answers(&browser, "stored", 1).await;

    // Not the pieces, and not what was said here.
    browser.wait_until("said.some((words) => words.includes('Tidings: I looked at 1 document'))").await;
    let said: Vec<String> = serde_json::from_value(browser.run("return said").await).unwrap();
    assert!(said.len() <= 4 && !said.concat().contains("Which medications"), "{said:?}");
}
