//! The cache over a real Redis, by Upstash's wire: the suite, what is in Redis, and damaged values.

use std::{sync::Arc, time::Duration};

use secrecy::SecretString;
use serde_json::Value as Json;
use tidings::{
    cache::{Cache, CacheSettings, Key},
    clock::Clock,
    upstash::{Command, RedisRest},
};

use super::{
    Source, Value, checklist, id, patient,
    suite::{self, NewerValue},
};
use crate::support::redis::{Redis, RedisRest as Front};

/// A Redis of its own and its front.
pub struct Database {
    pub server: Redis,
    pub front: Front,
}

impl Database {
    pub fn start() -> Self {
        let server = Redis::start();
        Self { front: Front::with_token(&server, "t"), server }
    }

    pub fn client(&self) -> RedisRest {
        client(&self.front.url)
    }

    async fn run(&self, command: Command) -> tidings::upstash::Reply {
        self.client().command(&command).await.unwrap()
    }

    async fn set(&self, key: &Key, text: &str) {
        self.run(Command::new("SET").arg(key.to_string()).arg(text)).await;
    }

    async fn get(&self, key: &Key) -> String {
        self.run(Command::new("GET").arg(key.to_string())).await.into_text().unwrap()
    }
}

pub fn client(url: &str) -> RedisRest {
    RedisRest::new(url.parse().unwrap(), SecretString::from("t"), Arc::default())
}

/// The cache of one process.
pub fn process(url: &str, settings: CacheSettings) -> Cache {
    Cache::over(&client(url), Clock::System, Arc::default(), settings)
}

#[tokio::test]
async fn the_cache_over_redis_keeps_the_contract() {
    let database = Database::start();
    let short = CacheSettings { longest: Duration::from_millis(200), ..patient() };

    suite::run_all(&process(&database.front.url, patient())).await;
    suite::a_value_ends_with_its_time(&process(&database.front.url, short)).await;
}

#[tokio::test]
async fn what_one_process_loaded_another_finds_until_one_of_them_writes() {
    let database = Database::start();
    let [first, second] = [(); 2].map(|()| process(&database.front.url, patient()));
    let source = Source::default();

    for cache in [&first, &second] {
        source.read(cache, &checklist("c1")).await;
    }
    assert_eq!(source.loads(), 1);
    let written = source.write();
    second.forget(&checklist("c1")).await;

    assert_eq!(source.read(&first, &checklist("c1")).await, written);
    assert_eq!(source.read(&second, &checklist("c1")).await, written);
    assert_eq!(source.loads(), 2);
}

#[tokio::test]
async fn keys_hold_ids_only_and_end_by_themselves() {
    let database = Database::start();
    let cache = process(&database.front.url, patient());
    let id = id("x1");

    for key in [Key::requirements(&id), Key::conversation(&id), Key::checklist(&id), Key::health()] {
        Source::default().read(&cache, &key).await;
    }
    cache.forget(&Key::checklist(&id)).await;
    Source::default().read(&cache, &Key::checklist(&id)).await;

    let mut kept = Vec::new();
    for key in database.run(Command::new("KEYS").arg("*")).await.into_array().unwrap() {
        let key = key.into_text().unwrap();
        let left = database.run(Command::new("PTTL").arg(key.clone())).await.as_integer().unwrap();
        kept.push((key, left));
    }
    kept.sort();
    let expected = [
        ("conv_case:x1", 600),
        ("doc_checklist:x1", 30),
        ("health:data", 30),
        ("proc_reqs:x1", 3_600),
        ("tidings:dropped:doc_checklist:x1", 90),
    ];
    assert_eq!(kept.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(), expected.map(|(key, _)| key));
    for ((key, left), (_, seconds)) in kept.iter().zip(expected) {
        assert!(*left > 0 && *left <= seconds * 1_000, "{key} ends in {left} ms");
    }
}

#[tokio::test]
async fn a_damaged_value_counts_as_none() {
    let database = Database::start();
    let key = checklist("c1");
    Source::default().read(&process(&database.front.url, patient()), &key).await;
    let whole = database.get(&key).await;
    let good: Json = serde_json::from_str(&whole).unwrap();
    let with = |field: &str, value: Json| {
        let mut bad = good.clone();
        bad[field] = value;
        bad.to_string()
    };
    assert_eq!((&good["v"], &good["value"]), (&7.into(), &0.into()));

    let damaged = [
        with("v", 6.into()),
        with("mark", "another".into()),
        with("value", "no number".into()),
        with("at", "noon".into()),
        whole[..whole.len() - 1].to_owned(),
        format!("{whole}}}"),
        "null".into(),
        "[]".into(),
        String::new(),
        "\u{fffd}\u{0}".into(),
    ];
    for text in damaged {
        database.set(&key, &text).await;
        let source = Source::default();
        source.write();

        // Another process each time: what one has read itself proves nothing.
        assert_eq!(source.read(&process(&database.front.url, patient()), &key).await, 1, "{text:?}");
        assert_eq!(source.read(&process(&database.front.url, patient()), &key).await, 1);
        assert_eq!(source.loads(), 1, "what is loaded takes the place of {text:?}");
    }
}

#[tokio::test]
async fn a_key_of_another_type_counts_as_none() {
    let database = Database::start();
    let key = checklist("c1");
    database.run(Command::new("RPUSH").arg(key.to_string()).arg("x")).await;
    let source = Source::default();

    for _ in 0..2 {
        source.read(&process(&database.front.url, patient()), &key).await;
    }

    assert_eq!(source.loads(), 1);
}

#[tokio::test]
async fn versions_side_by_side_do_not_read_each_other() {
    let database = Database::start();
    let [old, new] = [(); 2].map(|()| process(&database.front.url, patient()));
    let key = checklist("c1");
    let newer = async || new.get_or_load::<_, ()>(&key, async { Ok(Some(NewerValue(100))) }).await;

    Source::default().read(&old, &key).await;
    assert_eq!(newer().await, Ok(Some(NewerValue(100))));
    let answer = old.get_or_load::<_, ()>(&key, async { Ok(Some(Value(1))) }).await;

    assert_eq!(answer, Ok(Some(Value(1))));
}
