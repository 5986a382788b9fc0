//! What operators see: logs, metrics and traces. None holds payloads, tokens or ids of people or documents.

mod board;
mod failures;
mod logs;
mod metrics;
mod stages;
mod traces;
mod vital;

pub use logs::{LogFormat, start_logs};
pub use traces::TraceParent;

#[cfg_attr(not(internals), doc(hidden))]
pub use {
    board::{Board, BoardFollow, BoardView},
    failures::{Failure, Failures},
    metrics::{
        CacheLabels, CacheMetrics, ChatMetrics, DirectionLabels, DocumentMetrics, DropReason, EventMetrics,
        KindLabels, Limit, LimitLabels, LimitMetrics, Metrics, OcrMetrics, OutcomeLabels, ReasonLabels,
        RedisMetrics, RequestMetrics, SourceLabels, SourceMetrics, SourceReading, SpanLoss, StageLabels,
        StateLabels, StreamMetrics, StreamOpen, TraceMetrics, VersionLabels,
    },
    stages::{StageClock, StageStep, Work, failure_code},
    traces::Traces,
    vital::{Reading, Vital},
};
