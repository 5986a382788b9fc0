//! Tells cases of their documents, as messages of their chats.

use async_trait::async_trait;
use serde_json::{Map, Value};

use super::{
    posting::{Chat, PostError},
    store::NewMessage,
};
use crate::{
    documents::{CaseNotices, Notice, StoreError},
    event::{Id, NOTICE_ID_PREFIX},
};

/// The part this server plays where nobody speaks.
const ROLE: &str = "system";

#[async_trait]
impl CaseNotices for Chat {
    async fn tell(&self, case: &Id, notice: &Notice) -> Result<(), StoreError> {
        match self.post(case, &message_of(notice)).await {
            // It was kept before, in the words of another version.
            Ok(_) | Err(PostError::Conflict(_) | PostError::Store(StoreError::KeptElsewhere)) => Ok(()),
            Err(PostError::Store(error)) => Err(error),
        }
    }
}

/// A notice told again is the same message.
fn message_of(notice: &Notice) -> NewMessage {
    let (document, attempt) = (notice.document_id.as_str(), notice.attempt.to_string());
    let sender = [
        ("name", Value::from("Documents")),
        ("document_id", document.into()),
        ("stage", notice.stage.as_str().into()),
    ];
    NewMessage {
        id: Id::derived(NOTICE_ID_PREFIX, &[document, &attempt, notice.stage.as_str()]),
        content: notice.words().to_owned(),
        role: ROLE.to_owned(),
        sender: sender.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>(),
    }
}
