//! `POST /api/v1/tokens`.

use chrono::DateTime;
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use super::{accepted, refused};
use crate::support::{
    Server,
    tokens::{KEYS, SERVICE_KEY, claims, in_seconds, sign, viewer},
};

const TOKENS: &str = "/api/v1/tokens";
const LONGEST: u64 = 12 * 3_600;

#[tokio::test]
async fn a_service_issues_a_token_for_just_the_channels_it_names() {
    let server = Server::start(&KEYS);

    let issued = accepted(ask(&server, SERVICE_KEY, json!({ "channels": ["doc_progress:p1"] }))).await;

    let token = issued["token"].as_str().unwrap();
    let list =
        |patient: &str| server.get(&format!("/api/v1/patients/{patient}/documents")).bearer_auth(token);
    accepted(list("p1")).await;
    assert_eq!(refused(list("p2")).await, 403);
    assert_eq!(claims(token)["role"], "patient");
    assert_eq!(expiry(&issued), claims(token)["exp"].as_u64().unwrap());
}

#[tokio::test]
async fn it_lasts_as_long_as_asked_within_bounds() {
    let server = Server::start(&KEYS);
    let lasting = |ttl: u64| ask(&server, SERVICE_KEY, json!({ "channels": ["chat:*"], "ttl_seconds": ttl }));
    let before = in_seconds(0);

    let short = accepted(lasting(60)).await;
    let long = accepted(lasting(LONGEST)).await;

    let after = in_seconds(0);
    assert!((before + 60..=after + 60).contains(&expiry(&short)));
    assert!((before + LONGEST..=after + LONGEST).contains(&expiry(&long)));
    assert_eq!(refused(lasting(0)).await, 400);
    assert_eq!(refused(lasting(LONGEST + 1)).await, 400);
}

#[tokio::test]
async fn a_viewer_renews_for_the_same_channels_or_fewer() {
    let server = Server::start(&KEYS);
    let own = viewer(&["doc_progress:p1", "chat:*"]);
    let subject = sign(&json!({ "exp": in_seconds(60), "sub": "p1" }));

    for (token, channels) in [
        (&own, json!(["doc_progress:p1", "chat:*"])),
        (&own, json!(["doc_progress:p1"])),
        (&own, json!(["chat:c1", "chat:c2"])),
        (&subject, json!(["doc_progress:p1"])),
    ] {
        let renewed = accepted(ask(&server, token, json!({ "channels": channels }))).await;

        assert_eq!(claims(renewed["token"].as_str().unwrap())["channels"], channels);
    }
}

#[tokio::test]
async fn a_viewer_cannot_widen_what_it_may_see_nor_play_another_part() {
    let server = Server::start(&KEYS);
    let own = viewer(&["doc_progress:p1", "chat:*"]);
    let subject = sign(&json!({ "exp": in_seconds(60), "sub": "p1" }));

    for (token, body) in [
        (&own, json!({ "channels": ["doc_progress:p2"] })),
        (&own, json!({ "channels": ["doc_progress:p1", "doc_progress:p2"] })),
        (&own, json!({ "channels": ["doc_progress:*"] })),
        (&own, json!({ "channels": ["doc_progress:p1"], "role": "doctor" })),
        (&subject, json!({ "channels": ["chat:p1"] })),
        (&subject, json!({ "channels": ["doc_progress:*"] })),
    ] {
        assert_eq!(refused(ask(&server, token, body.clone())).await, 403, "{body}");
    }
}

#[tokio::test]
async fn a_role_given_by_a_service_stays_through_renewal() {
    let server = Server::start(&KEYS);
    let body = json!({ "channels": ["chat:c1"], "role": "navigator" });
    let first = accepted(ask(&server, SERVICE_KEY, body)).await;

    let renewed =
        accepted(ask(&server, first["token"].as_str().unwrap(), json!({ "channels": ["chat:c1"] }))).await;

    assert_eq!(claims(renewed["token"].as_str().unwrap())["role"], "navigator");
}

#[tokio::test]
async fn nobody_gets_one_without_a_key_or_a_valid_token() {
    let server = Server::start(&KEYS);
    let body = json!({ "channels": ["doc_progress:p1"] });
    let over = sign(&json!({ "exp": in_seconds(-60), "channels": ["doc_progress:p1"] }));

    assert_eq!(refused(server.post(TOKENS, &body)).await, 401);
    assert_eq!(refused(ask(&server, &over, body.clone())).await, 401);
    assert_eq!(refused(ask(&server, "service-key-of-another", body)).await, 401);
}

#[tokio::test]
async fn what_is_not_a_channel_is_refused() {
    let server = Server::start(&KEYS);
    let many: Vec<_> = (0..1_000).map(|number| format!("chat:c{number}")).collect();

    for channels in
        [json!([]), json!(["p1"]), json!(["chat:"]), json!(["*"]), json!(["chat:a b"]), json!(many)]
    {
        let request = ask(&server, SERVICE_KEY, json!({ "channels": channels }));
        assert_eq!(refused(request).await, 400, "{channels}");
    }
}

#[tokio::test]
async fn renewal_ends_twelve_hours_after_the_first_issue() {
    let server = Server::start(&KEYS);
    let first_issued = |ago: u64| {
        let first = in_seconds(0) - ago;
        let claims = json!({ "exp": in_seconds(60), "channels": ["chat:c1"], "first_issued": first });
        (sign(&claims), first)
    };
    let body = json!({ "channels": ["chat:c1"], "ttl_seconds": 900 });
    let (near, first) = first_issued(LONGEST - 60);
    let (over, _) = first_issued(LONGEST + 1);

    let last = accepted(ask(&server, &near, body.clone())).await;

    assert_eq!(expiry(&last), first + LONGEST, "cut to what is left");
    assert_eq!(claims(last["token"].as_str().unwrap())["first_issued"], first);
    assert_eq!(refused(ask(&server, &over, body)).await, 403);
}

#[tokio::test]
async fn the_end_of_renewal_holds_from_the_very_first_token_of_the_server() {
    let server = Server::start(&KEYS);
    let before = in_seconds(0);

    let first = accepted(ask(&server, SERVICE_KEY, json!({ "channels": ["chat:c1"] }))).await;

    let claims = claims(first["token"].as_str().unwrap());
    assert!((before..=in_seconds(0)).contains(&claims["first_issued"].as_u64().unwrap()), "{claims}");
}

fn ask(server: &Server, bearer: &str, body: Value) -> RequestBuilder {
    server.post(TOKENS, &body).bearer_auth(bearer)
}

/// The answer's `expires_at` in seconds since the Unix epoch.
fn expiry(answer: &Value) -> u64 {
    let time = DateTime::parse_from_rfc3339(answer["expires_at"].as_str().unwrap()).unwrap();
    time.timestamp().cast_unsigned()
}

#[tokio::test]
async fn a_confirm_hands_out_no_more_than_the_callers_token_could_be_renewed_to() {
    let server = Server::start(&KEYS);
    let issued = |ago: i64| {
        let first_issued = in_seconds(-ago);
        sign(
            &json!({ "exp": in_seconds(3_600), "channels": ["doc_progress:p1"], "role": "guest", "first_issued": first_issued }),
        )
    };
    let (young, old) = (issued(11 * 3_600), issued(13 * 3_600));
    let file = b"%PDF-1.4 of no use".to_vec();
    let body = json!({ "patient_id": "p1", "filename": "a.pdf", "content_type": "application/pdf", "size": file.len() });
    let presigned: Value = accepted(server.post("/api/v1/uploads/presign", &body).bearer_auth(&young)).await;
    server.put(presigned["upload_url"].as_str().unwrap(), file).send().await.unwrap();
    let confirm = json!({ "document_id": presigned["document_id"] });

    let young_answer = accepted(server.post("/api/v1/uploads/confirm", &confirm).bearer_auth(&young)).await;
    let old_answer = accepted(server.post("/api/v1/uploads/confirm", &confirm).bearer_auth(&old)).await;

    let given = claims(young_answer["token"].as_str().unwrap());
    assert_eq!(
        (&given["role"], &given["first_issued"]),
        (&json!("guest"), &json!(claims(&young)["first_issued"]))
    );
    assert!(old_answer["token"].is_null());
}
