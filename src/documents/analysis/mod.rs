//! Owns finding what a document says: its type, diagnoses, medications, lab values and dates.
//!
//! `rules` finds it here, by tables.

mod findings;
mod rules;

pub use findings::{Diagnosis, DocumentType, Findings, Flag, FlagSource, LabValue, Medication};
pub use rules::analyze;
