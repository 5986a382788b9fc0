//! Events on their way in: parse, fold, publish, read back, and what timing them costs.

use std::{hint::black_box, sync::Arc, time::Duration};

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group};
use tidings::{
    broker::{Broker, LOG_ENTRIES, MemoryBroker, MemoryLimits, Publication},
    clock::Clock,
    event::{Channel, ChannelKind, EventId, Id, ProgressEvent, ProgressFold, Stage},
    hub::{Batch, Hub, HubSettings, Join, JoinAt},
    telemetry::Metrics,
};
use tokio::runtime::Builder;
use tokio_util::sync::CancellationToken;

use super::samples::{payload, publish};

criterion_group!(benches, one_event, whole_log, memory_broker, timed_delivery);

/// From a producer's JSON to the `data:` line that all viewers share.
fn one_event(criterion: &mut Criterion) {
    let payload = payload(1);
    criterion.bench_function("event: payload to data line", |bencher| {
        bencher.iter(|| shown(&mut ProgressFold::default(), 1, &payload));
    });
}

/// What a first viewer of a channel waits for: every entry of a full log, parsed and folded.
fn whole_log(criterion: &mut Criterion) {
    let payloads: Vec<_> = (0..LOG_ENTRIES).map(payload).collect();
    let mut group = criterion.benchmark_group("log");
    group.throughput(Throughput::Elements(LOG_ENTRIES as u64));
    group.bench_function("fold 512 entries", |bencher| {
        bencher.iter(|| {
            let mut fold = ProgressFold::default();
            for (number, payload) in (1..).zip(&payloads) {
                black_box(shown(&mut fold, number, payload));
            }
        });
    });
    group.finish();
}

/// The broker's own part, in a process of its own: nobody watches.
fn memory_broker(criterion: &mut Criterion) {
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    let channel: Channel = "doc_progress:p1".parse().expect("a channel");
    let publications: Vec<_> = (0..LOG_ENTRIES)
        .map(|number| Publication { channel: channel.clone(), payload: payload(number) })
        .collect();
    let mut group = criterion.benchmark_group("memory broker");
    group.throughput(Throughput::Elements(LOG_ENTRIES as u64));
    group.bench_function("publish 512 events", |bencher| {
        bencher.iter_batched_ref(
            || MemoryBroker::new(Clock::System, MemoryLimits::default()),
            |broker| publish(&runtime, broker, &publications),
            BatchSize::SmallInput,
        );
    });
    let broker = MemoryBroker::new(Clock::System, MemoryLimits::default());
    group.bench_function("read a log of 512 entries", |bencher| {
        // Filled anew each time: a log that ends 600 s after its last entry must not end here.
        bencher.iter_batched(
            || publish(&runtime, &broker, &publications),
            |()| runtime.block_on(broker.history(&channel)),
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

/// What it costs to time an event's way to its first viewer: the same way, with and without a time to
/// count from. Each event is timed once per process; the other viewers' deliveries clone the frame.
fn timed_delivery(criterion: &mut Criterion) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let metrics = Arc::new(Metrics::default());
    let mut group = criterion.benchmark_group("hub: publish to first frame");
    for (name, is_timed) in [("timed", true), ("not timed", false)] {
        let stop = CancellationToken::new();
        let broker = MemoryBroker::new(Clock::System, MemoryLimits::default());
        let channel: Channel = format!("doc_progress:{is_timed}").parse().expect("a channel");
        let (mut subscription, mut place) = runtime.block_on(async {
            let hub = Hub::start(
                Arc::new(broker.clone()),
                Clock::System,
                Arc::clone(&metrics),
                HubSettings { gathered_for: Duration::ZERO, ..HubSettings::default() },
                stop.clone(),
            );
            let mut subscription = hub.subscribe(&channel);
            let Join::Joined(joined) = subscription.join(JoinAt::Newest).await else { panic!("it joins") };
            (subscription, joined.place)
        });
        let mut number = 0;
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                number += 1;
                let payload = stamped(number, is_timed);
                runtime.block_on(async {
                    let publication = Publication { channel: channel.clone(), payload };
                    assert!(broker.publish(&[publication]).await[0].is_ok());
                    loop {
                        if let Batch::Events(events) = subscription.read(&mut place, 8)
                            && let Some(event) = events.first()
                        {
                            return black_box(event.frame(|event| event.data.clone()));
                        }
                        subscription.changed().await;
                    }
                })
            });
        });
        stop.cancel();
    }
    group.finish();
    criterion.bench_function("metrics: observe one delivery", |bencher| {
        bencher.iter(|| metrics.delivered(&ChannelKind::Documents, black_box(Duration::from_millis(3))));
    });
}

fn stamped(number: usize, is_timed: bool) -> Bytes {
    let document = Id::parse("d1").expect("an id");
    let mut event = ProgressEvent::new(document, Stage::OcrStarted).with_detail("page 2 of 5");
    event.event_id = Some(Id::parse(&format!("e{number}")).expect("an id"));
    // As long, but of a time that no log could hold.
    event.timestamp = Some("2020-04-05T12:00:00.000Z".into());
    if is_timed {
        event.timestamp = None;
        event.stamp(Clock::System.now());
    }
    event.to_payload().expect("the event is small")
}

fn shown(fold: &mut ProgressFold, number: u64, payload: &Bytes) -> Bytes {
    let event = ProgressEvent::parse(payload).expect("the payload is an event");
    fold.apply(EventId::new(number, 0), &event).expect("no event comes twice").data
}
