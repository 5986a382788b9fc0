//! When the platform hears that an invocation is over: never before its work is.

use std::time::Duration;

use serde_json::json;

use crate::support::{
    Gate, Mood, Outside, Platform, Viewer, documents::fixture, otlp::Collector, tokens, viewer::names,
};

const STREAM: &str = "/api/v1/patients/p1/documents/stream";

#[tokio::test]
async fn a_stream_holds_its_invocation_to_its_last_byte() {
    let outside = Outside::start().await;
    let platform = Platform::start(&outside, &[]).await;
    let [instance] = &platform.instances()[..] else { panic!("one instance") };
    let mut viewer = Viewer::open(platform.get(STREAM).bearer_auth(tokens::SERVICE_KEY)).await;
    viewer.until("connected").await;

    let step = |stage| json!({ "patient_id": "p1", "document_id": "d1", "stage": stage });
    platform.post("/api/v1/progress", &step("ocr_started")).send().await.unwrap();
    instance.until_under_way(1).await;
    let first = viewer.until("progress").await;
    assert_eq!(instance.under_way(), [1], "the stream is open, and nothing else is under way");
    platform.post("/api/v1/progress", &step("matching_complete")).send().await.unwrap();
    let rest = viewer.rest().await;

    assert_eq!(first.text("stage"), "ocr_started");
    assert_eq!(names(&rest), ["progress", "done"]);
    instance.until_under_way(0).await;
}

#[tokio::test]
async fn an_event_that_redis_has_not_taken_yet_holds_its_invocation() {
    let outside = Outside::start().await;
    let gate = Gate::before(&outside.front.url).await;
    let platform = Platform::over(&outside, &gate.url, &[]).await;
    let [instance] = &platform.instances()[..] else { panic!("one instance") };
    gate.be(Mood::Answer(503, "not now"));

    let event = json!({ "patient_id": "p1", "document_id": "d1", "stage": "ocr_started" });
    let answer = platform.post("/api/v1/progress", &event).send().await.unwrap();
    let (status, answer) = (answer.status(), answer.json::<serde_json::Value>().await.unwrap());
    let calls = gate.calls();
    while gate.calls() < calls + 2 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    assert_eq!((status.as_u16(), &answer["stored"]), (202, &json!(false)));
    assert_eq!(instance.under_way(), [1], "it is tried again after the answer");
    gate.be(Mood::Pass);
    instance.until_under_way(0).await;
    assert_eq!(instance.metric("tidings_events_published_total").await, 1);
}

#[tokio::test]
async fn the_spans_of_an_event_are_sent_before_its_invocation_is_over() {
    let (outside, collector) = (Outside::start().await, Collector::start().await);
    let platform = Platform::start(&outside, &[("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url)]).await;
    let [instance] = &platform.instances()[..] else { panic!("one instance") };

    let event = json!({ "patient_id": "p1", "document_id": "d1", "stage": "ocr_started" });
    let answer = platform.post("/api/v1/progress", &event).send().await.unwrap();
    instance.until_under_way(0).await;

    assert_eq!(answer.status(), 202);
    assert!(!collector.spans().is_empty(), "what waits in a process that is frozen is lost");
}

#[tokio::test]
async fn a_confirmed_document_holds_the_invocation_until_it_has_ended() {
    let outside = Outside::start().await;
    let platform = Platform::start(&outside, &[]).await;
    let [instance] = &platform.instances()[..] else { panic!("one instance") };
    let file = fixture("long_history.pdf");
    let announced = json!({
        "patient_id": "p1", "filename": "a.pdf", "content_type": "application/pdf", "size": file.len(),
    });
    let answer = platform.post("/api/v1/uploads/presign", &announced).send().await.unwrap();
    let upload: serde_json::Value = answer.json().await.unwrap();
    let put = reqwest::Client::new().put(upload["upload_url"].as_str().unwrap()).body(file).send().await;
    assert_eq!(put.unwrap().status(), 200);

    let document = json!({ "document_id": upload["document_id"] });
    let confirmed = platform.post("/api/v1/uploads/confirm", &document).send().await.unwrap();

    assert_eq!(confirmed.status(), 202);
    instance.until_under_way(0).await;
    let ended = "SELECT count(*) FROM documents WHERE status = 'complete'";
    assert_eq!(outside.database.number(ended).await, 1, "no stream was open, and nothing waited for it");
}

#[tokio::test]
async fn an_answer_as_a_whole_ends_its_invocation_too() {
    let outside = Outside::start().await;
    let platform = Platform::start(&outside, &[]).await;
    let [instance] = &platform.instances()[..] else { panic!("one instance") };

    for path in ["/healthz", "/", "/tidings.js", "/nowhere", "/api/v1/patients/p1/documents"] {
        let answer = platform.get(path).send().await.unwrap();
        let length = answer.content_length().expect("its length is known");
        assert_eq!(answer.bytes().await.unwrap().len() as u64, length, "{path}");
    }

    instance.until_under_way(0).await;
    let ping = reqwest::get(format!("{}/_vercel/ping", instance.url())).await.unwrap();
    assert_eq!(ping.status(), 200);
}
