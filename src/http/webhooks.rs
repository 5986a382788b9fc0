//! `POST /api/v1/webhooks/qstash/ocr` and `…/failure`: the queue tells what OCR said.
//!
//! The queue delivers at least once, in any order, and tries again whatever is not a 2xx. So what no
//! repeat can cure is answered 489, and what a repeat may cure never is.

mod callback;
mod delivery;

use std::sync::Arc;

use axum::{
    Json,
    body::Body,
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use self::delivery::{Kind, Unusable, read_delivery};
use super::{
    Shared, file_links::SignedFileLinks, openapi::Refusal, problem::Problem, progress::trace_parent,
    uploads::store_failed,
};
use crate::{
    clock::Clock,
    config::OcrConfig,
    documents::ocr::{DeliveryOutcome, OcrAddresses, Receipt},
    upstash::{Receiver, SIGNATURE_HEADER, SignatureError},
};

pub(super) const CALLBACK_PATH: &str = "/api/v1/webhooks/qstash/ocr";
pub(super) const FAILURE_PATH: &str = "/api/v1/webhooks/qstash/failure";
/// Largest delivery in bytes: what the platforms take that a function runs on.
pub(super) const MAX_DELIVERY_BYTES: usize = 4_500_000;
/// The answer that makes the queue give a message up.
const NOT_RETRYABLE: u16 = 489;
const NOT_RETRYABLE_HEADER: (&str, &str) = ("upstash-nonretryable-error", "true");

/// The door through which the queue and the worker come in.
pub struct OcrDoor {
    receiver: Receiver,
    public_url: String,
    pub(super) links: Arc<SignedFileLinks>,
}

impl OcrDoor {
    /// Makes the door that `config` describes.
    #[must_use]
    pub fn new(config: &OcrConfig, links: Arc<SignedFileLinks>, clock: Clock) -> Self {
        let receiver = Receiver::new(&config.current_key, &config.next_key, clock);
        Self { receiver, public_url: config.public_url.clone(), links }
    }

    /// Gives the URL a delivery was published to: the Host that came may be a proxy's.
    fn url(&self, path: &str, query: Option<&str>) -> String {
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        format!("{}{path}{query}", self.public_url)
    }
}

/// Tells where the queue and the worker reach a server.
#[must_use]
pub fn ocr_addresses(config: &OcrConfig) -> OcrAddresses {
    let own = |path: &str| format!("{}{path}", config.public_url);
    OcrAddresses {
        worker: config.worker.to_string(),
        callback: own(CALLBACK_PATH),
        failure_callback: own(FAILURE_PATH),
        progress: own("/api/v1/progress"),
    }
}

/// What came of a delivery.
#[derive(Serialize, ToSchema)]
struct DeliveryAnswer {
    outcome: &'static str,
}

/// Takes the worker's answer, or the news that a try failed.
#[utoipa::path(
    post,
    path = CALLBACK_PATH,
    tag = "queue",
    params(
        ("Upstash-Signature" = String, Header, description = "The queue signs each delivery"),
        ("traceparent" = Option<String>, Header, description = "The trace of the document's caller, as the queue was told it"),
    ),
    request_body(content = Object, description = "As the queue delivers it, at most 4,500,000 bytes"),
    responses(
        (status = 200, description = "Taken", body = DeliveryAnswer),
        (status = 400, response = Refusal),
        (status = 401, response = Refusal),
        (status = 404, response = Refusal),
        (status = 489, response = Refusal),
        (status = 503, response = Refusal),
    )
)]
pub(super) async fn callback(
    State(parts): State<Shared>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Response {
    receive(&parts, Kind::Callback, query.as_deref(), &headers, body).await
}

/// Takes the news that every try failed.
#[utoipa::path(
    post,
    path = FAILURE_PATH,
    tag = "queue",
    params(
        ("Upstash-Signature" = String, Header, description = "The queue signs each delivery"),
        ("traceparent" = Option<String>, Header, description = "The trace of the document's caller, as the queue was told it"),
    ),
    request_body(content = Object, description = "As the queue delivers it, at most 4,500,000 bytes"),
    responses(
        (status = 200, description = "Taken", body = DeliveryAnswer),
        (status = 400, response = Refusal),
        (status = 401, response = Refusal),
        (status = 404, response = Refusal),
        (status = 489, response = Refusal),
        (status = 503, response = Refusal),
    )
)]
pub(super) async fn failure(
    State(parts): State<Shared>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Response {
    receive(&parts, Kind::Failure, query.as_deref(), &headers, body).await
}

async fn receive(
    parts: &Shared,
    kind: Kind,
    query: Option<&str>,
    headers: &HeaderMap,
    body: Body,
) -> Response {
    let Some(door) = &parts.ocr else {
        return Problem::not_found("OCR is not set up here: OCR_URL is not set.").into_response();
    };
    let signature = headers.get(SIGNATURE_HEADER).map(|value| value.to_str().unwrap_or_default());
    let authentic = match door.receiver.verify_head(signature, &door.url(kind.path(), query)) {
        Ok(authentic) => authentic,
        Err(error) => return unsigned(parts, error),
    };
    let trace = trace_parent(headers);
    match read_delivery(kind, query, body, &authentic).await {
        Ok(delivery) => match parts.pipeline.take_delivery(delivery, trace).await {
            Ok(receipt) => taken(parts, receipt),
            Err(error) => {
                parts.metrics.ocr_delivered("store_down");
                store_failed(error).into_response()
            }
        },
        Err(Unusable::Signature(error)) => unsigned(parts, error),
        Err(Unusable::Interrupted) => {
            Problem::bad_request("The delivery did not arrive whole.").into_response()
        }
        Err(Unusable::Final { words, ends }) => {
            parts.metrics.ocr_delivered("unusable");
            tracing::warn!(why = words, "a delivery of the queue is of no use");
            // The queue will not come again: the document must not wait for it.
            if let Some(delivery) = ends
                && let Err(error) = parts.pipeline.take_delivery(*delivery, trace).await
            {
                return store_failed(error).into_response();
            }
            not_retryable(words)
        }
    }
}

fn unsigned(parts: &Shared, error: SignatureError) -> Response {
    let is_clock = matches!(error, SignatureError::NotYet(_) | SignatureError::Ended(_));
    parts.metrics.ocr_delivered(if is_clock { "wrong_clock" } else { "unsigned" });
    match error {
        SignatureError::NotYet(seconds) => {
            tracing::warn!("a delivery was refused: the server's clock is {seconds} s behind the queue's");
        }
        error => tracing::warn!(%error, "a delivery was refused"),
    }
    Problem::unauthorized(format!("The delivery was refused: {error}.")).into_response()
}

fn taken(parts: &Shared, receipt: Receipt) -> Response {
    if receipt.outcome == DeliveryOutcome::Unknown {
        parts.metrics.ocr_delivered("unusable");
        return not_retryable("No document of this server has this document_id.");
    }
    parts.metrics.ocr_delivered(if receipt.is_repeat { "repeat" } else { receipt.outcome.as_str() });
    Json(DeliveryAnswer { outcome: receipt.outcome.as_str() }).into_response()
}

fn not_retryable(words: &'static str) -> Response {
    let status = StatusCode::from_u16(NOT_RETRYABLE).expect("three digits");
    ([NOT_RETRYABLE_HEADER], Problem::new(status, words)).into_response()
}
