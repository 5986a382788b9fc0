//! What the worker of the example answers, which decides whether the queue comes again.

use reqwest::Client;
use serde_json::{Value, json};
use tidings::{clock::Clock, qstash_dev::Signer};

use crate::support::{
    ocr::Worker,
    queue::{Destination, Scripted, signer},
};

/// The URL the queue knows the worker by.
const KNOWN_AS: &str = "https://ocr.example.org/";

/// Orders a file that is answered so; gives the worker's status, whether it is final, and its answer.
async fn order(worker: &Worker, file: Scripted, signer: &Signer) -> (u16, bool, Value) {
    let files = Destination::answering(vec![file]).await;
    let body = json!({ "document_id": "d1", "attempt": 1, "file_url": files.url, "content_type": "application/pdf" });
    let body = body.to_string();
    let signature = signer.sign(KNOWN_AS, body.as_bytes());
    let request = Client::new().post(&worker.url).header("Upstash-Signature", signature).body(body);
    let answer = request.send().await.unwrap();
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    (status, headers.contains_key("upstash-nonretryable-error"), answer.json().await.unwrap())
}

#[tokio::test]
async fn it_reads_for_the_queue_alone() {
    let worker = Worker::start(KNOWN_AS);
    let stranger = Signer::new(&"sig_other".into(), Clock::System);

    let (status, is_final, _) = order(&worker, (200, &[], String::new()), &stranger).await;
    let unsigned = Client::new().post(&worker.url).body("{}").send().await.unwrap();

    assert_eq!((status, is_final, unsigned.status().as_u16()), (401, false, 401));
}

#[tokio::test]
async fn what_no_retry_can_cure_is_said_to_be_final() {
    let worker = Worker::start(KNOWN_AS);
    let not_a_pdf = || (200, &[][..], "plain text".to_owned());
    let damaged = || (200, &[][..], "%PDF-1.7 and no more".to_owned());
    let gone = || (404, &[][..], String::new());
    let ended = || (401, &[][..], String::new());

    for file in [not_a_pdf(), damaged(), gone(), ended()] {
        let (status, is_final, answer) = order(&worker, file, &signer()).await;

        assert_eq!((status, is_final), (489, true), "{answer}");
        assert!(answer["error"].as_str().is_some_and(|words| !words.is_empty()));
    }
}

#[tokio::test]
async fn what_a_retry_may_cure_is_not() {
    let worker = Worker::start(KNOWN_AS);

    let (status, is_final, _) = order(&worker, (503, &[], "away".into()), &signer()).await;

    assert_eq!((status, is_final), (503, false));
}
