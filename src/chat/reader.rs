//! Reads the messages of watched cases: one query for all viewers of this process.
//!
//! It reads every status interval, and at once for a case somebody begins to follow. A store that does
//! not answer is asked again once an interval, whatever is wanted meanwhile.

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

use super::store::{ChatStore, MOST_NEWER, MessageQuery, StoredMessage};
use crate::{documents::StoreError, event::Id, telemetry::Metrics};

/// Longest wait for one query.
const READ_WITHIN: Duration = Duration::from_secs(3);
/// Messages kept of one case: what a snapshot shows, and two reads for viewers that are slow.
const KEPT: usize = 256;

/// Reads messages for all who follow a case. Clones share it.
#[derive(Clone)]
pub struct MessageReader {
    shared: Arc<Shared>,
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

struct Shared {
    store: Arc<dyn ChatStore>,
    metrics: Arc<Metrics>,
    interval: Duration,
    cases: Mutex<HashMap<Id, Followed>>,
    /// Somebody began to follow a case, or there is more to read of one.
    wanted: Notify,
    is_up: watch::Sender<bool>,
}

struct Followed {
    followers: usize,
    is_loaded: bool,
    messages: VecDeque<Arc<StoredMessage>>,
    /// The number of the last message that is no longer kept here.
    left: u64,
    changes: watch::Sender<u64>,
}

impl MessageReader {
    /// Starts reading from `store` every `interval`; ends with `stop`.
    #[must_use]
    pub fn start(
        store: Arc<dyn ChatStore>,
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
        Self { shared }
    }

    /// Follows `case`, once its newest messages are read or the store is down.
    pub async fn follow(&self, case: &Id) -> MessageFollow {
        let follow = self.shared.follow(case);
        let mut changes = follow.changes.clone();
        while !self.shared.is_loaded(case) && *self.shared.is_up.borrow() {
            if changes.changed().await.is_err() {
                break;
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
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn changed(&mut self) {
        if self.changes.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        // Left unseen: whoever waits still has to take them.
        self.changes.mark_changed();
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
        self.wanted.notify_one();
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
            if !followed.is_loaded {
                query.newest.push(case.clone());
            } else if is_round {
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

impl Followed {
    fn new() -> Self {
        Self {
            followers: 0,
            is_loaded: false,
            messages: VecDeque::new(),
            left: 0,
            changes: watch::Sender::default(),
        }
    }

    fn last(&self) -> u64 {
        self.messages.back().map_or(self.left, |stored| stored.sequence)
    }

    fn take(&mut self, newer: Vec<StoredMessage>) {
        let last = self.last();
        let newer = newer.into_iter().filter(|stored| stored.sequence > last);
        self.messages.extend(newer.map(Arc::new));
        while self.messages.len() > KEPT {
            self.left = self.messages.pop_front().map_or(self.left, |stored| stored.sequence);
        }
        self.announce_attempt();
    }

    fn announce_attempt(&self) {
        self.changes.send_modify(|changes| *changes += 1);
    }
}
