//! Two instances over one Redis: what a stranger pushes reaches every viewer once, also when one dies.

use std::time::Duration;

use serde_json::json;

use crate::support::{
    Server, Viewer,
    redis::{Redis, RedisRest},
    viewer::Message,
};

const PATIENTS: usize = 5;
const VIEWERS_EACH: usize = 4;
const EVENTS: usize = 60;

/// A viewer that moves to the other instance when its own ends.
struct Wanderer {
    urls: [String; 2],
    patient: usize,
    seen: Vec<u64>,
    gaps: usize,
    last_id: Option<String>,
}

impl Wanderer {
    async fn open(&self) -> Option<Viewer> {
        let http = reqwest::Client::new();
        for url in &self.urls {
            let stream = format!("{url}/api/v1/patients/p{}/documents/stream?follow=1", self.patient);
            let mut request = http.get(stream);
            if let Some(id) = &self.last_id {
                request = request.header("Last-Event-ID", id);
            }
            if let Ok(answer) = request.try_clone().unwrap().send().await
                && answer.status() == 200
            {
                drop(answer);
                return Some(Viewer::open(request).await);
            }
        }
        None
    }

    fn take(&mut self, message: &Message) {
        self.gaps += usize::from(message.data["gap"] == true);
        self.seen.extend(message.data["n"].as_u64());
    }

    /// Reads until all events are seen, over as many streams as it takes.
    async fn read_all(mut self) -> Self {
        while self.seen.len() < EVENTS {
            let Some(mut viewer) = self.open().await else {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            while self.seen.len() < EVENTS
                && let Some(message) = viewer.next().await
            {
                self.take(&message);
                self.last_id.clone_from(&viewer.last_id);
            }
        }
        self
    }
}

fn instance(redis_url: &str) -> Server {
    let environment = [("UPSTASH_REDIS_REST_URL", redis_url), ("UPSTASH_REDIS_REST_TOKEN", "t")];
    Server::start(&environment)
}

async fn push(redis: &Redis, range: std::ops::Range<usize>) {
    for n in range {
        for patient in 0..PATIENTS {
            let event = json!({ "document_id": format!("d{}", n % 3), "stage": "ocr_started", "n": n });
            redis.push(&format!("doc_progress:p{patient}"), &event.to_string()).await;
        }
    }
}

#[tokio::test]
async fn every_viewer_of_two_instances_sees_every_event_once_though_one_is_killed() {
    let redis = Redis::start();
    let front = RedisRest::with_token(&redis, "t");
    let (first, second) = (instance(&front.url), instance(&front.url));
    let urls = [first.url.clone(), second.url.clone()];
    let mut viewers = Vec::new();
    for n in 0..PATIENTS * VIEWERS_EACH {
        let mut urls = urls.clone();
        urls.rotate_left(n % 2);
        let mut wanderer = Wanderer { urls, patient: n % PATIENTS, seen: vec![], gaps: 0, last_id: None };
        // A browser that was connected once knows where it began.
        let mut viewer = wanderer.open().await.unwrap();
        viewer.until("connected").await;
        wanderer.last_id.clone_from(&viewer.last_id);
        viewers.push(tokio::spawn(wanderer.read_all()));
    }

    push(&redis, 0..EVENTS / 2).await;
    first.crash();
    push(&redis, EVENTS / 2..EVENTS).await;

    for viewer in viewers {
        let viewer = tokio::time::timeout(Duration::from_secs(30), viewer).await.unwrap().unwrap();
        assert_eq!(viewer.seen, (0..EVENTS as u64).collect::<Vec<_>>());
        assert_eq!(viewer.gaps, 0);
    }
}
