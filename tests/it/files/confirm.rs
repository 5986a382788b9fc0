//! Confirm, interrupted and doubled at each of its calls to the bucket.

use super::{Announced, FILE, start};
use crate::support::{
    S3, Server,
    documents::{fixture, read_named},
};

/// What confirm asks the bucket for: is it taken, has it come, take it, look at it, clear up.
const CALLS: [(&str, &str); 5] = [
    ("HEAD", "/documents/"),
    ("HEAD", "/incoming/"),
    ("PUT", "/documents/"),
    ("HEAD", "/documents/"),
    ("DELETE", "/incoming/"),
];

fn other_file() -> Vec<u8> {
    let mut other = fixture(FILE);
    other.reverse();
    other
}

/// Another server over the same bucket and documents.
fn beside(server: &Server, s3: &S3) -> Server {
    let documents = format!("sqlite://{}", server.folder.path().join("data/tidings.db").display());
    let mut environment = s3.environment().to_vec();
    environment.push(("DATABASE_URL", &documents));
    Server::start(&environment)
}

async fn ends_complete(server: &Server, s3: &S3, announced: &Announced) {
    let seen = read_named(server, "p1", &announced.document).await;
    assert_eq!(seen.last().unwrap().data["documents"][0]["status"], "complete", "{seen:?}");
    assert_eq!(announced.taken(s3).unwrap(), fixture(FILE));
}

#[tokio::test]
async fn confirm_asks_the_bucket_for_these_calls_in_this_order() {
    let (s3, server) = start();
    let announced = Announced::put_whole(&server).await;
    let before = s3.seen().len();

    announced.confirm(&server).await;
    ends_complete(&server, &s3, &announced).await;

    let calls = s3.seen().split_off(before);
    for (call, (method, folder)) in calls.iter().zip(CALLS) {
        assert!(call.method == method && call.path.contains(folder), "{call:?} is no {method} of {folder}");
    }
    assert_eq!(calls.len(), CALLS.len() + 1, "the last one reads it: {calls:?}");
}

#[tokio::test]
async fn a_process_that_dies_after_any_call_leaves_what_the_next_one_goes_on_from() {
    for call in 0..CALLS.len() {
        let (s3, server) = start();
        let announced = Announced::put_whole(&server).await;

        s3.hold_after(call);
        let dying = tokio::spawn({
            let request = server
                .post("/api/v1/uploads/confirm", &serde_json::json!({ "document_id": announced.document }));
            async move { drop(request.send().await) }
        });
        s3.holds().await;
        let folder = server.crash();
        s3.release();
        dying.await.unwrap();
        let server = Server::start_in(folder, &s3.environment());

        let (confirmed, answer) = announced.confirm(&server).await;

        assert_eq!(confirmed, 202, "after call {call}: {answer}");
        ends_complete(&server, &s3, &announced).await;
        assert_eq!(announced.incoming(&s3), None, "after call {call}");
    }
}

#[tokio::test]
async fn confirms_of_two_processes_that_meet_at_any_call_are_one() {
    for call in 0..CALLS.len() - 1 {
        let (s3, server) = start();
        let announced = Announced::put_whole(&server).await;
        let other = beside(&server, &s3);

        s3.hold_after(call);
        let (first, (second, _)) = tokio::join!(announced.confirm(&server), async {
            s3.holds().await;
            let second = announced.confirm(&other).await;
            ends_complete(&other, &s3, &announced).await;
            s3.release();
            second
        });

        assert_eq!((first.0, second), (202, 202), "at call {call}: {}", first.1);
        ends_complete(&server, &s3, &announced).await;
        assert_eq!(announced.incoming(&s3), None, "at call {call}");
    }
}

#[tokio::test]
async fn a_confirm_that_comes_late_does_not_take_a_file_put_after_the_other() {
    // Held before the copy: after either look.
    for call in 0..2 {
        let (s3, server) = start();
        let announced = Announced::put_whole(&server).await;
        let other = beside(&server, &s3);

        s3.hold_after(call);
        let (late, ()) = tokio::join!(announced.confirm(&server), async {
            s3.holds().await;
            assert_eq!(announced.confirm(&other).await.0, 202);
            ends_complete(&other, &s3, &announced).await;
            assert_eq!(announced.put(&other, other_file()).await, 200);
            s3.release();
        });

        assert_eq!(late.0, 202, "at call {call}: {}", late.1);
        assert_eq!(announced.taken(&s3).unwrap(), fixture(FILE), "at call {call}");
    }
}

#[tokio::test]
async fn a_file_replaced_by_a_larger_one_between_look_and_copy_is_not_taken() {
    let (s3, server) = start();
    let announced = Announced::put_whole(&server).await;
    let mut larger = fixture(FILE);
    larger.push(b'\n');

    s3.hold_after(1);
    let ((refused, problem), ()) = tokio::join!(announced.confirm(&server), async {
        s3.holds().await;
        assert_eq!(announced.put(&server, larger).await, 200);
        s3.release();
    });

    assert_eq!(refused, 413, "{problem}");
    assert_eq!(announced.taken(&s3), None);
    assert_eq!(announced.put(&server, fixture(FILE)).await, 200);
    assert_eq!(announced.confirm(&server).await.0, 202);
    ends_complete(&server, &s3, &announced).await;
}

#[tokio::test]
async fn eight_confirms_at_once_are_one() {
    let (s3, server) = start();
    let announced = Announced::put_whole(&server).await;

    let answers = futures::future::join_all((0..8).map(|_| announced.confirm(&server))).await;

    assert!(answers.iter().all(|(status, _)| *status == 202), "{answers:?}");
    ends_complete(&server, &s3, &announced).await;
    assert_eq!(announced.incoming(&s3), None);
}
