//! What the tests stand on: a real server process, and a viewer that reads its streams.

pub mod browser;
pub mod cutter;
pub mod documents;
pub mod gate;
pub mod half_upload;
pub mod otlp;
pub mod pgbouncer;
pub mod postgres;
pub mod program;
pub mod python;
pub mod random;
pub mod redis;
pub mod s3;
pub mod server;
pub mod tokens;
pub mod unprivileged;
pub mod viewer;

pub use browser::Browser;
pub use cutter::Cutter;
pub use gate::{Gate, Mood};
pub use pgbouncer::PgBouncer;
pub use postgres::{Database, Postgres};
pub use redis::{Redis, RedisRest};
pub use s3::S3;
pub use server::Server;
pub use viewer::{Message, Viewer};
