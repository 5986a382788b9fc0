//! What the tests stand on: a real server process, and a viewer that reads its streams.

pub mod browser;
pub mod cutter;
pub mod documents;
pub mod half_upload;
pub mod ocr;
pub mod queue;
pub mod random;
pub mod redis;
pub mod server;
pub mod tokens;
pub mod viewer;

pub use browser::Browser;
pub use cutter::Cutter;
pub use queue::Queue;
pub use redis::{Redis, RedisRest};
pub use server::Server;
pub use viewer::{Message, Viewer};
