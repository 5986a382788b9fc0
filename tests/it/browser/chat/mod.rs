//! The conversation of a case: two tabs, answers, cuts and outages.

mod answers;
mod client;
mod looks;
mod outages;
mod talk;

use serde_json::{Value, json};
use thirtyfour::{By, Key, WindowHandle};

use crate::{
    browser::page::{choose, wait_for_cards},
    support::{Browser, Site},
};

/// Opens the page and waits until its conversation is live.
pub async fn open_talk(browser: &Browser, url: &str) -> WindowHandle {
    browser.open(url).await;
    choose_case(browser).await;
    wait_for_talk(browser, "live").await;
    browser.driver.window().await.unwrap()
}

/// Enters the case; other tabs and later visits know it then.
pub async fn choose_case(browser: &Browser) {
    let script = "const field = document.getElementById('case-id');
        field.value = 'demo'; field.dispatchEvent(new Event('change'))";
    browser.run(script).await;
}

/// Opens the page in another tab, and goes on there.
pub async fn open_talk_in_tab(browser: &Browser, url: &str) -> WindowHandle {
    browser.open_tab(url).await;
    wait_for_talk(browser, "live").await;
    browser.driver.window().await.unwrap()
}

pub async fn go_to(browser: &Browser, tab: &WindowHandle) {
    browser.driver.switch_to_window(tab.clone()).await.unwrap();
}

pub async fn wait_for_talk(browser: &Browser, state: &str) {
    browser.wait_until(&format!("document.querySelector('#chat-state[data-state={state}]')")).await;
}

/// Writes as a person does, without sending.
pub async fn write(browser: &Browser, words: &str) {
    let field = browser.driver.find(By::Css("[data-testid=message]")).await.unwrap();
    field.send_keys(words).await.unwrap();
}

/// Writes and sends with the Enter key.
pub async fn say(browser: &Browser, words: &str) {
    write(browser, &(words.to_owned() + Key::Enter.value().to_string().as_str())).await;
}

/// Speaks as somebody else from here on.
pub async fn speak_as(browser: &Browser, role: &str) {
    let script = format!(
        "const field = document.getElementById('speaker');
         field.value = '{role}'; field.dispatchEvent(new Event('change'))"
    );
    browser.run(&script).await;
}

/// What is shown: role and text of each message, in order.
pub async fn shown(browser: &Browser) -> Vec<(String, String)> {
    let script = "return [...document.querySelectorAll('#messages .message')]
        .map((node) => [node.dataset.role, node.querySelector('.content').textContent])";
    serde_json::from_value(browser.run(script).await).unwrap()
}

/// The texts of all that is shown but notices.
pub async fn said(browser: &Browser) -> Vec<String> {
    shown(browser).await.into_iter().filter(|(role, _)| role != "system").map(|(_, words)| words).collect()
}

/// Waits until a message with just this text is kept by the server and shown.
pub async fn wait_for_message(browser: &Browser, words: &str) {
    let shown = format!(
        "[...document.querySelectorAll('#messages .message[data-state=stored] .content')]
            .some((node) => node.textContent === {})",
        json!(words)
    );
    browser.wait_until(&shown).await;
}

/// Waits until so many answers stand there in a state.
pub async fn wait_for_answers(browser: &Browser, state: &str, count: usize) {
    let answers = format!(
        "document.querySelectorAll('#messages .message[data-role=assistant][data-state={state}]').length === {count}"
    );
    browser.wait_until(&answers).await;
}

/// Uploads a document of the case, and waits until it is read.
pub async fn upload(browser: &Browser) {
    choose(browser, "discharge_summary.pdf").await;
    wait_for_cards(browser, "complete", 1).await;
}

/// Keeps what the newest answer is shown as, from now on.
pub async fn record_answer(browser: &Browser) {
    let script = "window.texts = [];
        new MutationObserver(() => {
            const answers = document.querySelectorAll('#messages .message[data-role=assistant] .content');
            const text = [...answers].at(-1)?.textContent;
            if (text && text !== window.texts.at(-1)) window.texts.push(text);
        }).observe(document.getElementById('messages'), { subtree: true, childList: true, characterData: true })";
    browser.run(script).await;
}

/// What [`record_answer`] has kept: each is the beginning of the next, and the last is whole.
pub async fn recorded_answer(browser: &Browser) -> Vec<String> {
    let texts: Vec<String> = serde_json::from_value(browser.run("return texts").await).unwrap();
    for pair in texts.windows(2) {
        assert!(pair[1].starts_with(&pair[0]), "lost or doubled: {pair:?}");
    }
    texts
}

/// The messages of the case as the server has them, without notices.
pub async fn kept(server: &Site) -> Vec<String> {
    let mut viewer = crate::support::Viewer::open(server.get("/api/v1/cases/demo/chat/stream")).await;
    let messages = viewer.until("connected").await.data["messages"].take();
    let said = messages.as_array().unwrap().iter().filter(|message| message["role"] != "system");
    said.map(|message| message["content"].as_str().unwrap().to_owned()).collect()
}

/// What the proof of the conversation says, once it says it.
pub async fn talk_proof(browser: &Browser) -> String {
    browser.wait_until("['good', 'bad'].includes(document.getElementById('chat-proof').dataset.state)").await;
    let words: Value = browser.run("return document.getElementById('chat-proof').innerText").await;
    words.as_str().unwrap().to_owned()
}
