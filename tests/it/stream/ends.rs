//! When `done` comes, and when it does not.

use std::time::Duration;

use tidings::{
    documents::DocumentStatus,
    event::{ProgressEvent, Stage},
};

use super::world::{ACTIONS, Browser, World, id};
use crate::support::documents::STAGES;

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn a_stream_that_reaches_its_longest_time_between_the_last_step_and_done_still_ends_right() {
    let world = World::new();
    let mut browser = Browser::new();
    browser.open(&world).await;
    for action in 0..ACTIONS - 1 {
        world.act("d1", action).await;
    }
    browser.read_for(Duration::from_secs(301)).await;
    assert_eq!(browser.told.last().unwrap(), "reconnect:max_duration");

    world.act("d1", ACTIONS - 1).await;
    browser.open(&world).await;
    browser.read_for(MINUTE).await;

    assert_eq!(browser.steps("d1"), STAGES);
    assert_eq!(browser.told.last().unwrap(), "done");
}

#[tokio::test(start_paused = true)]
async fn a_stream_lives_for_its_longest_time_less_at_most_a_tenth() {
    let world = World::new();
    let mut lives = Vec::new();
    for _ in 0..20 {
        let mut browser = Browser::new();
        browser.open(&world).await;
        let opened = tokio::time::Instant::now();
        browser.read_for(Duration::from_secs(400)).await;
        lives.push(opened.elapsed().as_secs());
    }

    assert!(lives.iter().all(|life| (270..=300).contains(life)), "{lives:?}");
    assert!(lives.iter().any(|life| *life != lives[0]), "{lives:?}");
}

#[tokio::test(start_paused = true)]
async fn a_job_that_was_over_before_anyone_looked_ends_only_streams_that_ask_for_it() {
    let world = World::new();
    world.run_job("d1").await;
    let mut page = Browser::new();
    let mut named = Browser::asking(|request| request.documents = vec![id("d1")]);
    let mut unknown = Browser::asking(|request| request.documents = vec![id("d9")]);

    for browser in [&mut page, &mut named, &mut unknown] {
        browser.open(&world).await;
        browser.read_for(MINUTE).await;
    }

    assert_eq!((page.count("connected"), page.count("done")), (1, 0));
    assert!(page.last_id.unwrap().contains("~idle."));
    assert_eq!(named.told, ["connected", "done"]);
    assert_eq!(unknown.count("done"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_viewer_with_the_mark_of_the_end_is_sent_away_until_something_moves() {
    let world = World::new();
    let mut browser = Browser::asking(|request| request.documents = vec![id("d1")]);
    world.run_job("d1").await;
    browser.open(&world).await;
    browser.read_for(MINUTE).await;

    browser.open(&world).await;
    assert!(browser.is_finished);

    world.run_job("d1").await;
    browser.is_finished = false;
    browser.open(&world).await;
    browser.read_for(MINUTE).await;
    assert_eq!(browser.count("done"), 2);
}

#[tokio::test(start_paused = true)]
async fn the_mark_of_the_end_outlives_the_log() {
    let world = World::new();
    let mut browser = Browser::asking(|request| request.documents = vec![id("d1")]);
    world.run_job("d1").await;
    browser.open(&world).await;
    browser.read_for(MINUTE).await;

    tokio::time::advance(Duration::from_secs(3_000)).await;
    browser.open(&world).await;

    assert!(browser.is_finished);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_follows_tells_each_job_and_its_end_once() {
    let world = World::new();
    let mut browser = Browser::asking(|request| request.follow = true);
    browser.open(&world).await;

    for document in ["d1", "d2"] {
        for action in 0..ACTIONS {
            world.act(document, action).await;
            browser.read_all().await;
        }
        browser.read_for(MINUTE).await;
    }

    assert!(browser.is_open());
    assert_eq!(browser.count("done"), 2);
    assert_eq!((browser.steps("d1"), browser.steps("d2")), (STAGES.to_vec(), STAGES.to_vec()));
    assert!(browser.place("done") < browser.place("d2:upload_received"));
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_follows_is_never_sent_away_and_not_told_the_same_end_again() {
    let world = World::new();
    let mut browser = Browser::asking(|request| request.follow = true);
    browser.open(&world).await;
    world.run_job("d1").await;
    browser.read_for(MINUTE).await;
    assert_eq!(browser.count("done"), 1);

    for _ in 0..3 {
        browser.cut();
        browser.open(&world).await;
        browser.read_for(MINUTE).await;
    }

    assert!(browser.is_open() && !browser.is_finished);
    assert_eq!(browser.count("done"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_page_that_reopens_before_its_next_upload_sees_that_one_too() {
    let world = World::new();
    let mut browser = Browser::new();
    browser.open(&world).await;
    world.run_job("d1").await;
    browser.read_for(MINUTE).await;
    assert_eq!(browser.told.last().unwrap(), "done");

    let mut again = Browser::new();
    again.open(&world).await;
    again.read_all().await;
    world.run_job("d2").await;
    again.read_for(MINUTE).await;

    assert!(again.steps("d1").is_empty());
    assert_eq!(again.steps("d2"), STAGES);
    assert_eq!(again.told.last().unwrap(), "done");
}

#[tokio::test(start_paused = true)]
async fn done_waits_for_the_slower_of_two_documents() {
    let world = World::new();
    let mut browser = Browser::new();
    browser.open(&world).await;
    world.act("d2", 0).await;
    world.run_job("d1").await;
    browser.read_for(MINUTE).await;
    assert_eq!((browser.count("d1=complete"), browser.count("done")), (1, 0));

    for action in 1..ACTIONS {
        world.act("d2", action).await;
    }
    browser.read_for(MINUTE).await;

    assert_eq!(browser.told.last().unwrap(), "done");
}

#[tokio::test(start_paused = true)]
async fn the_outcome_never_overtakes_the_steps() {
    let world = World::new();
    let mut browser = Browser::new();
    browser.open(&world).await;
    browser.read_all().await;
    world.broker.hold_back();

    world.run_job("d1").await;
    browser.read_for(Duration::from_secs(7)).await;

    assert_eq!(browser.steps("d1"), STAGES);
    assert!(browser.place("d1:matching_complete") < browser.place("d1=complete"));
    assert!(browser.place("d1=complete") < browser.place("done"));
}

#[tokio::test(start_paused = true)]
async fn a_finished_job_is_told_within_two_seconds_of_its_last_step() {
    let world = World::new();
    let mut browser = Browser::new();
    browser.open(&world).await;
    browser.read_all().await;
    for action in 0..ACTIONS - 1 {
        world.act("d1", action).await;
    }
    browser.read_all().await;

    tokio::time::advance(Duration::from_millis(200)).await;
    world.act("d1", ACTIONS - 1).await;
    browser.read_for(Duration::from_millis(1_200)).await;

    assert_eq!(browser.told.last().unwrap(), "done");
}

#[tokio::test(start_paused = true)]
async fn a_document_known_only_from_events_ends_with_its_last_step() {
    let world = World::new();
    let mut browser = Browser::new();
    browser.open(&world).await;
    for stage in Stage::ALL {
        world.emit("d1", stage).await;
    }

    browser.read_for(MINUTE).await;

    assert_eq!(browser.steps("d1"), STAGES);
    assert_eq!(browser.told.last().unwrap(), "done");
}

#[tokio::test(start_paused = true)]
async fn a_document_known_only_from_events_ends_when_its_worker_is_silent_and_may_come_back() {
    let world = World::new();
    let mut browser = Browser::asking(|request| request.follow = true);
    world.emit("d1", Stage::OcrStarted).await;
    tokio::time::advance(Duration::from_secs(400)).await;
    browser.open(&world).await;

    browser.read_for(Duration::from_secs(150)).await;
    assert_eq!((browser.count("d1=failed/worker_silent"), browser.count("done")), (1, 1));

    world.emit_event(ProgressEvent::new(id("d1"), Stage::MatchingComplete)).await;
    browser.read_for(MINUTE).await;
    assert_eq!(browser.count("done"), 2);
}

#[tokio::test(start_paused = true)]
async fn an_abandoned_stored_document_stops_holding_the_end_back() {
    let world = World::new();
    world.set_status("d1", DocumentStatus::Analyzing);
    tokio::time::advance(Duration::from_secs(3_550)).await;
    let mut browser = Browser::new();
    browser.open(&world).await;
    browser.read_all().await;
    assert!(!browser.last_id.as_ref().unwrap().contains('~'));

    browser.read_for(MINUTE).await;

    assert_eq!(browser.told.last().unwrap(), "done");
}

#[tokio::test(start_paused = true)]
async fn hidden_event_types_hide_frames_but_not_the_end() {
    let world = World::new();
    let mut browser =
        Browser::asking(|request| request.events = Some(vec!["document_update".parse().unwrap()]));
    browser.open(&world).await;
    browser.read_all().await;
    world.run_job("d1").await;

    browser.read_for(MINUTE).await;

    assert!(browser.steps("d1").is_empty());
    assert_eq!(browser.told.last().unwrap(), "done");
    assert_eq!(browser.count("d1=complete"), 1);
}

#[tokio::test(start_paused = true)]
async fn an_idle_page_is_not_ended_when_the_log_forgets_a_job_that_only_events_told_of() {
    let world = World::new();
    for stage in Stage::ALL {
        world.emit("d1", stage).await;
    }
    let mut browser = Browser::new();
    for _ in 0..4 {
        browser.open(&world).await;
        browser.read_for(Duration::from_secs(305)).await;
        assert_eq!(browser.told.last().unwrap(), "reconnect:max_duration");
    }

    assert_eq!(browser.count("done"), 0);
}
