//! What browsers hand back as `Last-Event-ID`, or somebody in their place.

use axum::{body::Body, http::Request};
use http_body_util::BodyExt;
use tidings::{
    App,
    config::{Config, Variables},
    event::{Cursor, ProgressEvent, Stage},
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::fuzz;

#[test]
fn a_cursor_is_a_place_or_a_gap_and_never_a_refusal() {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite://{}/tidings.db", folder.path().display());
    let files = format!("file://{}", folder.path().display());
    let settings = Variables::of(&[("DATABASE_URL", &database), ("STORAGE_URL", &files)]);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let config = Config::read(&settings).unwrap();
    let app = runtime.block_on(App::start(&config, CancellationToken::new())).unwrap();
    let event = ProgressEvent::new("d1".parse().unwrap(), Stage::OcrStarted);
    runtime.block_on(async { app.emitter().emit_progress(&"p1".parse().unwrap(), event) });

    fuzz("cursor", |input| {
        if let Ok(cursor) = std::str::from_utf8(input).unwrap_or_default().parse::<Cursor>() {
            let written = cursor.to_string();
            if written.parse() != Ok(cursor) {
                return Err(format!("{cursor:?} is read otherwise again from {written}"));
            }
        }
        let request = Request::get("/api/v1/patients/p1/documents/stream").header("last-event-id", input);
        // Bytes that no header can hold come no further than the connection.
        let Ok(request) = request.body(Body::empty()) else { return Ok(()) };
        let (status, begin) = runtime.block_on(async {
            let answer = app.router().oneshot(request).await.unwrap();
            let (status, mut body) = (answer.status().as_u16(), answer.into_body());
            let mut begin = Vec::new();
            while !String::from_utf8_lossy(&begin).contains("connected") {
                let Some(Ok(frame)) = body.frame().await else { break };
                begin.extend(frame.into_data().unwrap_or_default());
            }
            (status, String::from_utf8_lossy(&begin).into_owned())
        });
        match status {
            200 if begin.contains("event: connected\ndata: {") => Ok(()),
            _ => Err(format!("{status} {begin}")),
        }
    });

    runtime.block_on(app.finish());
}
