//! Viewers that move between instances, steps that were tried again, and a log that cannot be read.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use async_trait::async_trait;
use tidings::{
    broker::{Broker, BrokerError, History, MemoryBroker, MemoryLimits, Publication, Watch},
    clock::Clock,
    documents::DocumentStatus,
    event::{Channel, EventId, ProgressEvent, Stage, StepStatus},
    hub::{Hub, HubSettings, Join, JoinAt},
    telemetry::Metrics,
};
use tokio_util::sync::CancellationToken;

use super::world::{Browser, World, id};

#[tokio::test(start_paused = true)]
async fn an_instance_that_lags_tells_nothing_twice() {
    let world = World::new();
    let mut at_home = Browser::asking(|request| request.follow = true);
    at_home.open(&world).await;
    at_home.read_all().await;
    world.broker.hold_back();
    for stage in [Stage::UploadReceived, Stage::OcrStarted, Stage::OcrComplete] {
        world.emit("d1", stage).await;
        at_home.read_all().await;
    }

    // Another instance has told all three; the viewer comes to this one, which lags behind the log.
    let mut moved = Browser::asking(|request| request.follow = true);
    let position = world.broker.memory.history(&World::channel()).await.unwrap().position();
    moved.last_id = Some(position.to_string());
    moved.open(&world).await;
    moved.read_all().await;
    Broker::settle(&*world.broker, &World::channel()).await.unwrap();
    moved.read_for(Duration::from_secs(1)).await;
    moved.told.retain(|told| told != "heartbeat");
    assert_eq!(moved.told, ["connected:resumed"]);

    world.emit("d1", Stage::AnalysisStarted).await;
    moved.read_all().await;
    moved.told.retain(|told| told != "heartbeat");
    assert_eq!(moved.told, ["connected:resumed", "d1:analysis_started"]);
}

#[tokio::test(start_paused = true)]
async fn a_step_that_failed_and_was_tried_again_lets_no_end_overtake() {
    let world = World::new();
    let mut browser = Browser::new();
    browser.open(&world).await;
    browser.read_all().await;
    world.act("d1", 0).await;
    world.broker.hold_back();
    let failed = ProgressEvent::new(id("d1"), Stage::OcrStarted).with_status(StepStatus::Failed);
    world.emit_event(failed.with_attempt(1)).await;
    browser.read_for(Duration::from_secs(3)).await;
    world.set_status("d1", DocumentStatus::Analyzing);
    browser.read_for(Duration::from_secs(6)).await;

    world.emit("d1", Stage::OcrComplete).await;
    world.emit("d1", Stage::MatchingComplete).await;
    world.set_status("d1", DocumentStatus::Complete);
    browser.read_for(Duration::from_secs(7)).await;

    assert!(browser.place("d1:matching_complete") < browser.place("done"), "{:?}", browser.told);
}

/// A broker one of whose logs cannot be read for a while.
struct Unreadable {
    memory: MemoryBroker,
    fails: AtomicBool,
}

#[async_trait]
impl Broker for Unreadable {
    fn name(&self) -> &'static str {
        "redis"
    }

    async fn publish(&self, events: &[Publication]) -> Vec<Result<(), BrokerError>> {
        self.memory.publish(events).await
    }

    fn watch(&self) -> Arc<dyn Watch> {
        self.memory.watch()
    }

    async fn history(&self, channel: &Channel) -> Result<History, BrokerError> {
        if self.fails.load(Relaxed) {
            return Err(BrokerError::Unavailable(None));
        }
        self.memory.history(channel).await
    }

    async fn settle(&self, channel: &Channel) -> Result<EventId, BrokerError> {
        self.memory.settle(channel).await
    }

    async fn ping(&self) -> Result<(), BrokerError> {
        Ok(())
    }

    fn empty_as_of(&self) -> u64 {
        self.memory.empty_as_of()
    }
}

#[tokio::test(start_paused = true)]
async fn one_log_that_cannot_be_read_takes_no_other_down() {
    let clock = Clock::following_timers(Duration::from_secs(1_763_712_000));
    let memory = MemoryBroker::new(clock, MemoryLimits::default());
    let broker = Arc::new(Unreadable { memory, fails: AtomicBool::new(false) });
    let (metrics, stop) = (Arc::new(Metrics::default()), CancellationToken::new());
    let hub = Hub::start(Arc::clone(&broker) as _, clock, metrics, HubSettings::default(), stop);
    let mut healthy = hub.subscribe(&Channel::documents(id("p1")));
    assert!(matches!(healthy.join(JoinAt::Newest).await, Join::Joined(_)));

    broker.fails.store(true, Relaxed);
    let mut other = hub.subscribe(&Channel::documents(id("p2")));
    assert!(matches!(other.join(JoinAt::Newest).await, Join::Down));
    assert!(*hub.source_state().borrow(), "the first one goes on");
    broker.fails.store(false, Relaxed);

    tokio::time::sleep(Duration::from_secs(6)).await;
    assert!(matches!(other.join(JoinAt::Newest).await, Join::Joined(_)));
}
