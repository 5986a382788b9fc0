//! Streams of any other kind of work: the same seams, no `done`.

use std::time::Duration;

use serde_json::json;
use tidings::{broker::MemoryLimits, event::Channel, hub::RingLimits};

use super::world::{Browser, World};

const EVENTS: u64 = 10;
const MINUTE: Duration = Duration::from_secs(60);

fn channel() -> Channel {
    "transcode:job-7".parse().unwrap()
}

async fn step(world: &World, number: u64) {
    world.push(&channel(), json!({ "type": "step", "data": { "n": number } })).await;
}

fn steps(browser: &Browser) -> Vec<u64> {
    browser.told.iter().filter_map(|words| words.strip_prefix("step:")?.parse().ok()).collect()
}

fn snapshot(browser: &Browser) -> Vec<u64> {
    let events = browser.snapshot["events"].as_array().unwrap();
    events.iter().map(|event| event["data"]["n"].as_u64().unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_cut_after_any_frame_loses_and_doubles_nothing() {
    for cut_after in 2..=EVENTS as usize + 2 {
        for away in 0..EVENTS {
            let world = World::new();
            let second = world.second_instance();
            let mut browser = Browser::of(channel());
            browser.open(&world).await;
            let mut left_at = None;
            for number in 0..EVENTS {
                browser.read(cut_after - browser.frames.min(cut_after), Duration::from_millis(5)).await;
                if browser.frames >= cut_after && left_at.is_none() {
                    browser.cut();
                    left_at = Some(number);
                }
                if left_at.is_some_and(|left_at| number == left_at + away) {
                    browser.open(&second).await;
                }
                step(&world, number).await;
            }
            browser.cut();
            browser.open(&second).await;
            browser.read_for(MINUTE).await;

            let context = format!("cut after {cut_after}, away for {away}: {:?}", browser.told);
            assert_eq!(steps(&browser), (0..EVENTS).collect::<Vec<_>>(), "{context}");
            assert_eq!((browser.count("connected:gap"), browser.count("done")), (0, 0), "{context}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_first_visit_shows_the_newest_fifty_and_goes_on_behind_them() {
    for before in [0, 1, 49, 50, 51, 120] {
        let world = World::new();
        for number in 0..before {
            step(&world, number).await;
        }
        let mut browser = Browser::of(channel());

        browser.open(&world).await;
        browser.read_all().await;
        step(&world, before).await;
        browser.read_all().await;

        assert_eq!(snapshot(&browser), (before.saturating_sub(50)..before).collect::<Vec<_>>());
        assert_eq!(steps(&browser), [before]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_log_that_no_longer_reaches_back_is_a_gap_with_what_there_is() {
    let log = MemoryLimits { entries: 4, ..MemoryLimits::default() };
    let world = World::with(log, RingLimits { events: 4, ..RingLimits::default() });
    let mut browser = Browser::of(channel());
    browser.open(&world).await;
    step(&world, 0).await;
    browser.read_all().await;
    browser.cut();
    for number in 1..8 {
        step(&world, number).await;
    }

    browser.open(&world).await;
    browser.read_all().await;

    assert_eq!(browser.told.last().unwrap(), "connected:gap");
    assert_eq!(snapshot(&browser), [4, 5, 6, 7]);
}

#[tokio::test(start_paused = true)]
async fn what_is_pushed_while_the_broker_is_down_comes_after_it_once() {
    let world = World::new();
    let mut browser = Browser::of(channel());
    browser.open(&world).await;
    step(&world, 0).await;
    browser.read_all().await;
    world.broker.set_down(true);
    browser.read_for(Duration::from_secs(7)).await;
    step(&world, 1).await;
    browser.read_for(Duration::from_secs(7)).await;
    assert_eq!(steps(&browser), [0]);

    world.broker.set_down(false);
    browser.read_for(MINUTE).await;

    assert_eq!(steps(&browser), [0, 1]);
    assert!(browser.place("redis down") < browser.place("redis up"));
}

#[tokio::test(start_paused = true)]
async fn what_is_no_event_of_this_form_is_shown_to_nobody() {
    let world = World::new();
    let mut browser = Browser::of(channel());
    browser.open(&world).await;

    world.push(&channel(), json!({ "document_id": "d1", "stage": "ocr_started" })).await;
    world.push(&channel(), json!({ "type": "done", "data": {} })).await;
    world.push(&channel(), json!(["step"])).await;
    step(&world, 1).await;
    browser.read_all().await;

    assert_eq!(browser.told, ["connected", "step:1"]);
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_other_work_asks_no_store_and_beats_and_ends_by_its_time() {
    let world = World::new();
    let mut browser = Browser::of(channel());
    browser.open(&world).await;

    browser.read_for(Duration::from_secs(320)).await;

    assert_eq!(world.store.queries.load(std::sync::atomic::Ordering::Relaxed), 0);
    assert!(browser.count("heartbeat") > 50);
    assert_eq!(browser.told.last().unwrap(), "reconnect:max_duration");
    assert!(!browser.last_id.unwrap().contains('~'));
}
