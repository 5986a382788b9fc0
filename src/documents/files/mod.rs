//! Where uploaded files are kept, each under its document's id: a folder or a bucket.
//!
//! A file comes in, is taken once its document is confirmed, and does not change after that. The
//! folder takes it by itself; with a bucket the browser puts it there, and this process only copies.

mod bucket;
mod calls;
mod fault;
mod folder;

use std::{path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::Stream;
use url::Url;

use self::{bucket::Bucket, calls::Calls, folder::Folder};
use crate::{
    config::{BucketConfig, FilesConfig},
    event::Id,
    telemetry::{Metrics, Vital},
};

/// Largest file in bytes: 25 MB.
pub const MAX_FILE_BYTES: u64 = 25 * 1024 * 1024;

/// Keeps files. Clones share the store.
#[derive(Clone)]
pub struct Files {
    place: Place,
    calls: Arc<Calls>,
}

#[derive(Clone)]
enum Place {
    Folder(Folder),
    Bucket(Bucket),
}

/// Tells why a file could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Nobody has put the file.
    #[error("the file is not there")]
    Missing,
    /// More bytes came than were announced; their number is not known.
    #[error("the file is larger than announced")]
    TooLarge,
    /// The file is there with another size than was announced.
    #[error("the file has {held} bytes and not as many as announced")]
    WrongSize {
        /// Its size in bytes.
        held: u64,
    },
    /// The document was confirmed with another file meanwhile.
    #[error("the document is confirmed")]
    NotWanted,
    /// The sender went away.
    #[error("the file did not arrive whole")]
    Interrupted,
    /// Files are put into the bucket, not through this server.
    #[error("files go straight to the bucket")]
    NotHere,
    /// The store did not answer in time.
    #[error("the file store did not answer in time")]
    Timeout,
    /// The store failed.
    #[error("the file store failed")]
    Storage(#[from] object_store::Error),
}

impl FileError {
    /// Names the fault without the path in it: paths hold ids.
    #[must_use]
    pub fn kind(&self) -> String {
        match self {
            Self::Storage(error) => fault::kind(error),
            other => other.to_string(),
        }
    }

    /// Says what to do about it, where that is known.
    #[must_use]
    pub fn cure(&self) -> Option<&'static str> {
        match self {
            Self::Timeout => Some(fault::NO_ROUTE),
            Self::Storage(error) => fault::cure(error),
            _ => None,
        }
    }

    /// Says whether there is no room for another file.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Storage(error) if fault::is_full(error))
    }

    /// Says whether another try may go better: the store failed, and did not refuse.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        use object_store::Error::{PermissionDenied, Unauthenticated};
        match self {
            Self::Timeout => true,
            Self::Storage(error) => !matches!(error, PermissionDenied { .. } | Unauthenticated { .. }),
            _ => false,
        }
    }
}

impl Files {
    /// Opens the store that is configured, without asking it anything.
    ///
    /// # Errors
    /// When a folder cannot be made or used, or what leads to a bucket is not whole.
    pub async fn open(config: &FilesConfig, metrics: Arc<Metrics>) -> anyhow::Result<Self> {
        match config {
            FilesConfig::Folder(folder) => Self::in_folder(folder, metrics),
            FilesConfig::Bucket(bucket) => Ok(Self::in_bucket(bucket, metrics).await?),
        }
    }

    /// Keeps files in a folder, which is made if it is not there.
    ///
    /// # Errors
    /// When the folder cannot be made or used.
    pub fn in_folder(folder: &Path, metrics: Arc<Metrics>) -> anyhow::Result<Self> {
        let calls = Arc::new(Calls::new(metrics));
        Ok(Self { place: Place::Folder(Folder::open(folder, Arc::clone(&calls))?), calls })
    }

    /// Keeps files in a bucket, which has to be there.
    ///
    /// # Errors
    /// [`FileError::Storage`] when what leads to it is not whole.
    pub async fn in_bucket(bucket: &BucketConfig, metrics: Arc<Metrics>) -> Result<Self, FileError> {
        let calls = Arc::new(Calls::new(metrics));
        Ok(Self { place: Place::Bucket(Bucket::open(bucket, Arc::clone(&calls)).await?), calls })
    }

    /// Signs a URL that `document`'s file may be put to for as long as it `lasts`; none where files
    /// come in through this server. Asks the store nothing.
    ///
    /// The URL cannot limit the size and stays good after confirm: [`Files::take`] knows both.
    ///
    /// # Errors
    /// [`FileError::Storage`] when it cannot be signed.
    pub async fn upload_url(&self, document: &Id, lasts: Duration) -> Result<Option<Url>, FileError> {
        match &self.place {
            Place::Folder(_) => Ok(None),
            Place::Bucket(bucket) => bucket.upload_url(document, lasts).await.map(Some),
        }
    }

    /// Signs a URL that the taken file of `document` may be read from for as long as it `lasts`, at
    /// most seven days; none for a folder. Asks the store nothing.
    ///
    /// # Errors
    /// [`FileError::Storage`] when it cannot be signed.
    pub async fn download_url(&self, document: &Id, lasts: Duration) -> Result<Option<Url>, FileError> {
        match &self.place {
            Place::Folder(_) => Ok(None),
            Place::Bucket(bucket) => bucket.download_url(document, lasts).await.map(Some),
        }
    }

    /// Gives the origin that browsers put files to; none where they come in through this server.
    #[must_use]
    pub fn upload_origin(&self) -> Option<&str> {
        match &self.place {
            Place::Folder(_) => None,
            Place::Bucket(bucket) => Some(bucket.origin()),
        }
    }

    /// Tells how the bucket does, by its last call; none for a folder.
    #[must_use]
    pub fn vital(&self) -> Option<&Vital> {
        matches!(self.place, Place::Bucket(_)).then(|| self.calls.vital())
    }

    /// Keeps `size` bytes of `document`; nothing is kept of a file that does not arrive whole.
    ///
    /// `is_still_wanted` is asked once all bytes are there.
    ///
    /// # Errors
    /// [`FileError`] when more or fewer bytes come, the sender leaves, the file is not wanted any
    /// more, the store fails or is a bucket.
    pub async fn put<E>(
        &self,
        document: &Id,
        bytes: impl Stream<Item = Result<Bytes, E>> + Unpin,
        size: u64,
        is_still_wanted: impl Future<Output = bool>,
    ) -> Result<(), FileError> {
        match &self.place {
            Place::Folder(folder) => folder.put(document, bytes, size, is_still_wanted).await,
            Place::Bucket(_) => Err(FileError::NotHere),
        }
    }

    /// Takes the file of `document` as put, which no upload changes any more; again changes nothing.
    ///
    /// Whatever call this ends at, the next `take` goes on from there. `is_still_wanted` is asked
    /// before the file is written where it stays.
    ///
    /// # Errors
    /// [`FileError`] when the file is not there or has another size than `size`, when it is not
    /// wanted any more, or the store fails.
    pub async fn take(
        &self,
        document: &Id,
        size: u64,
        is_still_wanted: impl Future<Output = bool>,
    ) -> Result<(), FileError> {
        match &self.place {
            Place::Folder(folder) => folder.take(document, size).await,
            Place::Bucket(bucket) => bucket.take(document, size, is_still_wanted).await,
        }
    }

    /// Removes what [`Files::take`] has left where files come in; nothing there is fine too.
    ///
    /// # Errors
    /// [`FileError`] when the store fails.
    pub async fn clear_incoming(&self, document: &Id) -> Result<(), FileError> {
        match &self.place {
            Place::Folder(_) => Ok(()),
            Place::Bucket(bucket) => bucket.clear_incoming(document).await,
        }
    }

    /// Reads the taken file of `document`; nothing when it is not there.
    ///
    /// # Errors
    /// [`FileError`] when the store fails.
    pub async fn read(&self, document: &Id) -> Result<Option<Bytes>, FileError> {
        match &self.place {
            Place::Folder(folder) => folder.read(document).await,
            Place::Bucket(bucket) => bucket.read(document).await,
        }
    }

    /// Does once what uploads need, with a file of its own that it removes.
    ///
    /// # Errors
    /// [`FileError`] of the first call that the store refuses.
    pub async fn try_out(&self) -> Result<(), FileError> {
        match &self.place {
            Place::Folder(folder) => folder.try_out().await,
            Place::Bucket(bucket) => bucket.try_out().await,
        }
    }
}
