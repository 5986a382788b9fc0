//! One suite over the contract: a backend passes it unchanged.
//!
//! It asks for an empty broker, a way to let time pass, and the limits of the wire contract:
//! 512 entries, 600 s.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use tidings::{
    broker::{Broker, Entry, Publication, Watch, WatchNews},
    event::{Channel, EventId},
};
use tokio::time::timeout;

/// How long a backend may take to tell what is there.
const SOON: Duration = Duration::from_secs(2);

/// A broker under test, and its time.
#[async_trait]
pub trait Backend: Sync {
    /// The broker; asked for anew after time has passed.
    fn broker(&self) -> Arc<dyn Broker>;

    /// Lets `time` pass for logs and clocks.
    async fn pass(&self, time: Duration);
}

pub fn channel(name: &str) -> Channel {
    format!("doc_progress:{name}").parse().unwrap()
}

pub fn publication(channel: &Channel, n: usize) -> Publication {
    Publication { channel: channel.clone(), payload: format!("{{\"n\":{n}}}").into() }
}

/// Publishes the numbers of `range` and waits until they are in the log.
pub async fn publish(broker: &dyn Broker, channel: &Channel, range: std::ops::Range<usize>) {
    let events: Vec<_> = range.map(|n| publication(channel, n)).collect();
    let answers = broker.publish(&events).await;
    assert_eq!(answers.len(), events.len());
    assert!(answers.iter().all(Result::is_ok));
    broker.settle(channel).await.unwrap();
}

/// The numbers in entries.
pub fn numbers(entries: &[Entry]) -> Vec<usize> {
    let number =
        |entry: &Entry| serde_json::from_slice::<serde_json::Value>(&entry.payload).unwrap()["n"].as_u64();
    entries.iter().map(|entry| usize::try_from(number(entry).unwrap()).unwrap()).collect()
}

/// Reads the entries of `channel` that a watch tells, until there are `count`.
pub async fn told(watch: &Arc<dyn Watch>, channel: &Channel, count: usize) -> Vec<Entry> {
    let mut entries = Vec::new();
    while entries.len() < count {
        match timeout(SOON, watch.next()).await.expect("the watch is silent") {
            WatchNews::Entries(from, news) if from == *channel => entries.extend(news),
            WatchNews::Entries(..) | WatchNews::Up => {}
            other => panic!("unexpected: {other:?}"),
        }
    }
    entries
}

/// Runs every rule, each over an empty broker.
pub async fn run_all<B: Backend>(empty: impl AsyncFn() -> B) {
    a_log_keeps_the_order_of_its_publisher(&empty().await).await;
    channels_do_not_mix(&empty().await).await;
    a_watch_tells_each_entry_once_and_in_order(&empty().await).await;
    a_watch_begins_behind_a_position(&empty().await).await;
    two_watches_are_both_told_everything(&empty().await).await;
    a_channel_that_is_not_watched_is_not_told(&empty().await).await;
    a_dropped_wait_loses_nothing(&empty().await).await;
    a_log_holds_512_entries(&empty().await).await;
    a_cursor_whose_entry_left_is_a_gap(&empty().await).await;
    the_position_of_an_empty_log_goes_on_whole(&empty().await).await;
    a_log_ends_600_seconds_after_its_last_entry(&empty().await).await;
    an_old_position_of_an_empty_log_is_a_gap(&empty().await).await;
    a_foreign_cursor_is_a_gap(&empty().await).await;
    ids_rise_over_the_end_of_a_log(&empty().await).await;
}

async fn a_log_keeps_the_order_of_its_publisher(backend: &dyn Backend) {
    let broker = &*backend.broker();
    let channel = channel("p1");
    publish(broker, &channel, 0..20).await;
    publish(broker, &channel, 20..40).await;

    let history = broker.history(&channel).await.unwrap();

    assert_eq!(numbers(&history.entries), (0..40).collect::<Vec<_>>());
    assert!(history.entries.windows(2).all(|pair| pair[0].id < pair[1].id));
    assert_eq!(history.position(), history.entries[39].id);
}

async fn channels_do_not_mix(backend: &dyn Backend) {
    let broker = &*backend.broker();
    publish(broker, &channel("p1"), 0..3).await;
    publish(broker, &channel("p2"), 3..5).await;

    assert_eq!(numbers(&broker.history(&channel("p1")).await.unwrap().entries), [0, 1, 2]);
    assert_eq!(numbers(&broker.history(&channel("p2")).await.unwrap().entries), [3, 4]);
}

async fn a_watch_tells_each_entry_once_and_in_order(backend: &dyn Backend) {
    let broker = &*backend.broker();
    let channel = channel("p1");
    let watch = broker.watch();
    watch.add(&channel, EventId::ZERO);
    for n in 0..10 {
        publish(broker, &channel, n * 5..n * 5 + 5).await;
    }

    assert_eq!(numbers(&told(&watch, &channel, 50).await), (0..50).collect::<Vec<_>>());
    assert!(timeout(SOON, watch.next()).await.is_err());
}

async fn a_watch_begins_behind_a_position(backend: &dyn Backend) {
    let broker = &*backend.broker();
    let channel = channel("p1");
    publish(broker, &channel, 0..4).await;
    let seen = broker.history(&channel).await.unwrap().entries[1].id;
    let watch = broker.watch();

    watch.add(&channel, seen);

    assert_eq!(numbers(&told(&watch, &channel, 2).await), [2, 3]);
}

async fn two_watches_are_both_told_everything(backend: &dyn Backend) {
    let broker = &*backend.broker();
    let channel = channel("p1");
    let watches = [broker.watch(), broker.watch()];
    for watch in &watches {
        watch.add(&channel, EventId::ZERO);
    }

    publish(broker, &channel, 0..30).await;

    for watch in &watches {
        assert_eq!(numbers(&told(watch, &channel, 30).await), (0..30).collect::<Vec<_>>());
    }
}

async fn a_channel_that_is_not_watched_is_not_told(backend: &dyn Backend) {
    let broker = &*backend.broker();
    let (kept, left) = (channel("p1"), channel("p2"));
    let watch = broker.watch();
    watch.add(&kept, EventId::ZERO);
    watch.add(&left, EventId::ZERO);
    watch.remove(&left);

    publish(broker, &left, 0..3).await;
    publish(broker, &kept, 3..4).await;

    match timeout(SOON, watch.next()).await.unwrap() {
        WatchNews::Entries(channel, entries) => assert_eq!((channel, numbers(&entries)), (kept, vec![3])),
        other => panic!("unexpected: {other:?}"),
    }
}

async fn a_dropped_wait_loses_nothing(backend: &dyn Backend) {
    let broker = &*backend.broker();
    let channel = channel("p1");
    let watch = broker.watch();
    watch.add(&channel, EventId::ZERO);
    for n in 0..5 {
        assert!(timeout(Duration::from_millis(1), watch.next()).await.is_err());
        publish(broker, &channel, n..n + 1).await;
        assert_eq!(numbers(&told(&watch, &channel, 1).await), [n]);
    }
}

async fn a_log_holds_512_entries(backend: &dyn Backend) {
    let broker = &*backend.broker();
    let channel = channel("p1");
    for n in 0..6 {
        publish(broker, &channel, n * 100..n * 100 + 100).await;
    }

    let history = broker.history(&channel).await.unwrap();

    assert_eq!(numbers(&history.entries), (88..600).collect::<Vec<_>>());
}

async fn a_cursor_whose_entry_left_is_a_gap(backend: &dyn Backend) {
    let broker = &*backend.broker();
    let channel = channel("p1");
    publish(broker, &channel, 0..2).await;
    let cursors: Vec<_> =
        broker.history(&channel).await.unwrap().entries.iter().map(|entry| entry.id).collect();
    publish(broker, &channel, 2..513).await;

    let history = broker.history(&channel).await.unwrap();

    assert!(!history.is_whole_since(cursors[0]));
    assert!(history.is_whole_since(cursors[1]));
}

async fn the_position_of_an_empty_log_goes_on_whole(backend: &dyn Backend) {
    let broker = &*backend.broker();
    let channel = channel("p1");
    let empty = broker.history(&channel).await.unwrap().position();
    assert!(empty.seen_empty_at().is_some());

    publish(broker, &channel, 0..3).await;
    backend.pass(Duration::from_secs(400)).await;
    let broker = &*backend.broker();
    let young = broker.history(&channel).await.unwrap();
    publish(broker, &channel, 3..513).await;
    let cut = broker.history(&channel).await.unwrap();

    assert!(young.is_whole_since(empty));
    assert!(!cut.is_whole_since(empty));
}

async fn a_log_ends_600_seconds_after_its_last_entry(backend: &dyn Backend) {
    let broker = &*backend.broker();
    let channel = channel("p1");
    publish(broker, &channel, 0..1).await;
    backend.pass(Duration::from_secs(500)).await;
    let broker = &*backend.broker();
    publish(broker, &channel, 1..2).await;
    let cursor = broker.history(&channel).await.unwrap().position();

    backend.pass(Duration::from_secs(598)).await;
    let broker = &*backend.broker();
    let still_there = broker.history(&channel).await.unwrap();
    backend.pass(Duration::from_secs(4)).await;
    let broker = &*backend.broker();
    let gone = broker.history(&channel).await.unwrap();

    assert_eq!(numbers(&still_there.entries), [0, 1]);
    assert!(gone.entries.is_empty() && !gone.is_whole_since(cursor));
}

async fn an_old_position_of_an_empty_log_is_a_gap(backend: &dyn Backend) {
    let broker = &*backend.broker();
    let empty = broker.history(&channel("p1")).await.unwrap().position();

    backend.pass(Duration::from_secs(470)).await;
    let broker = &*backend.broker();
    let young = broker.history(&channel("p1")).await.unwrap();
    backend.pass(Duration::from_secs(20)).await;
    let broker = &*backend.broker();
    let old = broker.history(&channel("p1")).await.unwrap();

    assert!(young.is_whole_since(empty));
    assert!(!old.is_whole_since(empty));
}

async fn a_foreign_cursor_is_a_gap(backend: &dyn Backend) {
    let broker = &*backend.broker();
    publish(broker, &channel("p1"), 0..3).await;

    let history = broker.history(&channel("p1")).await.unwrap();

    assert!(!history.is_whole_since(EventId::new(1, 1)));
    assert!(!history.is_whole_since(EventId::new(u64::MAX, 0)));
    assert!(!history.is_whole_since(EventId::ZERO));
}

async fn ids_rise_over_the_end_of_a_log(backend: &dyn Backend) {
    let broker = &*backend.broker();
    publish(broker, &channel("p1"), 0..1).await;
    let before = broker.history(&channel("p1")).await.unwrap().position();
    backend.pass(Duration::from_secs(700)).await;
    let broker = &*backend.broker();

    publish(broker, &channel("p1"), 1..2).await;

    assert!(broker.history(&channel("p1")).await.unwrap().position() > before);
}
