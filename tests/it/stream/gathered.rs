//! Events that come in quick succession: told together, soon, each once and before what follows from them.

use std::time::Duration;

use tidings::{
    documents::DocumentStatus,
    event::{EventId, Stage},
    hub::{Batch, Join, JoinAt, Place, Subscription},
};
use tokio::time::{Instant, timeout};

use super::world::{Browser, PATIENT, World};
use crate::support::documents::STAGES;

const MOMENT: Duration = Duration::from_millis(5);

async fn joined(world: &World) -> (Subscription, Place) {
    let mut subscription = world.hub.subscribe(&World::channel());
    let Join::Joined(joined) = subscription.join(JoinAt::Newest).await else { panic!("it is up") };
    (subscription, joined.place)
}

/// A viewer that has been told of one event; another one, behind it, gathers.
async fn gathering(world: &World) -> (Subscription, Place) {
    let (mut subscription, mut place) = joined(world).await;
    world.emit("d1", Stage::UploadReceived).await;
    read(&mut subscription, &mut place).await;
    world.emit("d1", Stage::OcrStarted).await;
    tokio::task::yield_now().await;
    (subscription, place)
}

/// Reads as a viewer does: what there is when it is told to.
async fn read(subscription: &mut Subscription, place: &mut Place) -> Vec<EventId> {
    loop {
        subscription.changed().await;
        let read = read_now(subscription, place);
        if !read.is_empty() {
            return read;
        }
    }
}

fn read_now(subscription: &mut Subscription, place: &mut Place) -> Vec<EventId> {
    let Batch::Events(events) = subscription.read(place, 64) else { panic!("the ring has all") };
    events.iter().map(|event| event.id).collect()
}

#[tokio::test(start_paused = true)]
async fn the_first_event_is_told_at_once_and_the_next_ones_together() {
    let world = World::new();
    let (mut subscription, mut place) = joined(&world).await;
    let began = Instant::now();

    world.emit("d1", Stage::UploadReceived).await;
    assert_eq!(read(&mut subscription, &mut place).await.len(), 1);
    assert_eq!(began.elapsed(), Duration::ZERO);
    for stage in [Stage::OcrStarted, Stage::OcrComplete, Stage::AnalysisStarted] {
        world.emit("d1", stage).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert!(read_now(&mut subscription, &mut place).is_empty(), "nobody has been told");
    }

    assert_eq!(read(&mut subscription, &mut place).await.len(), 3);
    assert_eq!(began.elapsed(), MOMENT);
    assert!(
        timeout(Duration::from_secs(60), read(&mut subscription, &mut place)).await.is_err(),
        "all is told"
    );
    world.emit("d1", Stage::AnalysisComplete).await;
    let after = Instant::now();
    assert_eq!(read(&mut subscription, &mut place).await.len(), 1);
    assert_eq!(after.elapsed(), Duration::ZERO, "after a pause an event is the first again");
}

#[tokio::test(start_paused = true)]
async fn who_has_to_know_reads_what_has_not_been_told_yet() {
    let world = World::new();
    let (mut subscription, mut place) = gathering(&world).await;

    assert!(subscription.has_unread(&mut place));

    assert_eq!(read_now(&mut subscription, &mut place).len(), 1);
    assert!(!subscription.has_unread(&mut place));
}

#[tokio::test(start_paused = true)]
async fn a_topic_nobody_follows_any_more_is_not_told() {
    let world = World::new();
    let (subscription, _) = gathering(&world).await;

    drop(subscription);
    tokio::time::sleep(MOMENT * 2).await;
    let (mut subscription, mut place) = joined(&world).await;
    world.emit("d1", Stage::OcrComplete).await;

    assert_eq!(read(&mut subscription, &mut place).await.len(), 1);
}

/// Whatever comes while events wait for each other, they are told before what follows from them.
#[tokio::test(start_paused = true)]
async fn an_end_is_told_behind_the_steps_that_gathered_before_it() {
    for cut in 0..STAGES.len() {
        let world = World::new();
        let mut browser = Browser::new();
        browser.open(&world).await;
        world.set_status("d1", DocumentStatus::Uploaded);
        for stage in &Stage::ALL[..cut] {
            world.emit("d1", *stage).await;
        }
        browser.read_all().await;
        for stage in &Stage::ALL[cut..] {
            world.emit("d1", *stage).await;
        }
        world.set_status("d1", DocumentStatus::Complete);

        browser.read_for(Duration::from_secs(10)).await;

        assert_eq!(browser.steps("d1"), STAGES, "{PATIENT}, cut before {cut}");
        assert_eq!(browser.told.last().unwrap(), "done");
    }
}
