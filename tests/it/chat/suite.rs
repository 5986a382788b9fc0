//! One suite over the contract: a database passes it unchanged.

use futures::future::join_all;
use tidings::{
    chat::{ChatStore, MessageQuery, NewMessage, StoredMessage},
    event::Id,
};

fn id(text: &str) -> Id {
    Id::parse(text).unwrap()
}

fn message(name: &str) -> NewMessage {
    let words = format!("Grüße, \"{name}\"\n\t'; DROP TABLE messages; --");
    let mut message = NewMessage::new(id(name), &words, "patient");
    message.sender.insert("name".into(), "Ada".into());
    message
}

async fn add(store: &dyn ChatStore, case: &str, name: &str) -> StoredMessage {
    let (stored, is_new) = store.add(&id(case), &message(name)).await.unwrap();
    assert!(is_new);
    stored
}

fn names(messages: &[StoredMessage]) -> Vec<&str> {
    messages.iter().map(|stored| stored.message.id.as_str()).collect()
}

fn behind(case: &str, sequence: u64) -> MessageQuery {
    MessageQuery { newer: vec![(id(case), sequence)], ..MessageQuery::default() }
}

fn newest(cases: &[&str]) -> MessageQuery {
    MessageQuery { newest: cases.iter().map(|case| id(case)).collect(), ..MessageQuery::default() }
}

/// Runs every rule over one empty store.
pub async fn run_all(store: &dyn ChatStore) {
    a_message_is_read_as_it_was_kept(store).await;
    a_message_is_kept_once_however_often_it_comes(store).await;
    what_is_kept_does_not_change(store).await;
    an_id_belongs_to_its_case(store).await;
    messages_behind_a_number_come_in_order(store).await;
    no_message_becomes_visible_behind_a_later_one(store).await;
    one_read_serves_all_cases(store).await;
    the_newest_50_are_read(store).await;
}

async fn a_message_is_read_as_it_was_kept(store: &dyn ChatStore) {
    let stored = add(store, "a", "m1").await;

    let read = store.read(&newest(&["a"])).await.unwrap();

    assert_eq!(read, std::slice::from_ref(&stored));
    assert_eq!(
        (&stored.message.content, &stored.message.role),
        (&message("m1").content, &"patient".to_owned())
    );
    assert_eq!(stored.message.sender["name"], "Ada");
    assert!(stored.message.timestamp.ends_with('Z'));
}

async fn a_message_is_kept_once_however_often_it_comes(store: &dyn ChatStore) {
    let (case, message) = (id("b"), message("m1"));

    let added = join_all((0..8).map(|_| store.add(&case, &message))).await;

    let added: Vec<_> = added.into_iter().map(Result::unwrap).collect();
    assert_eq!(added.iter().filter(|(_, is_new)| *is_new).count(), 1);
    assert!(added.iter().all(|(stored, _)| *stored == added[0].0));
    assert_eq!(store.read(&newest(&["b"])).await.unwrap().len(), 1);
}

async fn what_is_kept_does_not_change(store: &dyn ChatStore) {
    let first = add(store, "c", "m1").await;
    let other = NewMessage::new(id("m1"), "other words", "patient");

    assert_eq!(store.add(&id("c"), &other).await.unwrap(), (first.clone(), false));
    assert_eq!(store.read(&newest(&["c"])).await.unwrap(), [first]);
}

async fn an_id_belongs_to_its_case(store: &dyn ChatStore) {
    add(store, "d1", "same").await;
    add(store, "d2", "same").await;

    let read = store.read(&newest(&["d1"])).await.unwrap();

    assert_eq!((read.len(), read[0].case_id.as_str()), (1, "d1"));
    assert!(store.read(&newest(&["nobody"])).await.unwrap().is_empty());
}

async fn messages_behind_a_number_come_in_order(store: &dyn ChatStore) {
    let mut stored = Vec::new();
    for n in 0..5 {
        stored.push(add(store, "e", &format!("m{n}")).await);
    }

    assert_eq!(store.read(&behind("e", 0)).await.unwrap(), stored);
    assert_eq!(names(&store.read(&behind("e", stored[2].sequence)).await.unwrap()), ["m3", "m4"]);
    assert!(store.read(&behind("e", stored[4].sequence)).await.unwrap().is_empty());
}

/// Whoever has read up to a number must not miss one below it that was written at the same time.
async fn no_message_becomes_visible_behind_a_later_one(store: &dyn ChatStore) {
    let case = id("f");
    let writing = join_all((0..40).map(|n| {
        let (case, message) = (case.clone(), message(&format!("m{n}")));
        async move { store.add(&case, &message).await.unwrap() }
    }));
    let reading = async {
        let (mut seen, mut last) = (0, 0);
        while seen < 40 {
            for stored in store.read(&behind("f", last)).await.unwrap() {
                assert!(stored.sequence > last);
                last = stored.sequence;
                seen += 1;
            }
        }
        seen
    };

    let reading = tokio::time::timeout(std::time::Duration::from_secs(30), reading);
    let (_, seen) = tokio::join!(writing, reading);

    assert_eq!(seen, Ok(40));
}

async fn one_read_serves_all_cases(store: &dyn ChatStore) {
    let first = add(store, "g1", "m1").await;
    add(store, "g1", "m2").await;
    add(store, "g2", "m3").await;
    add(store, "g3", "m4").await;

    let query =
        MessageQuery { newer: vec![(id("g1"), first.sequence), (id("g2"), 0)], newest: vec![id("g3")] };

    assert_eq!(names(&store.read(&query).await.unwrap()), ["m2", "m3", "m4"]);
}

async fn the_newest_50_are_read(store: &dyn ChatStore) {
    for n in 0..120 {
        add(store, "h", &format!("m{n}")).await;
    }

    let newest = store.read(&newest(&["h"])).await.unwrap();
    let newer = store.read(&behind("h", 0)).await.unwrap();

    assert_eq!((newest.len(), names(&newest)[0], names(&newest)[49]), (50, "m70", "m119"));
    assert_eq!((newer.len(), names(&newer)[0]), (100, "m0"), "the next read goes on");
}
