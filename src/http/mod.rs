//! The HTTP face: routes, access, Server-Sent Events, error answers and the page.
//!
//! [`router()`] shows every route on one screen. Nothing here knows SQL or Redis.

mod access;
mod body;
mod built_in;
mod checklist;
mod chunk;
mod cors;
mod documents;
mod envelope;
mod events;
mod file_links;
mod gate;
mod health;
mod limits;
mod messages;
mod openapi;
mod operations;
mod ops;
mod page;
mod problem;
mod progress;
mod progress_batch;
mod router;
mod sse;
mod stream;
mod tokens;
mod uploads;
mod webhooks;

use std::sync::Arc;

pub use access::{Access, Claims, Grant};
pub use file_links::SignedFileLinks;
pub use health::Vitals;
pub use problem::Problem;
pub use router::router;
pub(crate) use sse::{OfferedStream, Told, encode_chunk};
pub(crate) use stream::stream_path;
pub use webhooks::{OcrDoor, ocr_addresses};

use crate::{
    broker::Emitter,
    chat::{Chat, Responder},
    documents::{DocumentStore, Files, Lookups, Pipeline, StatusReader},
    event::ChannelKind,
    hub::Hub,
    limits::Limits,
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
    /// Reads through the cache.
    pub lookups: Lookups,
    /// Keeps files.
    pub files: Files,
    /// Works on documents.
    pub pipeline: Pipeline,
    /// Lets the OCR queue and its worker in, where there is one.
    pub ocr: Option<OcrDoor>,
    /// Takes messages.
    pub chat: Chat,
    /// Answers patients' messages, where that is switched on.
    pub responder: Option<Responder>,
    /// Other kinds of work that may be followed.
    pub kinds: Vec<ChannelKind>,
    /// Who may do what.
    pub access: Access,
    /// Who has had enough.
    pub limits: Arc<Limits>,
    /// Pages of these hosts may read the answers.
    pub allowed_origins: Vec<String>,
    /// How this process does.
    pub vitals: Vitals,
    /// What operators look at.
    pub board: Board,
    /// Counts.
    pub metrics: Arc<Metrics>,
}

/// The parts, shared by all routes.
pub(crate) type Shared = Arc<Parts>;
