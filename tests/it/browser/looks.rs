//! The page on other screens.

use serde_json::Value;

use crate::{
    browser::page::{choose_all, open_live, wait_for_cards},
    support::{Browser, Server},
};

#[tokio::test]
async fn on_a_phone_nothing_is_wider_than_the_screen() {
    let server = Server::start(&[]);
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

#[tokio::test]
async fn on_a_dark_system_the_page_is_dark() {
    let server = Server::start(&[]);
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

/// How light a colour of the page is: the sum of its parts.
async fn light_of(browser: &Browser, property: &str) -> u64 {
    let script = format!(
        "return getComputedStyle(document.body).{property}.match(/\\d+/g).slice(0, 3)
            .reduce((sum, part) => sum + Number(part), 0)"
    );
    let light: Value = browser.run(&script).await;
    light.as_u64().unwrap()
}
