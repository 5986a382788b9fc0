//! Viewers' tokens, signed as an operator's own backend signs them.

use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde_json::{Value, json};

pub const SECRET: &str = "a secret that only the tests know, 32+";
pub const SERVICE_KEY: &str = "service-key-of-the-tests";

/// The environment of a server that lets nobody in without a key or a token.
pub const KEYS: [(&str, &str); 2] = [("AUTH_JWT_SECRET", SECRET), ("INTERNAL_API_KEY", SERVICE_KEY)];

/// `KEYS` and more.
pub fn keys_and<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    KEYS.iter().chain(more).copied().collect()
}

/// Signs any claims.
pub fn sign(claims: &Value) -> String {
    sign_with(SECRET, claims)
}

/// Signs any claims with any secret.
pub fn sign_with(secret: &str, claims: &Value) -> String {
    encode(&Header::new(Algorithm::HS256), claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
}

/// Reads the claims of a token that the server signed with `SECRET`.
pub fn claims(token: &str) -> Value {
    let key = DecodingKey::from_secret(SECRET.as_bytes());
    decode(token, &key, &Validation::new(Algorithm::HS256)).unwrap().claims
}

/// A token for channels that lasts an hour.
pub fn viewer(channels: &[&str]) -> String {
    sign(&json!({ "exp": in_seconds(3_600), "channels": channels }))
}

/// The time so many seconds from now, since the Unix epoch.
pub fn in_seconds(seconds: i64) -> u64 {
    now().saturating_add_signed(seconds)
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}
