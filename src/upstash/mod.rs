//! Talks to Upstash's two services: Redis, with commands as JSON over HTTPS and subscriptions as
//! Server-Sent Events; and QStash, which delivers messages and signs what it delivers.
//!
//! It knows commands, replies, limits and what a command costs; not what they are used for.
//! A surprise: an error of Redis may come with any status, even 200, so its words are read first.

mod billing;
mod command;
mod error;
mod qstash;
mod redis;
mod reply;
mod subscription;

pub use command::{Argument, Command};
pub use error::RedisError;
pub use qstash::{
    Authentic, DEVELOPMENT_KEYS, DEVELOPMENT_TOKEN, Message, Published, QStash, QStashError, Receiver,
    SIGNATURE_HEADER, SignatureError, SigningKeys, body_digest,
};
pub use redis::RedisRest;
pub use reply::Reply;
pub use subscription::Subscription;
