//! Tells deliveries of QStash from forgeries.
//!
//! The signature is a JWT over the destination and the body's hash, HS256. Two surprises: the key is
//! the text `sig_…` as it stands, not decoded; and paddings of the hash differ, so none is compared.
//! Source: <https://upstash.com/docs/qstash/howto/signature>.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::clock::Clock;

/// The header a delivery's signature comes in.
pub const SIGNATURE_HEADER: &str = "upstash-signature";

const ISSUER: &str = "Upstash";
/// How far clocks may differ, in seconds: a signature holds from the very second it is made.
const LEEWAY: u64 = 5;

/// Checks signatures of deliveries with the current key, then the next.
pub struct Receiver {
    keys: [DecodingKey; 2],
    clock: Clock,
}

/// Tells why a delivery is not taken for one of QStash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// There is no signature.
    #[error("the header Upstash-Signature is missing")]
    Missing,
    /// No key of ours made it, or it is no HS256 signature at all.
    #[error("no signing key of ours made the signature")]
    Foreign,
    /// Another issuer made it.
    #[error("the signature is not issued by Upstash")]
    Issuer,
    /// It is for another URL.
    #[error("the signature is for another URL; PUBLIC_URL must be the one the queue was told")]
    Url,
    /// The body is another one.
    #[error("the body is not the one that was signed")]
    Body,
    /// It holds from later on: a clock is wrong.
    #[error("the signature holds only in {0} s: this server's clock is behind")]
    NotYet(u64),
    /// It has ended: the delivery is old, or a clock is wrong.
    #[error("the signature ended {0} s ago: the delivery is old, or this server's clock is ahead")]
    Ended(u64),
}

/// A signature that holds, of which the body is still to be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authentic {
    digest: String,
}

#[derive(Clone, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    exp: u64,
    nbf: u64,
    body: String,
}

impl Receiver {
    /// Makes a receiver of the two signing keys.
    #[must_use]
    pub fn new(current: &SecretString, next: &SecretString, clock: Clock) -> Self {
        let key = |key: &SecretString| DecodingKey::from_secret(key.expose_secret().as_bytes());
        Self { keys: [key(current), key(next)], clock }
    }

    /// Checks a delivery: its signature, the URL it was published to, and its body as it came.
    ///
    /// # Errors
    /// [`SignatureError`] says what does not hold.
    pub fn verify(&self, signature: Option<&str>, url: &str, body: &[u8]) -> Result<(), SignatureError> {
        self.verify_head(signature, url)?.verify_body(body)
    }

    /// Checks everything but the body, before it is read.
    ///
    /// # Errors
    /// [`SignatureError`] says what does not hold.
    #[cfg_attr(not(internals), doc(hidden))]
    pub fn verify_head(&self, signature: Option<&str>, url: &str) -> Result<Authentic, SignatureError> {
        let claims = self.claims(signature.ok_or(SignatureError::Missing)?)?;
        let now = self.clock.seconds();
        if claims.iss != ISSUER {
            return Err(SignatureError::Issuer);
        }
        if claims.nbf > now + LEEWAY {
            return Err(SignatureError::NotYet(claims.nbf - now));
        }
        if claims.exp + LEEWAY < now {
            return Err(SignatureError::Ended(now - claims.exp));
        }
        if claims.sub != url {
            return Err(SignatureError::Url);
        }
        Ok(Authentic { digest: claims.body })
    }

    fn claims(&self, signature: &str) -> Result<Claims, SignatureError> {
        let mut validation = Validation::new(Algorithm::HS256);
        // Times are checked against our own clock, and told apart.
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        let fits = |key| decode::<Claims>(signature, key, &validation).ok();
        self.keys.iter().find_map(fits).map(|data| data.claims).ok_or(SignatureError::Foreign)
    }
}

impl Authentic {
    /// Compares the body as it came with the one that was signed.
    ///
    /// # Errors
    /// [`SignatureError::Body`] when it is another one.
    pub fn verify_body(&self, body: &[u8]) -> Result<(), SignatureError> {
        let (told, own) = (self.digest.trim_end_matches('='), body_digest(body));
        if told.as_bytes().ct_eq(own.as_bytes()).into() { Ok(()) } else { Err(SignatureError::Body) }
    }
}

/// Gives the hash of a body as signatures hold it: SHA-256 in base64url, without padding.
#[must_use]
pub fn body_digest(body: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(body))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jsonwebtoken::{EncodingKey, Header, encode};
    use serde_json::{Value, json};

    use super::*;

    const URL: &str = "https://app.example/api/v1/webhooks/qstash/ocr?document_id=d1&attempt=1";
    const BODY: &[u8] = br#"{"status":200}"#;
    const NOW: u64 = 1_763_711_990;
    const CURRENT: &str = "sig_current";
    const NEXT: &str = "sig_next";

    fn receiver(now: u64) -> Receiver {
        let clock =
            Clock::FollowsTimers { started: tokio::time::Instant::now(), from: Duration::from_secs(now) };
        Receiver::new(&CURRENT.into(), &NEXT.into(), clock)
    }

    fn claims() -> Value {
        json!({
            "iss": "Upstash", "sub": URL, "iat": NOW, "nbf": NOW, "exp": NOW + 300, "jti": "jwt_1",
            "body": format!("{}=", body_digest(BODY)),
        })
    }

    fn signed(key: &str, claims: &Value) -> String {
        encode(&Header::new(Algorithm::HS256), claims, &EncodingKey::from_secret(key.as_bytes())).unwrap()
    }

    fn judged(token: &str) -> Result<(), SignatureError> {
        receiver(NOW).verify(Some(token), URL, BODY)
    }

    #[tokio::test]
    async fn both_keys_are_good_and_the_padding_does_not_matter() {
        let mut unpadded = claims();
        unpadded["body"] = body_digest(BODY).into();

        for key in [CURRENT, NEXT] {
            assert_eq!(judged(&signed(key, &claims())), Ok(()));
            assert_eq!(judged(&signed(key, &unpadded)), Ok(()));
        }
    }

    #[tokio::test]
    async fn what_is_not_as_signed_is_told_apart() {
        let changed = |name: &str, value: Value| {
            let mut claims = claims();
            claims[name] = value;
            signed(CURRENT, &claims)
        };
        let good = signed(CURRENT, &claims());
        let other_url = receiver(NOW).verify(Some(&good), &format!("{URL}1"), BODY);
        let other_body = receiver(NOW).verify(Some(&good), URL, br#"{"status":500}"#);

        assert_eq!(receiver(NOW).verify(None, URL, BODY), Err(SignatureError::Missing));
        assert_eq!(judged("no token"), Err(SignatureError::Foreign));
        assert_eq!(judged(&signed("sig_other", &claims())), Err(SignatureError::Foreign));
        assert_eq!(judged(&changed("iss", "Other".into())), Err(SignatureError::Issuer));
        assert_eq!(other_url, Err(SignatureError::Url));
        assert_eq!(other_body, Err(SignatureError::Body));
    }

    #[tokio::test]
    async fn only_hs256_is_a_signature() {
        let good = signed(CURRENT, &claims());
        let (_, rest) = good.split_once('.').unwrap();
        let (payload, _) = rest.split_once('.').unwrap();
        let with_header = |algorithm: &str, rest: &str| {
            let header = json!({ "alg": algorithm, "typ": "JWT" }).to_string();
            format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header))
        };
        let hs384 =
            encode(&Header::new(Algorithm::HS384), &claims(), &EncodingKey::from_secret(CURRENT.as_bytes()));

        for forged in [
            with_header("none", &format!("{payload}.")),
            with_header("none", rest),
            with_header("RS256", rest),
            hs384.unwrap(),
        ] {
            assert_eq!(judged(&forged), Err(SignatureError::Foreign), "{forged}");
        }
    }

    #[tokio::test]
    async fn clocks_may_differ_by_five_seconds_and_the_error_says_by_how_much_more() {
        let token = signed(CURRENT, &claims());
        let at = |now| receiver(now).verify(Some(&token), URL, BODY);

        assert_eq!(at(NOW - 5), Ok(()));
        assert_eq!(at(NOW - 90), Err(SignatureError::NotYet(90)));
        assert_eq!(at(NOW + 305), Ok(()));
        assert_eq!(at(NOW + 390), Err(SignatureError::Ended(90)));
    }
}
