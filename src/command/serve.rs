//! `tidings serve`.

use std::{net::SocketAddr, process::ExitCode};

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::{App, bind, config::Config, raise_descriptor_limit, serve};

pub(super) async fn run(mut config: Config) -> anyhow::Result<ExitCode> {
    config.server.text_layer_program =
        Some(std::env::current_exe().context("find this program, which reads PDFs")?);
    let descriptors = raise_descriptor_limit();
    let address = SocketAddr::from((config.server.host, config.server.port));
    let listener = bind(address).with_context(|| format!("listen on {address} (HOST, PORT)"))?;
    let shutdown = CancellationToken::new();
    tokio::spawn(cancel_on_signal(shutdown.clone()));
    let Some(app) = App::start_unless(&config, &shutdown).await? else { return Ok(ExitCode::SUCCESS) };
    greet(&config, &app, listener.local_addr()?);
    tracing::info!(
        transport = config.broker.as_str(),
        descriptors,
        most_streams = config.streams.most,
        "serving"
    );
    serve(app, listener, shutdown).await?;
    Ok(ExitCode::SUCCESS)
}

/// Tells where to look; on a laptop also how to get in from elsewhere.
fn greet(config: &Config, app: &App, address: SocketAddr) {
    println!("Tidings serves http://{address}/");
    if config.access.is_open() {
        println!("Development: no keys are needed here. A token for the patient `demo`, for 12 hours:");
        println!("{}", app.dev_token());
    }
}

async fn cancel_on_signal(shutdown: CancellationToken) {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return tracing::error!("signals cannot be heard: stop this process by force");
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("going down: streams are told to come back");
    shutdown.cancel();
}
