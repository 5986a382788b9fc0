//! Owns finding what a document says: its type, diagnoses, medications, lab values and dates.
//!
//! An [`Analyzer`] finds it: [`RuleAnalyzer`] here, by `rules` and tables, or [`HttpAnalyzer`] somewhere else.

mod analyzer;
mod findings;
mod http;
mod rules;

pub use analyzer::{Analyzer, AnalyzerError, RuleAnalyzer};
pub use findings::{Diagnosis, DocumentType, Findings, Flag, FlagSource, LabValue, Medication};
pub use http::HttpAnalyzer;
pub use rules::analyze;
