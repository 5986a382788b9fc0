//! What a Redis over REST answers, or somebody in its place.

use std::sync::{Arc, Mutex};

use axum::{Router, extract::State};
use tidings::{
    broker::{Broker, Publication, UpstashBroker, UpstashSettings},
    clock::Clock,
    event::Channel,
    telemetry::Metrics,
    upstash::{Command, RedisError, RedisRest},
};
use tokio::net::TcpListener;

use super::fuzz;

type Answer = Arc<Mutex<Vec<u8>>>;

/// Answers everything with the same bytes.
async fn serve(answer: Answer) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let routes = Router::new().fallback(async |State(answer): State<Answer>| answer.lock().unwrap().clone());
    tokio::spawn(async move { axum::serve(listener, routes.with_state(answer)).await.unwrap() });
    url
}

fn client(url: &str) -> (RedisRest, UpstashBroker) {
    let (metrics, settings) = (Arc::<Metrics>::default(), UpstashSettings::default());
    let redis = RedisRest::new(url.parse().unwrap(), "t".into(), Arc::clone(&metrics));
    (redis.clone(), UpstashBroker::new(redis, Clock::System, metrics, settings))
}

#[test]
fn an_answer_of_redis_is_read_or_called_garbled() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let answer = Answer::default();
    let url = runtime.block_on(serve(Arc::clone(&answer)));
    let channel: Channel = "doc_progress:p1".parse().unwrap();
    let commands = [Command::new("EXISTS").arg("a"), Command::new("XREAD").arg("b")];
    let event = Publication {
        channel: channel.clone(),
        payload: r#"{"document_id":"d1","stage":"ocr_started"}"#.into(),
    };
    let (mut redis, mut broker) = runtime.block_on(async { client(&url) });

    fuzz("upstash", |input| {
        *answer.lock().unwrap() = input.to_vec();
        let told = runtime.block_on(async {
            let one = redis.command(&commands[0]).await;
            let many = redis.pipeline(&commands).await;
            // What they make of it is theirs, as long as they come back.
            let _ = broker.history(&channel).await;
            let _ = broker.settle(&channel).await;
            let _ = broker.publish(std::slice::from_ref(&event)).await;
            (one.err(), many.map(|replies| replies.len()))
        });
        if matches!(told.0, Some(RedisError::Quota)) || matches!(told.1, Err(RedisError::Quota)) {
            // It has heard that nothing more may be sent for five minutes.
            (redis, broker) = runtime.block_on(async { client(&url) });
        }
        match told {
            (_, Ok(count)) if count != commands.len() => Err(format!("{count} replies to two commands")),
            (Some(error @ RedisError::Transport(_)), _) => Err(format!("{error:?}")),
            (Some(error), _) if error.to_string().chars().any(char::is_control) => {
                Err(format!("its words would break a line of the log: {error}"))
            }
            _ => Ok(()),
        }
    });
}
