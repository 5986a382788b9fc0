//! What operators see: logs and metrics. Neither holds ids, payloads or tokens.

mod logs;
mod metrics;
mod vital;

pub use logs::{LogFormat, start_logs};
pub use metrics::{DropReason, EndLabels, Metrics, OutcomeLabels, ReasonLabels, SourceLabels, StreamOpen};
pub use vital::{Reading, Vital};
