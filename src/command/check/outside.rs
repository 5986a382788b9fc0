//! Parts that work for this server, and whether they reach it: the queue, the OCR worker, the analyzer, the
//! receiver of traces.

use std::time::{Duration, Instant};

use reqwest::{Client, RequestBuilder, StatusCode, redirect::Policy};
use secrecy::ExposeSecret;

use super::{Fault, Found, chain};
use crate::{
    config::{AnalyzerConfig, OcrConfig, TracesConfig},
    documents::analysis::HttpAnalyzer,
    upstash::{QStash, QStashError, SigningKeys},
};

/// How long an answer may take.
const WITHIN: Duration = Duration::from_secs(10);

/// Asks the queue for its keys: it takes the token, and deliveries will be signed with ours.
pub(super) async fn queue(config: Option<&OcrConfig>) -> Result<String, Fault> {
    let Some(config) = config else { return Ok("off: OCR_URL is not set".into()) };
    let host = config.queue.host_str().unwrap_or_default();
    let keys = QStash::new(config.queue.clone(), config.token.clone()).signing_keys().await;
    let keys = keys.map_err(queue_fault)?;
    if !signs_with_ours(&keys, config) {
        let what = format!("the queue at {host} signs with other keys");
        let cure = "set both signing keys anew, as its page shows them";
        return Err(Fault::new("QSTASH_CURRENT_SIGNING_KEY, QSTASH_NEXT_SIGNING_KEY", what).cured_by(cure));
    }
    Ok(format!("queue at {host}: takes the token and signs with the keys set here"))
}

fn queue_fault(error: QStashError) -> Fault {
    let (variable, cure) = match error {
        QStashError::Auth => ("QSTASH_TOKEN", "take the token of this region from the page of the queue"),
        QStashError::Quota => ("QSTASH_URL", "raise the plan, or wait until the quota begins anew"),
        _ => ("QSTASH_URL", "is it the URL of your region, and does this machine reach it?"),
    };
    Fault::new(variable, chain(error)).cured_by(cure)
}

/// Right after the keys were rolled, the queue's current one is our next.
fn signs_with_ours(keys: &SigningKeys, config: &OcrConfig) -> bool {
    let current = keys.current.expose_secret();
    [&config.current_key, &config.next_key].iter().any(|own| own.expose_secret() == current)
}

/// Knocks at the worker. What it says to a stranger is its own affair, as long as it is there.
pub(super) async fn worker(config: &OcrConfig) -> Result<String, Fault> {
    let host = config.worker.host_str().unwrap_or_default();
    let fault = |what: String| {
        let cure = "start the worker, or set the URL by which the queue reaches it";
        Fault::new("OCR_URL", what).cured_by(cure)
    };
    let (status, took) = knock(client().get(config.worker.clone())).await.map_err(fault)?;
    if status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED {
        return Err(fault(format!("{host} answers {status}")));
    }
    Ok(format!("{host}: is there, in {took} ms"))
}

/// Looks whether this server is there under the name it goes by. It may not run yet, or be hidden from itself.
pub(super) async fn callbacks(config: &OcrConfig) -> Found {
    let unsure = |what: String| {
        let cure = "start the server, or set the URL by which the queue and the worker reach it";
        Found::Unsure(Fault::new("PUBLIC_URL", what).cured_by(cure))
    };
    match knock(client().get(format!("{}/healthz", config.public_url))).await {
        Ok((StatusCode::OK, took)) => {
            Found::Good(format!("{}: this server is there, in {took} ms", config.public_url))
        }
        Ok((status, _)) => unsure(format!("{}/healthz answers {status}", config.public_url)),
        Err(what) => unsure(what),
    }
}

/// Asks about a text that is no patient's.
pub(super) async fn analyzer(config: Option<&AnalyzerConfig>) -> Result<String, Fault> {
    let Some(config) = config else { return Ok("the rules of this program: nothing to connect to".into()) };
    let analyzer = HttpAnalyzer::new(config.url.clone(), config.token.clone(), config.answer_within);
    let began = Instant::now();
    let asked = analyzer.ask("A test of Tidings: this text is no patient's and says nothing.").await;
    asked.map_err(|error| {
        let (variable, cure) = if error.is_about_the_token() {
            ("ANALYZER_TOKEN", "set the token that the analyzer takes")
        } else {
            ("ANALYZER_URL", "is it up, and does it answer findings as docs/analyzer.md shows them?")
        };
        Fault::new(variable, error).cured_by(cure)
    })?;
    let host = config.url.host_str().unwrap_or_default();
    Ok(format!("{host}: answers in {} ms", began.elapsed().as_millis()))
}

/// Sends no spans at all: an empty message of OTLP has no bytes.
pub(super) async fn traces(config: &TracesConfig) -> Result<String, Fault> {
    let host = config.endpoint.host_str().unwrap_or_default();
    let request = client().post(config.endpoint.clone()).header("content-type", "application/x-protobuf");
    let request = config
        .headers
        .iter()
        .fold(request, |request, (name, value)| request.header(name, value.expose_secret()));
    let endpoint = |what: String| {
        let cure = "it has to be the base URL of an OTLP/HTTP receiver, as a rule on port 4318";
        Fault::new("OTEL_EXPORTER_OTLP_ENDPOINT", what).cured_by(cure)
    };
    match knock(request).await.map_err(endpoint)? {
        (status, took) if status.is_success() => Ok(format!("{host}: takes spans, in {took} ms")),
        (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _) => {
            let fault = Fault::new("OTEL_EXPORTER_OTLP_HEADERS", format!("{host} does not accept them"));
            Err(fault.cured_by("set the header its documentation names, as a rule Authorization"))
        }
        (status, _) => Err(endpoint(format!("{host} answers {status}"))),
    }
}

fn client() -> Client {
    Client::builder().redirect(Policy::none()).timeout(WITHIN).build().expect("TLS is built in")
}

/// Gives the status and the milliseconds it took; an error shows no URL, which may hold a secret.
async fn knock(request: RequestBuilder) -> Result<(StatusCode, u128), String> {
    let began = Instant::now();
    let answer = request.send().await;
    let answer = answer.map_err(|error| chain(error.without_url()))?;
    Ok((answer.status(), began.elapsed().as_millis()))
}
