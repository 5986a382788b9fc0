//! What a person sees while Redis is away, and with two instances behind the page.

use rstest::rstest;
use serde_json::json;

use crate::{
    browser::page::{
        choose, first_done, kept, open_live, stages_received, steps, wait_for_cards, wait_for_connection,
        wait_for_done,
    },
    support::{
        Browser, Database, Host, On, Redis, RedisRest,
        documents::{STAGES, confirm, emit, put},
    },
};

/// What makes a host use this Redis.
fn over(redis: &RedisRest) -> [(&str, &str); 2] {
    [("UPSTASH_REDIS_REST_URL", &redis.url), ("UPSTASH_REDIS_REST_TOKEN", "t")]
}

#[rstest]
#[tokio::test]
async fn a_page_keeps_the_last_step_names_what_is_down_and_shows_the_outcome(
    #[values(On::Binary, On::Function)] on: On,
) {
    let mut redis = Redis::start();
    let front = RedisRest::with_token(&redis, "t");
    let server = Host::start(on, &over(&front)).await;
    let browser = Browser::start().await;
    open_live(&browser, &server.url).await;
    let document = put(&server, "demo", "lab_report.pdf").await;
    for stage in &STAGES[..2] {
        emit(&server, "demo", &document, stage).await;
    }
    browser.wait_until("window.tidings.received.length === 2").await;
    let seen = steps(&browser).await;

    redis.crash();
    browser.wait_until("document.querySelector('[data-source=redis][data-state=down]')").await;
    assert_eq!(steps(&browser).await, seen);
    wait_for_connection(&browser, "live").await;
    browser.picture("redis-down").await;

    confirm(&server, &document).await;
    wait_for_cards(&browser, "complete", 1).await;
    wait_for_done(&browser).await;
    assert_eq!(browser.run("return document.querySelector('.card').dataset.percent").await, "100");
    browser.picture("redis-down-outcome").await;

    redis.start_again();
    open_live(&browser, &server.url).await;
    choose(&browser, "prescription.pdf").await;
    wait_for_cards(&browser, "complete", 2).await;
    assert_eq!(steps(&browser).await, first_done(6));
}

#[rstest]
#[tokio::test]
async fn two_tabs_at_each_of_two_instances_all_see_every_step_once(
    #[values(On::Binary, On::Function)] on: On,
) {
    let redis = Redis::start();
    let front = RedisRest::with_token(&redis, "t");
    let database = Database::new().await;
    let shared = [&over(&front)[..], &[("DATABASE_URL", &database.url)]].concat();
    let instances = [Host::start(on, &shared).await, Host::start(on, &shared).await];
    let browser = Browser::start().await;
    let mut tabs = Vec::new();
    for server in instances.iter().chain(&instances) {
        if tabs.is_empty() {
            browser.open(&server.url).await;
        } else {
            browser.open_tab(&server.url).await;
        }
        wait_for_connection(&browser, "live").await;
        tabs.push(browser.driver.window().await.unwrap());
    }

    choose(&browser, "discharge_summary.pdf").await;

    for tab in tabs {
        browser.driver.switch_to_window(tab).await.unwrap();
        wait_for_done(&browser).await;
        wait_for_cards(&browser, "complete", 1).await;
        assert_eq!(steps(&browser).await, first_done(6));
        assert_eq!(stages_received(&browser).await, STAGES);
        assert_eq!(kept(&browser, "repeats").await, json!(0));
    }
}
