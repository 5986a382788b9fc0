//! What operators see: logs, metrics and traces. None holds payloads, tokens or ids of people or documents.

mod logs;
mod metrics;
mod stages;
mod traces;

pub use logs::{LogFormat, start_logs};
pub use metrics::{
    DirectionLabels, DocumentMetrics, DropReason, EventMetrics, KindLabels, Metrics, OutcomeLabels,
    ReasonLabels, RedisMetrics, RequestMetrics, SourceLabels, SourceMetrics, SpanLoss, StageLabels,
    StateLabels, StreamMetrics, StreamOpen, TraceMetrics, VersionLabels,
};
pub use stages::{StageClock, StageStep, Work};
pub use traces::{TraceParent, Traces};
