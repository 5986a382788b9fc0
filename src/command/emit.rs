//! `tidings emit`: one progress event, through the configured broker or through a server.

use std::{process::ExitCode, sync::Arc};

use anyhow::{Context, bail};
use clap::Args;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use url::Url;

use super::tail::local_server;
use crate::{
    broker::{Broker, Publication, UpstashBroker},
    clock::Clock,
    config::{BrokerConfig, Config, UpstashConfig},
    event::{Channel, Id, ProgressEvent, Stage, StepStatus},
    telemetry::Metrics,
    upstash::RedisRest,
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
    /// A server [default: Redis where it is configured, else the local server, on HOST and PORT]
    #[arg(long)]
    url: Option<Url>,
}

pub(super) async fn run(config: &Config, arguments: EmitArguments) -> anyhow::Result<ExitCode> {
    let EmitArguments { patient, url, .. } = &arguments;
    let event = arguments.event();
    let answer = match (url, &config.broker) {
        (None, BrokerConfig::Upstash(upstash)) => publish(config, upstash, patient, event).await?,
        _ => post(config, url.as_ref(), patient, &event).await?,
    };
    println!("{answer}");
    Ok(ExitCode::SUCCESS)
}

/// Publishes through Redis, as any producer may: no server has to be there.
async fn publish(
    config: &Config,
    upstash: &UpstashConfig,
    patient: &Id,
    mut event: ProgressEvent,
) -> anyhow::Result<Value> {
    let metrics = Arc::new(Metrics::default());
    let redis = RedisRest::new(upstash.url.clone(), upstash.token.clone(), Arc::clone(&metrics));
    let channel = Channel::documents(patient.clone());
    let event_id = event.stamp(Clock::System.now());
    let publication = Publication { channel, payload: event.to_payload()? };
    let settings = upstash.broker_settings(config.streams.event_time_to_live);
    let broker = UpstashBroker::new(redis, Clock::System, metrics, settings);
    let published = broker.publish(&[publication]).await.pop();
    published.context("publish one event")?.context("publish over UPSTASH_REDIS_REST_URL")?;
    Ok(json!({ "event_id": event_id, "stored": true }))
}

/// Posts to a server, which knows how many watch.
async fn post(
    config: &Config,
    url: Option<&Url>,
    patient: &Id,
    event: &ProgressEvent,
) -> anyhow::Result<Value> {
    let server = url.cloned().map_or_else(|| local_server(config), Ok)?;
    let mut body = json!(event);
    body["patient_id"] = json!(patient);
    let mut request = reqwest::Client::new().post(server.join("/api/v1/progress")?).json(&body);
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
    Ok(answer)
}

impl EmitArguments {
    fn event(&self) -> ProgressEvent {
        let status = self.status.unwrap_or(self.stage.default_status());
        ProgressEvent {
            percent: self.percent,
            detail: self.detail.clone(),
            ..ProgressEvent::new(self.document.clone(), self.stage).with_status(status)
        }
    }
}
