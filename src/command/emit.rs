//! `tidings emit`: one progress event, through a server.

use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use url::Url;

use super::tail::local_server;
use crate::{
    config::Config,
    event::{Id, Stage, StepStatus},
};

#[derive(Args)]
pub(super) struct EmitArguments {
    /// Whose document
    #[arg(long)]
    patient: Id,
    /// The document
    #[arg(long)]
    document: Id,
    /// `upload_received`, `ocr_started`, `ocr_complete`, `analysis_started`, `analysis_complete` or `matching_complete`
    #[arg(long)]
    stage: Stage,
    /// started, `in_progress`, completed or failed; by stage when left out
    #[arg(long)]
    status: Option<StepStatus>,
    /// Percent of the whole way, 0 to 100
    #[arg(long)]
    percent: Option<u8>,
    /// One line for the patient, without health data
    #[arg(long)]
    detail: Option<String>,
    /// The server [default: the local one, on HOST and PORT]
    #[arg(long)]
    url: Option<Url>,
}

pub(super) async fn run(config: &Config, arguments: EmitArguments) -> anyhow::Result<ExitCode> {
    let server = arguments.url.clone().map_or_else(|| local_server(config), Ok)?;
    let mut request = reqwest::Client::new().post(server.join("/api/v1/progress")?).json(&body(&arguments));
    if let Some(key) = &config.access.internal_key {
        request = request.bearer_auth(key.expose_secret());
    }
    let answer =
        request.send().await.with_context(|| format!("reach {server} (is `tidings serve` running?)"))?;
    let status = answer.status();
    let answer: Value = answer.json().await.context("read the answer")?;
    if !status.is_success() {
        bail!("the server answered {status}: {}", answer["detail"].as_str().unwrap_or_default());
    }
    println!("{answer}");
    Ok(ExitCode::SUCCESS)
}

fn body(arguments: &EmitArguments) -> Value {
    let mut body = json!({
        "patient_id": arguments.patient,
        "document_id": arguments.document,
        "stage": arguments.stage,
    });
    if let Some(status) = arguments.status {
        body["status"] = json!(status);
    }
    if let Some(percent) = arguments.percent {
        body["percent"] = json!(percent);
    }
    if let Some(detail) = &arguments.detail {
        body["detail"] = json!(detail);
    }
    body
}
