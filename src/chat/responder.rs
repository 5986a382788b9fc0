//! Answers what patients ask about their documents, by what was found in them; no model, no network.
//!
//! The same findings and the same question make the same answer, under an id that follows from the question.
//! So several processes may answer one question, and it is answered once: the first one that is kept stands.

mod overdue;
mod question;
mod words;

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::{Map, Value, json};
use tokio::{
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    posting::Chat,
    reader::MessageReader,
    store::{ChatStore, MessageQuery},
};
use crate::{
    clock::Clock,
    documents::{CaseFindings, DocumentStore, StoreError},
    event::{ANSWER_ID_PREFIX, Channel, ChatMessage, Id, chat_event, chat_types},
    telemetry::Metrics,
};

/// Whose messages are answered.
const ASKER: &str = "patient";
/// The part the responder plays, and its name.
const ROLE: &str = "assistant";
const NAME: &str = "Tidings";
/// Time between words, so that one can read along.
const BETWEEN_WORDS: Duration = Duration::from_millis(40);
/// Longest time that a whole answer takes to be told.
const TOLD_WITHIN: Duration = Duration::from_secs(8);
/// Answers told at once; others wait for their turn.
const AT_ONCE: usize = 64;

/// Answers patients' messages. Clones share the work.
#[derive(Clone)]
pub struct Responder {
    shared: Arc<Shared>,
}

struct Shared {
    chat: Chat,
    messages: Arc<dyn ChatStore>,
    documents: Arc<dyn DocumentStore>,
    /// Questions this process is at.
    under_way: Mutex<HashSet<Id>>,
    turns: Semaphore,
    work: TaskTracker,
    /// The server goes down: what is under way is told at once.
    hurry: CancellationToken,
    metrics: Arc<Metrics>,
    clock: Clock,
}

/// A message that asks for an answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Asked {
    case: Id,
    /// The id of its answer.
    answer: Id,
    words: String,
}

/// What there is to say to a question.
struct Prepared {
    text: String,
    /// The responder has spoken in the case before.
    has_joined: bool,
}

impl Responder {
    /// Answers over `chat` from what `documents` holds.
    #[must_use]
    pub fn new(
        chat: Chat,
        messages: Arc<dyn ChatStore>,
        documents: Arc<dyn DocumentStore>,
        metrics: Arc<Metrics>,
        clock: Clock,
    ) -> Self {
        let shared = Shared {
            chat,
            messages,
            documents,
            under_way: Mutex::default(),
            turns: Semaphore::new(AT_ONCE),
            work: TaskTracker::new(),
            hurry: CancellationToken::new(),
            metrics,
            clock,
        };
        Self { shared: Arc::new(shared) }
    }

    /// Hears a message that is kept, and answers it in the background if a patient sent it.
    pub fn hear(&self, case: &Id, message: &ChatMessage) {
        let Some(asked) = Asked::of(case, message) else { return };
        let Some(entered) = self.shared.enter(&asked) else { return };
        let shared = Arc::clone(&self.shared);
        self.shared.work.spawn(async move {
            let _entered = entered;
            if let Err(error) = shared.tell(&asked).await {
                // Whoever watches the case takes it up.
                tracing::warn!(error = &error as &dyn std::error::Error, "a question was not answered");
                shared.metrics.answered("failed");
            }
        });
    }

    /// Takes up the questions of watched cases whose answer does not come, asked in the last `window`; ends
    /// with `stop`.
    pub fn watch(&self, reader: MessageReader, every: Duration, window: Duration, stop: CancellationToken) {
        let shared = Arc::clone(&self.shared);
        tokio::spawn(stop.run_until_cancelled_owned(overdue::watch(shared, reader, every, window)));
    }

    /// Waits until no answer is under way.
    pub async fn idle(&self) {
        // Only a closed tracker can be waited for; it takes new work all the same.
        self.shared.work.close();
        self.shared.work.wait().await;
    }

    /// Tells the rest of the answers under way at once; waits at most `within`, and says whether all ended.
    pub async fn finish(&self, within: Duration) -> bool {
        self.shared.hurry.cancel();
        timeout(within, self.idle()).await.is_ok()
    }
}

impl Asked {
    /// Nothing for messages that are not answered.
    fn of(case: &Id, message: &ChatMessage) -> Option<Self> {
        (message.role == ASKER).then(|| Self {
            case: case.clone(),
            answer: Id::derived(ANSWER_ID_PREFIX, &[case.as_str(), message.id.as_str()]),
            words: message.content.clone(),
        })
    }
}

impl Shared {
    /// Answers word by word.
    async fn tell(&self, asked: &Asked) -> Result<(), StoreError> {
        let _turn = self.turns.acquire().await.expect("the semaphore is never closed");
        let Some(Prepared { text, has_joined }) = self.prepare(asked).await? else { return Ok(()) };
        self.announce(&asked.case, has_joined);
        let mut answer = self.chat.answer_as(&asked.case, asked.answer.clone(), ROLE, sender());
        let words: Vec<_> = text.split_inclusive(' ').collect();
        let count = u32::try_from(words.len()).unwrap_or(u32::MAX).max(1);
        let pause = BETWEEN_WORDS.min(TOLD_WITHIN / count);
        for word in words {
            // The text is never longer than a message.
            let _ = answer.push(word);
            self.hurry.run_until_cancelled(sleep(pause)).await;
        }
        answer.finish().await?;
        self.metrics.answered("told");
        Ok(())
    }

    /// Answers in one piece, in the place of a process that may have told pieces before it ended.
    async fn take_up(&self, asked: &Asked) -> Result<(), StoreError> {
        let Some(Prepared { text, .. }) = self.prepare(asked).await? else { return Ok(()) };
        let mut answer = self.chat.answer_as(&asked.case, asked.answer.clone(), ROLE, sender());
        answer.take_whole(text);
        answer.finish().await?;
        self.metrics.answered("taken_up");
        Ok(())
    }

    /// Gives what there is to say; nothing where it is said already, or the case has no documents: people
    /// talk to each other then.
    async fn prepare(&self, asked: &Asked) -> Result<Option<Prepared>, StoreError> {
        let findings = self.findings(&asked.case).await?;
        if findings.is_empty() {
            return Ok(None);
        }
        let query = MessageQuery { newest: vec![asked.case.clone()], ..MessageQuery::default() };
        let kept = self.messages.read(&query).await?;
        if kept.iter().any(|kept| kept.message.id == asked.answer) {
            return Ok(None);
        }
        let has_joined = kept.iter().any(|kept| kept.message.role == ROLE);
        Ok(Some(Prepared { text: words::answer(&findings, &asked.words), has_joined }))
    }

    fn announce(&self, case: &Id, has_joined: bool) {
        let joined = (!has_joined).then_some(chat_types::AGENT_JOINED);
        for name in joined.into_iter().chain([chat_types::TYPING]) {
            let event = chat_event(name, &json!({ "role": ROLE, "name": NAME }));
            self.chat.emitter().emit(&Channel::chat(case.clone()), event);
        }
    }

    /// Nothing where documents are kept elsewhere.
    async fn findings(&self, case: &Id) -> Result<Vec<CaseFindings>, StoreError> {
        match self.documents.case_findings(case).await {
            Err(StoreError::KeptElsewhere) => Ok(Vec::new()),
            findings => findings,
        }
    }

    /// Nothing while this process is at the question.
    fn enter(self: &Arc<Self>, asked: &Asked) -> Option<Entered> {
        let is_new = self.lock().insert(asked.answer.clone());
        is_new.then(|| Entered { shared: Arc::clone(self), answer: asked.answer.clone() })
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<Id>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Stands for one answer under way; it is over when this is dropped.
struct Entered {
    shared: Arc<Shared>,
    answer: Id,
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.shared.lock().remove(&self.answer);
    }
}

fn sender() -> Map<String, Value> {
    Map::from_iter([("name".to_owned(), NAME.into())])
}
