//! What a case is told of its documents, over a log that can be looked into.

use std::{sync::Arc, time::Duration};

use tidings::{
    broker::{Broker, Emitter, EmitterLimits, MemoryBroker, MemoryLimits},
    chat::{Chat, ChatStore, MessageQuery, open, over},
    clock::Clock,
    documents::{CaseNotices, Connections, DatabaseUrl, Notice, StoreError, migrate},
    event::{Channel, Id, Stage, TypedEvent},
    telemetry::Metrics,
};

fn case() -> Id {
    "c1".parse().unwrap()
}

fn notice(attempt: u32, stage: Stage) -> Notice {
    Notice { document_id: "d1".parse().unwrap(), attempt, stage }
}

struct World {
    chat: Chat,
    emitter: Emitter,
    broker: Arc<MemoryBroker>,
}

impl World {
    fn over(store: Arc<dyn ChatStore>) -> Self {
        let broker = Arc::new(MemoryBroker::new(Clock::System, MemoryLimits::default()));
        let metrics = Arc::<Metrics>::default();
        let log = Arc::clone(&broker) as Arc<dyn Broker>;
        let emitter = Emitter::start(log, Clock::System, Arc::clone(&metrics), EmitterLimits::default());
        Self { chat: Chat::new(store, emitter.clone(), metrics), emitter, broker }
    }

    /// The types of what the log of the case holds.
    async fn logged(&self) -> Vec<String> {
        assert!(self.emitter.flush(Duration::from_secs(10)).await);
        let log = self.broker.history(&Channel::chat(case())).await.unwrap();
        log.entries.iter().map(|entry| TypedEvent::parse(&entry.payload).unwrap().name.to_string()).collect()
    }
}

#[tokio::test]
async fn each_stage_of_each_attempt_is_kept_once_however_often_it_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let url: DatabaseUrl = format!("sqlite://{}/t.db", folder.path().display()).parse().unwrap();
    migrate(&url).await.unwrap();
    let store = open(&url, Clock::System).await.unwrap();
    let world = World::over(Arc::clone(&store));
    let notices = [(1, Stage::OcrComplete), (1, Stage::AnalysisComplete), (2, Stage::OcrComplete)];

    for (attempt, stage) in notices.iter().chain(&notices) {
        world.chat.tell(&case(), &notice(*attempt, *stage)).await.unwrap();
    }

    let query = MessageQuery { newest: vec![case()], ..MessageQuery::default() };
    assert_eq!(store.read(&query).await.unwrap().len(), notices.len());
    // Told again, as the first event may have been lost; viewers are shown each once.
    assert_eq!(world.logged().await, ["message"; 6]);
}

#[tokio::test]
async fn where_nothing_may_be_written_nothing_is_told_and_nothing_fails() {
    let world = World::over(over(&Connections::ReadOnly, Clock::System));

    world.chat.tell(&case(), &notice(1, Stage::OcrComplete)).await.unwrap();

    assert!(world.logged().await.is_empty());
}

#[tokio::test]
async fn an_answer_that_cannot_be_kept_ends_all_the_same() {
    let world = World::over(over(&Connections::ReadOnly, Clock::System));
    let mut answer = world.chat.answer(&case(), "assistant");
    answer.push("Your MRI").unwrap();

    let refused = answer.finish().await.unwrap_err();

    assert!(matches!(refused, StoreError::KeptElsewhere), "{refused}");
    assert_eq!(
        world.logged().await,
        ["token", "answer_done"],
        "nobody is shown it as being written for ever"
    );
}
