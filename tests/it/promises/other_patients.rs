//! No token, filter, id, cursor or refusal shows one patient what is another's.
//!
//! Ana has documents, a chat and an import that all say `ANA-ONLY`. Everybody else tries every route with every
//! token, in every way a token may come, and learns the same as of a patient who never was.

mod attempts;
mod intruders;
mod world;

use std::collections::BTreeMap;

use futures::future::join_all;
use reqwest::{RequestBuilder, StatusCode};

use self::{
    attempts::{Attempt, attempts, renewals},
    intruders::{Intruder, Way, intruders},
    world::{MARK, Names, World},
};
use crate::support::{Redis, RedisRest, Server, Viewer, tokens};

/// What was answered: all that an outsider may compare.
type Answer = (StatusCode, String);

async fn answer(request: RequestBuilder) -> Answer {
    let answer = request.send().await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}

fn over_memory() -> Server {
    Server::start(&tokens::keys_and(&world::SETTINGS))
}

fn over_redis(front: &RedisRest) -> Server {
    let broker = [("UPSTASH_REDIS_REST_URL", front.url.as_str()), ("UPSTASH_REDIS_REST_TOKEN", "t")];
    Server::start(&tokens::keys_and(&[&world::SETTINGS[..], &broker].concat()))
}

#[tokio::test]
async fn no_token_in_any_way_opens_any_route_to_another_patient() {
    let world = World::of(over_memory()).await;
    let nobody = Names::of_nobody();
    let mut tried = BTreeMap::<u16, usize>::new();
    let mut leaks = Vec::new();

    for intruder in intruders(&world) {
        for way in Way::ALL {
            let pairs = attempts(&world, &world.ana).into_iter().zip(attempts(&world, &nobody));
            let wrong = pairs.filter(|(attempt, _)| !intruder.may(attempt.guard));
            let answers = join_all(wrong.map(async |(attempt, unknown)| {
                let seen = answer(intruder.give(way, attempt.request(&world.server))).await;
                let expected = answer(intruder.give(way, unknown.request(&world.server))).await;
                (attempt, seen, expected)
            }));
            for (attempt, seen, expected) in answers.await {
                *tried.entry(seen.0.as_u16()).or_default() += 1;
                leaks.extend(leak(&world, &intruder, way, &attempt, &seen, &expected));
            }
        }
    }

    assert_eq!(leaks, [""; 0]);
    let kinds: Vec<_> = tried.keys().copied().collect();
    assert_eq!(kinds, [400, 401, 403, 404], "{tried:?}");
    let refused: usize = tried.values().sum();
    assert!(refused > 1_000, "{tried:?}");
    eprintln!("refused by status: {tried:?}");
}

/// What an intruder learned, if anything.
fn leak(
    world: &World,
    intruder: &Intruder,
    way: Way,
    attempt: &Attempt,
    seen: &Answer,
    expected: &Answer,
) -> Option<String> {
    let what = || format!("{} by {way:?}: {}", intruder.name, attempt.what);
    if !seen.0.is_client_error() || world.shows_ana(&seen.1) {
        return Some(format!("{} was answered {seen:?}", what()));
    }
    // Who rightly knows one of ana's channels is told of another what he is told of nobody's case.
    (!intruder.knows_ana() && seen != expected)
        .then(|| format!("{} tells ana from nobody: {seen:?}, {expected:?}", what()))
}

#[tokio::test]
async fn renewal_gives_nobody_more_than_they_had() {
    let world = World::of(over_memory()).await;

    for intruder in intruders(&world) {
        for (guard, request) in renewals(&world) {
            if intruder.may(guard) {
                continue;
            }
            let what = format!("{}: {request}", intruder.name);
            let request = world.server.post("/api/v1/tokens", &request);
            let (status, text) = answer(intruder.give(Way::Header, request)).await;

            assert!(status.is_client_error(), "{what}: {status} {text}");
        }
    }
    let ben = tokens::viewer(&["doc_progress:ben"]);
    let asked = serde_json::json!({ "channels": ["doc_progress:ben"], "sub": "ana" });
    let (status, text) = answer(world.server.post("/api/v1/tokens", &asked).bearer_auth(ben)).await;
    let renewed: serde_json::Value = serde_json::from_str(&text).unwrap();
    let claims = tokens::claims(renewed["token"].as_str().unwrap());
    assert_eq!((status.as_u16(), claims.get("sub")), (200, None), "{claims}");
}

/// What is asked for in the query and what a browser brings along never widens a stream of one's own.
#[tokio::test]
async fn filters_and_cursors_of_another_patient_show_nothing_on_an_own_stream() {
    foreign_filters_show_nothing(over_memory()).await;
}

#[tokio::test]
async fn nor_over_redis_where_all_logs_are_in_one_place() {
    let redis = Redis::start();
    let front = RedisRest::with_token(&redis, "t");
    foreign_filters_show_nothing(over_redis(&front)).await;
}

async fn foreign_filters_show_nothing(server: Server) {
    let world = World::of(server).await;
    let ben = tokens::viewer(&["doc_progress:ben", "chat:case-ben", "imports:ben"]);
    let mut viewers = Vec::new();
    for query in world.foreign_queries() {
        for stream in Names::of("ben").streams() {
            // Only streams of documents take it.
            if query.contains("document_id") && !stream.contains("/patients/") {
                continue;
            }
            for cursor in world.cursors.iter().map(Some).chain([None]) {
                let request = world.server.get(&format!("{stream}?{query}")).bearer_auth(&ben);
                let request = cursor.iter().fold(request, |request, id| request.header("Last-Event-ID", *id));
                let is_new = cursor.is_none() && !query.contains("last_event_id");
                let what = format!("{stream}?{query} from {cursor:?}");
                viewers.push((what, is_new, Viewer::open(request).await));
            }
        }
    }
    eprintln!("{} streams of ben's with ana's ids and cursors", viewers.len());
    world.tell_of_both().await;

    for (what, is_new, mut viewer) in viewers {
        assert!(viewer.status.is_success(), "{what}: {}", viewer.status);
        let mut beats = 0;
        // The second beat comes after all that was told before the first.
        while beats < 2 {
            let Some(message) = viewer.next().await else { break };
            assert!(!world.shows_ana(&format!("{message:?}")), "{what}: {message:?}");
            assert!(
                !is_new || message.name != "done",
                "{what}: that a document has ended is told: {message:?}"
            );
            beats += usize::from(message.name == "heartbeat");
        }
    }
}

/// Two patients' work may be given one id by whoever publishes; each sees its own.
#[tokio::test]
async fn an_id_that_two_patients_share_tells_neither_of_the_other() {
    let world = World::of(over_memory()).await;
    let ben = tokens::viewer(&["doc_progress:ben", "chat:case-ben"]);
    let [document, ..] = &world.ana.documents;
    world.emit("ben", document, "ocr_started", "BEN-ONLY").await;

    for query in ["", "document_id={}", "last_event_id=earliest"] {
        let query = query.replace("{}", document);
        let path = format!("/api/v1/patients/ben/documents/stream?{query}");
        let mut viewer = Viewer::open(world.server.get(&path).bearer_auth(&ben)).await;
        let connected = viewer.until("connected").await;

        let shown = connected.data["documents"].as_array().unwrap();
        assert_eq!(shown.len(), 1, "{connected:?}");
        assert_eq!((&shown[0]["stage"], &shown[0]["filename"]), (&"ocr_started".into(), &().into()));
        assert!(!connected.data.to_string().contains(MARK), "{connected:?}");
    }
    let ana = world.server.get("/api/v1/patients/ana/documents").bearer_auth(tokens::SERVICE_KEY);
    let (_, listed) = answer(ana).await;
    assert!(!listed.contains("BEN-ONLY") && !listed.contains("ocr_processing"), "{listed}");

    let again = serde_json::json!({ "id": world.message, "content": "BEN-ONLY" });
    let posted = world.server.post("/api/v1/cases/case-ben/messages", &again).bearer_auth(&ben);
    let (status, text) = answer(posted).await;
    assert_eq!(status, 201, "an id is taken within a case only: {text}");
    assert!(!text.contains(MARK), "{text}");
}

/// The right to put one file is signed with the key of viewers' tokens.
#[tokio::test]
async fn a_link_to_one_file_is_no_token_of_a_viewer() {
    let world = World::of(over_memory()).await;
    let link = world.bens_upload.trim_start_matches("token=");

    for path in ["/api/v1/procedures/knee_replacement/requirements", "/api/v1/patients/ben/documents"] {
        let (by_link, _) = answer(world.server.get(path).bearer_auth(link)).await;
        let ben = tokens::viewer(&["doc_progress:ben"]);
        let (by_token, _) = answer(world.server.get(path).bearer_auth(ben)).await;

        assert_eq!((by_link.as_u16(), by_token.as_u16()), (401, 200), "{path}");
    }
}
