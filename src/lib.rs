//! Live progress for long-running work, from any pipeline to any browser.
//!
//! An event flows one way through the rooms of this crate:
//!
//! - [`event`]: the vocabulary: channels, positions, progress; parsed once, safe from then on
//! - [`broker`]: how an event crosses processes, and the emitter that hands it over
//! - [`hub`]: fan-out inside one process: one upstream, a shared ring per channel
//! - [`chat`]: messages of cases: stored, emitted, and read as the second source of chats
//! - [`documents`]: the second source: statuses, and the pipeline that moves them
//! - [`stream`]: what one viewer sees, in order, from snapshot to `done`
//! - [`http`]: routes, access, Server-Sent Events, the page
//!
//! [`cache`] keeps what was read for a while, [`config`] reads settings, [`limits`] says who has had enough,
//! [`telemetry`] writes logs and metrics, [`upstash`] talks to Redis and QStash over REST, [`redis_rest`] gives any Redis that REST,
//! [`qstash_dev`] is a queue like QStash for a laptop, [`command`] is the command line. [`run`] serves all of
//! it behind a listener, [`function`] on Vercel; [`App`] gives the router to mount elsewhere.
//!
//! For other crates are [`App`], [`run`], [`serve`], [`migrate`], [`bind`], [`config`], [`event`], [`telemetry::start_logs`], the
//! emitter in [`broker`] and the chats in [`chat`]: they follow Semantic Versioning. The rest is public for this
//! project's own tests and tools, and may change in any version.
#![forbid(unsafe_code)]

mod app;
pub mod broker;
pub mod cache;
pub mod chat;
pub mod clock;
pub mod command;
pub mod config;
pub mod documents;
pub mod event;
pub mod function;
pub mod http;
pub mod hub;
pub mod limits;
pub mod qstash_dev;
pub mod redis_rest;
mod server;
pub mod stream;
pub mod telemetry;
pub mod upstash;

pub use app::{App, migrate, run, serve};
pub use server::{bind, raise_descriptor_limit};
