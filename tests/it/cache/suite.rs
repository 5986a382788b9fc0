//! One suite over the contract of a cache; every level passes it, also when Redis is away.

use std::time::Duration;

use futures::future::join_all;
use tidings::cache::{Cache, Cached, Key};
use tokio::{sync::Semaphore, time::timeout};

use super::{Source, Value, checklist, id};

/// How long anything may take on a busy machine.
const SOON: Duration = Duration::from_secs(60);

/// A key of each kind.
fn keys(id_text: &str) -> [Key; 4] {
    let id = id(id_text);
    [Key::requirements(&id), Key::conversation(&id), Key::checklist(&id), Key::health()]
}

/// Runs every rule over an empty cache.
pub async fn run_all(cache: &Cache) {
    what_was_loaded_is_not_loaded_again(cache).await;
    run_answers(cache).await;
}

/// Runs the rules that hold whatever Redis does.
pub async fn run_answers(cache: &Cache) {
    callers_share_one_load(cache).await;
    a_load_that_is_given_up_is_begun_by_the_next(cache).await;
    an_error_is_told_to_all_and_not_kept(cache).await;
    what_is_not_there_is_not_kept(cache).await;
    each_key_is_kept_for_itself(cache).await;
    a_forgotten_value_is_loaded_anew(cache).await;
}

async fn what_was_loaded_is_not_loaded_again(cache: &Cache) {
    for key in keys("a1") {
        let source = Source::default();
        source.write();

        assert_eq!(source.read(cache, &key).await, 1);
        source.write();

        assert_eq!((source.read(cache, &key).await, source.loads()), (1, 1), "{key}");
    }
}

async fn callers_share_one_load(cache: &Cache) {
    let (source, go_on) = (Source::default(), Semaphore::new(0));
    let key = checklist("b1");
    let slow = async || {
        cache
            .get_or_load(&key, async {
                let loaded = source.load().await;
                drop(go_on.acquire().await);
                loaded
            })
            .await
    };
    let release = async {
        while source.loads() == 0 {
            tokio::task::yield_now().await;
        }
        go_on.add_permits(1);
    };

    let callers = join_all((0..16).map(|_| slow()));
    let (answers, ()) = timeout(SOON, futures::future::join(callers, release)).await.unwrap();

    assert!(answers.into_iter().all(|answer| answer.unwrap() == Some(Value(0))));
    assert_eq!(source.loads(), 1);
}

async fn a_load_that_is_given_up_is_begun_by_the_next(cache: &Cache) {
    let source = Source::default();
    let key = checklist("c1");
    let begun = Semaphore::new(0);
    let given_up = cache.get_or_load::<Value, ()>(&key, async {
        begun.add_permits(1);
        std::future::pending().await
    });

    tokio::select! {
        _ = given_up => unreachable!(),
        permit = begun.acquire() => drop(permit),
    }

    assert_eq!(timeout(SOON, source.read(cache, &key)).await.unwrap(), 0);
}

async fn an_error_is_told_to_all_and_not_kept(cache: &Cache) {
    let key = checklist("d1");
    let fail = async || {
        cache
            .get_or_load::<Value, _>(&key, async {
                tokio::task::yield_now().await;
                Err("down")
            })
            .await
    };

    for answer in join_all((0..4).map(|_| fail())).await {
        assert_eq!(*answer.unwrap_err(), "down");
    }

    assert_eq!(Source::default().read(cache, &key).await, 0);
}

async fn what_is_not_there_is_not_kept(cache: &Cache) {
    let key = Key::requirements(&id("e1"));

    let nothing = cache.get_or_load::<Value, ()>(&key, async { Ok(None) }).await;

    assert_eq!(nothing, Ok(None));
    assert_eq!(Source::default().read(cache, &key).await, 0);
}

async fn each_key_is_kept_for_itself(cache: &Cache) {
    let source = Source::default();
    for key in keys("f1").into_iter().take(3).chain(keys("f2").into_iter().take(3)) {
        let written = source.write();

        assert_eq!(source.read(cache, &key).await, written, "{key}");
    }
}

async fn a_forgotten_value_is_loaded_anew(cache: &Cache) {
    for key in keys("g1") {
        cache.forget(&key).await;
        let source = Source::default();
        source.read(cache, &key).await;

        let written = source.write();
        cache.forget(&key).await;

        assert_eq!(source.read(cache, &key).await, written, "{key}");
    }
}

/// A value ends with its time: asked again and again, it is loaded anew at last.
pub async fn a_value_ends_with_its_time(short_lived: &Cache) {
    for key in keys("h1") {
        let source = Source::default();
        source.read(short_lived, &key).await;
        source.write();

        let is_loaded_anew = async { while source.read(short_lived, &key).await == 0 {} };

        assert!(timeout(SOON, is_loaded_anew).await.is_ok(), "{key}");
    }
}

/// A type whose JSON was another one before.
#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct NewerValue(pub u32);

impl Cached for NewerValue {
    const VERSION: u32 = Value::VERSION + 1;
}
