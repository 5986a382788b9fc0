//! A full disk refuses what it cannot keep, keeps nothing by halves, and all goes on once there is room.

use std::{fs, path::PathBuf};

use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::support::{
    Server,
    documents::{confirm, fixture, put, read_named},
};

const DISK: u32 = 2_000_000;
const LARGE: usize = 4_000_000;

async fn announced(server: &Server, size: usize) -> Value {
    let body =
        json!({ "patient_id": "p1", "filename": "a.pdf", "content_type": "application/pdf", "size": size });
    server.post("/api/v1/uploads/presign", &body).send().await.unwrap().json().await.unwrap()
}

/// Sends what there is no room for, and checks the answer.
async fn refused(request: RequestBuilder) {
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 507);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let problem: Value = answer.json().await.unwrap();
    assert!(problem["detail"].as_str().unwrap().contains("no room"), "{problem}");
}

async fn ends_as(server: &Server, document: &str) -> Value {
    let seen = read_named(server, "p1", document).await;
    seen.last().unwrap().data["documents"][0]["status"].clone()
}

/// Leaves not a byte on the disk; gives what holds it.
fn fill(server: &Server) -> PathBuf {
    let filler = server.data().join("filler");
    let mut piece = 1_000_000;
    let mut file = fs::File::create(&filler).unwrap();
    while piece > 0 {
        if std::io::Write::write_all(&mut file, &vec![0; piece]).is_err() {
            piece /= 2;
        }
    }
    filler
}

#[tokio::test]
async fn a_file_there_is_no_room_for_is_refused_and_nothing_of_it_is_kept() {
    let server = Server::start_on_small_disk(DISK, &[]);
    let upload = announced(&server, LARGE).await;
    let url = upload["upload_url"].as_str().unwrap();

    refused(server.put(url, vec![b'x'; LARGE])).await;

    let confirmed = server.post("/api/v1/uploads/confirm", &json!({ "document_id": upload["document_id"] }));
    assert_eq!(confirmed.send().await.unwrap().status(), 409);
    assert_eq!(fs::read_dir(server.data().join("files")).unwrap().count(), 0, "nothing is kept by halves");
    assert!(server.log().contains("make room where STORAGE_URL leads to"), "{}", server.log());
    let document = put(&server, "p1", "lab_report.pdf").await;
    confirm(&server, &document).await;
    assert_eq!(ends_as(&server, &document).await, "complete", "smaller ones still go");
}

#[tokio::test]
async fn a_database_without_room_refuses_and_goes_on_once_there_is_some() {
    let server = Server::start_on_small_disk(DISK, &[("STATUS_INTERVAL_MS", "300")]);
    let waiting = put(&server, "p1", "lab_report.pdf").await;
    let filler = fill(&server);
    // What fits into pages that SQLite has already is still taken.
    let mut last = 200;
    for _ in 0..500 {
        let body = json!({
            "patient_id": "p1", "filename": "a".repeat(200), "content_type": "application/pdf", "size": 10,
        });
        let answer = server.post("/api/v1/uploads/presign", &body).send().await.unwrap();
        last = answer.status().as_u16();
        if last != 200 {
            break;
        }
    }
    assert_eq!(last, 507);

    refused(server.post("/api/v1/uploads/confirm", &json!({ "document_id": waiting }))).await;
    let file = fixture("lab_report.pdf");
    let list = server.get("/api/v1/patients/p1/documents").send().await.unwrap();
    assert_eq!(list.status(), 200, "what is there can be read");
    fs::remove_file(filler).unwrap();

    confirm(&server, &waiting).await;
    assert_eq!(ends_as(&server, &waiting).await, "complete");
    let upload = announced(&server, file.len()).await;
    let put = server.put(upload["upload_url"].as_str().unwrap(), file).send().await.unwrap();
    assert_eq!(put.status(), 200);
}
