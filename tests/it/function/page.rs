//! The page, as the function serves it.

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
