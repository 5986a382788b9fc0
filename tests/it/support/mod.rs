//! What the tests stand on: a real server process, and a viewer that reads its streams.

pub mod documents;
pub mod server;
pub mod viewer;

pub use server::Server;
pub use viewer::{Message, Viewer};
