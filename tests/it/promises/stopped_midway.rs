//! A process that is killed after any of its calls to Redis, while it moves what has been pushed.

use std::time::Duration;

use serde_json::json;

use crate::support::{
    Gate, Mood, Server, Viewer,
    gate::Held,
    redis::{Redis, RedisRest},
};

const EVENTS: u64 = 20;
/// No call for so long: none will come.
const QUIET: Duration = Duration::from_secs(3);

/// When the process is killed.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// Its call has not reached Redis.
    Before,
    /// Redis has done what the call asked; the answer does not arrive.
    Behind,
}

fn instance(url: &str, settings: &[(&str, &str)]) -> Server {
    let database = [("UPSTASH_REDIS_REST_URL", url), ("UPSTASH_REDIS_REST_TOKEN", "t")];
    Server::start(&[&database, settings].concat())
}

async fn push(redis: &Redis, wakes: bool) {
    for n in 0..EVENTS {
        let event = json!({ "document_id": "d1", "stage": "ocr_started", "n": n });
        redis.push("doc_progress:p1", &event.to_string()).await;
    }
    if wakes {
        redis.publish("tidings:wake", "doc_progress:p1").await;
    }
}

/// The next call; none where the process waits to be woken.
async fn next(calls: &mut tokio::sync::mpsc::Receiver<Held>) -> Option<Held> {
    tokio::time::timeout(QUIET, calls.recv()).await.ok().flatten()
}

/// Kills a process at its `nth` call from the first one on that finds something in the list, and
/// reads everything at another one. False when it had told all before.
async fn nothing_is_lost(settings: &[(&str, &str)], nth: usize, moment: Moment) -> bool {
    let redis = Redis::start();
    let front = RedisRest::with_token(&redis, "t");
    let gate = Gate::before(&front.url).await;
    let first = instance(&gate.url, settings);
    let second = instance(&front.url, settings);
    let stream = "/api/v1/patients/p1/documents/stream?follow=1";
    let mut viewer = Viewer::open(first.get(stream)).await;
    viewer.until("connected").await;
    let mut calls = gate.step().await;
    let mut seen = Vec::new();

    push(&redis, settings.iter().any(|(name, _)| *name == "UPSTASH_WAKE")).await;
    for _ in 0..nth {
        if let Some(call) = next(&mut calls).await {
            call.go_on();
        }
    }
    let mut held = next(&mut calls).await;
    if matches!(moment, Moment::Behind)
        && let Some(call) = held.take()
    {
        let ran = redis.commands().await;
        gate.be(Mood::LoseAnswer);
        call.go_on();
        while redis.commands().await == ran {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    // What had been sent before the kill has been seen.
    while let Ok(Some(message)) = tokio::time::timeout(Duration::from_millis(300), viewer.next()).await {
        seen.extend(message.data["n"].as_u64());
    }
    first.crash();
    drop(held);

    let had_all = seen.len() as u64 == EVENTS;
    let request = second.get(stream).header("Last-Event-ID", viewer.last_id.clone().unwrap());
    let mut viewer = Viewer::open(request).await;
    let connected = viewer.until("connected").await;
    assert_eq!(connected.data["gap"], false, "{nth} {moment:?}");
    while (seen.len() as u64) < EVENTS {
        seen.extend(viewer.until("progress").await.data["n"].as_u64());
    }
    assert_eq!(seen, (0..EVENTS).collect::<Vec<_>>(), "{settings:?} {nth} {moment:?}");
    !had_all
}

/// Goes on to later calls until one comes after all has been told.
async fn nothing_is_lost_wherever_it_stops(settings: &[(&str, &str)]) {
    for moment in [Moment::Before, Moment::Behind] {
        let mut nth = 0;
        while nothing_is_lost(settings, nth, moment).await {
            nth += 1;
            assert!(nth < 12, "the events are never told");
        }
        assert!(nth >= 1, "{settings:?} {moment:?}: no call was seen before the events were told");
    }
}

#[tokio::test]
async fn a_process_that_polls_may_be_killed_after_any_call() {
    nothing_is_lost_wherever_it_stops(&[]).await;
}

#[tokio::test]
async fn a_process_that_is_woken_may_be_killed_after_any_call() {
    nothing_is_lost_wherever_it_stops(&[("UPSTASH_WAKE", "on")]).await;
}
