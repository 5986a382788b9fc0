//! What comes twice, and EventSource giving up: answers written word by word, as no two servers would agree to.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;
use tokio::{net::TcpListener, task::JoinHandle};

use super::{BEATS, follow, open_empty, wait_for_state};
use crate::support::{Browser, Server};

/// Two events, and the first once more at another place: its publisher has tried again.
const FIRST: &str = "retry: 10\n\n\
    id: 1-0\nevent: connected\ndata: {\"documents\":[],\"resumed\":false,\"gap\":false}\n\n\
    id: 2-0\nevent: progress\ndata: {\"document_id\":\"d1\",\"event_id\":\"e1\"}\n\n\
    id: 3-0\nevent: progress\ndata: {\"document_id\":\"d1\",\"event_id\":\"e2\"}\n\n\
    id: 4-0\nevent: progress\ndata: {\"document_id\":\"d1\",\"event_id\":\"e1\"}\n\n";
/// The rest, and an event that was told before.
const SECOND: &str = "id: 4-0\nevent: connected\ndata: {\"documents\":[],\"resumed\":true,\"gap\":false}\n\n\
    id: 5-0\nevent: progress\ndata: {\"document_id\":\"d1\",\"event_id\":\"e2\"}\n\n\
    id: 6-0\nevent: progress\ndata: {\"document_id\":\"d1\",\"event_id\":\"e3\"}\n\n\
    id: 6-0~done.1\nevent: done\ndata: {\"documents\":[]}\n\n";

/// The cursors that were asked with, in order.
type Asked = Arc<Mutex<Vec<Option<String>>>>;

/// Answers in turn: the first events, 503 to two requests, the rest.
struct Script {
    url: String,
    asked: Asked,
    task: JoinHandle<()>,
}

impl Script {
    async fn start() -> Self {
        let asked = Asked::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(Arc::clone(&asked));
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, asked, task }
    }

    fn asked(&self) -> Vec<Option<String>> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(
    State(asked): State<Asked>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Response {
    let sent = headers.get("last-event-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
    let written = query.into_iter().find(|(name, _)| name == "last_event_id").map(|(_, id)| id);
    let place = {
        let mut asked = asked.lock().unwrap();
        asked.push(sent.or(written));
        asked.len()
    };
    let open = (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
    let stream = [(header::CONTENT_TYPE, "text/event-stream"), open.clone()];
    match place {
        1 => (stream, FIRST).into_response(),
        2 | 3 => (StatusCode::SERVICE_UNAVAILABLE, [open], "busy").into_response(),
        _ => (stream, SECOND).into_response(),
    }
}

#[tokio::test]
async fn repeats_are_dropped_and_a_stream_that_eventsource_gave_up_goes_on_from_its_cursor() {
    let server = Server::start(&BEATS);
    let script = Script::start().await;
    let browser = Browser::start().await;
    open_empty(&browser, &server.url).await;
    browser.run("window.repeats = []").await;

    follow(&browser, &json!({ "baseUrl": script.url, "share": false, "heartbeatMs": 5_000 })).await;
    wait_for_state(&browser, "closed").await;

    assert_eq!(browser.run("return received").await, json!(["e1", "e2", "e3"]));
    assert_eq!(browser.run("return repeats").await, json!(["e1", "e2"]));
    assert_eq!(browser.run("return reasons.at(-1)").await, "done");
    let at = |cursor: &str| Some(cursor.to_owned());
    // EventSource came back by itself, gave up at 503, was asked why, and was opened anew.
    assert_eq!(script.asked(), [None, at("4-0"), at("4-0"), at("4-0")]);
    // It is closed on `done`: EventSource alone would be back within the 10 ms it was told.
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    assert_eq!(script.asked().len(), 4);
}
