//! Tidings inside an axum service of your own: its routes beside yours, progress from your work.
//!
//! It and a viewer, each in a terminal of its own:
//!
//!     cargo run --example embed
//!
//!     curl -N http://127.0.0.1:8080/api/v1/patients/p1/documents/stream
//!
//! Then:
//!
//!     curl -X POST http://127.0.0.1:8080/patients/p1/reports/r1
//!
//! The viewer prints each step as it comes, and the end:
//!
//!     event: connected
//!     data: {"document_id":"r1","stage":"upload_received",…
//!     data: {"document_id":"r1","stage":"matching_complete",…
//!     event: done

use std::{net::SocketAddr, process::ExitCode, time::Duration};

use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
    routing::post,
};
use tidings::{
    App,
    broker::Emitter,
    config::{Config, Variables},
    event::{Id, ProgressEvent, Stage},
    telemetry::start_logs,
};
use tokio::{net::TcpListener, signal::ctrl_c, time::sleep};
use tokio_util::sync::CancellationToken;

fn main() -> anyhow::Result<ExitCode> {
    // Uploaded PDFs are read by this very program, started anew: see `text_layer_program`.
    if let Some(code) = tidings::answer_as_child() {
        return Ok(code);
    }
    serve()?;
    Ok(ExitCode::SUCCESS)
}

#[tokio::main]
async fn serve() -> anyhow::Result<()> {
    let mut config = Config::read(&Variables::of_process())?;
    config.server.text_layer_program = Some(std::env::current_exe()?);
    start_logs(config.server.log_format, &config.server.log_filter);
    let shutdown = CancellationToken::new();
    let app = App::start(&config, shutdown.clone()).await?;
    app.resume().await?;

    let own = Router::new()
        .route("/patients/{patient}/reports/{report}", post(write_report))
        .with_state(app.emitter().clone());
    let listener = TcpListener::bind(config.server.address()).await?;
    println!("http://{}/", listener.local_addr()?);
    // With the peer's address, which limits count by.
    let routes = own.merge(app.router()).into_make_service_with_connect_info::<SocketAddr>();
    let serving = axum::serve(listener, routes);

    // Streams end with `shutdown`, so the server does not wait for its viewers.
    let ending = async move {
        let _ = ctrl_c().await;
        shutdown.cancel();
    };
    serving.with_graceful_shutdown(ending).await?;
    app.finish().await;
    Ok(())
}

/// Starts work that takes a while and answers at once.
async fn write_report(State(emitter): State<Emitter>, Path((patient, report)): Path<(Id, Id)>) -> StatusCode {
    tokio::spawn(async move {
        for stage in Stage::ALL {
            sleep(Duration::from_millis(500)).await;
            emitter.emit_progress(&patient, ProgressEvent::new(report.clone(), stage));
        }
    });
    StatusCode::ACCEPTED
}
