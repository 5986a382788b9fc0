//! `GET /api/v1/cases/{case_id}/checklist` and `GET /api/v1/procedures/{code}/requirements`.

use std::time::Duration;

use serde_json::{Value, json};

use super::{accepted, refused};
use crate::support::{
    Database, Redis, RedisRest, Server, Viewer,
    documents::{confirm, fixture},
    tokens::{KEYS, SERVICE_KEY, viewer},
};

const CHECKLIST: &str = "/api/v1/cases/c1/checklist";
const KNEE: &str = "/api/v1/procedures/knee_replacement/requirements";

/// Announces and puts a file of the case `c1`; answers its document id.
async fn put(server: &Server, name: &str, procedure: Option<&str>) -> String {
    let file = fixture(name);
    let body = json!({
        "patient_id": "p1", "filename": name, "content_type": "application/pdf", "size": file.len(),
        "case_id": "c1", "procedure_code": procedure,
    });
    let answer = accepted(server.post("/api/v1/uploads/presign", &body)).await;
    let put = server.put(answer["upload_url"].as_str().unwrap(), file).send().await.unwrap();
    assert_eq!(put.status(), 200);
    answer["document_id"].as_str().unwrap().to_owned()
}

/// Waits until the document's own stream ends.
async fn ended(server: &Server, document: &str) {
    let stream = format!("/api/v1/patients/p1/documents/stream?document_id={document}");
    let seen = Viewer::open(server.get(&stream)).await.rest().await;
    assert_eq!(seen.last().unwrap().name, "done");
}

/// What is said of one requirement.
fn item<'a>(checklist: &'a Value, id: &str) -> &'a Value {
    let items = checklist["requirements"].as_array().unwrap();
    items.iter().find(|item| item["id"] == id).unwrap_or_else(|| panic!("{id} is not in {checklist}"))
}

#[tokio::test]
async fn a_procedure_tells_what_it_asks_for() {
    let server = Server::start(&[]);

    let answer = accepted(server.get(KNEE)).await;

    assert_eq!(answer["procedure_code"], "knee_replacement");
    let blood = item(&answer, "blood_tests");
    assert_eq!((&blood["document_type"], &blood["max_age_days"]), (&json!("lab_report"), &json!(30)));
    assert_eq!(item(&answer, "earlier_stays")["max_age_days"], Value::Null);
    assert_eq!(accepted(server.get(KNEE)).await, answer);
    assert_eq!(refused(server.get("/api/v1/procedures/unheard_of/requirements")).await, 404);
    assert_eq!(refused(server.get("/api/v1/procedures/a%20b/requirements")).await, 400);
}

#[tokio::test]
async fn the_procedures_that_ask_for_something_are_listed() {
    let server = Server::start(&[]);

    let answer = accepted(server.get("/api/v1/procedures")).await;

    let codes: Vec<String> = serde_json::from_value(answer["procedures"].clone()).unwrap();
    assert!(codes.len() >= 6 && codes.is_sorted(), "{codes:?}");
    for code in codes {
        let path = format!("/api/v1/procedures/{code}/requirements");
        let asked = accepted(server.get(&path)).await["requirements"].as_array().unwrap().len();
        assert!((4..=10).contains(&asked), "{code} asks for {asked}");
    }
    let guarded = Server::start(&KEYS);
    assert_eq!(refused(guarded.get("/api/v1/procedures")).await, 401);
}

#[tokio::test]
async fn a_checklist_follows_the_documents_of_its_case() {
    let server = Server::start(&[]);
    let document = put(&server, "lab_report.pdf", Some("knee_replacement")).await;
    assert_eq!(refused(server.get(CHECKLIST)).await, 404, "nothing is confirmed");

    confirm(&server, &document).await;
    accepted(server.get(CHECKLIST)).await;
    ended(&server, &document).await;
    let read = accepted(server.get(CHECKLIST)).await;

    assert_eq!((&read["case_id"], &read["procedure_code"]), (&json!("c1"), &json!("knee_replacement")));
    // The fixture is from 2024, and blood tests are good for 30 days.
    let blood = item(&read, "blood_tests");
    assert_eq!((&blood["state"], &blood["document_id"]), (&json!("expired"), &json!(document)));
    assert_eq!(item(&read, "referral")["state"], "missing");
    assert_eq!(read["complete"], false);
    assert_eq!(
        read["documents"],
        json!([{ "document_id": document, "state": "read", "document_type": "lab_report" }])
    );

    let stay = put(&server, "discharge_summary.pdf", None).await;
    confirm(&server, &stay).await;
    let under_way = accepted(server.get(CHECKLIST)).await;
    ended(&server, &stay).await;
    let read = accepted(server.get(CHECKLIST)).await;

    assert_eq!(under_way["documents"][0]["document_id"], stay);
    let stays = item(&read, "earlier_stays");
    assert_eq!((&stays["state"], &stays["document_id"]), (&json!("satisfied"), &json!(stay)));
    assert_eq!(read["procedure_code"], "knee_replacement", "the newest document with one says which");
}

#[tokio::test]
async fn a_failed_document_shows_and_does_not_count() {
    let server = Server::start(&[]);
    let document = put(&server, "encrypted.pdf", Some("knee_replacement")).await;
    confirm(&server, &document).await;
    ended(&server, &document).await;

    let checklist = accepted(server.get(CHECKLIST)).await;

    assert_eq!(checklist["documents"][0]["state"], "failed");
    let items = checklist["requirements"].as_array().unwrap();
    assert!(items.iter().all(|item| item["state"] == "missing" && item["document_id"].is_null()));
}

#[tokio::test]
async fn a_token_has_to_cover_the_case() {
    let server = Server::start(&KEYS);
    let as_viewer = |channels: &[&str]| server.get(CHECKLIST).bearer_auth(viewer(channels));

    assert_eq!(refused(server.get(CHECKLIST)).await, 401);
    assert_eq!(refused(as_viewer(&["chat:c2", "doc_progress:c1"])).await, 403);
    for covering in
        [as_viewer(&["chat:c1"]), as_viewer(&["chat:*"]), server.get(CHECKLIST).bearer_auth(SERVICE_KEY)]
    {
        assert_eq!(refused(covering).await, 404);
    }
    let by_query = server.get(&format!("{CHECKLIST}?token={}", viewer(&["chat:c1"])));
    assert_eq!(refused(by_query).await, 404);
    assert_eq!(refused(server.get("/api/v1/cases/a%20b/checklist").bearer_auth(SERVICE_KEY)).await, 400);
    assert_eq!(refused(server.get(KNEE)).await, 401);
    accepted(server.get(KNEE).bearer_auth(viewer(&["doc_progress:p1"]))).await;
}

#[tokio::test]
async fn where_documents_are_kept_elsewhere_there_is_no_checklist() {
    let database = Database::new().await;
    database
        .run("CREATE TABLE theirs (document_id text, patient_id text, status text, updated_at bigint)")
        .await;
    let server = Server::start(&[
        ("DATABASE_URL", &*database.url),
        ("STATUS_SQL", "SELECT * FROM theirs WHERE patient_id = ANY($1)"),
    ]);

    for route in [CHECKLIST, KNEE] {
        assert_eq!(server.get(route).send().await.unwrap().status(), 501);
    }
}

#[tokio::test]
async fn instances_on_one_redis_see_each_others_writes_at_once() {
    let (database, redis) = (Database::new().await, Redis::start());
    let front = RedisRest::with_token(&redis, "t");
    let folder = tempfile::tempdir().unwrap();
    let files = format!("file://{}", folder.path().display());
    let settings = [
        ("DATABASE_URL", &*database.url),
        ("STORAGE_URL", &files),
        ("UPSTASH_REDIS_REST_URL", &front.url),
        ("UPSTASH_REDIS_REST_TOKEN", "t"),
    ];
    let (first, second) = (Server::start(&settings), Server::start(&settings));
    let older = put(&first, "lab_report.pdf", Some("knee_replacement")).await;
    confirm(&first, &older).await;
    ended(&first, &older).await;
    let seen = accepted(second.get(CHECKLIST)).await;
    assert_eq!(accepted(first.get(CHECKLIST)).await, seen);

    let newer = put(&first, "discharge_summary.pdf", None).await;
    confirm(&first, &newer).await;
    let confirmed = accepted(second.get(CHECKLIST)).await;
    ended(&first, &newer).await;
    // The end is in the database before the checklist is dropped.
    let read = async {
        while item(&accepted(second.get(CHECKLIST)).await, "earlier_stays")["state"] != "satisfied" {}
    };

    assert_eq!(confirmed["documents"].as_array().unwrap().len(), 2);
    tokio::time::timeout(Duration::from_secs(20), read).await.expect("sooner than the checklist's 30 s");
}
