//! Streams that end with the platform's limit, and instances that go: nothing is lost, nothing comes twice.

use std::time::{Duration, Instant};

use futures::future::join_all;
use serde_json::json;
use tokio::sync::watch;

use crate::support::{Follower, Outside, Platform, platform::GRACE, tokens::SERVICE_KEY};

const VIEWERS: usize = 12;
const PATIENTS: usize = 3;
/// Events of each patient and second.
const RATE: u64 = 8;

/// How long events come, over a dozen ends of each stream; `TEST_SEAM_SECONDS=16` for a quick look.
fn seconds() -> u64 {
    std::env::var("TEST_SEAM_SECONDS").map_or(60, |seconds| seconds.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_that_end_every_five_seconds_lose_and_double_nothing() {
    let outside = Outside::start().await;
    let settings = [("STREAM_MAX_SECONDS", "5"), ("HEARTBEAT_INTERVAL_MS", "1000")];
    let platform = Platform::start(&outside, &settings).await;
    platform.scale_out(None).await;
    let events = seconds() * RATE;
    let followers: Vec<_> = (0..VIEWERS)
        .map(|viewer| {
            let url =
                format!("{}/api/v1/patients/p{}/documents/stream?follow=1", platform.url, viewer % PATIENTS);
            let (connected, is_connected) = watch::channel(false);
            (
                tokio::spawn(Follower::follow(reqwest::Client::new(), url, SERVICE_KEY, events, connected)),
                is_connected,
            )
        })
        .collect();
    let (followers, connected): (Vec<_>, Vec<_>) = followers.into_iter().unzip();
    for mut connected in connected {
        connected.wait_for(|is_connected| *is_connected).await.unwrap();
    }

    let begun = Instant::now();
    let mut retired = None;
    for n in 0..events {
        for patient in 0..PATIENTS {
            let event = json!({ "document_id": "d1", "stage": "ocr_started", "n": n });
            outside.redis.push(&format!("doc_progress:p{patient}"), &event.to_string()).await;
        }
        if n == events / 2 {
            platform.scale_out(None).await;
            let instance = platform.retire_oldest();
            retired = Some((instance.ended().await, instance));
        }
        let due = Duration::from_millis(1_000 * (n + 1) / RATE);
        tokio::time::sleep(due.saturating_sub(begun.elapsed())).await;
    }
    let followers = tokio::time::timeout(Duration::from_secs(60), join_all(followers)).await.unwrap();

    let all: Vec<_> = (0..events).collect();
    let mut away = Vec::new();
    let mut ends = std::collections::BTreeMap::<String, usize>::new();
    for follower in followers {
        let follower = follower.unwrap();
        assert_eq!((&follower.seen, follower.gaps), (&all, 0), "{:?}", follower.ends);
        assert!(follower.ends.len() as u64 >= seconds() / 6, "{:?}", follower.ends);
        follower.ends.iter().for_each(|reason| *ends.entry(reason.clone()).or_default() += 1);
        away.extend(follower.away);
    }
    assert!(ends.keys().all(|reason| ["max_duration", "shutdown"].contains(&reason.as_str())), "{ends:?}");
    away.sort_unstable();
    let ((status, took), instance) = retired.unwrap();
    assert!(status.success(), "{}", instance.log());
    eprintln!(
        "seam: {events} events a patient, {VIEWERS} viewers, ends {ends:?}, away p50 {:?} p99 {:?}; \
         an instance went {took:?} after SIGTERM (grace {GRACE:?})",
        away[away.len() / 2],
        away[away.len() * 99 / 100]
    );
}
