//! A scan through the function: presign, the queue, the worker, and the queue's callback to some instance.

use crate::{
    browser::page::{choose, first_done, open_live, steps, wait_for_cards, wait_for_done},
    support::{
        Browser, Outside, Platform, Queue,
        ocr::{Relay, Worker},
        tokens::{self, SERVICE_KEY},
    },
};

/// Production refuses those that the vendor publishes.
const KEYS: [&str; 2] = ["sig_of_the_tests", "sig_of_the_tests_next"];
const TOKEN: &str = "token-of-the-queue";

#[tokio::test]
async fn a_scan_put_on_the_page_is_read_and_called_back_through_the_function() {
    let outside = Outside::start().await;
    let (public, worker_relay) = (Relay::start().await, Relay::start().await);
    let queue = Queue::start_with(&[
        "--listen",
        "127.0.0.1:0",
        "--time-scale",
        "0.001",
        "--token",
        TOKEN,
        "--current-signing-key",
        KEYS[0],
        "--next-signing-key",
        KEYS[1],
    ])
    .unwrap();
    let worker = Worker::start_with(&worker_relay.url, KEYS, Some(SERVICE_KEY));
    worker_relay.lead_to(&worker.url);
    let platform = Platform::start(
        &outside,
        &[
            ("STREAM_MAX_SECONDS", "5"),
            ("OCR_URL", &worker_relay.url),
            ("PUBLIC_URL", &public.url),
            ("QSTASH_URL", &queue.url),
            ("QSTASH_TOKEN", TOKEN),
            ("QSTASH_CURRENT_SIGNING_KEY", KEYS[0]),
            ("QSTASH_NEXT_SIGNING_KEY", KEYS[1]),
        ],
    )
    .await;
    platform.scale_out(None).await;
    public.lead_to(&platform.url);
    let token = tokens::viewer(&["doc_progress:demo", "chat:demo"]);
    let browser = Browser::start().await;
    open_live(&browser, &format!("{}/#token={token}", platform.url)).await;

    choose(&browser, "scanned_letter.pdf").await;
    wait_for_cards(&browser, "complete", 1).await;
    wait_for_done(&browser).await;

    assert_eq!(steps(&browser).await, first_done(6));
    let mut taken = 0;
    for instance in platform.instances() {
        taken += instance.metric("tidings_ocr_deliveries_total{outcome=\"taken\"}").await;
    }
    assert_eq!(taken, 1, "the queue has called back once that counted");
    let complete = "SELECT count(*) FROM documents WHERE status = 'complete'";
    assert_eq!(outside.database.number(complete).await, 1);
}
