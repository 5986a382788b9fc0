//! A server that goes down tells its viewers and ends in time; one that crashes leaves no job hanging.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    time::Duration,
};

use futures::future::join_all;
use serde_json::json;
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use crate::support::{
    Server, Viewer,
    documents::{confirm, put},
    half_upload::HalfUpload,
    random::seed,
};

/// A platform kills what takes longer.
const WITHIN: Duration = Duration::from_secs(5);
const VIEWERS: usize = 100;
const CRASHES: u64 = 12;

#[tokio::test]
async fn every_viewer_is_told_to_come_back_and_the_process_ends() {
    let mut server = Server::start(&[]);
    let mut viewers = open_viewers(&server).await;
    join_all(viewers.iter_mut().map(|viewer| viewer.until("connected"))).await;

    server.terminate();
    let (status, seen) = tokio::join!(server.ended(WITHIN), join_all(viewers.into_iter().map(Viewer::rest)));

    assert_eq!(status.expect("the process ends within 5 s").code(), Some(0));
    let waits: HashSet<_> = seen
        .iter()
        .map(|seen| {
            let [goodbye] = &seen[..] else { panic!("expected `reconnect` alone, got {seen:?}") };
            assert_eq!((goodbye.name.as_str(), goodbye.text("reason").as_str()), ("reconnect", "shutdown"));
            assert_eq!(goodbye.id, None);
            goodbye.retry.expect("a wait that the browser keeps to")
        })
        .collect();
    assert!(waits.len() > VIEWERS / 4, "viewers do not all come back at once: {waits:?}");
}

#[tokio::test]
async fn an_upload_that_has_come_half_does_not_keep_the_process() {
    let mut server = Server::start(&[]);
    let upload = HalfUpload::start(&server, "mri_knee.pdf").await;

    server.terminate();
    let status = server.ended(WITHIN).await;

    assert_eq!(status.expect("the process ends within 5 s").code(), Some(0));
    drop(upload);
}

#[tokio::test]
async fn neither_does_a_document_that_takes_long_to_read_beside_it() {
    let mut server = Server::start(&[]);
    let document = put(&server, "p1", "form_bomb.pdf").await;
    confirm(&server, &document).await;
    let reader = reader_of_pdfs(&server).await;
    let upload = HalfUpload::start(&server, "mri_knee.pdf").await;

    server.terminate();
    let status = server.ended(WITHIN).await;

    assert_eq!(status.expect("the process ends within 5 s").code(), Some(0));
    timeout(WITHIN, gone(&reader)).await.expect("the reader of PDFs ends with the server");
    drop(upload);
}

#[tokio::test]
async fn half_a_file_is_never_taken_for_a_whole_one() {
    let server = Server::start(&[]);
    let left = HalfUpload::start(&server, "mri_knee.pdf").await;
    let crashed = HalfUpload::start(&server, "mri_knee.pdf").await;
    let confirm = async |server: &Server, document: &str| {
        let body = json!({ "document_id": document });
        server.post("/api/v1/uploads/confirm", &body).send().await.unwrap().status()
    };

    let document = left.document.clone();
    drop(left);
    let after_leaving = confirm(&server, &document).await;
    let server = Server::start_in(server.crash(), &[]);
    let after_crash = confirm(&server, &crashed.document).await;

    assert_eq!((after_leaving.as_u16(), after_crash.as_u16()), (409, 409));
}

#[tokio::test]
async fn a_crash_in_the_middle_of_the_work_leaves_no_document_without_an_end() {
    let seed = seed();
    let mut random = fastrand::Rng::with_seed(seed);
    let mut folder = tempfile::tempdir().unwrap();
    let mut documents = Vec::new();
    for round in 0..CRASHES {
        let delay = Duration::from_millis(random.u64(0..=round * 15));
        let (left_behind, document) = crash_amid_the_work(folder, delay).await;
        folder = left_behind;
        documents.push(document);
    }

    let server = Server::start_in(folder, &[("STATUS_INTERVAL_MS", "500")]);
    let ends = join_all(documents.iter().map(|document| end_of(&server, document))).await;

    assert!(ends.iter().all(|status| status == "complete"), "TEST_SEED={seed}: {ends:?}");
    assert!(server.log().contains("took up documents"), "TEST_SEED={seed}: no crash fell into the work");
}

async fn open_viewers(server: &Server) -> Vec<Viewer> {
    let open = |number: usize| {
        let stream = format!("/api/v1/patients/p{}/documents/stream", number % 10);
        Viewer::open(server.get(&stream))
    };
    join_all((0..VIEWERS).map(open)).await
}

/// Waits for the process that reads an uploaded PDF, and gives its place in `/proc`.
async fn reader_of_pdfs(server: &Server) -> PathBuf {
    let children = format!("/proc/{}/task", server.pid());
    loop {
        for task in std::fs::read_dir(&children).unwrap().flatten() {
            let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
            if let Some(child) = children.split_whitespace().next() {
                return PathBuf::from(format!("/proc/{child}"));
            }
        }
        sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until a killed process has also been cleared away.
async fn gone(process: &Path) {
    while process.exists() {
        sleep(Duration::from_millis(5)).await;
    }
}

/// Starts a server, confirms a document and kills the server `delay` later.
async fn crash_amid_the_work(folder: TempDir, delay: Duration) -> (TempDir, String) {
    let server = Server::start_in(folder, &[]);
    let document = put(&server, "p1", "long_history.pdf").await;
    confirm(&server, &document).await;
    sleep(delay).await;
    (server.crash(), document)
}

/// The status that a fresh stream of one document ends with.
async fn end_of(server: &Server, document: &str) -> String {
    let stream = format!("/api/v1/patients/p1/documents/stream?document_id={document}");
    let mut viewer = Viewer::open(server.get(&stream)).await;
    let done = viewer.until("done").await;
    assert_eq!(done.data["documents"][0]["document_id"], document);
    assert!(viewer.next().await.is_none());
    done.data["documents"][0]["status"].as_str().unwrap().to_owned()
}
