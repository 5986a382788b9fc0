//! What operators see: logs and metrics. Neither holds ids, payloads or tokens.

mod logs;
mod metrics;
mod stages;

pub use logs::{LogFormat, start_logs};
pub use metrics::{
    DirectionLabels, DocumentMetrics, DropReason, EventMetrics, KindLabels, Metrics, OutcomeLabels,
    ReasonLabels, RedisMetrics, RequestMetrics, SourceLabels, SourceMetrics, StageLabels, StateLabels,
    StreamMetrics, StreamOpen, VersionLabels,
};
pub use stages::{StageClock, StageStep, Work};
