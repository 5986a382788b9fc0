//! Where uploaded files are kept, each under its document's id.

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use futures::{Stream, StreamExt};
use object_store::{ObjectStore, ObjectStoreExt, WriteMultipart, local::LocalFileSystem, path::Path as Key};

use crate::event::Id;

/// Largest file in bytes: 25 MB.
pub const MAX_FILE_BYTES: u64 = 25 * 1024 * 1024;
/// Parts of one file that may be on their way to the store at once.
const PARTS_UNDER_WAY: usize = 2;

/// Keeps files. Clones share the store.
#[derive(Clone)]
pub struct Files {
    store: Arc<dyn ObjectStore>,
}

/// Tells why a file could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// More bytes came than were announced.
    #[error("the file is larger than announced")]
    TooLarge,
    /// The document was confirmed with another file meanwhile.
    #[error("the document is confirmed")]
    NotWanted,
    /// The sender went away.
    #[error("the file did not arrive whole")]
    Interrupted,
    /// The store failed.
    #[error("the file store failed")]
    Storage(#[from] object_store::Error),
}

impl FileError {
    /// Names the fault without the path in it: paths hold ids.
    #[must_use]
    pub fn kind(&self) -> String {
        let mut cause: Option<&dyn std::error::Error> = Some(self);
        while let Some(error) = cause {
            if let Some(error) = error.downcast_ref::<std::io::Error>() {
                return error.kind().to_string();
            }
            cause = error.source();
        }
        match self {
            Self::Storage(_) => "the file store failed".into(),
            other => other.to_string(),
        }
    }
}

impl Files {
    /// Keeps files in a folder, which is made if it is not there.
    ///
    /// # Errors
    /// When the folder cannot be made or used.
    pub fn in_folder(folder: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)?;
        Ok(Self { store: Arc::new(LocalFileSystem::new_with_prefix(folder)?) })
    }

    /// Keeps the bytes of `document`; nothing is kept of a file that does not arrive whole.
    ///
    /// `is_still_wanted` is asked once all bytes are there.
    ///
    /// # Errors
    /// [`FileError`] when more than `most` bytes come, the sender leaves, the file is not wanted
    /// any more or the store fails.
    pub async fn put<E>(
        &self,
        document: &Id,
        mut bytes: impl Stream<Item = Result<Bytes, E>> + Unpin,
        most: u64,
        is_still_wanted: impl Future<Output = bool>,
    ) -> Result<(), FileError> {
        let mut file = WriteMultipart::new(self.store.put_multipart(&key(document)).await?);
        let mut left = most;
        while let Some(chunk) = bytes.next().await {
            let fault = match chunk {
                Ok(chunk) if chunk.len() as u64 <= left => {
                    left -= chunk.len() as u64;
                    file.wait_for_capacity(PARTS_UNDER_WAY).await?;
                    file.put(chunk);
                    continue;
                }
                Ok(_) => FileError::TooLarge,
                Err(_) => FileError::Interrupted,
            };
            file.abort().await?;
            return Err(fault);
        }
        if !is_still_wanted.await {
            file.abort().await?;
            return Err(FileError::NotWanted);
        }
        file.finish().await?;
        Ok(())
    }

    /// Says whether the file of `document` is there.
    ///
    /// # Errors
    /// [`FileError::Storage`] when the store fails.
    pub async fn holds(&self, document: &Id) -> Result<bool, FileError> {
        match self.store.head(&key(document)).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads the file of `document`; nothing when it is not there.
    ///
    /// # Errors
    /// [`FileError::Storage`] when the store fails.
    pub async fn read(&self, document: &Id) -> Result<Option<Bytes>, FileError> {
        match self.store.get(&key(document)).await {
            Ok(file) => Ok(Some(file.bytes().await?)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes the file of `document`.
    ///
    /// # Errors
    /// [`FileError::Storage`] when it is not there or the store fails.
    pub async fn remove(&self, document: &Id) -> Result<(), FileError> {
        Ok(self.store.delete(&key(document)).await?)
    }
}

/// Document ids are random: a key tells nothing.
fn key(document: &Id) -> Key {
    Key::from(document.as_str())
}
