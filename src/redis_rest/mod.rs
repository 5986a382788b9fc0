//! An Upstash-compatible REST front for any Redis, so that development and tests speak the
//! production wire.
//!
//! It owns that wire: request forms, access, what is refused, how replies are written. What a
//! command does is up to the Redis behind it. The surprise: all commands share one connection,
//! so whatever would block it or change its state is refused, as Upstash refuses it.

mod access;
mod availability;
mod backend;
mod command;
mod path;
mod refusal;
mod reply;
mod scripts;
mod server;
mod subscribe;

pub use backend::StartError;
pub use server::RedisFront;
