//! A gap is proven absent, or said.

use std::time::Duration;

use tidings::{
    broker::{LOG_ENTRIES, MemoryLimits},
    event::{ProgressEvent, Stage},
    hub::RingLimits,
};

use super::world::{Browser, World, id};

const SOON: Duration = Duration::from_millis(100);

/// Emits `count` steps that each say their number.
async fn emit_numbered(world: &World, numbers: std::ops::Range<u64>) {
    for n in numbers {
        let mut event = ProgressEvent::new(id(&format!("n{n}")), Stage::OcrStarted);
        event.extra.insert("n".into(), n.into());
        world.emit_event(event).await;
    }
}

/// The documents in the steps told: one a number.
fn numbers(browser: &Browser) -> Vec<u64> {
    let number = |told: &String| told.strip_prefix('n')?.split(':').next()?.parse().ok();
    browser.told.iter().filter_map(number).collect()
}

#[tokio::test(start_paused = true)]
async fn a_viewer_that_falls_off_the_ring_is_ended_and_finds_the_rest_in_the_log() {
    let world = World::with(MemoryLimits::default(), RingLimits { events: 16, ..RingLimits::default() });
    let mut browser = Browser::asking(|request| request.follow = true);
    browser.open(&world).await;
    browser.read_all().await;
    emit_numbered(&world, 0..100).await;
    tokio::time::sleep(SOON).await;

    browser.read_all().await;
    assert_eq!(browser.told.last().unwrap(), "reconnect:slow_consumer");

    emit_numbered(&world, 100..110).await;
    browser.open(&world).await;
    browser.read_all().await;
    assert_eq!(numbers(&browser), (0..110).collect::<Vec<_>>());
    assert_eq!(browser.count("connected:gap"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_viewer_away_for_more_than_the_log_holds_is_told_of_the_gap_and_goes_on_behind_it() {
    let world = World::new();
    let mut browser = Browser::asking(|request| request.follow = true);
    browser.open(&world).await;
    emit_numbered(&world, 0..3).await;
    browser.read_all().await;
    browser.cut();
    emit_numbered(&world, 3..LOG_ENTRIES as u64 + 10).await;

    browser.open(&world).await;
    browser.read_all().await;
    emit_numbered(&world, 900..903).await;
    browser.read_all().await;

    assert_eq!(browser.count("connected:gap"), 1);
    assert_eq!(numbers(&browser), [0, 1, 2, 900, 901, 902]);
}

#[tokio::test(start_paused = true)]
async fn a_viewer_away_for_longer_than_the_log_lives_is_told_of_the_gap() {
    let world = World::new();
    let mut browser = Browser::asking(|request| request.follow = true);
    browser.open(&world).await;
    emit_numbered(&world, 0..3).await;
    browser.read_all().await;
    browser.cut();
    emit_numbered(&world, 3..4).await;
    tokio::time::advance(Duration::from_secs(700)).await;

    browser.open(&world).await;
    browser.read_all().await;

    assert_eq!(browser.count("connected:gap"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_log_lost_in_mid_stream_is_said_in_mid_stream() {
    let log = MemoryLimits { entries: 4, ..MemoryLimits::default() };
    let world = World::with(log, RingLimits::default());
    let mut browser = Browser::asking(|request| request.follow = true);
    browser.open(&world).await;
    browser.read_all().await;
    world.broker.hold_back();
    emit_numbered(&world, 0..10).await;
    world.broker.set_down(true);
    browser.read_for(Duration::from_secs(1)).await;

    // More was published than the log holds before anybody could read it.
    world.broker.set_down(false);
    tidings::broker::Broker::settle(&*world.broker, &World::channel()).await.unwrap();
    browser.read_for(Duration::from_secs(6)).await;
    emit_numbered(&world, 20..22).await;
    browser.read_all().await;

    assert_eq!(browser.count("connected:gap"), 1, "{:?}", browser.told);
    assert_eq!(numbers(&browser), [20, 21]);
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_cursor_is_a_gap() {
    let world = World::new();
    emit_numbered(&world, 0..3).await;
    let mut browser = Browser::new();
    browser.last_id = Some("nonsense".into());

    browser.open(&world).await;
    browser.read_all().await;

    assert_eq!(browser.told[0], "connected:gap");
}

#[tokio::test(start_paused = true)]
async fn earliest_brings_everything_the_log_holds_and_survives_a_cut() {
    for cut_after in 2..6 {
        let world = World::new();
        emit_numbered(&world, 0..5).await;
        let mut browser = Browser::asking(|request| request.follow = true);
        browser.last_id = Some("earliest".into());
        browser.open(&world).await;
        browser.read(cut_after, SOON).await;
        browser.cut();

        browser.open(&world).await;
        browser.read_all().await;

        assert_eq!(numbers(&browser), [0, 1, 2, 3, 4], "cut after {cut_after}: {:?}", browser.told);
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_viewer_keeps_its_place_over_hours_of_returns() {
    let world = World::new();
    let mut browser = Browser::new();
    for _ in 0..40 {
        browser.open(&world).await;
        browser.read_for(Duration::from_secs(320)).await;
        assert_eq!(browser.told.last().unwrap(), "reconnect:max_duration");
    }
    assert_eq!(browser.count("done"), 0);

    browser.open(&world).await;
    browser.read_all().await;
    emit_numbered(&world, 0..3).await;
    browser.read_all().await;

    assert_eq!(numbers(&browser), [0, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_viewer_with_nothing_seen_misses_nothing_on_its_return() {
    let world = World::new();
    let mut browser = Browser::asking(|request| request.follow = true);
    browser.open(&world).await;
    browser.read(2, SOON).await;
    browser.cut();
    emit_numbered(&world, 0..3).await;

    browser.open(&world).await;
    browser.read_all().await;

    assert_eq!(numbers(&browser), [0, 1, 2]);
    assert_eq!(browser.told[1], "connected:resumed");
}

#[tokio::test(start_paused = true)]
async fn a_viewer_from_earliest_that_outlives_an_outage_is_not_sent_back_to_it() {
    let world = World::new();
    emit_numbered(&world, 0..3).await;
    let mut browser = Browser::asking(|request| request.follow = true);
    browser.last_id = Some("earliest".into());
    world.broker.set_down(true);
    browser.open(&world).await;
    world.broker.set_down(false);
    browser.read_for(Duration::from_secs(11)).await;
    browser.cut();

    browser.open(&world).await;
    browser.read_all().await;

    assert_eq!(numbers(&browser), [0, 1, 2], "{:?}", browser.told);
}
