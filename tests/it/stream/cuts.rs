//! A connection may be cut anywhere: nothing is lost, nothing comes twice, the end is told.

use std::time::Duration;

use super::world::{ACTIONS, Browser, World, id};
use crate::support::documents::STAGES;

const SOON: Duration = Duration::from_secs(2);

/// Cuts after `cut_after` frames, stays away for `away` actions of the job, and comes back.
async fn watch_a_job_with_a_cut(
    mut browser: Browser,
    cut_after: usize,
    away: usize,
    begin: usize,
) -> Browser {
    let world = World::new();
    for action in 0..begin {
        world.act("d1", action).await;
    }
    browser.open(&world).await;
    let mut left_at = None;
    for action in begin..ACTIONS {
        if left_at.is_none() {
            browser.read(cut_after - browser.frames.min(cut_after), Duration::from_millis(5)).await;
            if browser.frames >= cut_after {
                browser.cut();
                left_at = Some(action);
            }
        }
        if left_at.is_some_and(|left_at| action >= left_at + away)
            && !browser.is_open()
            && !browser.is_finished
        {
            browser.open(&world).await;
        }
        world.act("d1", action).await;
    }
    come_back_until_finished(&mut browser, &world).await;
    browser
}

async fn come_back_until_finished(browser: &mut Browser, world: &World) {
    for _ in 0..4 {
        if browser.is_finished {
            return;
        }
        if !browser.is_open() {
            browser.open(world).await;
        }
        browser.read_for(Duration::from_secs(8)).await;
    }
    assert!(browser.is_finished, "never finished: {:?}", browser.told);
}

fn assert_seen_once_in_order(browser: &Browser, context: &str) {
    assert_eq!(browser.steps("d1"), STAGES, "{context}: {:?}", browser.told);
    assert!(browser.count("done") >= 1, "{context}: {:?}", browser.told);
    assert!(browser.place("d1:matching_complete") < browser.place("done"), "{context}: {:?}", browser.told);
    assert_eq!(browser.count("connected:gap"), 0, "{context}: {:?}", browser.told);
}

#[tokio::test(start_paused = true)]
async fn a_cut_after_any_frame_loses_and_doubles_nothing() {
    for cut_after in 2..14 {
        for away in 0..ACTIONS {
            let browser = watch_a_job_with_a_cut(Browser::new(), cut_after, away, 0).await;

            assert_seen_once_in_order(&browser, &format!("cut after {cut_after} frames, away for {away}"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_cut_amid_a_replay_loses_and_doubles_nothing() {
    for first_cut in 2..10 {
        for second_cut in 1..8 {
            let world = World::new();
            let mut browser = Browser::new();
            browser.open(&world).await;
            browser.read_all().await;
            let mut done = 0;
            while browser.frames < first_cut && done < ACTIONS {
                world.act("d1", done).await;
                browser.read(first_cut - browser.frames, Duration::from_millis(5)).await;
                done += 1;
            }
            browser.cut();
            for action in done..ACTIONS {
                world.act("d1", action).await;
            }

            // Back amid the replay, and away again before it is over.
            browser.open(&world).await;
            browser.read(second_cut, Duration::from_millis(5)).await;
            browser.cut();
            come_back_until_finished(&mut browser, &world).await;

            assert_seen_once_in_order(&browser, &format!("cut after {first_cut}, then after {second_cut}"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_return_to_another_instance_goes_on_where_the_first_one_ended() {
    for cut_after in 2..12 {
        let first = World::new();
        let second = first.second_instance();
        let mut browser = Browser::new();
        browser.open(&first).await;
        for action in 0..ACTIONS {
            first.act("d1", action).await;
            if browser.is_open() {
                browser.read(cut_after - browser.frames.min(cut_after), Duration::from_millis(5)).await;
                if browser.frames >= cut_after {
                    browser.cut();
                }
            }
        }
        browser.cut();

        come_back_until_finished(&mut browser, &second).await;

        assert_seen_once_in_order(&browser, &format!("cut after {cut_after}"));
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_viewer_that_is_away_for_a_whole_job_gets_all_of_it() {
    let world = World::new();
    let mut browser = Browser::new();
    browser.open(&world).await;
    browser.read_all().await;
    assert!(browser.last_id.as_ref().unwrap().contains("~idle.0"));
    browser.cut();

    world.run_job("d1").await;
    come_back_until_finished(&mut browser, &world).await;

    assert_seen_once_in_order(&browser, "idle");
    assert_eq!(browser.told[1], "connected:resumed");
}

#[tokio::test(start_paused = true)]
async fn ids_never_fall_within_a_stream() {
    let world = World::new();
    let mut browser = Browser::new();
    browser.open(&world).await;
    let mut last = tidings::event::EventId::ZERO;
    for action in 0..ACTIONS {
        world.act("d1", action).await;
        browser.read(1, SOON).await;
        let position =
            browser.last_id.as_deref().map(|id| id.parse::<tidings::event::Cursor>().unwrap().position);
        assert!(position.unwrap_or(last) >= last);
        last = position.unwrap_or(last);
    }
}

#[tokio::test(start_paused = true)]
async fn a_narrowed_stream_loses_nothing_and_moves_on_past_what_it_hides() {
    for cut_after in 2..10 {
        let world = World::new();
        let mut browser = Browser::asking(|request| request.documents = vec![id("d1")]);
        browser.open(&world).await;
        for action in 0..ACTIONS {
            world.act("d2", action).await;
            world.act("d1", action).await;
            if browser.is_open() {
                browser.read(cut_after - browser.frames.min(cut_after), Duration::from_millis(5)).await;
                if browser.frames >= cut_after {
                    browser.cut();
                }
            }
        }

        come_back_until_finished(&mut browser, &world).await;

        assert_seen_once_in_order(&browser, &format!("narrowed, cut after {cut_after}"));
        assert!(browser.steps("d2").is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn the_heartbeat_of_a_narrowed_stream_carries_the_position_passed() {
    let world = World::new();
    let mut browser = Browser::asking(|request| request.documents = vec![id("d1")]);
    world.set_status("d1", tidings::documents::DocumentStatus::Uploaded);
    browser.open(&world).await;
    browser.read_all().await;
    let before = browser.last_id.clone();
    world.act("d2", 1).await;

    browser.read(1, Duration::from_secs(6)).await;

    assert_eq!(browser.told.last().unwrap(), "heartbeat");
    assert_ne!(browser.last_id, before);
    assert!(!browser.last_id.unwrap().contains('~'));
}
