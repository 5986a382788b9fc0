//! What is different on Vercel, where instances come and go and share nothing but what is outside.

use super::{
    Config, Environment,
    broker::BrokerConfig,
    storage::FilesConfig,
    variables::{ConfigError, Variables, missing, wrong},
};
use crate::documents::DatabaseUrl;

/// Longest life of a stream, in seconds: `vercel.json` gives a function 300 (`maxDuration`).
pub(super) const STREAM_MAX_SECONDS: u64 = 280;
/// Open files of an instance, the platform's own among them.
/// Source: <https://vercel.com/docs/functions/limitations>, file descriptors.
pub(super) const DESCRIPTORS: u64 = 1_024;
/// Descriptors kept for the platform and all but streams: what cannot be accepted ends the bridge.
pub(super) const KEPT_DESCRIPTORS: u64 = 256;

const BECAUSE: &str = "as instances on Vercel share nothing else (or set APP_ENV=development)";

/// Says whether this is Vercel.
pub(super) fn is_here(variables: &Variables) -> bool {
    variables.text("VERCEL").is_some()
}

/// Refuses parts that only one instance would see.
pub(super) fn require_shared_parts(config: &Config) -> Result<(), ConfigError> {
    if config.server.environment == Environment::Development {
        return Ok(());
    }
    if matches!(config.broker, BrokerConfig::Memory) {
        let allowed = format!("the REST URL of a database at Upstash, {BECAUSE}");
        return Err(missing("UPSTASH_REDIS_REST_URL", &allowed));
    }
    if matches!(config.storage.database_url, DatabaseUrl::Sqlite(_)) {
        return Err(wrong("DATABASE_URL", "a file of one instance", &format!("postgres://…, {BECAUSE}")));
    }
    if matches!(config.storage.files, FilesConfig::Folder(_)) {
        let allowed = format!("s3://bucket/prefix, {BECAUSE}");
        return Err(wrong("STORAGE_URL", "a folder of one instance", &allowed));
    }
    Ok(())
}
