//! Reads the messages of watched cases: one query for all viewers of this process.
//!
//! It reads every status interval, and at once for a case somebody begins to follow and the cache does not know. A
//! store that does not answer is asked again once an interval, whatever is wanted meanwhile.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    conversation::Conversation,
    followed::Followed,
    store::{ChatStore, MOST_NEWER, MessageQuery, StoredMessage},
};
use crate::{
    cache::{Cache, Key},
    documents::StoreError,
    event::Id,
    telemetry::Metrics,
};

/// Longest wait for one query.
const READ_WITHIN: Duration = Duration::from_secs(3);

/// Reads messages for all who follow a case. Clones share it.
#[derive(Clone)]
pub struct MessageReader {
    shared: Arc<Shared>,
    cache: Cache,
}

/// Follows one case's messages; the case is read as long as one of these lives.
pub struct MessageFollow {
    shared: Arc<Shared>,
    case: Id,
    changes: watch::Receiver<u64>,
    /// The number of the last message taken.
    seen: u64,
}

/// What is new to a follower.
#[derive(Debug)]
pub enum News {
    /// Messages behind the last one taken, oldest first.
    Messages(Vec<Arc<StoredMessage>>),
    /// The follower took too long: some are no longer at hand.
    Missed,
}

/// Tells that the newest messages of a case could not be read.
struct Unread;

struct Shared {
    store: Arc<dyn ChatStore>,
    metrics: Arc<Metrics>,
    interval: Duration,
    cases: Mutex<HashMap<Id, Followed>>,
    /// Somebody began to follow a case, or there is more to read of one.
    wanted: Notify,
    is_up: watch::Sender<bool>,
}

impl MessageReader {
    /// Starts reading from `store` every `interval`; ends with `stop`. Whoever writes has to drop from `cache` the
    /// conversation it wrote to.
    #[must_use]
    pub fn start(
        store: Arc<dyn ChatStore>,
        cache: Cache,
        metrics: Arc<Metrics>,
        interval: Duration,
        stop: CancellationToken,
    ) -> Self {
        let shared = Arc::new(Shared {
            store,
            metrics,
            interval,
            cases: Mutex::default(),
            wanted: Notify::new(),
            is_up: watch::Sender::new(true),
        });
        tokio::spawn({
            let shared = Arc::clone(&shared);
            async move { stop.run_until_cancelled(shared.run()).await }
        });
        Self { shared, cache }
    }

    /// Follows `case`, once its newest messages are known or the store is down.
    pub async fn follow(&self, case: &Id) -> MessageFollow {
        let follow = self.shared.follow(case);
        if !self.shared.is_loaded(case) {
            let read = self.shared.read_newest(case, follow.changes.clone());
            let known = self.cache.get_or_load(&Key::conversation(case), read).await;
            if let Ok(Some(Conversation(messages))) = known {
                self.shared.begin_with(case, messages);
            }
        }
        follow
    }

    /// Shows the messages at hand of each followed case, oldest first.
    pub(super) fn look(&self, mut each: impl FnMut(&VecDeque<Arc<StoredMessage>>)) {
        self.shared.lock().values().for_each(|followed| each(&followed.messages));
    }

    /// Names the store as viewers and operators read it.
    #[must_use]
    pub fn source_name(&self) -> &'static str {
        self.shared.store.name()
    }

    /// Follows whether the store answers.
    #[must_use]
    pub fn source_state(&self) -> watch::Receiver<bool> {
        self.shared.is_up.subscribe()
    }
}

impl MessageFollow {
    /// Gives the newest messages at hand, at most `most`, and counts all as taken.
    pub fn take_newest(&mut self, most: usize) -> Vec<Arc<StoredMessage>> {
        self.changes.mark_unchanged();
        let cases = self.shared.lock();
        let Some(followed) = cases.get(&self.case) else { return Vec::new() };
        self.seen = followed.last();
        let skip = followed.messages.len().saturating_sub(most);
        followed.messages.iter().skip(skip).cloned().collect()
    }

    /// Gives the messages behind the last one taken.
    pub fn take_news(&mut self) -> News {
        self.changes.mark_unchanged();
        let cases = self.shared.lock();
        let Some(followed) = cases.get(&self.case) else { return News::Messages(Vec::new()) };
        if self.seen < followed.left {
            return News::Missed;
        }
        let behind = followed.messages.partition_point(|stored| stored.sequence <= self.seen);
        self.seen = followed.last();
        News::Messages(followed.messages.iter().skip(behind).cloned().collect())
    }

    /// Says whether messages came since the last ones were taken.
    #[must_use]
    pub fn has_news(&self) -> bool {
        self.changes.has_changed().unwrap_or(false)
    }

    /// Waits until messages come.
    pub fn changed(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut changes = self.changes.clone();
        async move {
            if changes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

impl Drop for MessageFollow {
    fn drop(&mut self) {
        let mut cases = self.shared.lock();
        let Some(followed) = cases.get_mut(&self.case) else { return };
        followed.followers -= 1;
        if followed.followers == 0 {
            cases.remove(&self.case);
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, HashMap<Id, Followed>> {
        self.cases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn follow(self: &Arc<Self>, case: &Id) -> MessageFollow {
        let mut cases = self.lock();
        let followed = cases.entry(case.clone()).or_insert_with(Followed::new);
        followed.followers += 1;
        MessageFollow {
            shared: Arc::clone(self),
            case: case.clone(),
            changes: followed.changes.subscribe(),
            seen: 0,
        }
    }

    fn is_loaded(&self, case: &Id) -> bool {
        self.lock().get(case).is_some_and(|followed| followed.is_loaded)
    }

    /// Has the newest messages of a case read, with those of all others that are wanted.
    async fn read_newest(
        &self,
        case: &Id,
        mut changes: watch::Receiver<u64>,
    ) -> Result<Option<Conversation>, Unread> {
        if let Some(followed) = self.lock().get_mut(case) {
            followed.is_wanted = true;
        }
        self.wanted.notify_one();
        while !self.is_loaded(case) && *self.is_up.borrow() {
            changes.changed().await.map_err(|_| Unread)?;
        }
        let cases = self.lock();
        let followed = cases.get(case).filter(|followed| followed.is_loaded).ok_or(Unread)?;
        Ok(Some(Conversation::of(followed.messages.iter().map(|stored| &**stored))))
    }

    /// Begins with what is known of a case, where nothing has been read meanwhile.
    fn begin_with(&self, case: &Id, messages: Vec<StoredMessage>) {
        if let Some(followed) = self.lock().get_mut(case).filter(|followed| !followed.is_loaded) {
            followed.is_loaded = true;
            followed.take(messages);
        }
    }

    async fn run(&self) {
        let mut next_round = Instant::now() + self.interval;
        let mut has_more = false;
        loop {
            if !has_more {
                tokio::select! {
                    () = self.wanted.notified() => {}
                    () = sleep_until(next_round) => {}
                }
            }
            let is_round = Instant::now() >= next_round;
            if is_round {
                next_round = Instant::now() + self.interval;
            }
            // While the store is down it is asked once an interval, by the round.
            let query = self.query(is_round || has_more);
            has_more = (is_round || *self.is_up.borrow()) && self.read(&query).await;
        }
    }

    /// Asks for the newest of cases that have not been read, and in a round for what is new in the others.
    fn query(&self, is_round: bool) -> MessageQuery {
        let mut query = MessageQuery::default();
        for (case, followed) in &*self.lock() {
            if followed.is_wanted && !followed.is_loaded {
                query.newest.push(case.clone());
            } else if followed.is_loaded && is_round {
                query.newer.push((case.clone(), followed.last()));
            }
        }
        query
    }

    /// Reads what is asked for; true when there is more to read at once.
    async fn read(&self, query: &MessageQuery) -> bool {
        // A store that is down is asked on without followers: it would stay down for ever.
        if query.newest.is_empty() && query.newer.is_empty() && *self.is_up.borrow() {
            return false;
        }
        let answer = timeout(READ_WITHIN, self.store.read(query)).await;
        let answer = answer.unwrap_or(Err(StoreError::Timeout));
        self.metrics.messages_read(answer.is_ok());
        self.set_up(answer.is_ok());
        match answer {
            Ok(messages) => self.tell(query, messages),
            Err(error) => {
                tracing::debug!(%error, "the messages could not be read");
                self.lock().values().for_each(Followed::announce_attempt);
                false
            }
        }
    }

    fn tell(&self, query: &MessageQuery, messages: Vec<StoredMessage>) -> bool {
        let mut by_case: HashMap<Id, Vec<StoredMessage>> = HashMap::new();
        for message in messages {
            by_case.entry(message.case_id.clone()).or_default().push(message);
        }
        let mut cases = self.lock();
        for case in &query.newest {
            if let Some(followed) = cases.get_mut(case).filter(|followed| !followed.is_loaded) {
                followed.is_loaded = true;
                followed.take(by_case.remove(case).unwrap_or_default());
            }
        }
        let mut has_more = false;
        for (case, _) in &query.newer {
            // One that was left and is followed anew has to be read from its end first.
            let Some(followed) = cases.get_mut(case).filter(|followed| followed.is_loaded) else { continue };
            let newer = by_case.remove(case).unwrap_or_default();
            has_more |= newer.len() >= MOST_NEWER as usize;
            if !newer.is_empty() {
                followed.take(newer);
            }
        }
        has_more
    }

    fn set_up(&self, is_up: bool) {
        let changed = self.is_up.send_if_modified(|state| std::mem::replace(state, is_up) != is_up);
        if changed {
            tracing::warn!(source = self.store.name(), is_up, "the state of the message store changed");
        }
    }
}
