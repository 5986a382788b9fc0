//! What the vendor's local server uses and publishes: no secrets, so never good enough for production.
//!
//! Source: <https://upstash.com/docs/qstash/howto/local-development>.

/// The token of the local server's default user.
pub const DEVELOPMENT_TOKEN: &str =
    "eyJVc2VySUQiOiJkZWZhdWx0VXNlciIsIlBhc3N3b3JkIjoiZGVmYXVsdFBhc3N3b3JkIn0=";

/// The keys the local server signs with: current, then next.
pub const DEVELOPMENT_KEYS: [&str; 2] =
    ["sig_7kYjw48mhY7kAjqNGcy6cr29RJ6r", "sig_5ZB6DVzB1wjE8S6rZ7eenA8Pdnhs"];
