//! The forms in which commands come.

use futures::future::join_all;
use reqwest::Method;
use serde_json::json;

use super::{answer, refused};
use crate::support::{Redis, RedisRest};

#[tokio::test]
async fn a_command_is_a_json_list_of_plain_values() {
    let redis = Redis::start();
    let rest = RedisRest::before(&redis);

    let set = answer(rest.post("/", &json!(["set", "key", 1.5, "EX", 100]))).await;
    let get = answer(rest.post("/", &json!(["GET", "key"]))).await;
    let push = answer(rest.post("/", &json!(["rpush", "list", true, 2, "drei"]))).await;
    let range = answer(rest.post("/", &json!(["lrange", "list", 0, -1]))).await;

    assert_eq!(set, (200, json!({ "result": "OK" })));
    assert_eq!(get, (200, json!({ "result": "1.5" })));
    assert_eq!(push, (200, json!({ "result": 3 })));
    assert_eq!(range, (200, json!({ "result": ["true", "2", "drei"] })));
}

#[tokio::test]
async fn a_command_is_a_path_whose_parts_are_decoded() {
    let redis = Redis::start();
    let rest = RedisRest::before(&redis);

    let set = answer(rest.get("/set/a%2Fb%20c/%C3%A4%2525?EX=100")).await;

    assert_eq!(set, (200, json!({ "result": "OK" })));
    assert_eq!(rest.run(json!(["GET", "a/b c"])).await, "ä%25");
    assert_eq!(rest.run(json!(["TTL", "a/b c"])).await, 100);
}

#[tokio::test]
async fn a_posted_body_is_the_last_word_of_a_path_and_the_query_follows() {
    let redis = Redis::start();
    let rest = RedisRest::before(&redis);
    let url = format!("{}/set/key?EX=100&NX", rest.url);

    for method in [Method::POST, Method::PUT] {
        rest.run(json!(["DEL", "key"])).await;
        let set = answer(rest.http.request(method, &url).body("[1, \"text\"]")).await;

        assert_eq!(set, (200, json!({ "result": "OK" })));
        assert_eq!(rest.run(json!(["GET", "key"])).await, "[1, \"text\"]");
        assert_eq!(rest.run(json!(["TTL", "key"])).await, 100);
    }
    let again = answer(rest.http.post(&url).body("other")).await;
    assert_eq!(again, (200, json!({ "result": null })));
}

#[tokio::test]
async fn a_pipeline_answers_each_command_for_itself_and_in_order() {
    let redis = Redis::start();
    let rest = RedisRest::before(&redis);

    let commands =
        json!([["SET", "key", "text"], ["INCR", "key"], ["BLPOP", "key", 1], [], ["NOPE"], ["GET", "key"]]);
    let (status, answers) = answer(rest.post("/pipeline", &commands)).await;

    assert_eq!(status, 200);
    assert_eq!(answers[0], json!({ "result": "OK" }));
    assert_eq!(answers[1], json!({ "error": "ERR value is not an integer or out of range" }));
    assert!(answers[2]["error"].as_str().unwrap().starts_with("ERR Command is not available: 'BLPOP'"));
    assert_eq!(answers[3], json!({ "error": "ERR empty command" }));
    assert!(answers[4]["error"].as_str().unwrap().starts_with("ERR unknown command 'NOPE'"));
    assert_eq!(answers[5], json!({ "result": "text" }));
    assert_eq!(answers.as_array().unwrap().len(), 6);
}

#[tokio::test]
async fn a_pipeline_may_be_long() {
    let redis = Redis::start();
    let rest = RedisRest::before(&redis);
    let commands: Vec<_> = (0..1_000).map(|number| json!(["RPUSH", "list", number])).collect();

    let (_, answers) = answer(rest.post("/pipeline", &json!(commands))).await;

    let expected: Vec<_> = (1..=1_000).map(|length| json!({ "result": length })).collect();
    assert_eq!(answers, json!(expected));
}

#[tokio::test]
async fn a_transaction_answers_each_command_and_an_error_undoes_nothing() {
    let redis = Redis::start();
    let rest = RedisRest::before(&redis);

    let commands = json!([["SET", "key", "text"], ["INCR", "key"], ["RPUSH", "list", "a", "b"]]);
    let (status, answers) = answer(rest.post("/multi-exec", &commands)).await;

    assert_eq!(status, 200);
    assert_eq!(
        answers,
        json!([
            { "result": "OK" },
            { "error": "ERR value is not an integer or out of range" },
            { "result": 2 },
        ])
    );
    assert_eq!(rest.run(json!(["LLEN", "list"])).await, 2);
}

#[tokio::test]
async fn a_transaction_with_a_bad_command_is_refused_as_a_whole() {
    let redis = Redis::start();
    let rest = RedisRest::before(&redis);

    for (bad, words) in [
        (json!(["GET"]), "ERR wrong number of arguments for 'get' command"),
        (json!(["NOPE"]), "ERR unknown command 'NOPE'"),
        (json!(["WATCH", "key"]), "ERR Command is not available: 'WATCH'"),
        (json!(["EXEC"]), "ERR Command is not available: 'EXEC'"),
    ] {
        let commands = json!([["SET", "key", "text"], bad, ["SET", "other", "text"]]);
        let (status, error) = refused(rest.post("/multi-exec", &commands)).await;

        assert_eq!(status, 400);
        assert!(error.starts_with(words), "{error}");
        assert_eq!(rest.run(json!(["EXISTS", "key", "other"])).await, 0, "{bad}");
    }
}

#[tokio::test]
async fn transactions_and_single_commands_at_the_same_time_do_not_mix() {
    let redis = Redis::start();
    let rest = RedisRest::before(&redis);
    let transaction = |number: usize| {
        let commands = json!([["SET", "shared", number], ["GET", "shared"], ["DEL", "shared"]]);
        answer(rest.post("/multi-exec", &commands))
    };
    let command = |number: usize| answer(rest.post("/", &json!(["ECHO", number])));

    let (transactions, commands) =
        tokio::join!(join_all((0..64).map(transaction)), join_all((0..64).map(command)));

    for (number, (_, answers)) in transactions.iter().enumerate() {
        assert_eq!(answers[1], json!({ "result": number.to_string() }));
    }
    for (number, (_, answer)) in commands.iter().enumerate() {
        assert_eq!(*answer, json!({ "result": number.to_string() }));
    }
}

#[tokio::test]
async fn what_is_no_command_is_refused_in_every_form() {
    let redis = Redis::start();
    let rest = RedisRest::before(&redis);

    for (path, body) in [
        ("/", json!({})),
        ("/", json!([])),
        ("/", json!(["GET", null])),
        ("/", json!(["GET", ["key"]])),
        ("/pipeline", json!([])),
        ("/pipeline", json!(["GET", "key"])),
        ("/multi-exec", json!([])),
        ("/multi-exec", json!([[]])),
        ("/multi-exec", json!("EXEC")),
    ] {
        let (status, error) = refused(rest.post(path, &body)).await;

        assert_eq!(status, 400, "{path} {body}");
        assert!(error.starts_with("ERR "), "{path} {body}: {error}");
    }
    assert_eq!(refused(rest.get("/")).await.0, 400);
}

#[tokio::test]
async fn other_methods_are_refused() {
    let redis = Redis::start();
    let rest = RedisRest::before(&redis);

    for method in [Method::DELETE, Method::PATCH, Method::OPTIONS] {
        let (status, _) = refused(rest.http.request(method.clone(), format!("{}/ping", rest.url))).await;

        assert_eq!(status, 405, "{method}");
    }
    let head = rest.http.head(format!("{}/set/key/text", rest.url)).send().await.unwrap();
    assert_eq!(head.status(), 200);
    assert_eq!(rest.run(json!(["GET", "key"])).await, "text");
}

#[tokio::test]
async fn ten_megabytes_are_taken_and_more_is_refused() {
    let redis = Redis::start();
    let rest = RedisRest::before(&redis);
    let url = format!("{}/set/key", rest.url);
    let most = 10 * 1024 * 1024;

    let taken = answer(rest.http.post(&url).body("x".repeat(most))).await;
    let over = refused(rest.http.post(&url).body("y".repeat(most + 1))).await;
    let far_over = refused(rest.http.post(&url).body("y".repeat(8 * most))).await;

    assert_eq!(taken, (200, json!({ "result": "OK" })));
    for refusal in [over, far_over] {
        assert_eq!(refusal, (400, "ERR max request size exceeded".to_owned()));
    }
    assert_eq!(rest.run(json!(["STRLEN", "key"])).await, most);
}
