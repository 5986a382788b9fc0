//! Sources go down and come back; the outcome is right all the same.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use tidings::documents::DocumentStatus;

use super::world::{ACTIONS, Browser, World};
use crate::support::documents::STAGES;

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn a_job_shorter_than_a_status_interval_ends_right_with_the_broker_down() {
    let world = World::new();
    let mut browser = Browser::new();
    browser.open(&world).await;
    browser.read_all().await;
    world.broker.set_down(true);
    world.set_status("d1", DocumentStatus::Uploaded);
    tokio::time::advance(Duration::from_millis(100)).await;
    world.set_status("d1", DocumentStatus::Complete);

    browser.read_for(Duration::from_secs(6)).await;

    let expected = ["connected", "redis down", "d1=complete", "done"];
    assert_eq!(browser.told.iter().filter(|told| *told != "heartbeat").collect::<Vec<_>>(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_outlives_an_outage_gets_its_steps_after_it_once() {
    for down_at in 0..ACTIONS {
        let world = World::new();
        let mut browser = Browser::new();
        browser.open(&world).await;
        for action in 0..ACTIONS {
            if action == down_at {
                browser.read_all().await;
                world.broker.set_down(true);
            }
            if action == ACTIONS - 1 {
                browser.read_for(Duration::from_secs(30)).await;
                world.broker.set_down(false);
                browser.read_all().await;
            }
            world.act("d1", action).await;
        }

        browser.read_for(MINUTE).await;

        assert_eq!(browser.steps("d1"), STAGES, "down at {down_at}: {:?}", browser.told);
        assert!(browser.place("redis down") < browser.place("redis up"));
        assert_eq!(browser.told.last().unwrap(), "done", "down at {down_at}: {:?}", browser.told);
    }
}

#[tokio::test(start_paused = true)]
async fn a_viewer_that_comes_back_while_the_broker_is_down_keeps_its_place() {
    let world = World::new();
    let mut browser = Browser::new();
    browser.open(&world).await;
    for action in 0..3 {
        world.act("d1", action).await;
    }
    browser.read_all().await;
    let place = browser.last_id.clone();
    browser.cut();
    world.broker.set_down(true);
    tokio::time::sleep(Duration::from_secs(6)).await;

    browser.open(&world).await;
    browser.read_all().await;
    assert_eq!(browser.told[browser.told.len() - 2..], ["redis down", "connected:resumed"]);
    assert_eq!(browser.last_id, place);

    for action in 3..ACTIONS {
        world.act("d1", action).await;
    }
    world.broker.set_down(false);
    browser.read_for(MINUTE).await;
    assert_eq!(browser.steps("d1"), STAGES, "{:?}", browser.told);
    assert_eq!(browser.count("connected:gap"), 0);
    assert_eq!(browser.told.last().unwrap(), "done");
}

#[tokio::test(start_paused = true)]
async fn a_new_viewer_while_the_broker_is_down_resumes_as_a_gap_after_it() {
    let world = World::new();
    world.broker.set_down(true);
    let mut browser = Browser::asking(|request| request.follow = true);
    browser.open(&world).await;
    browser.read_all().await;
    assert_eq!(browser.told, ["redis down", "connected"]);
    assert_eq!(browser.last_id.as_deref(), Some("0-0~idle.0"));

    world.broker.set_down(false);
    browser.read_for(Duration::from_secs(11)).await;
    assert_eq!(browser.count("connected:gap"), 1, "{:?}", browser.told);

    world.run_job("d1").await;
    browser.read_for(MINUTE).await;
    assert_eq!(browser.steps("d1"), STAGES);
}

#[tokio::test(start_paused = true)]
async fn nothing_ends_while_the_store_cannot_be_asked() {
    let world = World::new();
    let mut browser = Browser::new();
    browser.open(&world).await;
    world.set_status("d1", DocumentStatus::Uploaded);
    browser.read_for(Duration::from_secs(6)).await;
    world.store.is_down.store(true, Relaxed);
    world.run_job("d1").await;

    browser.read_for(MINUTE).await;
    assert_eq!((browser.count("postgres down"), browser.count("done")), (1, 0));

    world.store.is_down.store(false, Relaxed);
    browser.read_for(Duration::from_secs(7)).await;
    assert_eq!(browser.steps("d1"), STAGES);
    assert_eq!(browser.told.last().unwrap(), "done");
    assert!(browser.place("postgres up") < browser.place("done"));
}

#[tokio::test(start_paused = true)]
async fn a_page_opened_while_the_store_is_down_is_not_told_an_end_of_old_documents() {
    let world = World::new();
    world.run_job("d1").await;
    tokio::time::advance(Duration::from_secs(700)).await;
    world.store.is_down.store(true, Relaxed);
    let mut browser = Browser::new();
    browser.open(&world).await;
    browser.read_for(Duration::from_secs(8)).await;

    world.store.is_down.store(false, Relaxed);
    browser.read_for(MINUTE).await;

    assert_eq!((browser.count("postgres up"), browser.count("done")), (1, 0), "{:?}", browser.told);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_down_is_asked_once_an_interval() {
    let world = World::new();
    world.store.is_down.store(true, Relaxed);
    let mut browsers: Vec<_> = (0..50).map(|_| Browser::new()).collect();
    for browser in &mut browsers {
        browser.open(&world).await;
    }
    let before = world.store.queries.load(Relaxed);

    browsers[0].read_for(MINUTE).await;

    assert!((11..=13).contains(&(world.store.queries.load(Relaxed) - before)));
}

#[tokio::test(start_paused = true)]
async fn an_idle_viewer_that_returns_while_the_store_is_down_keeps_its_mark() {
    let world = World::new();
    world.run_job("d1").await;
    let mut browser = Browser::new();
    browser.open(&world).await;
    browser.read_all().await;
    let mark = browser.last_id.as_deref().and_then(|id| id.split_once('~')).unwrap().1.to_owned();
    browser.cut();
    tokio::time::advance(Duration::from_secs(700)).await;
    world.store.is_down.store(true, Relaxed);

    browser.open(&world).await;
    browser.read_for(Duration::from_secs(6)).await;

    assert!(browser.last_id.unwrap().ends_with(&mark));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_comes_back_while_nobody_looks_is_there_for_the_next_viewer() {
    let world = World::new();
    let mut first = Browser::new();
    first.open(&world).await;
    world.store.is_down.store(true, Relaxed);
    first.read_for(Duration::from_secs(6)).await;
    assert_eq!(first.count("postgres down"), 1);
    first.cut();
    tokio::time::sleep(Duration::from_secs(30)).await;
    world.store.is_down.store(false, Relaxed);
    tokio::time::sleep(Duration::from_secs(6)).await;

    let mut second = Browser::new();
    second.open(&world).await;
    world.run_job("d1").await;
    second.read_for(MINUTE).await;

    assert_eq!(second.count("postgres down"), 0);
    assert_eq!(second.told.last().unwrap(), "done");
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_comes_back_while_nobody_looks_is_there_for_the_next_viewer() {
    let world = World::new();
    world.broker.set_down(true);
    let mut first = Browser::new();
    first.open(&world).await;
    first.cut();
    tokio::time::sleep(Duration::from_secs(30)).await;
    world.broker.set_down(false);
    tokio::time::sleep(Duration::from_secs(6)).await;

    assert!(*world.hub.source_state().borrow());
}
