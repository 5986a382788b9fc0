//! The Vercel function: the same router behind the platform's own bridge.

use std::process::ExitCode;

use tidings::{
    App,
    config::{Config, Variables},
    documents::text_layer,
    telemetry::start_logs,
};
use tokio_util::sync::CancellationToken;
use tower::ServiceBuilder;
use vercel_runtime::{Error, axum::VercelLayer};

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(text_layer::CHILD_COMMAND) {
        return text_layer::run_child();
    }
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn serve() -> Result<(), Error> {
    let mut config = Config::read(&Variables::of_process())?;
    config.server.text_layer_program = Some(std::env::current_exe()?);
    start_logs(config.server.log_format, &config.server.log_filter);
    let app = App::start(&config, CancellationToken::new()).await?;
    let service = ServiceBuilder::new().layer(VercelLayer::new()).service(app.router());
    vercel_runtime::run(service).await
}
