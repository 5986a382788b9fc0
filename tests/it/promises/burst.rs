//! Many events at once on one channel reach every viewer that reads.

use futures::{StreamExt, stream};
use serde_json::json;

use crate::support::{Server, Viewer};

const EVENTS: usize = 5_000;
const VIEWERS: usize = 20;
const STREAM: &str = "/api/v1/patients/p1/documents/stream?follow=1";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_on_one_channel_reaches_every_viewer_without_a_gap() {
    let server = Server::start(&[]);
    let mut viewers = Vec::new();
    for _ in 0..VIEWERS {
        let mut viewer = Viewer::open(server.get(STREAM)).await;
        viewer.until("connected").await;
        viewers.push(tokio::spawn(read_all(viewer)));
    }

    let posts = stream::iter(0..EVENTS).map(|n| {
        let body = json!({ "patient_id": "p1", "document_id": "d1", "stage": "ocr_started", "n": n });
        server.post("/api/v1/progress", &body).send()
    });
    let answers: Vec<_> = posts.buffer_unordered(16).collect().await;

    assert!(answers.iter().all(|answer| answer.as_ref().is_ok_and(|answer| answer.status() == 202)));
    for viewer in viewers {
        let mut seen = viewer.await.unwrap();
        seen.sort_unstable();
        assert_eq!(seen, (0..EVENTS as u64).collect::<Vec<_>>());
    }
}

async fn read_all(mut viewer: Viewer) -> Vec<u64> {
    let mut seen = Vec::new();
    while seen.len() < EVENTS {
        let message = viewer.next().await.expect("the stream goes on");
        assert!(
            !matches!(message.name.as_str(), "connected" | "reconnect"),
            "{message:?} after {}",
            seen.len()
        );
        seen.extend(message.data["n"].as_u64());
    }
    seen
}
