//! What each route answers, in the order of the contract's table.

mod stream;

mod progress;
mod progress_batch;

mod chat;

mod documents;

mod checklist;

mod messages;

mod retry;

mod tokens;

pub mod webhooks;

mod page;

mod operations;

mod health;

mod other_work;

mod openapi;

mod ops;

mod metrics;

mod limits;

mod envelope;

mod startup;

use reqwest::{RequestBuilder, StatusCode, header::CONTENT_TYPE};
use serde_json::Value;

/// Sends a request that has to be refused, checks the form of the refusal and gives its status.
async fn refused(request: RequestBuilder) -> StatusCode {
    let answer = request.send().await.unwrap();
    let status = answer.status();
    assert!(status.is_client_error(), "{status}");
    assert_eq!(answer.headers()[CONTENT_TYPE], "application/problem+json", "{status}");
    let problem: Value = answer.json().await.unwrap();
    assert_eq!(problem["status"], status.as_u16(), "{problem}");
    for field in ["type", "title", "detail"] {
        assert!(problem[field].as_str().is_some_and(|text| !text.is_empty()), "{problem}");
    }
    status
}

/// Sends a request that has to be taken and reads the JSON of the answer.
async fn accepted(request: RequestBuilder) -> Value {
    let answer = request.send().await.unwrap();
    assert!(answer.status().is_success(), "{}: {:?}", answer.status(), answer.text().await);
    answer.json().await.unwrap()
}
