//! Who may do what.

use secrecy::SecretString;
use url::Url;

use super::variables::{ConfigError, Variables, missing, wrong};

/// Shortest secret that signs tokens, in characters: 256 bits as text.
const LEAST_SECRET: usize = 32;
/// Shortest key of a service, in characters.
const LEAST_KEY: usize = 16;
/// Where the development servers of the usual front ends run.
const LOCAL_ORIGINS: [&str; 4] =
    ["http://localhost:3000", "http://127.0.0.1:3000", "http://localhost:5173", "http://127.0.0.1:5173"];

/// Whether strangers may reach the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Environment {
    /// A laptop: what has no key is open.
    Development,
    /// A server: refuses to start without keys.
    Production,
}

/// Who may do what.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AccessConfig {
    /// The environment the rules follow.
    pub environment: Environment,
    /// `AUTH_JWT_SECRET`: signs viewers' tokens (HS256), at least 32 characters.
    pub jwt_secret: Option<SecretString>,
    /// `INTERNAL_API_KEY`: lets services in, at least 16 characters.
    pub internal_key: Option<SecretString>,
    /// `CORS_ALLOWED_ORIGINS`: pages of other hosts that may open streams, parted by commas.
    /// Default in development: localhost on ports 3000 and 5173.
    pub allowed_origins: Vec<String>,
}

impl Environment {
    pub(super) fn read(variables: &Variables, is_loopback: bool) -> Result<Self, ConfigError> {
        let is_hosted = variables.text("VERCEL").is_some() || variables.text("RAILWAY_ENVIRONMENT").is_some();
        match variables.text("APP_ENV") {
            Some("development") => Ok(Self::Development),
            Some("production") => Ok(Self::Production),
            None if is_loopback && !is_hosted => Ok(Self::Development),
            None => Ok(Self::Production),
            Some(other) => Err(wrong("APP_ENV", other, "development or production")),
        }
    }
}

impl AccessConfig {
    pub(super) fn read(variables: &Variables, environment: Environment) -> Result<Self, ConfigError> {
        let config = Self {
            environment,
            jwt_secret: variables.secret("AUTH_JWT_SECRET", LEAST_SECRET)?,
            internal_key: variables.secret("INTERNAL_API_KEY", LEAST_KEY)?,
            allowed_origins: allowed_origins(variables, environment)?,
        };
        if environment == Environment::Production {
            config.require_keys()?;
        }
        Ok(config)
    }

    /// Says whether viewers are let in without a token.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self.environment, Environment::Development) && self.jwt_secret.is_none()
    }

    /// Says whether services are let in without a key.
    #[must_use]
    pub const fn is_open_for_services(&self) -> bool {
        matches!(self.environment, Environment::Development) && self.internal_key.is_none()
    }

    fn require_keys(&self) -> Result<(), ConfigError> {
        let because = "as this server can be reached by others (or set APP_ENV=development)";
        if self.jwt_secret.is_none() {
            let allowed = format!("a secret of at least {LEAST_SECRET} characters, {because}");
            return Err(missing("AUTH_JWT_SECRET", &allowed));
        }
        if self.internal_key.is_none() {
            return Err(missing(
                "INTERNAL_API_KEY",
                &format!("a key of at least {LEAST_KEY} characters, {because}"),
            ));
        }
        Ok(())
    }
}

fn allowed_origins(variables: &Variables, environment: Environment) -> Result<Vec<String>, ConfigError> {
    let Some(text) = variables.text("CORS_ALLOWED_ORIGINS") else {
        return Ok(match environment {
            Environment::Development => LOCAL_ORIGINS.map(str::to_owned).into(),
            Environment::Production => Vec::new(),
        });
    };
    text.split(',').map(str::trim).filter(|origin| !origin.is_empty()).map(origin).collect()
}

/// Browsers send an origin without a path, so only that form can ever match.
fn origin(text: &str) -> Result<String, ConfigError> {
    let parsed = Url::parse(text).ok().map(|url| url.origin().ascii_serialization());
    match parsed {
        Some(origin) if origin == text => Ok(origin),
        _ => Err(wrong(
            "CORS_ALLOWED_ORIGINS",
            text,
            "origins such as https://app.example.org, parted by commas",
        )),
    }
}
