//! The Vercel function: reads its settings and calls the library.

use std::process::ExitCode;

use tidings::{
    config::{Config, Variables},
    function,
    telemetry::start_logs,
};

fn main() -> ExitCode {
    // Before anything else: this child reads hostile files and must hold nothing but itself.
    if let Some(code) = tidings::answer_as_child() {
        return code;
    }
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tidings: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn serve() -> anyhow::Result<()> {
    let mut config = Config::read(&Variables::of_process())?;
    config.server.text_layer_program = Some(std::env::current_exe()?);
    start_logs(config.server.log_format, &config.server.log_filter);
    function::serve(config).await
}
