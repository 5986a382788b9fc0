//! The page for those who have no mouse, or no screen.

use rstest::rstest;
use serde_json::Value;
use thirtyfour::Key;

use crate::{
    browser::page::{choose_all, open_live, wait_for_cards, wait_for_done},
    support::{Browser, Host, On},
};

const FOCUSED: &str =
    "const { id, className, tagName } = document.activeElement; return id || className || tagName;";

async fn press(browser: &Browser, key: Key) -> Value {
    browser.driver.action_chain().key_down(key.clone()).key_up(key).perform().await.unwrap();
    browser.run(FOCUSED).await
}

/// Whether what has the focus, or what stands for it, is outlined.
async fn is_outlined(browser: &Browser) -> bool {
    let script = "const shown = document.activeElement.closest('.drop') ?? document.activeElement;
        const { outlineStyle, outlineWidth } = getComputedStyle(shown);
        return outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2";
    browser.run(script).await == Value::Bool(true)
}

#[rstest]
#[tokio::test]
async fn everything_is_reached_with_the_keyboard_and_its_focus_is_seen(
    #[values(On::Binary, On::Function)] on: On,
) {
    let server = Host::start(on, &[("HEARTBEAT_INTERVAL_MS", "500")]).await;
    let browser = Browser::start().await;
    open_live(&browser, &server.url).await;

    for wanted in ["cut", "patient-id", "case-id", "procedure", "file-input"] {
        assert_eq!(press(&browser, Key::Tab).await, wanted);
        assert!(is_outlined(&browser).await, "{wanted}");
        browser.picture(&format!("focus-{wanted}")).await;
    }
    let path = format!("{}/fixtures/encrypted.pdf", env!("CARGO_MANIFEST_DIR"));
    browser.driver.active_element().await.unwrap().send_keys(path).await.unwrap();
    wait_for_cards(&browser, "failed", 1).await;
    assert_eq!(press(&browser, Key::Tab).await, "SUMMARY");
    assert!(is_outlined(&browser).await);
    press(&browser, Key::Enter).await;
    assert_eq!(press(&browser, Key::Tab).await, "log");
    assert!(is_outlined(&browser).await);

    browser.run("document.activeElement.blur(); scrollTo(0, 0)").await;
    browser.run("document.getElementById('cut').focus()").await;
    press(&browser, Key::Enter).await;
    browser.wait_until("document.getElementById('proof').innerText.endsWith('lost 0, doubled 0.')").await;
    assert_eq!(browser.run(FOCUSED).await, "cut");
}

#[rstest]
#[tokio::test]
async fn a_screen_reader_hears_the_outcomes_and_never_two_sentences_in_a_second(
    #[values(On::Binary, On::Function)] on: On,
) {
    let server = Host::start(on, &[("HEARTBEAT_INTERVAL_MS", "500")]).await;
    let browser = Browser::start().await;
    open_live(&browser, &server.url).await;
    let listen = "window.said = [];
        const places = document.querySelectorAll('[aria-live], [role=status], [role=alert], [role=log], output');
        window.places = [...places].map(({ id }) => id);
        for (const place of places) {
            new MutationObserver(() => said.push({ at: performance.now(), words: place.textContent }))
                .observe(place, { childList: true, characterData: true, subtree: true });
        }";
    browser.run(listen).await;

    choose_all(&browser, &["encrypted.pdf", "discharge_summary.pdf", "lab_report.pdf", "mri_knee.pdf"]).await;
    wait_for_cards(&browser, "complete", 3).await;
    wait_for_cards(&browser, "failed", 1).await;
    wait_for_done(&browser).await;
    browser.wait_until("said.at(-1)?.words.includes('4 documents: 3 complete, 1 failed.')").await;

    let said = browser.run("return said.map(({ words }) => words)").await;
    let words: Vec<String> = serde_json::from_value(said).unwrap();
    assert!(words.len() <= 8, "{words:?}");
    let all = words.join(" ");
    assert!(all.contains(": complete.") || all.contains(": failed."), "{all}");
    let nearest =
        browser.run("return Math.min(...said.slice(1).map(({ at }, index) => at - said[index].at))").await;
    assert!(nearest.as_f64().is_none_or(|apart| apart > 900.0), "{nearest} ms apart: {words:?}");
    let alerts = browser.run("return places").await;
    assert_eq!(
        alerts,
        serde_json::json!(["patient-error", "case-error", "problems", "announcement", "compose-problem"])
    );
}

#[rstest]
#[tokio::test]
async fn everything_has_a_name_that_can_be_read_out(#[values(On::Binary, On::Function)] on: On) {
    let server = Host::start(on, &[]).await;
    let browser = Browser::start().await;
    open_live(&browser, &server.url).await;
    choose_all(&browser, &["encrypted.pdf", "discharge_summary.pdf"]).await;
    wait_for_cards(&browser, "complete", 1).await;
    wait_for_cards(&browser, "failed", 1).await;

    let nameless = browser
        .run(
            "return [...document.querySelectorAll('button, input, select, [role=progressbar], section, ol, article')]
                .filter((node) => node.checkVisibility())
                .filter((node) => !node.labels?.length && !node.innerText?.trim()
                    && !node.getAttribute('aria-label') && !node.getAttribute('aria-labelledby'))
                .map((node) => node.outerHTML.slice(0, 80))",
        )
        .await;
    assert_eq!(nameless, serde_json::json!([]));
    let levels = browser
        .run("return [...document.querySelectorAll('h1, h2, h3')].filter((node) => node.checkVisibility()).map(({ tagName }) => tagName)")
        .await;
    assert_eq!(levels, serde_json::json!(["H1", "H2", "H3", "H3"]));
}
