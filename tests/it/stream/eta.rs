//! What viewers are told of the time a document takes still.

use std::time::Duration;

use serde_json::{Value, json};
use tidings::{
    documents::DocumentStatus,
    event::{ProgressEvent, Stage, StepStatus},
    stream::Frame,
};

use super::world::{Browser, World, id};

fn telling(stage: Stage, eta: Value) -> ProgressEvent {
    let mut event = ProgressEvent::new(id("d1"), stage);
    event.extra.insert("eta_seconds".into(), eta);
    event
}

/// What the snapshot of `connected` says.
fn shown(browser: &Browser) -> &Value {
    &browser.snapshot["documents"][0]["eta_seconds"]
}

/// What the events said, in order.
fn told(browser: &Browser) -> Vec<Value> {
    let events = browser.seen.iter().filter_map(|frame| match frame {
        Frame::Event(event) => Some(&event.event.as_ref().unwrap().data),
        _ => None,
    });
    events.map(|data| serde_json::from_slice::<Value>(data).unwrap()["eta_seconds"].clone()).collect()
}

#[tokio::test(start_paused = true)]
async fn who_comes_later_is_told_as_much_less() {
    let world = World::new();
    world.set_status("d1", DocumentStatus::OcrProcessing);
    world.emit_event(telling(Stage::OcrStarted, json!([20, 40]))).await;
    let mut first = Browser::new();
    first.open(&world).await;
    first.read_all().await;

    tokio::time::sleep(Duration::from_secs(15)).await;
    let mut second = Browser::new();
    second.open(&world).await;
    second.read_all().await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    let mut third = Browser::new();
    third.open(&world).await;
    third.read_all().await;

    assert_eq!(shown(&first), &json!([20, 40]));
    assert_eq!(shown(&second), &json!([4, 25]), "15 s less, and what reading took");
    assert_eq!(shown(&third), &Value::Null, "it takes longer than told");
}

#[tokio::test(start_paused = true)]
async fn a_word_of_it_passes_as_it_is_and_nonsense_does_not() {
    let world = World::new();
    let mut browser = Browser::new();
    browser.open(&world).await;

    world.emit_event(telling(Stage::OcrStarted, json!("soon"))).await;
    world.emit_event(telling(Stage::OcrStarted, json!([20.5, 40]))).await;
    world.emit_event(telling(Stage::OcrComplete, json!([40, 20]))).await;
    world.emit_event(ProgressEvent::new(id("d1"), Stage::AnalysisStarted)).await;
    browser.read_all().await;

    assert_eq!(told(&browser), [json!(null), json!([20.5, 40]), json!([20, 40]), json!([20, 40])]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_told_of_what_is_over_or_begins_anew() {
    let world = World::new();
    world.emit_event(telling(Stage::OcrStarted, json!([20, 40]))).await;
    world.emit_event(ProgressEvent::new(id("d1"), Stage::OcrStarted).with_status(StepStatus::Failed)).await;
    let mut after_the_end = Browser::new();
    after_the_end.open(&world).await;
    after_the_end.read_all().await;

    world.emit_event(ProgressEvent::new(id("d1"), Stage::UploadReceived)).await;
    let mut anew = Browser::new();
    anew.open(&world).await;
    anew.read_all().await;

    assert_eq!(after_the_end.snapshot["documents"][0]["status"], "failed");
    assert_eq!((shown(&after_the_end), shown(&anew)), (&Value::Null, &Value::Null));
    assert_eq!(anew.snapshot["documents"][0]["attempt"], 2);
}

#[tokio::test(start_paused = true)]
async fn viewers_cost_no_query_for_it() {
    let world = World::new();
    world.set_status("d1", DocumentStatus::OcrProcessing);
    world.emit_event(telling(Stage::OcrStarted, json!([20, 40]))).await;
    let mut browsers: Vec<_> = (0..20).map(|_| Browser::new()).collect();
    for browser in &mut browsers {
        browser.open(&world).await;
        browser.read_all().await;
    }
    let queries = world.store.queries.load(std::sync::atomic::Ordering::Relaxed);

    for second in 1..=4 {
        world.emit_event(telling(Stage::OcrStarted, json!([20 - second, 40 - second]))).await;
        for browser in &mut browsers {
            browser.read_all().await;
        }
    }

    let [last, ..] = &browsers[..] else { unreachable!() };
    assert_eq!(told(last).last(), Some(&json!([16, 36])));
    assert_eq!(world.store.queries.load(std::sync::atomic::Ordering::Relaxed), queries);
}
