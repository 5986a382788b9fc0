//! An answer from this process, seen by a server of its own, over Redis.

use std::{sync::Arc, time::Duration};

use secrecy::SecretString;
use tidings::{
    broker::{Broker, Emitter, EmitterLimits, MemoryBroker, MemoryLimits, UpstashBroker, UpstashSettings},
    chat::{Answer, Chat, open},
    clock::Clock,
    documents::{DatabaseUrl, migrate},
    event::{Channel, Id, TypedEvent},
    telemetry::Metrics,
    upstash,
};

use crate::support::{Redis, RedisRest, Server, Viewer};

const TEXT: [&str; 4] = ["Your MRI ", "of March 3 ", "is recent ", "enough."];

fn case() -> Id {
    "c1".parse().unwrap()
}

async fn chat(folder: &tempfile::TempDir, broker: Arc<dyn Broker>) -> (Chat, Emitter) {
    let url: DatabaseUrl = format!("sqlite://{}/t.db", folder.path().display()).parse().unwrap();
    migrate(&url).await.unwrap();
    let metrics = Arc::<Metrics>::default();
    let emitter = Emitter::start(broker, Clock::System, Arc::clone(&metrics), EmitterLimits::default());
    (Chat::new(open(&url, Clock::System).await.unwrap(), emitter.clone(), metrics), emitter)
}

async fn give(mut answer: Answer, pause: Duration) -> String {
    for text in TEXT {
        answer.push(text).unwrap();
        tokio::time::sleep(pause).await;
    }
    let id = answer.id().to_string();
    let message = answer.finish().await.unwrap();
    assert_eq!((message.content, message.id.as_str()), (TEXT.concat(), id.as_str()));
    id
}

#[tokio::test]
async fn an_answer_given_elsewhere_is_seen_piece_by_piece_and_ends_as_a_message() {
    let (redis, folder) = (Redis::start(), tempfile::tempdir().unwrap());
    let front = RedisRest::before(&redis);
    let server = Server::start(&[("UPSTASH_REDIS_REST_URL", &front.url), ("UPSTASH_REDIS_REST_TOKEN", "t")]);
    let client = upstash::RedisRest::new(front.url.parse().unwrap(), SecretString::from("t"), Arc::default());
    let broker = UpstashBroker::new(client, Clock::System, Arc::default(), UpstashSettings::default());
    let (chat, _) = chat(&folder, Arc::new(broker)).await;
    let mut viewer = Viewer::open(server.get("/api/v1/cases/c1/chat/stream")).await;
    viewer.until("connected").await;

    let id = give(chat.answer(&case(), "assistant"), Duration::from_millis(700)).await;

    let (mut text, mut pieces) = (String::new(), 0);
    let message = loop {
        let told = viewer.next().await.unwrap();
        match told.name.as_str() {
            "token" => {
                assert_eq!(
                    (told.text("message_id"), told.data["index"].as_u64()),
                    (id.clone(), Some(pieces))
                );
                text.push_str(&told.text("text"));
                pieces += 1;
            }
            "message" => break told,
            _ => {}
        }
    };
    assert!(pieces > 1, "it came in pieces");
    assert_eq!(
        (text, message.text("content"), message.text("id")),
        (TEXT.concat(), TEXT.concat(), id.clone())
    );
    assert_eq!(viewer.until("answer_done").await.text("message_id"), id);
}

#[tokio::test]
async fn a_long_answer_leaves_checkpoints_with_all_of_its_text_in_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Arc::new(MemoryBroker::new(Clock::System, MemoryLimits::default()));
    let (chat, emitter) = chat(&folder, Arc::clone(&broker) as _).await;

    give(chat.answer(&case(), "assistant"), Duration::from_millis(1_100)).await;
    assert!(emitter.flush(Duration::from_secs(10)).await);

    let log = broker.history(&Channel::chat(case())).await.unwrap();
    let events: Vec<_> = log.entries.iter().map(|entry| TypedEvent::parse(&entry.payload).unwrap()).collect();
    let names: Vec<_> = events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names[names.len() - 2..], ["message", "answer_done"]);
    let mut text = String::new();
    let mut checkpoints = 0;
    for event in &events {
        match event.name.as_str() {
            "token" => text.push_str(event.data["text"].as_str().unwrap()),
            "checkpoint" => {
                assert_eq!(event.data["text"], text.as_str());
                checkpoints += 1;
            }
            _ => {}
        }
    }
    assert!(checkpoints >= 1, "{names:?}");
}
