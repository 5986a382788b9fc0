//! A confirmed document is seen step by step, and a viewer that comes back sees exactly the rest.

use crate::support::{
    Server, Viewer,
    documents::{STAGES, confirm, put},
    viewer::names,
};

const STREAM: &str = "/api/v1/patients/p1/documents/stream";

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
