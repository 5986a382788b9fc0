//! Commands and pipelines: what is sent, what comes back, what is counted.

use std::sync::Arc;

use serde_json::json;
use tidings::{
    telemetry::Metrics,
    upstash::{Command, Reply},
};

use super::front::{Front, TOKEN, client};

fn pop() -> Command {
    Command::new("LPOP").arg("list:a").arg(100)
}

/// Says whether the metrics hold this line.
fn counts(metrics: &Metrics, line: &str) -> bool {
    metrics.encode().lines().any(|counted| counted == format!("tidings_redis_{line}"))
}

#[tokio::test]
async fn a_command_is_posted_as_json_under_the_token() {
    let front = Front::answering(200, r#"{"result":["a","b"]}"#).await;

    let reply = front.client(&Arc::default()).command(&pop()).await.unwrap();

    assert_eq!(reply, Reply::Array(vec![Reply::Text("a".into()), Reply::Text("b".into())]));
    let asked = &front.asked()[0];
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", "/"));
    assert_eq!(asked.headers["authorization"], format!("Bearer {TOKEN}"));
    assert_eq!(asked.headers["content-type"], "application/json");
    assert!(!asked.headers.contains_key("upstash-encoding"));
    assert_eq!(asked.body, json!(["LPOP", "list:a", "100"]));
}

#[tokio::test]
async fn nil_and_an_empty_list_both_say_that_nothing_is_there() {
    for body in [r#"{"result":null}"#, r#"{"result":[]}"#] {
        let front = Front::answering(200, body).await;

        let reply = front.client(&Arc::default()).command(&pop()).await.unwrap();

        assert!(reply.is_empty(), "{body}");
    }
}

#[tokio::test]
async fn each_command_of_a_pipeline_has_its_own_outcome() {
    let body = r#"[{"result":3},{"error":"ERR syntax error"},{"error":"NOSCRIPT No matching script."}]"#;
    let front = Front::answering(200, body).await;
    let commands = [Command::new("RPUSH").arg("k").arg("v"), Command::new("SET"), Command::new("EVALSHA")];

    let replies = front.client(&Arc::default()).pipeline(&commands).await.unwrap();

    assert_eq!(replies[0].as_ref().unwrap().as_integer(), Some(3));
    assert_eq!(replies[1].as_ref().unwrap_err().to_string(), "Redis refused: ERR syntax error");
    assert_eq!(replies[2].as_ref().unwrap_err().kind(), "no_script");
    let asked = &front.asked()[0];
    assert_eq!(asked.path, "/pipeline");
    assert_eq!(asked.body, json!([["RPUSH", "k", "v"], ["SET"], ["EVALSHA"]]));
}

#[tokio::test]
async fn a_pipeline_of_nothing_makes_no_call() {
    let front = Front::answering(200, "[]").await;

    let replies = front.client(&Arc::default()).pipeline(&[]).await.unwrap();

    assert!(replies.is_empty());
    assert!(front.asked().is_empty());
}

#[tokio::test]
async fn another_number_of_replies_than_commands_is_an_error() {
    for body in ["[]", r#"[{"result":1}]"#, r#"[{"result":1},{"result":2},{"result":3}]"#, r#"{"result":1}"#]
    {
        let front = Front::answering(200, body).await;

        let error = front.client(&Arc::default()).pipeline(&[pop(), pop()]).await.unwrap_err();

        assert_eq!(error.kind(), "garbled", "{body}");
    }
}

#[tokio::test]
async fn base64_is_asked_for_and_decoded() {
    let front = Front::answering(200, r#"[{"result":"OK"},{"result":["eyJhIjoiw6QifQ==",7,null]}]"#).await;
    let redis = front.client(&Arc::default()).with_base64(true);

    let replies = redis.pipeline(&[Command::new("SET"), pop()]).await.unwrap();

    let list = vec![Reply::Text(r#"{"a":"ä"}"#.into()), Reply::Integer(7), Reply::Nil];
    assert_eq!(*replies[0].as_ref().unwrap(), Reply::Text("OK".into()));
    assert_eq!(*replies[1].as_ref().unwrap(), Reply::Array(list));
    assert_eq!(front.asked()[0].headers["upstash-encoding"], "base64");
}

#[tokio::test]
async fn of_the_url_the_path_is_kept_and_a_user_or_query_is_not() {
    let front = Front::answering(200, r#"[{"result":1}]"#).await;
    for base in ["/redis", "/redis/"] {
        let mut url = front.url.join(base).unwrap();
        url.set_username("user").unwrap();
        url.set_password(Some("userinfo-secret")).unwrap();
        url.set_query(Some("_token=other"));

        client(url, &Arc::default()).pipeline(&[pop()]).await.unwrap();
    }

    for asked in front.asked() {
        assert_eq!(asked.path, "/redis/pipeline");
        assert_eq!(asked.headers.get_all("authorization").iter().count(), 1);
        assert_eq!(asked.headers["authorization"], format!("Bearer {TOKEN}"));
    }
}

#[tokio::test]
async fn commands_are_counted_as_they_are_billed() {
    let front =
        Front::answering(200, r#"[{"result":1},{"error":"ERR syntax error"},{"result":"PONG"}]"#).await;
    let metrics = Arc::new(Metrics::default());
    let redis = front.client(&metrics);
    let script = Command::new("EVAL").bill_more(2);

    redis.pipeline(&[script, pop(), Command::new("PING")]).await.unwrap();
    redis.bill_more(5);

    assert!(counts(&metrics, "commands_total 9"), "{}", metrics.encode());
}

#[tokio::test]
async fn calls_are_counted_by_outcome_and_bodies_by_direction() {
    let front = Front::answering(200, r#"{"result":1}"#).await;
    let metrics = Arc::new(Metrics::default());
    let redis = front.client(&metrics);

    redis.command(&Command::new("INCR").arg("k")).await.unwrap();
    redis.clone().command(&Command::new("INCR").arg("k")).await.unwrap();
    front.now_answers(429, "");
    redis.command(&Command::new("INCR").arg("k")).await.unwrap_err();

    assert!(counts(&metrics, "calls_total{outcome=\"ok\"} 2"), "{}", metrics.encode());
    assert!(counts(&metrics, "calls_total{outcome=\"throttled\"} 1"), "{}", metrics.encode());
    assert!(counts(&metrics, "commands_total 2"), "{}", metrics.encode());
    assert!(counts(&metrics, "bytes_total{direction=\"sent\"} 36"), "{}", metrics.encode());
    assert!(counts(&metrics, "bytes_total{direction=\"received\"} 24"), "{}", metrics.encode());
}
