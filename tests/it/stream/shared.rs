//! What all viewers of a process share: events, heartbeats, queries, and the way down.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use futures::future::join_all;
use tidings::{
    broker::{Emitter, EmitterLimits},
    event::{ProgressEvent, Stage},
};

use super::world::{ACTIONS, Browser, PATIENT, World, id};
use crate::support::documents::STAGES;

#[tokio::test(start_paused = true)]
async fn two_tabs_are_both_told_everything() {
    let world = World::new();
    let mut tabs = [Browser::new(), Browser::new()];
    for tab in &mut tabs {
        tab.open(&world).await;
    }

    for action in 0..ACTIONS {
        world.act("d1", action).await;
        tabs[action % 2].read_all().await;
    }

    for tab in &mut tabs {
        tab.read_for(Duration::from_secs(10)).await;
        assert_eq!(tab.steps("d1"), STAGES);
        assert_eq!(tab.told.last().unwrap(), "done");
    }
}

#[tokio::test(start_paused = true)]
async fn heartbeats_come_every_five_seconds_on_every_stream() {
    let world = World::new();
    let mut browsers = [Browser::new(), Browser::asking(|request| request.documents = vec![id("d1")])];
    for browser in &mut browsers {
        browser.open(&world).await;
    }

    for minute in 1..=3 {
        join_all(browsers.iter_mut().map(|browser| browser.read_for(Duration::from_secs(60)))).await;

        for browser in &browsers {
            assert_eq!(browser.count("heartbeat"), 12 * minute);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn heartbeats_of_many_streams_are_spread_over_their_interval() {
    let world = World::new();
    let mut browsers: Vec<_> = (0..200).map(|_| Browser::new()).collect();
    for browser in &mut browsers {
        browser.open(&world).await;
    }

    let mut told = 0;
    for tenth in 1..=10 {
        join_all(browsers.iter_mut().map(|browser| browser.read_for(Duration::from_millis(500)))).await;
        let beats = browsers.iter().map(|browser| browser.count("heartbeat")).sum::<usize>() - told;
        told += beats;

        assert!((18..=22).contains(&beats), "{beats} streams beat in the {tenth}. half of a second");
    }

    join_all(browsers.iter_mut().map(Browser::read_all)).await;
    for browser in &browsers {
        assert_eq!(browser.count("heartbeat"), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_was_held_up_does_not_make_up_for_missed_heartbeats() {
    let world = World::new();
    let mut browser = Browser::new();
    browser.open(&world).await;

    tokio::time::advance(Duration::from_secs(60)).await;
    browser.read_all().await;
    assert_eq!(browser.count("heartbeat"), 1);

    browser.read_for(Duration::from_secs(60)).await;
    assert_eq!(browser.count("heartbeat"), 13);
}

#[tokio::test(start_paused = true)]
async fn one_status_query_an_interval_serves_all_viewers() {
    let world = World::new();
    let mut browsers: Vec<_> = (0..100).map(|_| Browser::new()).collect();
    for browser in &mut browsers {
        browser.open(&world).await;
    }
    let before = world.store.queries.load(Relaxed);

    browsers[0].read_for(Duration::from_secs(60)).await;

    assert!((11..=13).contains(&(world.store.queries.load(Relaxed) - before)));
}

#[tokio::test(start_paused = true)]
async fn without_viewers_nothing_is_asked_and_nothing_is_kept() {
    let world = World::new();
    let mut browser = Browser::new();
    browser.open(&world).await;
    assert_eq!(world.hub.viewers(&World::channel()), 1);

    browser.cut();
    let before = world.store.queries.load(Relaxed);
    tokio::time::sleep(Duration::from_secs(60)).await;

    assert_eq!(world.hub.viewers(&World::channel()), 0);
    assert_eq!(world.store.queries.load(Relaxed), before);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_every_stream_with_its_reason() {
    let world = World::new();
    let mut browser = Browser::new();
    browser.open(&world).await;
    browser.read_all().await;

    world.shutdown.cancel();
    browser.read_all().await;

    assert_eq!(browser.told, ["connected", "reconnect:shutdown"]);
    assert!(!browser.is_open());
}

#[tokio::test(start_paused = true)]
async fn a_token_that_ends_is_said_ten_seconds_before() {
    let world = World::new();
    let ends = world.clock.since_epoch() + Duration::from_secs(40);
    let mut browser = Browser::asking(|request| request.expires_at = Some(ends));
    browser.open(&world).await;
    let opened = tokio::time::Instant::now();

    browser.read_for(Duration::from_secs(60)).await;

    assert_eq!(browser.told.last().unwrap(), "reconnect:token_expired");
    assert_eq!(opened.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_events_emitted_at_once_reach_a_viewer_that_reads() {
    let world = World::new();
    let mut browser = Browser::asking(|request| request.follow = true);
    browser.open(&world).await;
    let limits = EmitterLimits::default();
    let emitter = Emitter::start(Arc::clone(&world.broker) as _, world.clock, Arc::default(), limits);

    for n in 0..1_000 {
        emitter.emit_progress(&id(PATIENT), ProgressEvent::new(id(&format!("d{n}")), Stage::OcrStarted));
    }
    browser.read_for(Duration::from_secs(4)).await;

    let steps = browser.told.iter().filter(|told| told.ends_with(":ocr_started")).count();
    assert_eq!((steps, browser.count("connected:gap")), (1_000, 0));
}

#[tokio::test(start_paused = true)]
async fn a_channel_rests_while_no_viewer_follows_anything_under_way() {
    let world = World::new();
    let is_resting = || *world.broker.is_resting.borrow();
    let follow = |documents: &[&str]| {
        let documents = documents.iter().map(|document| id(document)).collect();
        Browser::asking(move |request| {
            request.follow = true;
            request.documents = documents;
        })
    };
    let (mut all, mut one) = (follow(&[]), follow(&["d2"]));
    all.open(&world).await;
    all.read_all().await;
    assert!(is_resting());

    world.act("d1", 1).await;
    all.read_all().await;
    assert!(!is_resting());
    one.open(&world).await;
    one.read_all().await;
    assert!(!is_resting());

    for action in 2..ACTIONS {
        world.act("d1", action).await;
    }
    all.read_for(Duration::from_secs(10)).await;
    one.read_for(Duration::from_secs(10)).await;
    assert!(is_resting());
}
