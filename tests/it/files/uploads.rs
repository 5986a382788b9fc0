//! From presign to `done`, the bytes going straight to the bucket.

use serde_json::Value;
use url::Url;

use super::{Announced, FILE, start, status};
use crate::support::{
    documents::{fixture, read_named},
    s3::{BUCKET, PREFIX},
};

#[tokio::test]
async fn a_file_goes_straight_to_the_bucket_and_its_document_to_its_end() {
    let (s3, server) = start();

    let announced = Announced::put_whole(&server).await;
    let (confirmed, _) = announced.confirm(&server).await;
    let seen = read_named(&server, "p1", &announced.document).await;

    assert_eq!(confirmed, 202);
    let url = Url::parse(&announced.url).unwrap();
    assert_eq!(url.origin().ascii_serialization(), s3.url);
    assert_eq!(url.path(), format!("/{BUCKET}/{PREFIX}/incoming/{}", announced.document));
    assert!(url.query().unwrap().contains("X-Amz-Expires=900"), "{url}");
    let mut updates = seen.iter().filter(|message| message.name == "document_update");
    assert_eq!(updates.next_back().unwrap().text("status"), "complete");
    assert_eq!(seen.last().unwrap().data["documents"][0]["status"], "complete");
    assert_eq!(s3.keys(), [format!("documents/{}", announced.document)]);
    assert_eq!(announced.taken(&s3).unwrap(), fixture(FILE));
}

#[tokio::test]
async fn what_is_larger_or_smaller_than_announced_is_refused_and_removed() {
    let (s3, server) = start();

    for (size, expected) in [(1_001, 413), (999, 409)] {
        let announced = Announced::of(&server, 1_000).await;
        assert_eq!(announced.put(&server, vec![b'x'; size]).await, 200);

        let (refused, problem) = announced.confirm(&server).await;

        assert_eq!(refused, expected, "{problem}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(&size.to_string()) && detail.contains("1000"), "{detail}");
        assert_eq!((announced.incoming(&s3), announced.taken(&s3)), (None, None));
        let (again, problem) = announced.confirm(&server).await;
        assert_eq!(again, 409, "{problem}");
        // The same URL takes the right file after all.
        assert_eq!(announced.put(&server, vec![b'x'; 1_000]).await, 200);
        assert_eq!(announced.confirm(&server).await.0, 202);
    }
}

#[tokio::test]
async fn what_has_not_been_put_cannot_be_confirmed() {
    let (_s3, server) = start();
    let announced = Announced::of(&server, 10).await;

    let (refused, problem) = announced.confirm(&server).await;

    assert_eq!(refused, 409);
    assert!(problem["detail"].as_str().unwrap().contains("PUT it to the upload_url"), "{problem}");
}

#[tokio::test]
async fn what_is_put_after_confirm_changes_nothing() {
    let (s3, server) = start();
    let announced = Announced::put_whole(&server).await;
    announced.confirm(&server).await;
    read_named(&server, "p1", &announced.document).await;
    let other = vec![b'x'; fixture(FILE).len()];

    assert_eq!(announced.put(&server, other).await, 200, "the URL is good for its 15 minutes");
    let (again, _) = announced.confirm(&server).await;

    assert_eq!(again, 202);
    assert_eq!(announced.taken(&s3).unwrap(), fixture(FILE));
}

#[tokio::test]
async fn this_server_takes_no_file_itself_and_says_where_to_put_it() {
    let (_s3, server) = start();
    let announced = Announced::of(&server, 10).await;
    let route = format!("/api/v1/uploads/{}/file?token=x", announced.document);

    let answer = server.put(&route, vec![b'x'; 10]).send().await.unwrap();

    assert_eq!(answer.status(), 404);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let problem: Value = answer.json().await.unwrap();
    assert!(problem["detail"].as_str().unwrap().contains("upload_url"), "{problem}");
}

#[tokio::test]
async fn calls_are_counted_by_outcome_and_the_page_may_put_to_the_bucket() {
    let (s3, server) = start();
    let announced = Announced::put_whole(&server).await;
    announced.confirm(&server).await;
    read_named(&server, "p1", &announced.document).await;

    let metrics = server.get("/metrics").send().await.unwrap().text().await.unwrap();
    let page = server.get("/").send().await.unwrap();

    // Two looks, a copy, a look at the copy, one removed, one read.
    assert!(metrics.contains("tidings_file_calls_total{outcome=\"ok\"} 6\n"), "{metrics}");
    assert!(metrics.contains("tidings_file_calls_total{outcome=\"failed\"} 0\n"), "{metrics}");
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.ends_with(&format!("connect-src 'self' {}", s3.url)), "{policy}");
    assert_eq!(status(server.get("/readyz")).await, 200);
}
