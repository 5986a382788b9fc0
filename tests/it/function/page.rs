//! The page, as the function serves it.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::{
    browser::page::{choose, first_done, open_live, stages_received, steps, wait_for_cards, wait_for_done},
    support::{Browser, Outside, Platform, documents::STAGES, tokens},
};

#[tokio::test]
async fn an_upload_in_the_page_is_seen_to_its_end_over_streams_that_end_meanwhile() {
    let outside = Outside::start().await;
    let platform = Platform::start(&outside, &[("STREAM_MAX_SECONDS", "5")]).await;
    platform.scale_out(None).await;
    let token = tokens::viewer(&["doc_progress:demo", "chat:demo"]);
    let browser = Browser::start().await;
    open_live(&browser, &format!("{}/#token={token}", platform.url)).await;

    choose(&browser, "discharge_summary.pdf").await;
    wait_for_cards(&browser, "complete", 1).await;
    wait_for_done(&browser).await;

    assert_eq!(steps(&browser).await, first_done(6));
    assert_eq!(stages_received(&browser).await, STAGES);
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.picture("function").await;
    for instance in platform.instances() {
        eprintln!("cold start of the function as built for tests: {:?}", instance.cold_start);
    }
}

/// Waits until the page has shown so many steps.
async fn wait_for_steps(browser: &Browser, count: usize) {
    let shown = format!("document.querySelectorAll('#log [data-type=\"progress\"]').length >= {count}");
    browser.wait_until(&shown).await;
}

/// Waits until a stream has ended by itself, as before the platform's limit.
async fn wait_for_an_end(platform: &Platform) {
    let begun = Instant::now();
    loop {
        for instance in platform.instances() {
            if instance.metric("tidings_stream_ends_total{reason=\"max_duration\"}").await > 0 {
                return;
            }
        }
        assert!(begun.elapsed() < Duration::from_secs(40), "no stream ends");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn a_page_goes_on_where_it_stood_when_a_stream_ends_and_when_an_instance_goes() {
    let outside = Outside::start().await;
    let platform = Platform::start(&outside, &[("STREAM_MAX_SECONDS", "5")]).await;
    let token = tokens::viewer(&["doc_progress:demo", "chat:demo"]);
    let browser = Browser::start().await;
    open_live(&browser, &format!("{}/#token={token}", platform.url)).await;

    for (told, stage) in STAGES.iter().enumerate() {
        if told == 2 {
            wait_for_an_end(&platform).await;
        }
        if told == 4 {
            platform.scale_out(None).await;
            let (status, _) = platform.retire_oldest().ended().await;
            assert!(status.success());
        }
        let event = json!({ "patient_id": "demo", "document_id": "d1", "stage": stage });
        assert_eq!(platform.post("/api/v1/progress", &event).send().await.unwrap().status(), 202);
        // What is told while nobody is connected comes when the page is back.
        if told % 2 == 1 {
            wait_for_steps(&browser, told + 1).await;
        }
    }

    wait_for_done(&browser).await;
    assert_eq!(stages_received(&browser).await, STAGES, "each once, in order");
    assert_eq!(steps(&browser).await, first_done(6));
}
