//! Viewers that are cut off again and again see every event once and in order.

use std::{sync::Arc, time::Duration};

use fastrand::Rng;
use futures::future::join_all;
use serde_json::json;
use tokio::{
    sync::Barrier,
    time::{sleep, timeout},
};

use crate::support::{Message, Server, Viewer, random::seed};

const PATIENTS: usize = 100;
const VIEWERS_EACH: usize = 5;
const EVENTS: u64 = 20;
/// Longest that one viewer may take for all of its events, on a machine that does other things too.
const WITHIN: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_doubled_or_reordered_however_often_viewers_are_cut_off() {
    let seed = seed();
    let server = Arc::new(Server::start(&[("HEARTBEAT_INTERVAL_MS", "300")]));
    let all_connected = Arc::new(Barrier::new(PATIENTS * (VIEWERS_EACH + 1)));
    let mut seeds = Rng::with_seed(seed);

    let viewers = (0..PATIENTS * VIEWERS_EACH).map(|number| {
        let cuts = Cut::three(&mut Rng::with_seed(seeds.u64(..)));
        tokio::spawn(watch(Arc::clone(&server), number / VIEWERS_EACH, cuts, Arc::clone(&all_connected)))
    });
    let viewers: Vec<_> = viewers.collect();
    let producers = (0..PATIENTS).map(|patient| {
        let pauses = Rng::with_seed(seeds.u64(..));
        tokio::spawn(produce(Arc::clone(&server), patient, pauses, Arc::clone(&all_connected)))
    });
    let producers = join_all(producers).await;
    let seen = join_all(viewers).await;

    assert!(producers.iter().all(Result::is_ok));
    let expected: Vec<_> = (0..EVENTS).collect();
    let wrong = seen.iter().map(|seen| seen.as_ref().unwrap()).filter(|seen| seen.numbers != expected);
    let wrong: Vec<_> = wrong.collect();
    assert!(wrong.is_empty(), "TEST_SEED={seed}: {} viewers, for example {:?}", wrong.len(), wrong[0]);
    assert!(seen.iter().all(|seen| seen.as_ref().unwrap().ids_rise()), "TEST_SEED={seed}");
}

/// When a viewer's connection is cut.
#[derive(Clone, Copy, Debug)]
enum Cut {
    /// After so many messages; after none, even `connected` has not been read.
    Messages(u32),
    /// After so long, whatever was amid the wire.
    Time(Duration),
}

impl Cut {
    fn three(random: &mut Rng) -> [Self; 3] {
        std::array::from_fn(|_| match random.bool() {
            true => Self::Messages(random.u32(0..=6)),
            false => Self::Time(Duration::from_millis(random.u64(0..=300))),
        })
    }
}

/// What one viewer got over all of its connections.
#[derive(Debug, Default)]
struct Seen {
    numbers: Vec<u64>,
    ids: Vec<(u64, u64)>,
    last_id: Option<String>,
}

impl Seen {
    fn take(&mut self, message: &Message) {
        assert_ne!(message.data["gap"], true, "{self:?}");
        self.last_id = message.id.clone().or_else(|| self.last_id.take());
        if message.name == "progress" {
            let (milliseconds, sequence) = message.id.as_deref().unwrap().split_once('-').unwrap();
            self.ids.push((milliseconds.parse().unwrap(), sequence.parse().unwrap()));
            self.numbers.push(message.data["n"].as_u64().unwrap());
        }
    }

    fn ids_rise(&self) -> bool {
        self.ids.is_sorted_by(|one, next| one < next)
    }
}

async fn watch(server: Arc<Server>, patient: usize, cuts: [Cut; 3], all_connected: Arc<Barrier>) -> Seen {
    let mut seen = Seen::default();
    let mut viewer = open(&server, patient, None).await;
    seen.take(&viewer.until("connected").await);
    all_connected.wait().await;
    for cut in cuts {
        read_until_cut(viewer, cut, &mut seen).await;
        viewer = open(&server, patient, seen.last_id.as_deref()).await;
    }
    // What is missing does not come by itself, and heartbeats come for ever.
    let _ = timeout(WITHIN, read_to_the_end(&mut viewer, &mut seen)).await;
    seen
}

async fn open(server: &Server, patient: usize, last_id: Option<&str>) -> Viewer {
    let request = server.get(&format!("/api/v1/patients/p{patient}/documents/stream?follow=1"));
    let viewer = Viewer::open(match last_id {
        Some(id) => request.header("Last-Event-ID", id),
        None => request,
    });
    let viewer = viewer.await;
    assert_eq!(viewer.status, 200);
    viewer
}

async fn read_until_cut(mut viewer: Viewer, cut: Cut, seen: &mut Seen) {
    match cut {
        Cut::Messages(count) => {
            for _ in 0..count {
                read(&mut viewer, seen).await;
            }
        }
        Cut::Time(time) => {
            let _ = timeout(time, read_on(&mut viewer, seen)).await;
        }
    }
}

async fn read_on(viewer: &mut Viewer, seen: &mut Seen) {
    loop {
        read(viewer, seen).await;
    }
}

/// A heartbeat behind the last event shows that no second one of it was under way.
async fn read_to_the_end(viewer: &mut Viewer, seen: &mut Seen) {
    while (seen.numbers.len() as u64) < EVENTS {
        read(viewer, seen).await;
    }
    while read(viewer, seen).await != "heartbeat" {}
}

async fn read(viewer: &mut Viewer, seen: &mut Seen) -> String {
    let message = viewer.next().await.expect("a stream with follow=1 stays open");
    seen.take(&message);
    message.name
}

async fn produce(server: Arc<Server>, patient: usize, mut random: Rng, all_connected: Arc<Barrier>) {
    let documents = 1 + patient % 3;
    all_connected.wait().await;
    for number in 0..EVENTS {
        let document = number as usize % documents;
        let is_last = number as usize + documents >= EVENTS as usize;
        let event = json!({
            "patient_id": format!("p{patient}"),
            "document_id": format!("p{patient}-d{document}"),
            "stage": if is_last { "matching_complete" } else { "ocr_started" },
            "event_id": format!("p{patient}-e{number}"),
            "n": number,
        });
        let answer = server.post("/api/v1/progress", &event).send().await.unwrap();
        assert_eq!(answer.status(), 202);
        // Spreads the events over the cuts.
        sleep(Duration::from_millis(random.u64(0..=80))).await;
    }
}
