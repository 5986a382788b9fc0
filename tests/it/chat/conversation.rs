//! What a stream of a chat begins with comes from the cache, and never in place of a message: whoever writes, wherever
//! the write falls, whatever becomes of Redis.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures::future::join_all;
use secrecy::SecretString;
use tempfile::TempDir;
use tidings::{
    cache::{Cache, CacheSettings},
    chat::{
        ChatStore, ForgetfulChatStore, MessageFollow, MessageQuery, MessageReader, NewMessage, News,
        StoredMessage, open,
    },
    clock::Clock,
    documents::{DatabaseUrl, StoreError, migrate},
    event::Id,
    upstash::RedisRest as Client,
};
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::support::{Gate, Mood, Redis, RedisRest};

/// How long anything may take on a busy machine.
const WITHIN: Duration = Duration::from_secs(60);
/// Longer than a test: nothing is read but what is wanted.
const NEVER: Duration = Duration::from_secs(3_600);

/// Counts how often the newest messages are read.
struct Counting {
    inner: Arc<dyn ChatStore>,
    reads: AtomicUsize,
}

#[async_trait]
impl ChatStore for Counting {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    async fn add(&self, case: &Id, message: &NewMessage) -> Result<(StoredMessage, bool), StoreError> {
        self.inner.add(case, message).await
    }

    async fn read(&self, query: &MessageQuery) -> Result<Vec<StoredMessage>, StoreError> {
        self.reads.fetch_add(usize::from(!query.newest.is_empty()), SeqCst);
        self.inner.read(query).await
    }
}

/// One process over a database that others may share.
struct Process {
    counting: Arc<Counting>,
    store: ForgetfulChatStore,
    reader: MessageReader,
    _ends: DropGuard,
}

impl Process {
    async fn start(database: &TempDir, cache: Cache, interval: Duration) -> Self {
        let url: DatabaseUrl = format!("sqlite://{}/t.db", database.path().display()).parse().unwrap();
        migrate(&url).await.unwrap();
        let inner = open(&url, Clock::System).await.unwrap();
        let counting = Arc::new(Counting { inner, reads: AtomicUsize::new(0) });
        let store = ForgetfulChatStore::before(Arc::clone(&counting) as _, cache.clone());
        let stop = CancellationToken::new();
        let reader =
            MessageReader::start(Arc::clone(&counting) as _, cache, Arc::default(), interval, stop.clone());
        Self { counting, store, reader, _ends: stop.drop_guard() }
    }

    async fn add(&self, case: &str, name: &str) {
        let message = NewMessage::new(id(name), &format!("words of {name}"), "patient");
        assert!(self.store.add(&id(case), &message).await.unwrap().1);
    }

    async fn follow(&self, case: &str) -> (MessageFollow, Vec<String>) {
        let mut follow = timeout(WITHIN, self.reader.follow(&id(case))).await.expect("it begins");
        let newest = names(&follow.take_newest(50));
        (follow, newest)
    }

    /// What a stream begins with that is left at once.
    async fn look(&self, case: &str) -> Vec<String> {
        self.follow(case).await.1
    }

    fn reads(&self) -> usize {
        self.counting.reads.load(SeqCst)
    }
}

fn id(text: &str) -> Id {
    Id::parse(text).unwrap()
}

fn names(messages: &[Arc<StoredMessage>]) -> Vec<String> {
    messages.iter().map(|stored| stored.message.id.to_string()).collect()
}

/// Redis may take its time on a busy machine.
fn patient() -> CacheSettings {
    CacheSettings { answer_within: WITHIN, rests_for: Duration::ZERO, ..Default::default() }
}

fn in_memory() -> Cache {
    Cache::in_memory(Arc::default(), patient())
}

fn over(url: &str) -> Cache {
    let client = Client::new(url.parse().unwrap(), SecretString::from("t"), Arc::default());
    Cache::over(&client, Clock::System, Arc::default(), patient())
}

/// Two processes on one database and, where there is one, on one Redis.
async fn a_warm_look_is_no_query(first: Process, second: Process, is_shared: bool) {
    assert!(first.look("c1").await.is_empty());
    assert!(first.look("c1").await.is_empty());
    assert_eq!(first.reads(), 1, "that nobody has said a word is kept as well");

    first.add("c1", "m1").await;
    assert_eq!(first.look("c1").await, ["m1"]);
    assert_eq!(first.look("c1").await, ["m1"]);
    assert_eq!(first.reads(), 2);
    assert_eq!(second.look("c1").await, ["m1"]);
    assert_eq!(second.reads(), usize::from(!is_shared));

    second.add("c1", "m2").await;
    assert_eq!(second.look("c1").await, ["m1", "m2"]);
    if is_shared {
        assert_eq!(first.look("c1").await, ["m1", "m2"]);
        assert_eq!((first.reads(), second.reads()), (2, 1));
    }
}

#[tokio::test]
async fn one_more_look_at_a_conversation_is_no_query_in_memory() {
    let database = tempfile::tempdir().unwrap();
    let (first, second) = (
        Process::start(&database, in_memory(), NEVER).await,
        Process::start(&database, in_memory(), NEVER).await,
    );

    a_warm_look_is_no_query(first, second, false).await;
}

#[tokio::test]
async fn one_more_look_at_a_conversation_is_no_query_over_redis() {
    let (database, redis) = (tempfile::tempdir().unwrap(), Redis::start());
    let front = RedisRest::with_token(&redis, "t");
    let (first, second) = (
        Process::start(&database, over(&front.url), NEVER).await,
        Process::start(&database, over(&front.url), NEVER).await,
    );

    a_warm_look_is_no_query(first, second, true).await;
}

#[tokio::test]
async fn cases_that_many_begin_to_follow_at_once_are_read_together() {
    let database = tempfile::tempdir().unwrap();
    let process = Process::start(&database, in_memory(), NEVER).await;
    for n in 0..20 {
        process.add(&format!("c{n}"), "m1").await;
    }

    let cases: Vec<_> = (0..40).map(|n| format!("c{}", n % 20)).collect();
    let looks = join_all(cases.iter().map(|case| process.follow(case))).await;

    assert!(looks.iter().all(|(_, newest)| newest == &["m1"]));
    assert!(process.reads() <= 2, "{} reads", process.reads());
}

/// A write of another process that this one does not hear of, put before, between and behind two looks, of which the
/// first fills the cache and the second reads from it.
#[tokio::test]
async fn what_the_cache_has_not_heard_of_comes_with_the_next_read_and_once() {
    for written_at in 0..4 {
        let database = tempfile::tempdir().unwrap();
        let (reading, writing) = (
            Process::start(&database, in_memory(), Duration::from_millis(20)).await,
            Process::start(&database, in_memory(), NEVER).await,
        );
        writing.add("c1", "m1").await;
        let at = async |step: usize| {
            if step == written_at {
                writing.add("c1", "m2").await;
            }
        };

        at(0).await;
        reading.look("c1").await;
        at(1).await;
        let (mut follow, mut told) = reading.follow("c1").await;
        at(2).await;
        let (mut late, mut told_late) = reading.follow("c1").await;
        at(3).await;
        for (follow, told) in [(&mut follow, &mut told), (&mut late, &mut told_late)] {
            read_on(follow, told, 2).await;
        }
        reading.add("c1", "m3").await;

        for (follow, told) in [(&mut follow, &mut told), (&mut late, &mut told_late)] {
            read_on(follow, told, 3).await;
            assert_eq!(*told, ["m1", "m2", "m3"], "written at {written_at}");
        }
    }
}

/// Reads until so many messages have been told.
async fn read_on(follow: &mut MessageFollow, told: &mut Vec<String>, count: usize) {
    let reading = async {
        while told.len() < count {
            follow.changed().await;
            let News::Messages(messages) = follow.take_news() else { panic!("something is missed") };
            told.extend(names(&messages));
        }
    };
    timeout(WITHIN, reading).await.expect("it is read");
}

#[tokio::test]
async fn a_redis_that_is_gone_slow_or_wrong_changes_no_conversation() {
    let mut redis = Redis::start();
    let front = RedisRest::with_token(&redis, "t");
    let moods = [
        Mood::Answer(503, ""),
        Mood::Answer(200, "<html>Please log in</html>"),
        Mood::Answer(401, r#"{"error":"WRONGPASS invalid or missing auth token"}"#),
        Mood::Answer(200, r#"{"result":["[]",null]}"#),
        Mood::LoseAnswer,
    ];
    for mood in moods {
        let database = tempfile::tempdir().unwrap();
        let gate = Gate::before(&front.url).await;
        let process = Process::start(&database, over(&gate.url), NEVER).await;
        let case = format!("c{}", gate.url.rsplit(':').next().unwrap());
        process.add(&case, "m1").await;
        assert_eq!(process.look(&case).await, ["m1"]);

        gate.be(mood);
        assert_eq!(process.look(&case).await, ["m1"], "{mood:?}");
        process.add(&case, "m2").await;
        assert_eq!(process.look(&case).await, ["m1", "m2"], "while Redis is in {mood:?}");
        gate.be(Mood::Pass);

        assert_eq!(process.look(&case).await, ["m1", "m2"], "after {mood:?}");
    }
    let database = tempfile::tempdir().unwrap();
    let process = Process::start(&database, over(&front.url), NEVER).await;
    process.add("c1", "m1").await;
    redis.crash();

    assert_eq!(process.look("c1").await, ["m1"]);
    process.add("c1", "m2").await;
    assert_eq!(process.look("c1").await, ["m1", "m2"]);
}
