//! Live progress for long-running work, from any pipeline to any browser, over Server-Sent Events.
//!
//! As a program `tidings` serves it all; as a library it puts the same routes beside yours, and your work emits without
//! HTTP in between:
//!
//! ```no_run
//! use std::{net::SocketAddr, process::ExitCode};
//!
//! use tidings::{
//!     App,
//!     config::{Config, Variables},
//!     event::{Id, ProgressEvent, Stage},
//! };
//! use tokio::net::TcpListener;
//! use tokio_util::sync::CancellationToken;
//!
//! fn main() -> anyhow::Result<ExitCode> {
//!     if let Some(code) = tidings::answer_as_child() {
//!         return Ok(code);
//!     }
//!     serve()
//! }
//!
//! #[tokio::main]
//! async fn serve() -> anyhow::Result<ExitCode> {
//!     let mut config = Config::read(&Variables::of_process())?;
//!     config.server.text_layer_program = Some(std::env::current_exe()?);
//!     let shutdown = CancellationToken::new();
//!     let app = App::start(&config, shutdown.clone()).await?;
//!     app.resume().await?;
//!
//!     let (patient, letter) = (Id::parse("p1")?, Id::parse("letter-7")?);
//!     app.emitter().emit_progress(&patient, ProgressEvent::new(letter, Stage::OcrStarted).with_percent(30));
//!
//!     let routes = axum::Router::new().merge(app.router()); // with yours
//!     let listener = TcpListener::bind(config.server.address()).await?;
//!     let serving = axum::serve(listener, routes.into_make_service_with_connect_info::<SocketAddr>());
//!     serving.with_graceful_shutdown(async move {
//!         let _ = tokio::signal::ctrl_c().await;
//!         shutdown.cancel(); // streams end, else the server would wait for them
//!     }).await?;
//!     app.finish().await;
//!     Ok(ExitCode::SUCCESS)
//! }
//! ```
//!
//! `examples/embed.rs` is such a program, `docs/rust.md` says what to watch for.
//!
//! - [`App`]: the parts of a server, its routes, its emitter and its chats; [`run`] and [`serve`] put one behind a listener
//! - [`config`]: settings, from the environment or from pairs of your own
//! - [`event`]: the vocabulary: ids, channels, stages, progress; parsed once, safe from then on
//! - [`broker`]: the [`Emitter`](broker::Emitter), which hands events over in the background
//! - [`chat`]: messages and answers in the chats of cases
//! - [`telemetry`]: logs, and traces of your own that a document's spans go under
//! - [`upstash`]: checks what QStash has signed, for a worker in Rust; [`clock`]: the time it does so by
//!
//! What is documented here follows Semantic Versioning. It will grow: what is marked as non-exhaustive is made by
//! its constructor or by reading settings, and matched with an arm for the rest. Public types of other crates that are part
//! of it: axum's `Router`, tokio's `TcpListener`, tokio-util's `CancellationToken`, `serde_json::Value`, `bytes::Bytes`, `chrono::DateTime`,
//! `url::Url`, secrecy's `SecretString`, `anyhow::Error`.
//!
//! Everything else is public for this project's own programs and tests, is not shown, and may change in any version:
//! `docs/architecture.md` tells of it, `make internals` documents it.
#![forbid(unsafe_code)]
#![warn(missing_docs, clippy::missing_errors_doc)]

mod app;
pub mod broker;
pub mod chat;
pub mod clock;
pub mod config;
pub mod event;
mod opaque;
mod server;
pub mod telemetry;
pub mod upstash;

#[cfg_attr(not(internals), doc(hidden))]
pub mod cache;
#[cfg_attr(not(internals), doc(hidden))]
pub mod command;
#[cfg_attr(not(internals), doc(hidden))]
pub mod documents;
#[cfg_attr(not(internals), doc(hidden))]
pub mod function;
#[cfg_attr(not(internals), doc(hidden))]
pub mod http;
#[cfg_attr(not(internals), doc(hidden))]
pub mod hub;
#[cfg_attr(not(internals), doc(hidden))]
pub mod limits;
#[cfg_attr(not(internals), doc(hidden))]
pub mod qstash_dev;
#[cfg_attr(not(internals), doc(hidden))]
pub mod redis_rest;
#[cfg_attr(not(internals), doc(hidden))]
pub mod stream;

pub use app::{App, migrate, run, serve};
pub use documents::text_layer::answer_as_child;
pub use server::{bind, raise_descriptor_limit};
