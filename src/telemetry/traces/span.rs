//! What an event looks like as a span, and a document's attempt as the root of its trace.

use std::time::SystemTime;

use opentelemetry::{
    InstrumentationScope, KeyValue,
    trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState},
};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use sha2::{Digest, Sha256};

use super::TraceParent;
use crate::{
    event::{Id, ProgressEvent, StepStatus},
    telemetry::stages::{StageStep, failure_code},
};

/// Where an event's span belongs.
struct Place {
    trace: TraceId,
    parent: SpanId,
    /// Whether the parent is a caller's span; if not, it is the root that we make.
    is_remote: bool,
}

/// Makes an event's span; behind the event that ends a document, the root of its trace as well.
pub(super) fn of(event: &ProgressEvent, step: &StageStep) -> Vec<SpanData> {
    if step.parent.as_ref().is_some_and(|parent| !parent.is_sampled()) {
        return Vec::new();
    }
    let place = Place::of(&event.document_id, step.attempt, step.parent.as_ref());
    let mut spans = vec![event_span(event, step, &place)];
    if event.is_terminal() && !place.is_remote {
        spans.push(root_span(event, step, &place));
    }
    spans
}

impl Place {
    /// Without a caller's trace the ids come from the document and its attempt: any process that
    /// emits for them puts its spans into the same trace.
    fn of(document: &Id, attempt: u32, parent: Option<&TraceParent>) -> Self {
        match parent {
            Some(parent) => Self { trace: parent.trace_id(), parent: parent.span_id(), is_remote: true },
            None => {
                let hash = hash(&["trace", document.as_str(), &attempt.to_string()]);
                Self { trace: TraceId::from_bytes(first(&hash)), parent: root_id(&hash), is_remote: false }
            }
        }
    }

    /// A publisher's retry under the same event id is the same span.
    fn span_id(&self, event: &ProgressEvent) -> SpanId {
        let event_id = event.event_id.as_ref().map_or("", Id::as_str);
        SpanId::from_bytes(first(&hash(&["span", &self.trace.to_string(), event_id])))
    }
}

fn root_id(hash: &[u8; 32]) -> SpanId {
    let mut id = [0; 8];
    id.copy_from_slice(&hash[16..24]);
    SpanId::from_bytes(id)
}

fn hash(parts: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        // No id holds a NUL, so no two rows of parts read the same.
        hash.update([0]);
    }
    hash.finalize().into()
}

fn first<const N: usize>(hash: &[u8; 32]) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&hash[..N]);
    bytes
}

fn event_span(event: &ProgressEvent, step: &StageStep, place: &Place) -> SpanData {
    let percent = event.percent.unwrap_or_else(|| match event.status {
        StepStatus::Completed => event.stage.percent(),
        _ => event.stage.percent_under_way(),
    });
    let mut attributes = vec![
        KeyValue::new("tidings.stage", event.stage.as_str()),
        KeyValue::new("tidings.status", event.status.as_str()),
        KeyValue::new("tidings.percent", i64::from(percent)),
        KeyValue::new("tidings.attempt", i64::from(step.attempt)),
    ];
    if let Some(id) = &event.event_id {
        attributes.push(KeyValue::new("tidings.event_id", id.to_string()));
    }
    let began = step.began.unwrap_or(step.at).min(step.at);
    SpanData {
        span_context: context(place.trace, place.span_id(event)),
        parent_span_id: place.parent,
        parent_span_is_remote: place.is_remote,
        name: event.stage.as_str().into(),
        start_time: began.into(),
        attributes,
        ..blank(event, step.at.into())
    }
}

fn root_span(event: &ProgressEvent, step: &StageStep, place: &Place) -> SpanData {
    SpanData {
        span_context: context(place.trace, place.parent),
        parent_span_id: SpanId::INVALID,
        name: "document".into(),
        start_time: step.attempt_began.min(step.at).into(),
        attributes: vec![
            KeyValue::new("tidings.status", event.status.as_str()),
            KeyValue::new("tidings.attempt", i64::from(step.attempt)),
        ],
        ..blank(event, step.at.into())
    }
}

fn context(trace: TraceId, span: SpanId) -> SpanContext {
    SpanContext::new(trace, span, TraceFlags::SAMPLED, false, TraceState::NONE)
}

/// What all spans share.
fn blank(event: &ProgressEvent, at: SystemTime) -> SpanData {
    SpanData {
        span_context: SpanContext::NONE,
        parent_span_id: SpanId::INVALID,
        parent_span_is_remote: false,
        span_kind: SpanKind::Internal,
        name: "".into(),
        start_time: at,
        end_time: at,
        attributes: Vec::new(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: status(event),
        instrumentation_scope: InstrumentationScope::builder("tidings")
            .with_version(env!("CARGO_PKG_VERSION"))
            .build(),
    }
}

fn status(event: &ProgressEvent) -> Status {
    match event.status {
        StepStatus::Failed => Status::error(failure_code(event).unwrap_or_default().to_owned()),
        _ => Status::Unset,
    }
}
