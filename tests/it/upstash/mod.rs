//! The client of Upstash's REST API against a server that answers as a test says.

mod client;
mod failures;
mod front;
mod subscription;
