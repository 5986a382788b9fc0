//! Streams through nginx: by the recipe of `docs/deploy/`, and as it comes.

use std::time::{Duration, Instant};

use reqwest::Version;
use serde_json::json;

use crate::support::{
    Nginx, Server, Viewer,
    documents::fixture,
    tokens::{self, KEYS, SERVICE_KEY},
};

const EVENTS: u64 = 12;
const STREAM: &str = "/api/v1/patients/p1/documents/stream?follow=1";

/// Publishes each event only when the one before has come: what is held back never comes.
async fn events_come_one_by_one(server: &Server, mut viewer: Viewer) {
    viewer.until("connected").await;
    let begun = Instant::now();
    let mut came = Vec::new();
    for n in 0..EVENTS {
        let event = json!({ "patient_id": "p1", "document_id": "d1", "stage": "ocr_started", "n": n });
        server.post("/api/v1/progress", &event).bearer_auth(SERVICE_KEY).send().await.unwrap();
        assert_eq!(viewer.until("progress").await.data["n"], n);
        came.push(begun.elapsed());
        // They are spread, so that a burst could be told from them.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let pauses: Vec<_> = came.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(pauses.iter().all(|pause| *pause >= Duration::from_millis(50)), "a burst: {pauses:?}");
}

#[tokio::test]
async fn by_the_recipe_events_come_one_by_one_over_http_2() {
    let server = Server::start(&KEYS);
    let nginx = Nginx::by_recipe([&server.url, &server.url]);
    let client = nginx.client();
    let token = tokens::viewer(&["doc_progress:p1"]);
    let url = format!("{}{STREAM}&token={token}", nginx.url);

    let answer = client.get(format!("{}/healthz", nginx.url)).send().await.unwrap();
    let viewer = Viewer::open(client.get(&url)).await;
    assert_eq!((answer.version(), viewer.status.as_u16()), (Version::HTTP_2, 200));
    events_come_one_by_one(&server, viewer).await;

    let logs = nginx.logs();
    assert!(!logs.contains(&token) && !logs.contains("p1/documents"), "no token and no id is logged: {logs}");
}

#[tokio::test]
async fn many_streams_of_a_browser_share_one_connection() {
    let server = Server::start(&[]);
    let nginx = Nginx::by_recipe([&server.url, &server.url]);
    let client = nginx.client();

    let mut viewers = Vec::new();
    for number in 0..20 {
        let stream = format!("{}/api/v1/patients/p{number}/documents/stream", nginx.url);
        let mut viewer = Viewer::open(client.get(&stream)).await;
        viewer.until("connected").await;
        viewers.push(viewer);
    }

    let port = nginx.url.rsplit(':').next().unwrap();
    assert_eq!(connections_to(port), 1);
}

/// Counts established connections to a port of this machine, by the clients' ends.
fn connections_to(port: &str) -> usize {
    let port = format!(":{:04X}", port.parse::<u16>().unwrap());
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let fields = |line: &str| line.split_whitespace().take(4).map(str::to_owned).collect::<Vec<_>>();
    let is_ours = |fields: &Vec<String>| fields[2].ends_with(&port) && fields[3] == "01";
    table.lines().skip(1).map(fields).filter(is_ours).count()
}

#[tokio::test]
async fn an_nginx_that_knows_nothing_of_streams_does_not_hold_them_back() {
    let server = Server::start(&KEYS);
    let nginx = Nginx::naive(&server.url, "");

    let viewer =
        Viewer::open(server.http.get(format!("{}{STREAM}", nginx.url)).bearer_auth(SERVICE_KEY)).await;

    events_come_one_by_one(&server, viewer).await;
}

#[tokio::test]
async fn the_largest_upload_passes_the_recipe() {
    let server = Server::start(&[]);
    let nginx = Nginx::by_recipe([&server.url, &server.url]);
    let client = nginx.client();
    let mut file = fixture("mri_knee.pdf");
    file.resize(25 * 1024 * 1024, b' ');
    let announced = json!({
        "patient_id": "p1", "filename": "a.pdf", "content_type": "application/pdf", "size": file.len(),
    });

    let presign = client.post(format!("{}/api/v1/uploads/presign", nginx.url)).json(&announced).send().await;
    let upload: serde_json::Value = presign.unwrap().json().await.unwrap();
    let place = format!("{}{}", nginx.url, upload["upload_url"].as_str().unwrap());
    let put = client.put(place).body(file).send().await.unwrap();

    assert_eq!(put.status(), 200);
}
