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

pub use qstash::{Receiver, SIGNATURE_HEADER, SignatureError};

#[cfg_attr(not(internals), doc(hidden))]
pub use {
    command::{Argument, Command},
    error::RedisError,
    qstash::{
        Authentic, DEVELOPMENT_KEYS, DEVELOPMENT_TOKEN, Message, Published, QStash, QStashError, SigningKeys,
        body_digest,
    },
    redis::RedisRest,
    reply::Reply,
    subscription::Subscription,
};
