//! Who a request comes from, and what that covers.

use std::{borrow::Cow, time::Duration};

use axum::http::{HeaderMap, header};
use axum_extra::extract::CookieJar;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use secrecy::{ExposeSecret, SecretString};
use serde::{
    Deserialize, Serialize,
    de::{DeserializeOwned, IgnoredAny},
};
use subtle::ConstantTimeEq;

use super::problem::Problem;
use crate::{
    clock::Clock,
    config::AccessConfig,
    event::{Channel, ChannelKind, Id},
};

/// The cookie a viewer's token may come in.
const TOKEN_COOKIE: &str = "tidings_token";
/// The role of those who may look at everything but patients' data.
const OPERATOR: &str = "operator";
/// How far clocks may differ, in seconds.
const LEEWAY: u64 = 5;
/// How long a viewer may renew its token, from the first issue on.
const RENEWAL_ENDS_AFTER: Duration = Duration::from_secs(12 * 3_600);

/// Checks and issues credentials.
pub struct Access {
    encoding: EncodingKey,
    decoding: DecodingKey,
    internal_key: Option<SecretString>,
    is_open: bool,
    is_open_for_services: bool,
    clock: Clock,
}

/// What a viewer's token says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Claims {
    /// When it ends, in seconds since the Unix epoch.
    pub exp: u64,
    /// What it covers: channels, or `<kind>:*`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<String>,
    /// The patient whose documents it covers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub: Option<String>,
    /// The part the viewer plays. Default `patient`.
    #[serde(default = "default_role")]
    pub role: String,
    /// When the first of a row of renewed tokens was issued, in seconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_issued: Option<u64>,
}

fn default_role() -> String {
    "patient".into()
}

/// What a file's signed upload URL allows.
#[derive(Serialize, Deserialize)]
pub(super) struct UploadClaims {
    exp: u64,
    upload: Id,
}

/// What any token says that is signed with the key of viewers' tokens: links to files are, too.
#[derive(Clone, Deserialize)]
struct Signed {
    #[serde(flatten)]
    claims: Claims,
    upload: Option<IgnoredAny>,
    download: Option<IgnoredAny>,
}

/// Who a request comes from.
#[derive(Clone, Debug)]
pub enum Grant {
    /// Anybody, on a laptop without keys.
    Open,
    /// A service with the internal key.
    Service,
    /// A viewer with a token.
    Viewer(Claims),
}

impl Access {
    /// Makes the checks that `config` asks for; without a secret tokens last as long as the process.
    #[must_use]
    pub fn new(config: &AccessConfig, clock: Clock) -> Self {
        let own_secret = || SecretString::from(format!("{}{}", uuid::Uuid::new_v4(), uuid::Uuid::new_v4()));
        let secret = config.jwt_secret.clone().unwrap_or_else(own_secret);
        let secret = secret.expose_secret().as_bytes();
        Self {
            encoding: EncodingKey::from_secret(secret),
            decoding: DecodingKey::from_secret(secret),
            internal_key: config.internal_key.clone(),
            is_open: config.is_open(),
            is_open_for_services: config.is_open_for_services(),
            clock,
        }
    }

    /// Tells who a browser's request comes from.
    ///
    /// # Errors
    /// A [`Problem`] (401) when there is no token, or one that does not hold.
    pub fn viewer(&self, headers: &HeaderMap, query_token: Option<&str>) -> Result<Grant, Problem> {
        if self.is_internal_key(headers) {
            return Ok(Grant::Service);
        }
        match credential(headers, query_token) {
            Some(token) => self.check(&token).map(Grant::Viewer),
            None if self.is_open => Ok(Grant::Open),
            None => Err(Problem::unauthorized(
                "Send a viewer's token as Authorization: Bearer, as the cookie tidings_token, or as ?token=.",
            )),
        }
    }

    /// Says whether a request brings the internal key.
    pub(super) fn is_service(&self, headers: &HeaderMap) -> bool {
        self.is_internal_key(headers)
    }

    /// Lets a service in.
    ///
    /// # Errors
    /// A [`Problem`] (401) when the internal key is missing or wrong.
    pub fn service(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let is_absent = !headers.contains_key(header::AUTHORIZATION);
        if self.is_internal_key(headers) || (self.is_open_for_services && is_absent) {
            return Ok(());
        }
        Err(Problem::unauthorized("Send the INTERNAL_API_KEY as Authorization: Bearer."))
    }

    /// Lets an operator in: the internal key, or a token with the role `operator`.
    ///
    /// # Errors
    /// A [`Problem`] (401, 403) when it is neither.
    pub fn operator(&self, headers: &HeaderMap, query_token: Option<&str>) -> Result<Grant, Problem> {
        match self.viewer(headers, query_token)? {
            Grant::Viewer(claims) if claims.role != OPERATOR => Err(Problem::forbidden(
                "Send the INTERNAL_API_KEY, or a token with the role operator, as Authorization: Bearer.",
            )),
            grant => Ok(grant),
        }
    }

    /// Gives the time by which tokens end, since the Unix epoch.
    pub(super) fn now(&self) -> Duration {
        self.clock.since_epoch()
    }

    /// Issues a token for `channels`; it ends after `ttl`, or when renewal ends.
    ///
    /// # Errors
    /// A [`Problem`] (403) when `first_issued` lies too far back.
    pub fn issue(
        &self,
        channels: Vec<String>,
        role: String,
        ttl: Duration,
        first_issued: Option<u64>,
    ) -> Result<(String, u64), Problem> {
        let now = self.clock.seconds();
        let first_issued = first_issued.unwrap_or(now);
        let last = first_issued + RENEWAL_ENDS_AFTER.as_secs();
        if last <= now {
            return Err(Problem::forbidden("Renewal ends 12 hours after the first issue; sign in again."));
        }
        let exp = (now + ttl.as_secs()).min(last);
        let claims = Claims { exp, channels, sub: None, role, first_issued: Some(first_issued) };
        Ok((self.sign(&claims), exp))
    }

    /// Signs the right to put one file until `ttl` is over.
    pub(super) fn sign_upload(&self, document: &Id, ttl: Duration) -> (String, u64) {
        let exp = self.clock.seconds() + ttl.as_secs();
        (self.sign(&UploadClaims { exp, upload: document.clone() }), exp)
    }

    /// Checks the right to put the file of `document`.
    pub(super) fn check_upload(&self, document: &Id, token: &str) -> Result<(), Problem> {
        let claims: Option<UploadClaims> = self.decode(token);
        if claims.is_some_and(|claims| claims.upload == *document) {
            return Ok(());
        }
        Err(Problem::forbidden(
            "This upload URL has ended or was changed; ask for a new one at /api/v1/uploads/presign.",
        ))
    }

    fn sign(&self, claims: &impl Serialize) -> String {
        encode(&Header::new(Algorithm::HS256), claims, &self.encoding).expect("claims always serialize")
    }

    fn check(&self, token: &str) -> Result<Claims, Problem> {
        let signed: Option<Signed> = self.decode(token);
        let signed = signed
            .ok_or_else(|| Problem::unauthorized("The token has ended, or was not signed by this server."))?;
        let is_link = signed.upload.is_some() || signed.download.is_some();
        // Whoever signs tokens of their own may put more into them.
        if is_link && signed.claims.channels.is_empty() && signed.claims.sub.is_none() {
            return Err(Problem::unauthorized("This token is for one file only, and not a viewer's."));
        }
        Ok(signed.claims)
    }

    fn decode<T: DeserializeOwned + Clone>(&self, token: &str) -> Option<T> {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = LEEWAY;
        validation.validate_aud = false;
        decode(token, &self.decoding, &validation).ok().map(|data| data.claims)
    }

    fn is_internal_key(&self, headers: &HeaderMap) -> bool {
        let (Some(key), Some(given)) = (&self.internal_key, bearer(headers)) else { return false };
        key.expose_secret().as_bytes().ct_eq(given.as_bytes()).into()
    }
}

impl Clone for UploadClaims {
    fn clone(&self) -> Self {
        Self { exp: self.exp, upload: self.upload.clone() }
    }
}

/// Gives the token that a request brings; whether it holds is another matter.
pub(super) fn credential<'a>(headers: &'a HeaderMap, query_token: Option<&'a str>) -> Option<Cow<'a, str>> {
    if let Some(token) = bearer(headers).or(query_token) {
        return Some(token.into());
    }
    let cookies = CookieJar::from_headers(headers);
    cookies.get(TOKEN_COOKIE).map(|cookie| cookie.value().to_owned().into())
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

impl Grant {
    /// Refuses what the credentials do not cover.
    ///
    /// # Errors
    /// A [`Problem`] (403).
    pub fn require(&self, channel: &Channel) -> Result<(), Problem> {
        if self.covers(channel) {
            return Ok(());
        }
        let detail =
            format!("The token must cover {}:<this id>, in its claim `channels`.", channel.kind().as_str());
        Err(Problem::forbidden(detail))
    }

    /// Says whether the credentials cover `channel`.
    #[must_use]
    pub fn covers(&self, channel: &Channel) -> bool {
        match self {
            Self::Open | Self::Service => true,
            Self::Viewer(claims) => claims.covers(channel),
        }
    }

    /// Says whether the credentials cover what a token's claim names: a channel or `<kind>:*`.
    #[must_use]
    pub fn covers_claim(&self, claim: &str) -> bool {
        match self {
            Self::Open | Self::Service => true,
            Self::Viewer(claims) if claim.ends_with(":*") => claims.channels.iter().any(|own| own == claim),
            Self::Viewer(claims) => claim.parse().is_ok_and(|channel| claims.covers(&channel)),
        }
    }

    /// Gives when the credentials end, since the Unix epoch.
    #[must_use]
    pub const fn expires_at(&self) -> Option<Duration> {
        match self {
            Self::Open | Self::Service => None,
            Self::Viewer(claims) => Some(Duration::from_secs(claims.exp)),
        }
    }
}

impl Claims {
    fn covers(&self, channel: &Channel) -> bool {
        let is_own =
            *channel.kind() == ChannelKind::Documents && self.sub.as_deref() == Some(channel.id().as_str());
        let name = channel.to_string();
        let all = format!("{}:*", channel.kind().as_str());
        is_own || self.channels.iter().any(|claim| *claim == name || *claim == all)
    }
}

/// Says whether a text may stand in the claim `channels`.
pub(super) fn is_claim(text: &str) -> bool {
    match text.strip_suffix(":*") {
        Some(kind) => kind.parse::<ChannelKind>().is_ok(),
        None => text.parse::<Channel>().is_ok(),
    }
}
