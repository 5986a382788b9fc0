//! The memory broker: the suite, and the bounds of its own.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use tidings::{
    broker::{Broker, MemoryBroker, MemoryLimits, Publication, WatchNews},
    clock::Clock,
    event::EventId,
};

use super::suite::{Backend, channel, numbers, publish, run_all};

const NOON: Duration = Duration::from_secs(1_763_712_000);

fn broker(limits: MemoryLimits) -> MemoryBroker {
    MemoryBroker::new(Clock::following_timers(NOON), limits)
}

struct Paused(Arc<MemoryBroker>);

#[async_trait]
impl Backend for Paused {
    fn broker(&self) -> Arc<dyn Broker> {
        Arc::clone(&self.0) as _
    }

    async fn pass(&self, time: Duration) {
        tokio::time::advance(time).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_memory_broker_keeps_the_contract() {
    run_all(async || Paused(Arc::new(broker(MemoryLimits::default())))).await;
}

#[tokio::test(start_paused = true)]
async fn all_logs_together_stay_within_their_bytes() {
    let limits = MemoryLimits { bytes: 100_000, ..MemoryLimits::default() };
    let broker = broker(limits);
    for n in 0..200 {
        let channel = channel(&format!("p{n}"));
        let event = Publication { channel, payload: vec![b' '; 10_000].into() };
        broker.publish(&[event]).await[0].as_ref().unwrap();

        assert!(broker.bytes() <= limits.bytes);
    }

    let newest = broker.history(&channel("p199")).await.unwrap();
    let oldest = broker.history(&channel("p0")).await.unwrap();

    assert_eq!((newest.entries.len(), oldest.entries.len()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_position_of_an_empty_log_from_before_an_eviction_is_a_gap() {
    let broker = broker(MemoryLimits { bytes: 1_000, ..MemoryLimits::default() });
    let before = broker.history(&channel("p1")).await.unwrap().position();
    publish(&broker, &channel("p1"), 0..1).await;
    publish(&broker, &channel("p2"), 1..20).await;

    let history = broker.history(&channel("p1")).await.unwrap();

    assert!(history.entries.is_empty());
    assert!(!history.is_whole_since(before));
}

#[tokio::test(start_paused = true)]
async fn a_position_from_before_a_restart_is_a_gap() {
    let clock = Clock::following_timers(NOON);
    let before =
        MemoryBroker::new(clock, MemoryLimits::default()).history(&channel("p1")).await.unwrap().position();

    tokio::time::advance(Duration::from_secs(1)).await;
    let restarted = MemoryBroker::new(clock, MemoryLimits::default());

    assert!(!restarted.history(&channel("p1")).await.unwrap().is_whole_since(before));
}

#[tokio::test(start_paused = true)]
async fn what_leaves_the_log_unread_is_told_as_a_gap() {
    let broker = broker(MemoryLimits { entries: 4, ..MemoryLimits::default() });
    let watch = broker.watch();
    watch.add(&channel("p1"), EventId::ZERO);

    publish(&broker, &channel("p1"), 0..6).await;

    assert!(matches!(watch.next().await, WatchNews::Gap(gap) if gap == channel("p1")));
    match watch.next().await {
        WatchNews::Entries(_, entries) => assert_eq!(numbers(&entries), [2, 3, 4, 5]),
        other => panic!("unexpected: {other:?}"),
    }
}
