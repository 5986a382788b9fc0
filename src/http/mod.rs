//! The HTTP face: routes, access, Server-Sent Events, error answers and the page.
//!
//! [`router()`] shows every route on one screen. Nothing here knows SQL or Redis.

mod access;
mod body;
mod cors;
mod documents;
mod openapi;
mod operations;
mod ops;
mod page;
mod problem;
mod progress;
mod router;
mod sse;
mod stream;
mod tokens;
mod uploads;

use std::sync::Arc;

pub use access::{Access, Claims, Grant};
pub use problem::Problem;
pub use router::router;

use crate::{
    broker::Emitter,
    documents::{DocumentStore, Files, Pipeline, StatusReader},
    hub::Hub,
    stream::Streams,
    telemetry::{Board, Metrics},
};

/// What the routes work with.
pub struct Parts {
    /// Emits events.
    pub emitter: Emitter,
    /// Knows the viewers of this process.
    pub hub: Hub,
    /// Opens streams.
    pub streams: Streams,
    /// Reads statuses.
    pub statuses: StatusReader,
    /// Keeps documents.
    pub store: Arc<dyn DocumentStore>,
    /// Keeps files.
    pub files: Files,
    /// Works on documents.
    pub pipeline: Pipeline,
    /// Who may do what.
    pub access: Access,
    /// Pages of these hosts may read the answers.
    pub allowed_origins: Vec<String>,
    /// What operators look at.
    pub board: Board,
    /// Counts.
    pub metrics: Arc<Metrics>,
}

/// The parts, shared by all routes.
pub(crate) type Shared = Arc<Parts>;
