//! The clients of Upstash's REST APIs against a server that answers as a test says.

mod client;
mod failures;
mod front;
mod qstash;
mod subscription;
