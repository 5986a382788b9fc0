//! Every document comes to an end that a patient may be told, and no call made twice does anything twice.

use futures::{future::join_all, stream};
use reqwest::{Body, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{
    Message, Server, Viewer,
    documents::{STAGES, confirm, fixture, put, read_named},
    half_upload::HalfUpload,
    viewer::names,
};

const STREAM: &str = "/api/v1/patients/p1/documents/stream";
/// Bad files and the only thing anyone is told about them.
const BAD: [(&str, &str); 6] = [
    ("encrypted.pdf", "encrypted"),
    ("truncated.pdf", "unreadable"),
    ("not_a_pdf.pdf", "not_a_pdf"),
    ("zero_pages.pdf", "no_pages"),
    ("scanned_no_text.pdf", "needs_ocr"),
    ("bomb.pdf", "too_complex"),
];
const GOOD: [&str; 8] = [
    "lab_report.pdf",
    "mri_knee.pdf",
    "discharge_summary.pdf",
    "referral_letter.pdf",
    "prescription.pdf",
    "unicode_names.pdf",
    "long_history.pdf",
    "owner_locked.pdf",
];

#[tokio::test]
async fn a_bad_file_ends_as_failed_with_a_reason_that_is_safe_to_show() {
    let server = Server::start(&[]);

    for (file, reason) in BAD {
        let (document, seen) = follow(&server, file).await;

        let [.., update, done] = &seen[..] else { panic!("{file}: {seen:?}") };
        let step = steps(&seen).last().unwrap();
        assert_eq!((step.text("document_id"), step.text("status")), (document, "failed".into()), "{file}");
        assert_eq!(update.name, "document_update", "{file}");
        assert_eq!((update.text("status").as_str(), update.text("reason").as_str()), ("failed", reason));
        assert_eq!(done.name, "done", "{file}");
        assert_eq!(done.data["documents"][0]["reason"], reason);
        assert!(!step.text("detail").is_empty(), "{file}: words for the patient");
        assert!(steps(&seen).all(|step| step.text("stage") != "ocr_complete"), "{file}: {seen:?}");
    }
}

#[tokio::test]
async fn a_good_file_ends_as_complete_after_six_steps_in_order() {
    let server = Server::start(&[]);

    for file in GOOD {
        let (document, seen) = follow(&server, file).await;

        let stages: Vec<_> = steps(&seen).map(Message::step).collect();
        assert_eq!(stages, STAGES.map(|stage| (document.clone(), stage.to_owned())), "{file}");
        let [.., update, done] = &seen[..] else { panic!("{file}: {seen:?}") };
        assert_eq!((update.name.as_str(), update.text("status").as_str()), ("document_update", "complete"));
        assert_eq!(done.data["documents"][0]["status"], "complete", "{file}");
    }
}

#[tokio::test]
async fn a_file_that_is_gone_ends_its_document_with_a_reason() {
    let server = Server::start(&[]);
    let (document, _) = follow(&server, "encrypted.pdf").await;
    std::fs::remove_file(server.folder.path().join("data/files").join(&document)).unwrap();

    let retry = format!("/api/v1/documents/{document}/retry");
    assert_eq!(status(server.post(&retry, &Value::Null)).await, 202);
    let seen = read_named(&server, "p1", &document).await;

    let end = &seen.last().unwrap().data["documents"][0];
    assert_eq!((&end["status"], &end["reason"]), (&json!("failed"), &json!("file_missing")));
}

#[tokio::test]
async fn a_folder_that_cannot_be_used_refuses_a_file_and_takes_it_once_it_can() {
    let server = Server::start(&[]);
    let files = server.folder.path().join("data/files");
    let file = fixture("mri_knee.pdf");
    let upload = presign(&server, file.len() as u64).await;
    let url = upload["upload_url"].as_str().unwrap();

    std::fs::remove_dir(&files).unwrap();
    std::fs::write(&files, "no folder").unwrap();
    let refused = server.put(url, file.clone()).send().await.unwrap();
    std::fs::remove_file(&files).unwrap();
    std::fs::create_dir(&files).unwrap();

    assert_eq!(refused.status(), 503);
    assert_eq!(refused.headers()["content-type"], "application/problem+json");
    assert_eq!(status(server.put(url, file)).await, 200);
    confirm(&server, upload["document_id"].as_str().unwrap()).await;
}

#[tokio::test]
async fn eight_confirms_at_once_are_one() {
    let server = Server::start(&[]);
    let document = put(&server, "p1", "mri_knee.pdf").await;
    let viewer = Viewer::open(server.get(STREAM)).await;

    let answers = join_all((0..8).map(|_| confirm(&server, &document))).await;
    let seen = viewer.rest().await;

    assert!(answers.iter().all(|answer| answer["document_id"] == document.as_str()));
    assert!(answers.iter().all(|answer| answer["status"] == "uploaded"));
    assert_eq!(steps(&seen).map(|step| step.text("stage")).collect::<Vec<_>>(), STAGES);
    let again = confirm(&server, &document).await;
    assert_eq!(without_token(again), without_token(answers[0].clone()));
    let over =
        Viewer::open(server.get(STREAM).header("Last-Event-ID", seen.last().unwrap().id.as_ref().unwrap()));
    assert_eq!(over.await.status, 204, "a late confirm starts nothing");
}

#[tokio::test]
async fn a_file_can_be_put_again_until_it_is_confirmed() {
    let server = Server::start(&[]);
    let file = fixture("mri_knee.pdf");
    let upload = presign(&server, file.len() as u64).await;
    let document = json!({ "document_id": upload["document_id"] });
    let url = upload["upload_url"].as_str().unwrap();

    let early = status(server.post("/api/v1/uploads/confirm", &document)).await;
    let first = status(server.put(url, file.clone())).await;
    let again = status(server.put(url, file.clone())).await;
    confirm(&server, upload["document_id"].as_str().unwrap()).await;
    let late = status(server.put(url, file)).await;

    assert_eq!((early, first, again, late), (409, 200, 200, 409));
}

#[tokio::test]
async fn a_file_still_on_its_way_at_confirm_does_not_replace_the_confirmed_one() {
    let server = Server::start(&[]);
    let file = fixture("mri_knee.pdf");
    let upload = presign(&server, file.len() as u64).await;
    let (document, url) = (upload["document_id"].as_str().unwrap(), upload["upload_url"].as_str().unwrap());
    assert_eq!(status(server.put(url, file)).await, 200);

    let second = HalfUpload::of(&server, document, url, "mri_knee.pdf").await;
    confirm(&server, document).await;

    assert_eq!(second.finish().await, 409);
}

#[tokio::test]
async fn a_confirm_of_an_unknown_document_is_not_found() {
    let server = Server::start(&[]);

    let unknown = server.post("/api/v1/uploads/confirm", &json!({ "document_id": "nobody-s" }));

    assert_eq!(status(unknown).await, 404);
}

#[tokio::test]
async fn a_file_may_not_be_larger_than_was_said() {
    let server = Server::start(&[]);
    let upload = presign(&server, 1_000).await;
    let url = upload["upload_url"].as_str().unwrap();
    let pieces = stream::iter((0..11).map(|_| Ok::<_, std::io::Error>(vec![b'x'; 100])));

    let announced = status(server.put(url, vec![b'x'; 1_001])).await;
    let streamed = status(server.put(url, Vec::new()).body(Body::wrap_stream(pieces))).await;
    let confirmed =
        status(server.post("/api/v1/uploads/confirm", &json!({ "document_id": upload["document_id"] })));

    assert_eq!((announced, streamed), (413, 413));
    assert_eq!(confirmed.await, 409, "nothing is kept of it");
}

#[tokio::test]
async fn a_file_may_not_be_smaller_than_was_said() {
    let server = Server::start(&[]);
    let upload = presign(&server, 1_000).await;
    let url = upload["upload_url"].as_str().unwrap();
    let pieces = stream::iter((0..9).map(|_| Ok::<_, std::io::Error>(vec![b'x'; 111])));

    let announced = server.put(url, vec![b'x'; 999]).send().await.unwrap();
    let streamed = server.put(url, Vec::new()).body(Body::wrap_stream(pieces)).send().await.unwrap();
    let confirmed =
        status(server.post("/api/v1/uploads/confirm", &json!({ "document_id": upload["document_id"] })));

    assert_eq!(confirmed.await, 409, "nothing is kept of it");
    for answer in [announced, streamed] {
        assert_eq!(answer.status(), 400);
        let problem: Value = answer.json().await.unwrap();
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("999 bytes") && detail.contains("1000"), "{detail}");
    }
    assert_eq!(std::fs::read_dir(server.folder.path().join("data/files")).unwrap().count(), 0);
}

#[tokio::test]
async fn an_upload_url_is_good_for_its_own_document_only() {
    let server = Server::start(&[]);
    let upload = presign(&server, 10).await;
    let other = presign(&server, 10).await;
    let url = upload["upload_url"].as_str().unwrap();
    let (path, token) = url.split_once("?token=").unwrap();
    let (_, token_of_other) = other["upload_url"].as_str().unwrap().split_once("?token=").unwrap();
    let swapped = format!("{path}?token={token_of_other}");
    let changed = format!("{path}?token={}", changed(token));

    for url in [changed.as_str(), swapped.as_str(), path] {
        assert_eq!(status(server.put(url, vec![b'x'; 10])).await, 403, "{url}");
    }

    assert_eq!(status(server.put(url, vec![b'x'; 10])).await, 200);
}

#[tokio::test]
async fn what_has_no_size_or_too_much_is_refused_before_it_is_sent() {
    let server = Server::start(&[]);
    let presign = |size: u64| status(server.post("/api/v1/uploads/presign", &announcement(size)));

    let answers = [presign(0).await, presign(25 * 1_024 * 1_024 + 1).await, presign(25_000_000).await];

    assert_eq!(answers, [400, 413, 200]);
}

/// Uploads a file and follows it to its end.
async fn follow(server: &Server, file: &str) -> (String, Vec<Message>) {
    let document = put(server, "p1", file).await;
    let stream = format!("{STREAM}?document_id={document}");
    let viewer = Viewer::open(server.get(&stream)).await;
    confirm(server, &document).await;
    (document, viewer.rest().await)
}

fn steps(seen: &[Message]) -> impl Iterator<Item = &Message> {
    assert_eq!(names(seen)[0], "connected");
    seen.iter().filter(|message| message.name == "progress")
}

fn announcement(size: u64) -> Value {
    json!({ "patient_id": "p1", "filename": "a.pdf", "content_type": "application/pdf", "size": size })
}

async fn presign(server: &Server, size: u64) -> Value {
    let answer = server.post("/api/v1/uploads/presign", &announcement(size)).send().await.unwrap();
    answer.json().await.unwrap()
}

async fn status(request: RequestBuilder) -> u16 {
    request.send().await.unwrap().status().as_u16()
}

fn without_token(mut answer: Value) -> Value {
    answer.as_object_mut().unwrap().remove("token").unwrap();
    answer
}

/// Changes one character in the middle of the signature: at its end some bits mean nothing.
fn changed(token: &str) -> String {
    let place = token.len() - 10;
    let other = if token.as_bytes()[place] == b'A' { "B" } else { "A" };
    format!("{}{other}{}", &token[..place], &token[place + 1..])
}
