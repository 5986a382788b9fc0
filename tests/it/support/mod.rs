//! What the tests stand on: a real server process, and a viewer that reads its streams.

pub mod analyzer;
pub mod browser;
pub mod cutter;
pub mod documents;
pub mod follower;
pub mod gate;
pub mod half_upload;
pub mod nginx;
pub mod ocr;
pub mod otlp;
pub mod pgbouncer;
pub mod platform;
pub mod postgres;
pub mod program;
pub mod python;
pub mod queue;
pub mod random;
pub mod redis;
pub mod s3;
pub mod server;
pub mod tokens;
pub mod unprivileged;
pub mod viewer;

pub use browser::Browser;
pub use cutter::Cutter;
pub use follower::Follower;
pub use gate::{Gate, Mood};
pub use nginx::Nginx;
pub use pgbouncer::PgBouncer;
pub use platform::{Outside, Platform};
pub use postgres::{Database, Postgres};
pub use queue::Queue;
pub use redis::{Redis, RedisRest};
pub use s3::S3;
pub use server::Server;
pub use viewer::{Message, Viewer};
