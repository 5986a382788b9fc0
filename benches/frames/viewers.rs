//! What viewers cost: coming in, what they missed, and each event's way to their bytes.

use std::{hint::black_box, sync::Arc, time::Duration};

use axum::{
    body::{Body, BodyDataStream},
    http::Request,
};
use criterion::{Criterion, Throughput, criterion_group};
use futures::StreamExt;
use tempfile::TempDir;
use tidings::{
    App,
    broker::{Broker, LOG_ENTRIES, MemoryBroker, MemoryLimits, Publication},
    clock::Clock,
    config::{Config, Variables},
    event::{Channel, Id},
    hub::{Hub, HubSettings, Join, JoinAt, Joined, Subscription},
};
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::samples::{event, payload, publish};

criterion_group!(benches, subscribe, replay, bytes);

/// A viewer comes and goes: the first of its channel, whose log is read, and one beside others.
fn subscribe(criterion: &mut Criterion) {
    let (runtime, hub, _) = hub();
    let mut group = criterion.benchmark_group("hub: subscribe, join and leave");
    let alone: Channel = "doc_progress:alone".parse().expect("a channel");
    group.bench_function("alone", |bencher| {
        bencher.iter(|| runtime.block_on(join(&hub, &alone, JoinAt::Newest)));
    });
    let shared: Channel = "doc_progress:shared".parse().expect("a channel");
    let _other = runtime.block_on(join(&hub, &shared, JoinAt::Newest));
    group.bench_function("beside another", |bencher| {
        bencher.iter(|| runtime.block_on(join(&hub, &shared, JoinAt::Newest)));
    });
    group.finish();
}

/// A viewer comes back and has missed all but the first event of a full log: beside another viewer it
/// reads the ring they share, alone it has the log read anew.
fn replay(criterion: &mut Criterion) {
    let (runtime, hub, broker) = hub();
    let channel: Channel = "doc_progress:p1".parse().expect("a channel");
    let publications: Vec<_> = (0..LOG_ENTRIES)
        .map(|number| Publication { channel: channel.clone(), payload: payload(number) })
        .collect();
    publish(&runtime, &broker, &publications);
    let history = runtime.block_on(broker.history(&channel)).expect("the memory answers");
    let behind = JoinAt::Behind(history.entries[0].id);
    let missed = || runtime.block_on(join(&hub, &channel, behind)).1.replay.len();
    assert_eq!(missed(), LOG_ENTRIES - 1);
    let mut group = criterion.benchmark_group("hub: replay of 511 events");
    group.throughput(Throughput::Elements(LOG_ENTRIES as u64 - 1));
    group.bench_function("alone", |bencher| bencher.iter(missed));
    let _other = runtime.block_on(join(&hub, &channel, JoinAt::Earliest));
    group.bench_function("beside another", |bencher| bencher.iter(missed));
    group.finish();
}

/// From an event submitted to its bytes in every viewer's answer: the frame is written for the first, and
/// shared by the rest.
fn bytes(criterion: &mut Criterion) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let app = runtime.block_on(start(&folder));
    let mut group = criterion.benchmark_group("http: event to bytes");
    for count in [1_u64, 100] {
        let patient = Id::parse(&format!("of-{count}")).expect("an id");
        let mut viewers = runtime.block_on(open(&app, &patient, count));
        group.throughput(Throughput::Elements(count));
        let mut number = 0;
        group.bench_function(format!("{count} viewers"), |bencher| {
            bencher.iter(|| {
                number += 1;
                runtime.block_on(async {
                    let (_, stored) =
                        app.emitter().submit_progress(&patient, event(number % 16)).expect("room");
                    assert!(stored.within(Duration::from_secs(5)).await);
                    for viewer in &mut viewers {
                        black_box(next_progress(viewer).await);
                    }
                });
            });
        });
    }
    group.finish();
    runtime.block_on(app.finish());
}

fn hub() -> (Runtime, Hub, MemoryBroker) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let broker = MemoryBroker::new(Clock::System, MemoryLimits::default());
    let of_hub = Arc::new(broker.clone());
    let start = async {
        Hub::start(of_hub, Clock::System, Arc::default(), HubSettings::default(), CancellationToken::new())
    };
    let hub = runtime.block_on(start);
    (runtime, hub, broker)
}

async fn join(hub: &Hub, channel: &Channel, at: JoinAt) -> (Subscription, Joined) {
    let mut subscription = hub.subscribe(channel);
    let Join::Joined(joined) = subscription.join(at).await else { panic!("the memory answers") };
    (subscription, joined)
}

async fn start(folder: &TempDir) -> App {
    let database = format!("sqlite://{}", folder.path().join("a.db").display());
    let files = format!("file://{}", folder.path().join("files").display());
    let settings =
        [("DATABASE_URL", database.as_str()), ("STORAGE_URL", &files), ("STREAM_MAX_SECONDS", "3600")];
    let config = Config::read(&Variables::of(&settings)).expect("the settings are right");
    App::start(&config, CancellationToken::new()).await.expect("it starts")
}

async fn open(app: &App, patient: &Id, count: u64) -> Vec<BodyDataStream> {
    let mut viewers = Vec::new();
    for _ in 0..count {
        let path = format!("/api/v1/patients/{patient}/documents/stream?follow=1");
        let request = Request::get(path).body(Body::empty()).expect("a request");
        let answer = app.router().oneshot(request).await.expect("an answer");
        let mut viewer = answer.into_body().into_data_stream();
        while !next(&mut viewer).await.windows(9).any(|word| word == b"connected") {}
        viewers.push(viewer);
    }
    viewers
}

/// Gives the next event's bytes, and passes heartbeats over.
async fn next_progress(viewer: &mut BodyDataStream) -> bytes::Bytes {
    loop {
        let bytes = next(viewer).await;
        if bytes.starts_with(b"id: ") {
            return bytes;
        }
    }
}

async fn next(viewer: &mut BodyDataStream) -> bytes::Bytes {
    viewer.next().await.expect("the stream goes on").expect("nothing fails in memory")
}
