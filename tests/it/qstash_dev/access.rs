//! Who may publish, and what is refused in words.

use reqwest::Client;
use serde_json::Value;
use tidings::upstash::{DEVELOPMENT_KEYS, DEVELOPMENT_TOKEN};

use crate::support::Queue;

#[tokio::test]
async fn nobody_publishes_or_reads_keys_without_the_token() {
    let queue =
        Queue::start_with(&["--listen", "127.0.0.1:0", "--token", "own", "--next-signing-key", "sig_n"]);
    let queue = queue.unwrap();
    let ask = async |token: &str| {
        let publish = Client::new().post(format!("{}/v2/publish/http://127.0.0.1:1/", queue.url));
        let keys = Client::new().get(format!("{}/v2/keys", queue.url));
        let publish = publish.bearer_auth(token).send().await.unwrap().status().as_u16();
        let keys = keys.bearer_auth(token).send().await.unwrap();
        (publish, keys.status().as_u16(), keys.json::<Value>().await.unwrap())
    };

    for stranger in ["", DEVELOPMENT_TOKEN] {
        let (publish, keys, answer) = ask(stranger).await;
        assert_eq!((publish, keys), (401, 401));
        assert!(answer["error"].as_str().unwrap().contains("Bearer"), "{answer}");
    }
    let (publish, keys, answer) = ask("own").await;
    assert_eq!((publish, keys), (201, 200));
    assert_eq!((&answer["current"], &answer["next"]), (&DEVELOPMENT_KEYS[0].into(), &"sig_n".into()));
}

#[tokio::test]
async fn what_it_does_not_serve_is_said() {
    let queue = Queue::start();
    let refusal = async |path: &str, header: (&str, &str)| {
        let request = Client::new().post(format!("{}{path}", queue.url)).bearer_auth(DEVELOPMENT_TOKEN);
        let answer = request.header(header.0, header.1).send().await.unwrap();
        (
            answer.status().as_u16(),
            answer.json::<Value>().await.unwrap()["error"].as_str().unwrap().to_owned(),
        )
    };

    let (status, words) = refusal("/v2/batch", ("x-a", "b")).await;
    assert_eq!(status, 404);
    assert!(words.contains("/v2/publish/"), "{words}");
    let (status, words) = refusal("/v2/publish/some-topic", ("x-a", "b")).await;
    assert_eq!(status, 400);
    assert!(words.contains("http://"), "{words}");
    let (status, words) =
        refusal("/v2/publish/http://127.0.0.1:1/", ("upstash-retry-delay", "pow(2, retried)")).await;
    assert_eq!(status, 400);
    assert!(words.contains("milliseconds"), "{words}");
}

#[test]
fn an_address_that_others_reach_needs_a_token() {
    let Err(words) = Queue::start_with(&["--listen", "0.0.0.0:0"]) else { panic!("it serves everybody") };

    assert!(words.contains("--token"), "{words}");
    assert_eq!(words.lines().count(), 1, "{words}");
    assert!(Queue::start_with(&["--listen", "0.0.0.0:0", "--token", "own"]).is_ok());
}
