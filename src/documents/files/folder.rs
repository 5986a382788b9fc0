//! Files in a folder of this machine.

use std::{path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use object_store::{Error, ObjectStoreExt, WriteMultipart, local::LocalFileSystem, path::Path as Key};

use super::{FileError, calls::Calls};
use crate::event::Id;

/// Parts of one file that may be on their way to the disk at once.
const PARTS_UNDER_WAY: usize = 2;
/// Longest wait for the disk; a network's disk may be slow.
const WITHIN: Duration = Duration::from_secs(20);

/// A folder with a file for each document.
#[derive(Clone)]
pub(super) struct Folder {
    store: Arc<LocalFileSystem>,
    calls: Arc<Calls>,
}

impl Folder {
    pub(super) fn open(folder: &Path, calls: Arc<Calls>) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)?;
        Ok(Self { store: Arc::new(LocalFileSystem::new_with_prefix(folder)?), calls })
    }

    pub(super) async fn put<E>(
        &self,
        document: &Id,
        mut bytes: impl Stream<Item = Result<Bytes, E>> + Unpin,
        size: u64,
        is_still_wanted: impl Future<Output = bool>,
    ) -> Result<(), FileError> {
        let parts = self.calls.make(WITHIN, self.store.put_multipart(&key(document))).await?;
        let mut file = WriteMultipart::new(parts);
        let mut left = size;
        let fault = loop {
            match bytes.next().await {
                Some(Ok(chunk)) if chunk.len() as u64 <= left => {
                    left -= chunk.len() as u64;
                    file.wait_for_capacity(PARTS_UNDER_WAY).await?;
                    file.put(chunk);
                }
                Some(Ok(_)) => break FileError::TooLarge,
                Some(Err(_)) => break FileError::Interrupted,
                None if left > 0 => break FileError::WrongSize { held: size - left },
                None if !is_still_wanted.await => break FileError::NotWanted,
                None => return self.calls.make(WITHIN, file.finish()).await.map(drop),
            }
        };
        file.abort().await?;
        Err(fault)
    }

    /// A put file is whole and where it stays.
    pub(super) async fn take(&self, document: &Id, size: u64) -> Result<(), FileError> {
        match self.calls.make(WITHIN, self.store.head(&key(document))).await {
            Ok(file) if file.size == size => Ok(()),
            Ok(file) => Err(FileError::WrongSize { held: file.size }),
            Err(FileError::Storage(Error::NotFound { .. })) => Err(FileError::Missing),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn read(&self, document: &Id) -> Result<Option<Bytes>, FileError> {
        let key = key(document);
        match self.calls.make(WITHIN, async { self.store.get(&key).await?.bytes().await }).await {
            Ok(file) => Ok(Some(file)),
            Err(FileError::Storage(Error::NotFound { .. })) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn try_out(&self) -> Result<(), FileError> {
        let probe = Id::random();
        let bytes = stream::iter([Ok::<_, std::io::Error>("probe".into())]);
        self.put(&probe, bytes, 5, std::future::ready(true)).await?;
        self.calls.make(WITHIN, self.store.delete(&key(&probe))).await
    }
}

/// Document ids are random: a key tells nothing.
fn key(document: &Id) -> Key {
    Key::from(document.as_str())
}
