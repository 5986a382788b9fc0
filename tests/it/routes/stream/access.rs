//! Who may open a stream, from where and for how long.

use reqwest::RequestBuilder;
use serde_json::{Value, json};

use super::{super::refused, STREAM};
use crate::support::{
    Server, Viewer,
    tokens::{SERVICE_KEY, in_seconds, keys_and, sign, sign_with, viewer},
    viewer::names,
};

const ORIGIN: &str = "https://app.example.org";

#[tokio::test]
async fn a_token_comes_as_bearer_as_cookie_or_in_the_query() {
    let server = Server::start(&keys_and(&[]));
    let token = viewer(&["doc_progress:p1"]);

    for request in [
        server.get(STREAM).bearer_auth(&token),
        server.get(STREAM).header("Cookie", format!("theme=dark; tidings_token={token}")),
        server.get(STREAM).query(&[("token", &token)]),
        server.get(STREAM).bearer_auth(SERVICE_KEY),
    ] {
        assert_opens(request).await;
    }
}

#[tokio::test]
async fn a_claim_covers_one_patient_or_all_and_a_subject_its_own() {
    let server = Server::start(&keys_and(&[]));
    let exp = in_seconds(60);

    for (claims, expected) in [
        (json!({ "exp": exp, "channels": ["chat:c1", "doc_progress:p1"] }), 200),
        (json!({ "exp": exp, "channels": ["doc_progress:*"] }), 200),
        (json!({ "exp": exp, "sub": "p1" }), 200),
        (json!({ "exp": exp, "sub": "p2", "channels": ["doc_progress:p1"] }), 200),
        (json!({ "exp": exp, "channels": ["doc_progress:p2"] }), 403),
        (
            json!({ "exp": exp, "channels": ["chat:p1", "chat:*", "*", "doc_progress:p", "doc_progress:p1 "] }),
            403,
        ),
        (json!({ "exp": exp, "sub": "p2" }), 403),
        (json!({ "exp": exp }), 403),
    ] {
        let answer = server.get(STREAM).bearer_auth(sign(&claims)).send().await.unwrap();

        assert_eq!(answer.status(), expected, "{claims}");
    }
}

#[tokio::test]
async fn no_token_and_one_that_does_not_hold_are_401() {
    let server = Server::start(&keys_and(&[]));
    let claims = json!({ "exp": in_seconds(60), "channels": ["doc_progress:p1"] });
    let with = |exp: Value| sign(&json!({ "exp": exp, "channels": ["doc_progress:p1"] }));

    assert_eq!(refused(server.get(STREAM)).await, 401);
    for token in [
        with(json!(in_seconds(-60))),
        with(json!(null)),
        sign(&json!({ "channels": ["doc_progress:p1"] })),
        sign_with("another secret than the server's own", &claims),
        "not.a.token".into(),
    ] {
        assert_eq!(refused(server.get(STREAM).bearer_auth(&token)).await, 401, "{token}");
        assert_eq!(refused(server.get(STREAM).query(&[("token", &token)])).await, 401, "{token}");
    }
}

#[tokio::test]
async fn who_is_refused_reads_why_in_one_form() {
    let server = Server::start(&keys_and(&[]));

    assert_eq!(refused(server.get(STREAM).bearer_auth(viewer(&["doc_progress:p2"]))).await, 403);
    let unauthorized = server.get(STREAM).send().await.unwrap();
    assert_eq!(unauthorized.headers()["www-authenticate"], "Bearer");
}

#[tokio::test]
async fn a_stream_ends_ten_seconds_before_its_token() {
    let server = Server::start(&keys_and(&[]));
    let exp = in_seconds(12);
    let token = sign(&json!({ "exp": exp, "channels": ["doc_progress:p1"] }));

    let seen = Viewer::open(server.get(STREAM).bearer_auth(token)).await.rest().await;

    assert_eq!(names(&seen), ["connected", "reconnect"]);
    assert_eq!(seen[1].data, json!({ "reason": "token_expired" }));
    assert_eq!((seen[1].retry, &seen[1].id), (Some(15_000), &None));
    assert!(in_seconds(0) < exp, "the token still serves to renew it");
}

#[tokio::test]
async fn a_token_in_the_query_is_never_logged() {
    let server = Server::start(&keys_and(&[("RUST_LOG", "trace")]));
    let token = viewer(&["doc_progress:p1"]);

    assert_opens(server.get(STREAM).query(&[("token", &token)])).await;
    refused(server.get(STREAM).query(&[("token", &format!("{token}x"))])).await;

    assert!(server.log().contains("request"), "the log is on");
    assert!(!server.log().contains(&token));
}

#[tokio::test]
async fn pages_of_allowed_origins_may_read_it_with_credentials_and_others_not() {
    let server = Server::start(&keys_and(&[("CORS_ALLOWED_ORIGINS", ORIGIN)]));
    let token = viewer(&["doc_progress:p1"]);
    let from = |origin: &str| server.get(STREAM).bearer_auth(&token).header("Origin", origin).send();

    let allowed = from(ORIGIN).await.unwrap();
    let other = from("https://evil.example.org").await.unwrap();
    let refused = server.get(STREAM).header("Origin", ORIGIN).send().await.unwrap();

    assert_eq!(allowed.headers()["access-control-allow-origin"], ORIGIN);
    assert_eq!(allowed.headers()["access-control-allow-credentials"], "true");
    assert!(other.headers().get("access-control-allow-origin").is_none());
    assert_eq!(refused.status(), 401);
    assert_eq!(refused.headers()["access-control-allow-origin"], ORIGIN, "a page may read why");
}

#[tokio::test]
async fn a_preflight_is_answered_without_a_token() {
    let server = Server::start(&keys_and(&[("CORS_ALLOWED_ORIGINS", ORIGIN)]));
    let preflight = |origin: &str| {
        let request = server.http.request(reqwest::Method::OPTIONS, format!("{}{STREAM}", server.url));
        let request = request.header("Origin", origin).header("Access-Control-Request-Method", "GET");
        request.header("Access-Control-Request-Headers", "authorization,last-event-id").send()
    };

    let allowed = preflight(ORIGIN).await.unwrap();
    let other = preflight("https://evil.example.org").await.unwrap();

    assert!(allowed.status().is_success());
    assert_eq!(allowed.headers()["access-control-allow-origin"], ORIGIN);
    let headers = allowed.headers()["access-control-allow-headers"].to_str().unwrap().to_lowercase();
    assert!(headers.contains("authorization") && headers.contains("last-event-id"), "{headers}");
    assert!(allowed.headers()["access-control-allow-methods"].to_str().unwrap().contains("GET"));
    assert!(other.headers().get("access-control-allow-origin").is_none());
}

async fn assert_opens(request: RequestBuilder) {
    let mut viewer = Viewer::open(request).await;
    assert_eq!(viewer.status, 200);
    viewer.until("connected").await;
}
