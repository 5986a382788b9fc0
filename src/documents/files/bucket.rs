//! Files in a bucket, on any storage that speaks S3.
//!
//! `incoming/{document}` is where browsers put, by a URL that stays good for a while whatever
//! happens; `documents/{document}` is where the file stays, and no URL writes there.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use object_store::{
    BackoffConfig, ClientOptions, CopyMode, CopyOptions, Error, ObjectStore, ObjectStoreExt, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder, S3CopyIfNotExists},
    path::Path as Key,
    signer::{Method, Signer},
};
use secrecy::ExposeSecret;
use url::Url;

use super::{FileError, calls::Calls};
use crate::{config::BucketConfig, event::Id};

/// Longest wait for an answer without a file in it, tries included: somebody waits for ours.
const ANSWER_WITHIN: Duration = Duration::from_secs(8);
/// Longest wait for a file of 25 MB.
const FILE_WITHIN: Duration = Duration::from_secs(30);
const CONNECT_WITHIN: Duration = Duration::from_secs(2);
/// Longest silence in an answer.
const SILENT_FOR: Duration = Duration::from_secs(5);
/// What fails for the moment is tried again, a little.
const TRIES_AGAIN: usize = 2;

/// A bucket, or the part of it under a prefix.
#[derive(Clone)]
pub(super) struct Bucket {
    store: Arc<AmazonS3>,
    prefix: String,
    origin: String,
    copy_mode: CopyMode,
    calls: Arc<Calls>,
}

impl Bucket {
    /// Asks the store nothing.
    pub(super) async fn open(config: &BucketConfig, calls: Arc<Calls>) -> Result<Self, FileError> {
        let header = header_of_first_copy(config);
        let copy_mode = if header.is_some() { CopyMode::Create } else { CopyMode::Overwrite };
        let store = Arc::new(connect(config, header)?);
        let bucket = Self { store, prefix: config.prefix.clone(), origin: String::new(), copy_mode, calls };
        let origin = bucket.upload_url(&Id::random(), ANSWER_WITHIN).await?.origin().ascii_serialization();
        Ok(Self { origin, ..bucket })
    }

    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    pub(super) async fn upload_url(&self, document: &Id, lasts: Duration) -> Result<Url, FileError> {
        Ok(self.store.signed_url(Method::PUT, &self.incoming(document), lasts).await?)
    }

    pub(super) async fn download_url(&self, document: &Id, lasts: Duration) -> Result<Url, FileError> {
        Ok(self.store.signed_url(Method::GET, &self.taken(document), lasts).await?)
    }

    pub(super) async fn take(
        &self,
        document: &Id,
        size: u64,
        is_still_wanted: impl Future<Output = bool>,
    ) -> Result<(), FileError> {
        // Once taken a file stays as it is, whatever was put after it.
        if self.size_of(&self.taken(document)).await? == Some(size) {
            return Ok(());
        }
        self.check_incoming(document, size).await?;
        if !is_still_wanted.await {
            return Err(FileError::NotWanted);
        }
        self.copy(document).await?;
        self.check_taken(document, size).await
    }

    pub(super) async fn clear_incoming(&self, document: &Id) -> Result<(), FileError> {
        self.delete(&self.incoming(document)).await
    }

    pub(super) async fn read(&self, document: &Id) -> Result<Option<Bytes>, FileError> {
        let key = self.taken(document);
        match self.calls.make(FILE_WITHIN, async { self.store.get(&key).await?.bytes().await }).await {
            Ok(file) => Ok(Some(file)),
            Err(FileError::Storage(Error::NotFound { .. })) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Begins with a list: without that right S3 denies a look at what is not there, and confirm
    /// could not tell a missing file (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html>).
    pub(super) async fn try_out(&self) -> Result<(), FileError> {
        let probe = Id::random();
        let incoming = self.incoming(&probe);
        self.calls.make(ANSWER_WITHIN, self.store.list_with_delimiter(Some(&incoming))).await?;
        self.calls.make(ANSWER_WITHIN, self.store.put(&incoming, "probe".into())).await?;
        let tried = self.take(&probe, 5, std::future::ready(true)).await;
        let read = self.read(&probe).await;
        self.clear_incoming(&probe).await?;
        self.delete(&self.taken(&probe)).await?;
        tried.and(read.map(drop))
    }

    /// Looks at the size before a copy of it is paid for.
    async fn check_incoming(&self, document: &Id, size: u64) -> Result<(), FileError> {
        match self.size_of(&self.incoming(document)).await? {
            Some(held) if held == size => Ok(()),
            Some(held) => {
                self.clear_incoming(document).await?;
                Err(FileError::WrongSize { held })
            }
            // Another process may have taken it and cleared up since the first look.
            None if self.size_of(&self.taken(document)).await? == Some(size) => Ok(()),
            None => Err(FileError::Missing),
        }
    }

    /// Copies the file to where it stays. It is for the look at the copy to say what that has come to.
    async fn copy(&self, document: &Id) -> Result<(), FileError> {
        let (from, to) = (self.incoming(document), self.taken(document));
        let options = CopyOptions::new().with_mode(self.copy_mode);
        match self.calls.make(ANSWER_WITHIN, self.store.copy_opts(&from, &to, options)).await {
            // Another process was first, or has cleared up already.
            Err(FileError::Storage(Error::AlreadyExists { .. } | Error::NotFound { .. })) => Ok(()),
            answer => answer,
        }
    }

    /// Looks at the copy: the file may have been put anew between the first look and the copy.
    async fn check_taken(&self, document: &Id, size: u64) -> Result<(), FileError> {
        let taken = self.taken(document);
        match self.size_of(&taken).await? {
            Some(held) if held == size => Ok(()),
            Some(held) => {
                self.delete(&taken).await?;
                Err(FileError::WrongSize { held })
            }
            None => Err(FileError::Missing),
        }
    }

    async fn size_of(&self, key: &Key) -> Result<Option<u64>, FileError> {
        match self.calls.make(ANSWER_WITHIN, self.store.head(key)).await {
            Ok(file) => Ok(Some(file.size)),
            Err(FileError::Storage(Error::NotFound { .. })) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// S3 says the same whether there was something or not; others may not.
    async fn delete(&self, key: &Key) -> Result<(), FileError> {
        match self.calls.make(ANSWER_WITHIN, self.store.delete(key)).await {
            Err(FileError::Storage(Error::NotFound { .. })) => Ok(()),
            answer => answer,
        }
    }

    fn incoming(&self, document: &Id) -> Key {
        self.key("incoming", document)
    }

    fn taken(&self, document: &Id) -> Key {
        self.key("documents", document)
    }

    /// Document ids are random: a key tells nothing.
    fn key(&self, folder: &str, document: &Id) -> Key {
        Key::from(format!("{}/{folder}/{document}", self.prefix))
    }
}

fn connect(config: &BucketConfig, header_of_first_copy: Option<&str>) -> Result<AmazonS3, FileError> {
    let client = ClientOptions::new()
        .with_timeout(FILE_WITHIN)
        .with_connect_timeout(CONNECT_WITHIN)
        .with_read_timeout(SILENT_FOR);
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&config.name)
        .with_region(&config.region)
        .with_access_key_id(&config.access_key)
        .with_secret_access_key(config.secret_key.expose_secret())
        .with_client_options(client)
        .with_retry(retries())
        // One file at a time, and not every storage knows the call for many.
        .with_disable_bulk_delete(true)
        // A name with dots has no certificate as a host.
        .with_virtual_hosted_style_request(config.endpoint.is_none() && !config.name.contains('.'));
    if let Some(token) = &config.session_token {
        builder = builder.with_token(token.expose_secret());
    }
    if let Some(endpoint) = &config.endpoint {
        let is_http = endpoint.scheme() == "http";
        builder = builder.with_endpoint(endpoint.as_str().trim_end_matches('/')).with_allow_http(is_http);
    }
    if let Some(header) = header_of_first_copy {
        builder = builder.with_copy_if_not_exists(S3CopyIfNotExists::Header(header.into(), "*".into()));
    }
    Ok(builder.build()?)
}

fn retries() -> RetryConfig {
    let backoff = BackoffConfig { max_backoff: Duration::from_secs(1), ..BackoffConfig::default() };
    RetryConfig { backoff, max_retries: TRIES_AGAIN, retry_timeout: ANSWER_WITHIN / 2 }
}

/// Names the header by which a copy does not replace, where the storage is known to have one:
/// Amazon (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>) and R2
/// (<https://developers.cloudflare.com/r2/api/s3/extensions/>). Elsewhere a copy replaces.
fn header_of_first_copy(config: &BucketConfig) -> Option<&'static str> {
    let Some(endpoint) = &config.endpoint else { return Some("if-none-match") };
    let host = endpoint.host_str().unwrap_or_default();
    let is_of = |domain: &str| host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
    if is_of("amazonaws.com") {
        return Some("if-none-match");
    }
    is_of("r2.cloudflarestorage.com").then_some("cf-copy-destination-if-none-match")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    async fn open(name: &str, prefix: &str, endpoint: Option<&str>) -> Bucket {
        let config = BucketConfig {
            name: name.into(),
            prefix: prefix.into(),
            region: "eu-central-1".into(),
            endpoint: endpoint.map(|endpoint| endpoint.parse().unwrap()),
            access_key: "key".into(),
            secret_key: "secret".into(),
            session_token: Some("session".into()),
        };
        Bucket::open(&config, Arc::new(Calls::new(Arc::default()))).await.unwrap()
    }

    #[tokio::test]
    async fn a_bucket_is_a_host_at_amazon_and_a_path_elsewhere() {
        let document = Id::random();
        for (name, prefix, endpoint, place) in [
            ("files", "", None, "https://files.s3.eu-central-1.amazonaws.com"),
            ("files", "a/b", None, "https://files.s3.eu-central-1.amazonaws.com/a/b"),
            ("our.files", "", None, "https://s3.eu-central-1.amazonaws.com/our.files"),
            ("files", "a", Some("http://127.0.0.1:9000"), "http://127.0.0.1:9000/files/a"),
        ] {
            let bucket = open(name, prefix, endpoint).await;

            let url = bucket.upload_url(&document, ANSWER_WITHIN).await.unwrap();

            let (without_query, query) = url.as_str().split_once('?').unwrap();
            assert_eq!(without_query, format!("{place}/incoming/{document}"));
            assert!(query.contains("X-Amz-Security-Token=session"), "{query}");
            assert!(place.starts_with(bucket.origin()), "{}", bucket.origin());
        }
    }

    #[tokio::test]
    async fn a_copy_does_not_replace_where_the_storage_can_be_told_so() {
        for (endpoint, mode) in [
            (None, CopyMode::Create),
            (Some("https://s3.eu-central-1.amazonaws.com"), CopyMode::Create),
            (Some("https://0815.r2.cloudflarestorage.com"), CopyMode::Create),
            (Some("https://not-r2.cloudflarestorage.com"), CopyMode::Overwrite),
            (Some("http://127.0.0.1:9000"), CopyMode::Overwrite),
        ] {
            assert_eq!(open("files", "", endpoint).await.copy_mode, mode, "{endpoint:?}");
        }
    }
}
