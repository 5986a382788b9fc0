//! Talks to Redis as Upstash serves it: commands as JSON over HTTPS, subscriptions as
//! Server-Sent Events.
//!
//! It knows commands, replies, limits and what a command costs; not what they are used for.
//! A surprise: an error may come with any status, even 200, so its words are read first.

mod billing;
mod command;
mod error;
mod redis;
mod reply;
mod subscription;

pub use command::{Argument, Command};
pub use error::RedisError;
pub use redis::RedisRest;
pub use reply::Reply;
pub use subscription::Subscription;
