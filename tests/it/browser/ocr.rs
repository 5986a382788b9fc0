//! A scan dropped on the page, with all of OCR behind it.

use rstest::rstest;
use serde_json::Value;
use thirtyfour::By;

use crate::{
    browser::page::{first_done, open_live, steps, wait_for_cards, wait_for_done},
    support::{Browser, On, ocr::Ocr},
};

/// Keeps every detail a card shows.
const KEEP_DETAILS: &str = "
    window.details = [];
    new MutationObserver(() => {
        const shown = document.querySelector('.card .detail')?.textContent ?? '';
        if (shown && window.details.at(-1) !== shown) window.details.push(shown);
    }).observe(document.body, { childList: true, characterData: true, subtree: true });";

/// Drops the file that a field of the test's own holds, as a person drops it from a folder.
const DROP: &str = "
    const transfer = new DataTransfer();
    transfer.items.add(document.getElementById('from-disk').files[0]);
    document.getElementById('drop').dispatchEvent(
        new DragEvent('drop', { bubbles: true, cancelable: true, dataTransfer: transfer }));";

#[rstest]
#[tokio::test]
async fn a_scan_dropped_on_the_page_shows_its_pages_and_ends_as_complete(
    #[values(On::Binary, On::Function)] on: On,
) {
    let ocr = Ocr::start_on(on).await;
    let browser = Browser::start().await;
    open_live(&browser, &ocr.server.url).await;
    browser.run(KEEP_DETAILS).await;
    let field = "const field = document.createElement('input'); field.type = 'file'; field.id = 'from-disk';
        document.body.append(field)";
    browser.run(field).await;
    let path = format!("{}/fixtures/scanned_letter.pdf", env!("CARGO_MANIFEST_DIR"));
    browser.driver.find(By::Id("from-disk")).await.unwrap().send_keys(path).await.unwrap();

    browser.run(DROP).await;
    browser.wait_until("window.details.some((detail) => detail === 'page 2 of 3')").await;
    browser.picture("ocr-page").await;
    wait_for_cards(&browser, "complete", 1).await;
    wait_for_done(&browser).await;

    assert_eq!(steps(&browser).await, first_done(6));
    let details = browser.run("return window.details").await;
    let pages: Vec<&str> = details.as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(pages[..4], ["page 1 of 3", "page 2 of 3", "page 3 of 3", "3 pages"], "{pages:?}");
    browser.picture("ocr-done").await;
}
