//! `tidings check` with OCR set up: does the queue take the token, and does it sign with our keys?

use std::process::Output;

use tokio::process::Command;

use crate::support::{Queue, ocr::OcrEnvironment};

/// What `tidings check` says of OCR, and whether it says that all is well with it.
async fn said(queue: &str, changed: Option<(&'static str, &str)>) -> String {
    let folder = tempfile::tempdir().unwrap();
    let environment = OcrEnvironment::new(queue, "http://127.0.0.1:1/", "http://127.0.0.1:2");
    let output: Output = Command::new(env!("CARGO_BIN_EXE_tidings"))
        .arg("check")
        .current_dir(folder.path())
        .env_clear()
        .envs(environment.pairs())
        .envs(changed)
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let words = String::from_utf8(output.stdout).unwrap();
    words.lines().find(|line| line.contains("ocr")).unwrap_or_else(|| panic!("{words}")).to_owned()
}

#[tokio::test]
async fn a_queue_with_the_same_token_and_keys_is_well() {
    let queue = Queue::start();

    assert!(said(&queue.url, None).await.starts_with("ok"));
    // Right after the keys were rolled.
    let rolled = ("QSTASH_CURRENT_SIGNING_KEY", "sig_older");
    assert!(said(&queue.url, Some(rolled)).await.starts_with("FAIL"));
    let next = Queue::start_with(&[
        "--listen",
        "127.0.0.1:0",
        "--current-signing-key",
        "sig_5ZB6DVzB1wjE8S6rZ7eenA8Pdnhs",
    ]);
    assert!(said(&next.unwrap().url, Some(rolled)).await.starts_with("ok"));
}

#[tokio::test]
async fn a_wrong_token_and_a_queue_that_is_away_are_said_without_secrets() {
    let queue = Queue::start();
    let token = said(&queue.url, Some(("QSTASH_TOKEN", "hunter2"))).await;
    let away = said("http://127.0.0.1:9", None).await;

    assert!(token.starts_with("FAIL") && token.contains("does not accept the token"), "{token}");
    assert!(away.starts_with("FAIL") && away.contains("cannot be reached"), "{away}");
    assert!(!token.contains("hunter2"), "{token}");
}

#[tokio::test]
async fn without_a_worker_it_is_off() {
    assert_eq!(said("http://127.0.0.1:9", Some(("OCR_URL", ""))).await, "ok    ocr: off: OCR_URL is not set");
}
