//! Signs deliveries as QStash does.

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use uuid::Uuid;

use crate::{clock::Clock, upstash::body_digest};

/// How long a signature holds, in seconds.
const HOLDS_FOR: u64 = 300;

/// Signs with one key. The key is the text `sig_…` as it stands.
pub struct Signer {
    key: EncodingKey,
    clock: Clock,
}

impl Signer {
    /// Makes a signer of a signing key.
    #[must_use]
    pub fn new(key: &SecretString, clock: Clock) -> Self {
        Self { key: EncodingKey::from_secret(key.expose_secret().as_bytes()), clock }
    }

    /// Signs the delivery of `body` to `url`; it holds for five minutes from now on.
    #[must_use]
    pub fn sign(&self, url: &str, body: &[u8]) -> String {
        let now = self.clock.seconds();
        // The vendor pads the hash, and its clients do not mind either way.
        let padded = format!("{}=", body_digest(body));
        let claims = json!({
            "iss": "Upstash", "sub": url, "iat": now, "nbf": now, "exp": now + HOLDS_FOR,
            "jti": format!("jwt_{}", Uuid::new_v4().simple()), "body": padded,
        });
        encode(&Header::new(Algorithm::HS256), &claims, &self.key).expect("claims always serialize")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstash::Receiver;

    #[test]
    fn the_receiver_takes_what_is_signed() {
        let (current, next) = ("sig_a".into(), "sig_b".into());
        let url = "http://127.0.0.1:8080/callback?document_id=d1&attempt=1";
        let receiver = Receiver::new(&current, &next, Clock::System);

        for key in [&current, &next] {
            let signature = Signer::new(key, Clock::System).sign(url, b"body");
            assert_eq!(receiver.verify(Some(&signature), url, b"body"), Ok(()));
        }
    }
}
