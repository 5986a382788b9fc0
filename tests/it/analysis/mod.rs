//! What the analysis finds, and what becomes of documents while an analyzer of somebody else does it.

mod documents;
mod evaluation;
mod http;
