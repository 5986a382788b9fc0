//! Questions about documents are answered: word by word, once, and to the end, whoever dies meanwhile.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;

use super::case_notices::messages;
use crate::support::{
    Database, Message, Redis, RedisRest, Server, Viewer,
    documents::{confirm, put_in_case, read_named},
};

const STREAM: &str = "/api/v1/cases/c1/chat/stream";
const QUESTION: &str = "What does my discharge summary say?";
/// A question is taken up after 20 s; the rest is for a busy machine.
const WITHIN: Duration = Duration::from_secs(120);

/// Uploads a document of the case and waits until it is read.
async fn upload(server: &Server) {
    let document = put_in_case(server, "p1", "discharge_summary.pdf", "c1").await;
    confirm(server, &document).await;
    read_named(server, "p1", &document).await;
}

async fn ask(server: &Server, id: &str) {
    ask_in(server, "c1", id).await;
}

async fn ask_in(server: &Server, case: &str, id: &str) {
    let message = json!({ "id": id, "content": QUESTION });
    let answer = server.post(&format!("/api/v1/cases/{case}/messages"), &message).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.status());
}

/// Reads to the message of an answer; gives the text of its pieces and the message.
async fn read_answer(viewer: &mut Viewer) -> (String, Message) {
    let reading = async {
        let mut text = String::new();
        loop {
            let told = viewer.next().await.expect("the stream goes on");
            match told.name.as_str() {
                "token" => text.push_str(&told.text("text")),
                "message" if told.text("role") == "assistant" => return (text, told),
                _ => {}
            }
        }
    };
    timeout(WITHIN, reading).await.expect("it is answered")
}

async fn open(server: &Server) -> Viewer {
    let mut viewer = Viewer::open(server.get(STREAM)).await;
    viewer.until("connected").await;
    viewer
}

fn answers(messages: &[Value]) -> Vec<String> {
    let answers = messages.iter().filter(|message| message["role"] == "assistant");
    answers.map(|message| message["content"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_question_is_answered_word_by_word_and_the_same_again_alike() {
    let server = Server::start(&[]);
    upload(&server).await;
    let mut viewer = open(&server).await;

    ask(&server, "m1").await;

    assert_eq!(viewer.until("agent_joined").await.data, json!({ "role": "assistant", "name": "Tidings" }));
    assert_eq!(viewer.until("typing").await.text("role"), "assistant");
    let (text, message) = read_answer(&mut viewer).await;
    assert_eq!(text, message.text("content"));
    assert!(text.contains("discharge_summary.pdf, a discharge summary"), "{text}");
    assert!(text.contains("Diagnoses (") && text.contains("Medications ("), "{text}");
    assert_eq!(viewer.until("answer_done").await.text("message_id"), message.text("id"));
    ask(&server, "m2").await;
    let (again, other) = read_answer(&mut viewer).await;
    assert_eq!(again, text);
    assert_ne!(other.text("id"), message.text("id"));
    let metrics = server.get("/metrics").send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("tidings_answers_total{outcome=\"told\"} 2\n"));
}

#[tokio::test]
async fn a_message_sent_again_is_not_answered_again() {
    let server = Server::start(&[]);
    upload(&server).await;
    let mut viewer = open(&server).await;

    futures::future::join_all((0..4).map(|_| ask(&server, "m1"))).await;
    read_answer(&mut viewer).await;
    ask(&server, "m1").await;
    ask(&server, "m2").await;
    read_answer(&mut viewer).await;

    assert_eq!(answers(&messages(&server, "c1").await).len(), 2);
}

/// A server that goes down tells the answers under way first: what is not there then was never begun.
#[tokio::test]
async fn where_it_is_off_or_the_case_has_no_documents_people_talk_to_each_other() {
    let mut server = Server::start(&[("RESPONDER", "off")]);
    upload(&server).await;
    ask(&server, "m1").await;
    server.terminate();
    server.ended(Duration::from_secs(20)).await.expect("it ends");
    let mut server = Server::start_in(server.crash(), &[]);
    ask_in(&server, "c2", "m1").await;
    server.terminate();
    server.ended(Duration::from_secs(20)).await.expect("it ends");

    let server = Server::start_in(server.crash(), &[("RESPONDER", "off")]);

    for case in ["c1", "c2"] {
        assert!(answers(&messages(&server, case).await).is_empty(), "{case}");
    }
}

#[tokio::test]
async fn a_server_that_is_stopped_says_the_rest_at_once() {
    let mut server = Server::start(&[]);
    upload(&server).await;
    let mut viewer = open(&server).await;
    ask(&server, "m1").await;
    viewer.until("token").await;

    server.terminate();
    server.ended(Duration::from_secs(20)).await.expect("it ends");
    let server = Server::start_in(server.crash(), &[("RESPONDER", "off")]);

    let answers = answers(&messages(&server, "c1").await);
    assert!(answers.len() == 1 && answers[0].contains("Ask your doctor"), "{answers:?}");
}

#[tokio::test]
async fn an_answer_that_was_killed_is_taken_up_by_the_next_start_under_its_id() {
    let server = Server::start(&[]);
    upload(&server).await;
    let mut viewer = open(&server).await;
    ask(&server, "m1").await;
    let piece = viewer.until("token").await;

    let server = Server::start_in(server.crash(), &[("STATUS_INTERVAL_MS", "300")]);
    let mut viewer = open(&server).await;

    let (_, message) = read_answer(&mut viewer).await;
    assert_eq!(message.text("id"), piece.text("message_id"));
    assert!(message.text("content").starts_with(&piece.text("text")));
    assert_eq!(viewer.until("answer_done").await.text("message_id"), message.text("id"));
    ask(&server, "m2").await;
    let (_, whole) = read_answer(&mut viewer).await;
    assert_eq!(whole.text("content"), message.text("content"));
}

#[tokio::test]
async fn an_answer_whose_instance_is_killed_is_taken_up_by_another_one_once() {
    let (redis, database) = (Redis::start(), Database::new().await);
    let front = RedisRest::with_token(&redis, "t");
    let environment = [
        ("UPSTASH_REDIS_REST_URL", front.url.as_str()),
        ("UPSTASH_REDIS_REST_TOKEN", "t"),
        ("DATABASE_URL", &database.url),
        ("STATUS_INTERVAL_MS", "300"),
    ];
    let [first, second, third] = [(); 3].map(|()| Server::start(&environment));
    upload(&first).await;
    let (mut viewer, mut other) = (open(&second).await, open(&third).await);
    ask(&first, "m1").await;
    let mut begun = String::new();
    // More than one piece, so that there is something to go on from.
    while begun.split(' ').count() < 8 {
        begun.push_str(&viewer.until("token").await.text("text"));
    }

    first.crash();

    let (rest, message) = read_answer(&mut viewer).await;
    assert!(message.text("content").starts_with(&(begun + rest.as_str())), "no hole, and nothing twice");
    let (_, same) = read_answer(&mut other).await;
    assert_eq!((same.text("id"), same.text("content")), (message.text("id"), message.text("content")));
    assert_eq!(answers(&messages(&second, "c1").await), [message.text("content")]);
}
