//! A confirmed document is seen step by step, and a viewer that comes back sees exactly the rest.

use std::time::Duration;

use futures::future::join_all;
use tokio::time::timeout;

use crate::support::{
    Server, Viewer,
    documents::{STAGES, confirm, emit, put},
    viewer::names,
};

const STREAM: &str = "/api/v1/patients/p1/documents/stream";
/// Far below the five minutes after which a stream ends anyway.
const AN_END_WITHIN: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_confirm_shows_six_steps_the_update_and_done_and_a_return_shows_the_rest() {
    let server = Server::start(&[]);
    let document = put(&server, "p1", "mri_knee.pdf").await;
    let viewer = Viewer::open(server.get(STREAM)).await;

    confirm(&server, &document).await;
    let seen = viewer.rest().await;

    let expected = ["connected", "progress", "progress", "progress", "progress", "progress", "progress"];
    assert_eq!(names(&seen)[..7], expected);
    assert_eq!(*names(&seen).last().unwrap(), "done");
    assert!(names(&seen)[7..seen.len() - 1].iter().all(|name| *name == "document_update"));
    assert_eq!(seen[seen.len() - 2].text("status"), "complete");
    let stages: Vec<_> = seen[1..7].iter().map(|step| step.text("stage")).collect();
    assert_eq!(stages, STAGES);
    assert!(seen[..7].iter().all(|message| message.id.is_some()));

    let first_step = seen[1].id.clone().unwrap();
    let rest = Viewer::open(server.get(STREAM).header("Last-Event-ID", first_step)).await.rest().await;
    assert_eq!(rest[0].data["resumed"], true);
    assert_eq!(rest[0].data["gap"], false);
    assert_eq!(rest[1..6], seen[2..7]);
    assert_eq!(names(&rest[6..]), ["done"]);

    let done = seen.last().unwrap().id.clone().unwrap();
    let over = Viewer::open(server.get(STREAM).header("Last-Event-ID", done)).await;
    assert_eq!(over.status, 204);
}

/// The status read an end waits for may come in the moment between two looks of a viewer.
#[tokio::test(flavor = "multi_thread")]
async fn each_of_thousands_of_viewers_of_an_end_is_told_it() {
    let server = Server::start(&[]);
    for batch in 0..50 {
        let patients: Vec<_> = (0..40).map(|number| format!("p{batch}-{number}")).collect();
        for patient in &patients {
            emit(&server, patient, "d1", "matching_complete").await;
        }
        let told = join_all(patients.iter().map(async |patient| {
            let url = format!("/api/v1/patients/{patient}/documents/stream?last_event_id=earliest");
            let seen = timeout(AN_END_WITHIN, Viewer::open(server.get(&url)).await.rest()).await;
            seen.is_ok_and(|seen| seen.last().is_some_and(|last| last.name == "done"))
        }));

        assert_eq!(told.await, [true; 40]);
    }
}
