//! A chat has two sources and answers that come in pieces: every message once, every text whole.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use serde_json::{Value, json};
use tidings::{
    broker::{Emitter, EmitterLimits, MemoryLimits},
    event::Channel,
    hub::RingLimits,
    stream::Frame,
    telemetry::Metrics,
};

use super::world::{Browser, World, id};

const MINUTE: Duration = Duration::from_secs(60);
const ROUND: Duration = Duration::from_secs(6);

fn channel() -> Channel {
    Channel::chat(id("c1"))
}

/// A page that keeps to what docs/chat.md says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Page {
    messages: BTreeMap<String, String>,
    answers: BTreeMap<String, (String, u64)>,
}

impl Page {
    fn of(browser: &Browser) -> Self {
        let mut page = Self::default();
        browser.seen.iter().for_each(|frame| page.take(frame));
        page
    }

    fn take(&mut self, frame: &Frame) {
        match frame {
            Frame::Connected(connected) => {
                let snapshot = serde_json::to_value(&connected.snapshot).unwrap();
                for message in snapshot["messages"].as_array().unwrap() {
                    self.take_message(message);
                }
                if connected.gap || !connected.resumed {
                    self.answers.clear();
                }
                for answer in snapshot["answers"].as_array().unwrap() {
                    let all = (text(answer, "text"), answer["next_index"].as_u64().unwrap());
                    let known = self.answers.entry(text(answer, "message_id")).or_default();
                    if all.1 > known.1 {
                        *known = all;
                    }
                }
            }
            Frame::Event(event) => {
                let shown = event.event.as_ref().unwrap();
                let data = serde_json::from_slice(&shown.data).unwrap();
                match shown.name.as_str() {
                    "message" => self.take_message(&data),
                    "token" => self.take_token(&data),
                    _ => {}
                }
            }
            Frame::Message(stored) => self.take_message(&serde_json::to_value(&stored.message).unwrap()),
            _ => {}
        }
    }

    fn take_message(&mut self, message: &Value) {
        self.answers.remove(&text(message, "id"));
        self.messages.insert(text(message, "id"), text(message, "content"));
    }

    fn take_token(&mut self, token: &Value) {
        let index = token["index"].as_u64().unwrap();
        let next = token["next_index"].as_u64().unwrap_or(index + 1);
        if self.messages.contains_key(&text(token, "message_id")) {
            return;
        }
        let (known, at) = self.answers.entry(text(token, "message_id")).or_default();
        if next <= *at {
            return;
        }
        assert!(index == *at || index == 0, "no hole: {index} behind {at}");
        if index == 0 {
            known.clear();
        }
        known.push_str(&text(token, "text"));
        *at = next;
    }
}

fn text(data: &Value, field: &str) -> String {
    data[field].as_str().unwrap().to_owned()
}

async fn post(world: &World, name: &str) {
    let message = world.messages.set("c1", name, world.clock.milliseconds());
    emit(world, &message).await;
}

async fn emit(world: &World, message: &tidings::event::ChatMessage) {
    world.push(&channel(), serde_json::to_value(message.to_event()).unwrap()).await;
}

async fn token(world: &World, index: usize) {
    let data = json!({ "message_id": "a1", "index": index, "text": piece(index) });
    world.push(&channel(), json!({ "type": "token", "data": data })).await;
}

async fn checkpoint(world: &World, to: usize) {
    let data = json!({ "message_id": "a1", "text": text_to(to), "next_index": to });
    world.push(&channel(), json!({ "type": "checkpoint", "data": data })).await;
}

fn piece(index: usize) -> String {
    format!("<{index}>")
}

fn text_to(to: usize) -> String {
    (0..to).map(piece).collect()
}

fn messages(browser: &Browser) -> Vec<&str> {
    browser.told.iter().filter_map(|words| words.strip_prefix("message:")).collect()
}

/// Does one step of a conversation with an answer in it.
async fn act(world: &World, action: usize) {
    match action {
        0 => post(world, "m1").await,
        1 => world.push(&channel(), json!({ "type": "agent_joined", "data": { "n": 0 } })).await,
        2 => world.push(&channel(), json!({ "type": "typing", "data": { "n": 1 } })).await,
        3..=5 => token(world, action - 3).await,
        6 => checkpoint(world, 3).await,
        7..=8 => token(world, action - 4).await,
        9 => post(world, "m2").await,
        10 => post(world, "a1").await,
        11 => world.push(&channel(), json!({ "type": "answer_done", "data": { "message_id": "a1" } })).await,
        12 => post(world, "m3").await,
        _ => panic!("a conversation has {ACTIONS} actions"),
    }
}

const ACTIONS: usize = 13;
const ALL_TOLD: [&str; 12] = [
    "message:m1",
    "agent_joined:0",
    "typing:1",
    "token:0",
    "token:1",
    "token:2",
    "token:3",
    "token:4",
    "message:m2",
    "message:a1",
    "answer_done:null",
    "message:m3",
];

#[tokio::test(start_paused = true)]
async fn a_cut_after_any_frame_loses_and_doubles_nothing() {
    for cut_after in 2..=ALL_TOLD.len() + 2 {
        for away in 0..ACTIONS {
            let world = World::new();
            let second = world.second_instance();
            let mut browser = Browser::of(channel());
            browser.open(&world).await;
            let mut left_at = None;
            for action in 0..ACTIONS {
                browser.read(cut_after - browser.frames.min(cut_after), Duration::from_millis(5)).await;
                if browser.frames >= cut_after && left_at.is_none() {
                    browser.cut();
                    left_at = Some(action);
                }
                if left_at.is_some_and(|left_at| action == left_at + away) {
                    browser.open(&second).await;
                }
                act(&world, action).await;
            }
            browser.cut();
            browser.open(&second).await;
            browser.read_for(MINUTE).await;

            let context = format!("cut after {cut_after}, away for {away}: {:?}", browser.told);
            let is_of_log = |told: &&String| told.contains(':') && !told.starts_with("connected");
            let told: Vec<_> = browser.told.iter().filter(is_of_log).collect();
            assert_eq!(told, ALL_TOLD, "{context}");
            let page = Page::of(&browser);
            assert_eq!(page.messages.keys().collect::<Vec<_>>(), ["a1", "m1", "m2", "m3"], "{context}");
            assert!(page.answers.is_empty(), "{context}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_joins_at_any_piece_of_an_answer_has_the_same_text() {
    const PIECES: usize = 12;
    for joins_at in 0..=PIECES {
        for lost in 0..PIECES {
            let world = World::new();
            let second = world.second_instance();
            let mut first = Browser::of(channel());
            let mut late = Browser::of(channel());
            first.open(&world).await;
            for index in 0..PIECES {
                if index == joins_at {
                    late.open(&second).await;
                }
                if index != lost {
                    token(&world, index).await;
                }
                if index % 4 == 3 {
                    checkpoint(&world, index + 1).await;
                }
                first.read_all().await;
            }
            if joins_at == PIECES {
                late.open(&second).await;
            }
            late.read_all().await;

            let context = format!("joins at {joins_at}, {lost} is lost: {:?}", late.told);
            let expected = BTreeMap::from([("a1".to_owned(), (text_to(PIECES), PIECES as u64))]);
            assert_eq!(Page::of(&first).answers, expected, "{context}");
            assert_eq!(Page::of(&late).answers, expected, "{context}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_whose_beginning_left_the_log_is_whole_from_its_checkpoint_on() {
    let log = MemoryLimits { entries: 8, ..MemoryLimits::default() };
    let world = World::with(log, RingLimits { events: 8, ..RingLimits::default() });
    let mut first = Browser::of(channel());
    first.open(&world).await;
    for index in 0..20 {
        token(&world, index).await;
        if index % 4 == 3 {
            checkpoint(&world, index + 1).await;
        }
        if index < 5 {
            first.read_all().await;
        }
        if index == 5 {
            first.cut();
        }
    }
    let mut late = Browser::of(channel());

    late.open(&world.second_instance()).await;
    first.open(&world.second_instance()).await;
    for browser in [&mut first, &mut late] {
        browser.read_all().await;
        assert_eq!(Page::of(browser).answers["a1"], (text_to(20), 20), "{:?}", browser.told);
    }
    assert_eq!(first.count("connected:gap"), 1);
}

#[tokio::test(start_paused = true)]
async fn with_the_broker_down_every_stored_message_still_arrives_once() {
    for down_at in 0..6 {
        for up_at in down_at..=6 {
            let world = World::new();
            let mut browser = Browser::of(channel());
            browser.open(&world).await;
            let mut waiting = Vec::new();
            for n in 0..=6 {
                if n == down_at {
                    browser.read_all().await;
                    world.broker.set_down(true);
                    browser.read_all().await;
                }
                if n == up_at {
                    browser.read_for(ROUND).await;
                    world.broker.set_down(false);
                    // What the emitter kept meanwhile comes behind the outage.
                    for message in waiting.drain(..) {
                        emit(&world, &message).await;
                    }
                }
                let message = world.messages.set("c1", &format!("m{n}"), world.clock.milliseconds());
                if (down_at..up_at).contains(&n) {
                    waiting.push(message);
                } else {
                    emit(&world, &message).await;
                }
            }
            browser.read_for(MINUTE).await;

            let context = format!("down at {down_at}, up at {up_at}: {:?}", browser.told);
            let mut told = messages(&browser);
            told.sort_unstable();
            assert_eq!(told, ["m0", "m1", "m2", "m3", "m4", "m5", "m6"], "{context}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_both_sources_tell_is_told_once_and_the_heartbeat_moves_on() {
    let world = World::new();
    let mut browser = Browser::of(channel());
    browser.open(&world).await;
    let message = world.messages.set("c1", "m1", world.clock.milliseconds());
    browser.read_for(ROUND).await;
    let before = browser.last_id.clone();

    emit(&world, &message).await;
    browser.read_for(ROUND).await;

    assert_eq!(messages(&browser), ["m1"]);
    assert!(browser.last_id != before, "a return does not tell it again");
    browser.cut();
    browser.open(&world).await;
    browser.read_for(MINUTE).await;
    assert_eq!(messages(&browser), ["m1"]);
}

#[tokio::test(start_paused = true)]
async fn a_return_between_two_reads_of_the_store_is_not_told_again_what_the_log_told() {
    let world = World::new();
    let mut other_tab = Browser::of(channel());
    let mut browser = Browser::of(channel());
    other_tab.open(&world).await;
    browser.open(&world).await;
    post(&world, "m1").await;
    browser.read_all().await;
    browser.cut();
    post(&world, "m2").await;

    browser.open(&world).await;
    browser.read_for(MINUTE).await;

    assert_eq!(messages(&browser), ["m1", "m2"], "{:?}", browser.told);
}

#[tokio::test(start_paused = true)]
async fn a_first_visit_shows_what_either_source_knows_and_nothing_of_it_again() {
    let world = World::new();
    for n in 0..60 {
        world.messages.set("c1", &format!("stored{n}"), world.clock.milliseconds() + n);
    }
    let mut early = Browser::of(channel());
    early.open(&world).await;
    early.read_all().await;
    tokio::time::advance(Duration::from_secs(1)).await;
    let both = world.messages.set("c1", "both", world.clock.milliseconds());
    emit(&world, &both).await;
    let logged = json!({ "id": "logged", "content": "x", "role": "agent" });
    tokio::time::advance(Duration::from_secs(1)).await;
    world.push(&channel(), json!({ "type": "message", "data": logged })).await;
    early.read_all().await;
    let mut late = Browser::of(channel());

    late.open(&world).await;
    late.read_for(MINUTE).await;
    early.read_for(ROUND).await;

    let shown: Vec<_> = late.snapshot["messages"].as_array().unwrap().iter().map(|m| text(m, "id")).collect();
    assert_eq!((shown.len(), shown[0].as_str()), (50, "stored12"));
    assert_eq!(shown[47..], ["stored59", "both", "logged"]);
    assert!(messages(&late).is_empty(), "{:?}", late.told);
    assert_eq!(messages(&early), ["both", "logged"]);
}

#[tokio::test(start_paused = true)]
async fn a_page_opened_with_both_sources_down_gets_all_when_they_are_back() {
    let world = World::new();
    post(&world, "m1").await;
    world.broker.set_down(true);
    world.messages.is_down.store(true, Relaxed);
    let mut browser = Browser::of(channel());
    browser.open(&world).await;
    browser.read_for(ROUND).await;
    assert_eq!(browser.told[..3], ["redis down", "postgres down", "connected"]);

    world.messages.is_down.store(false, Relaxed);
    browser.read_for(ROUND).await;
    assert_eq!(messages(&browser), ["m1"]);
    world.broker.set_down(false);
    browser.read_for(MINUTE).await;

    assert_eq!(messages(&browser), ["m1"]);
    assert_eq!(Page::of(&browser).messages.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_message_in_the_store_ends_its_answer_whatever_the_log_still_tells() {
    let world = World::new();
    let mut browser = Browser::of(channel());
    browser.open(&world).await;
    token(&world, 0).await;
    world.messages.set("c1", "a1", world.clock.milliseconds());
    browser.read_for(ROUND).await;

    token(&world, 1).await;
    browser.read_for(ROUND).await;
    let mut late = Browser::of(channel());
    late.open(&world).await;
    late.read_all().await;

    assert_eq!(browser.count("token:1"), 0, "{:?}", browser.told);
    assert_eq!(late.snapshot["answers"], json!([]));
}

#[tokio::test(start_paused = true)]
async fn one_query_an_interval_serves_all_chats_and_none_without_viewers() {
    let world = World::new();
    let mut browsers: Vec<_> =
        (0..40).map(|n| Browser::of(Channel::chat(id(&format!("c{}", n % 8))))).collect();
    for browser in &mut browsers {
        browser.open(&world).await;
    }
    let opened = world.messages.queries.load(Relaxed);
    assert!(opened <= 8, "one for each chat at most: {opened}");

    browsers[0].read_for(MINUTE).await;
    let read = world.messages.queries.load(Relaxed) - opened;
    drop(browsers);
    tokio::time::sleep(MINUTE).await;

    assert!((11..=13).contains(&read), "{read}");
    assert!(world.messages.queries.load(Relaxed) - opened - read <= 1);
}

#[tokio::test(start_paused = true)]
async fn a_chat_tells_nothing_of_another_nor_of_documents() {
    let world = World::new();
    let mut browser = Browser::of(channel());
    browser.open(&world).await;
    browser.read_all().await;

    world.run_job("d1").await;
    let other = world.messages.set("c2", "m1", world.clock.milliseconds());
    world.push(&Channel::chat(id("c2")), serde_json::to_value(other.to_event()).unwrap()).await;
    browser.read_for(MINUTE).await;

    assert!(browser.told.iter().all(|told| told == "connected" || told == "heartbeat"), "{:?}", browser.told);
}

const WORDS: usize = 120;
/// How often a word comes: faster than viewers are told.
const WORD_EVERY: Duration = Duration::from_millis(25);

fn words(to: usize) -> String {
    (0..to).map(|word| format!("word{word} ")).collect()
}

fn emitter(world: &World) -> Emitter {
    let metrics = Arc::<Metrics>::default();
    Emitter::start(Arc::clone(&world.broker) as _, world.clock, metrics, EmitterLimits::default())
}

#[tokio::test(start_paused = true)]
async fn an_answer_through_the_emitter_is_whole_for_all_whatever_is_lost_or_cut() {
    for lost in [0..0, 0..10, 30..50, 100..WORDS] {
        for comes_at in (0..=WORDS).step_by(8) {
            let world = World::new();
            let second = world.second_instance();
            let emitter = emitter(&world);
            let mut tokens = emitter.tokens(&id("c1"), &id("a1"));
            let mut present = Browser::of(channel());
            let mut wanderer = Browser::of(channel());
            let mut late = Browser::of(channel());
            present.open(&world).await;
            wanderer.open(&world).await;
            for word in 0..=WORDS {
                world.broker.loses.store(lost.contains(&word), Relaxed);
                if word == comes_at {
                    late.open(&second).await;
                    wanderer.read_all().await;
                    wanderer.cut();
                }
                if word == (comes_at + 20).min(WORDS) {
                    wanderer.open(&second).await;
                }
                if word < WORDS {
                    tokens.push(&format!("word{word} ")).unwrap();
                }
                present.read_for(WORD_EVERY).await;
            }
            present.read_for(Duration::from_secs(3)).await;

            let context = format!("{lost:?} is lost, comes at {comes_at}");
            for browser in [&mut present, &mut wanderer, &mut late] {
                browser.read_all().await;
                let page = Page::of(browser);
                assert_eq!(page.answers["a1"].0, words(WORDS), "{context}: {:?}", browser.told);
            }
            let stored = world.messages.set("c1", "a1", world.clock.milliseconds());
            tokens.finish(&stored).await;
            for browser in [&mut present, &mut wanderer, &mut late] {
                browser.read_for(ROUND).await;
                let page = Page::of(browser);
                assert_eq!(page.messages["a1"], stored.content, "{context}");
                assert!(page.answers.is_empty(), "{context}");
                assert_eq!((messages(browser).len(), browser.count("answer_done:null")), (1, 1), "{context}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn words_that_come_fast_go_together_and_in_order() {
    let world = World::new();
    let emitter = emitter(&world);
    let mut browser = Browser::of(channel());
    browser.open(&world).await;
    browser.read_all().await;

    let mut tokens = emitter.tokens(&id("c1"), &id("a1"));
    for word in 0..1_000 {
        tokens.push(&format!("{word} ")).unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    browser.read_for(Duration::from_millis(200)).await;

    let pieces: Vec<_> = browser.told.iter().filter(|told| told.starts_with("token:")).collect();
    assert!((15..=25).contains(&pieces.len()), "{} pieces in a second", pieces.len());
    assert_eq!(
        Page::of(&browser).answers["a1"].0,
        (0..1_000).map(|word| format!("{word} ")).collect::<String>()
    );
    assert!(tokens.push(&"x".repeat(10 * 1_024)).is_err(), "an answer becomes a message");
}

#[tokio::test(start_paused = true)]
async fn the_largest_answer_arrives_whatever_it_is_made_of() {
    let world = World::new();
    let emitter = emitter(&world);
    let mut browser = Browser::of(channel());
    browser.open(&world).await;
    let mut tokens = emitter.tokens(&id("c1"), &id("a1"));
    let text = "\u{1}€\"\n".repeat(10 * 1_024 / 6);

    tokens.push(&text).unwrap();
    browser.read_for(Duration::from_secs(3)).await;

    assert_eq!(Page::of(&browser).answers["a1"].0, text);
}
