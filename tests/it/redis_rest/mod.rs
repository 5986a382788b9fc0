//! `tidings redis-rest` in front of a real Redis: the wire Upstash documents, form by form, and the
//! official client as a judge.

mod access;
mod forms;
mod outages;
mod replies;
mod scripts;
mod sdk;
mod subscriptions;

use reqwest::RequestBuilder;
use serde_json::Value;

/// Sends a request and gives the status and JSON of the answer.
async fn answer(request: RequestBuilder) -> (u16, Value) {
    let answer = request.send().await.unwrap();
    assert!(answer.headers().contains_key("upstash-sync-token"), "every answer names a state");
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// Sends a request that has to be refused; gives the status and the words of the error.
async fn refused(request: RequestBuilder) -> (u16, String) {
    let (status, answer) = answer(request).await;
    let words = answer["error"].as_str().unwrap_or_else(|| panic!("no error: {answer}"));
    (status, words.to_owned())
}
