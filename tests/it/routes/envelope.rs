//! What every answer carries: a request id, and headers that keep browsers careful.

use std::collections::BTreeSet;

use reqwest::Response;
use serde_json::Value;

use crate::support::{Server, tokens::keys_and};

const ROUTES: [&str; 8] = [
    "/healthz",
    "/readyz",
    "/metrics",
    "/nowhere",
    "/tidings.js",
    "/openapi.json",
    "/api/v1/patients/p1/documents",
    "/api/v1/patients/p1/documents/stream",
];

fn id(answer: &Response) -> String {
    answer.headers()["x-request-id"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn every_answer_has_an_id_that_the_log_names_too() {
    let server = Server::start(&[("RUST_LOG", "info,tower_http=debug"), ("LOG_FORMAT", "json")]);
    let mut ids = BTreeSet::new();
    for route in ROUTES {
        ids.insert(id(&server.get(route).send().await.unwrap()));
    }

    let given = server.get("/healthz").header("X-Request-Id", "edge-0af7651916cd43dd").send().await.unwrap();

    assert_eq!(ids.len(), ROUTES.len(), "each has one of its own");
    assert_eq!(id(&given), "edge-0af7651916cd43dd", "that of a proxy in front is taken over");
    ids.insert(id(&given));
    let log = server.log();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let logged: BTreeSet<_> =
        lines.filter_map(|line| Some(line["span"]["id"].as_str()?.to_owned())).collect();
    assert!(ids.is_subset(&logged), "{ids:?} in {log}");
}

#[tokio::test]
async fn an_id_that_is_none_is_not_taken_over() {
    let server = Server::start(&[]);

    for bad in ["a b", "../../etc", "{\"a\":1}", "", "ä", &"x".repeat(65)] {
        let answer = server.get("/healthz").header("X-Request-Id", bad).send().await.unwrap();

        assert_ne!(id(&answer), bad);
        assert_eq!(id(&answer).len(), 36);
    }
}

#[tokio::test]
async fn no_answer_is_run_framed_or_taken_for_another_type_and_no_url_travels_on() {
    let server = Server::start(&keys_and(&[("APP_ENV", "production")]));

    for route in [&ROUTES[..], &["/", "/page/page.js", "/ops", "/ops/ops.js"]].concat() {
        let answer = server.get(route).send().await.unwrap();
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();

        assert_eq!(header("x-content-type-options"), "nosniff", "{route}");
        assert_eq!(header("referrer-policy"), "no-referrer", "{route}");
        let policy = header("content-security-policy");
        for rule in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"] {
            assert!(policy.contains(rule), "{route}: {policy}");
        }
        assert!(!policy.contains("unsafe") && !policy.contains('*'), "{route}: {policy}");
        assert_eq!(answer.headers().get_all("content-security-policy").iter().count(), 1, "{route}");
    }
}
