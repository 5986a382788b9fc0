//! The watched channels, and how far each log has been read.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use tokio::{
    sync::{Notify, mpsc},
    time::{Duration, Instant},
};

use super::{
    super::{Watch, WatchNews},
    Shared,
    poll::Poller,
};
use crate::event::{Channel, EventId};

/// News that wait for the hub before the poller does.
const NEWS_WAITING: usize = 256;
/// How long a channel on which nothing is under way has to be quiet before it is looked at less often.
const QUIET_AFTER: Duration = Duration::from_secs(60);

/// The watched channels of a process, as the hub holds them.
pub(super) struct WatchedChannels {
    channels: Mutex<HashMap<Channel, Watched>>,
    pub(super) changed: Notify,
    news: tokio::sync::Mutex<mpsc::Receiver<WatchNews>>,
    shared: Arc<Shared>,
}

/// One watched channel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watched {
    /// Read up to here.
    pub(super) after: EventId,
    /// The subscription that tells of all that came since; none: it has to be looked at.
    pub(super) heard_by: Option<u64>,
    /// Nothing is under way, as far as its viewers know.
    is_resting: bool,
    /// When something last came.
    stirred_at: Instant,
}

impl Watched {
    /// Says whether it may be looked at less often.
    pub(super) fn is_quiet(&self) -> bool {
        self.is_resting && self.stirred_at.elapsed() >= QUIET_AFTER
    }
}

impl WatchedChannels {
    pub(super) fn start(shared: Arc<Shared>) -> Arc<Self> {
        let (sender, news) = mpsc::channel(NEWS_WAITING);
        let watch = Arc::new(Self {
            channels: Mutex::default(),
            changed: Notify::new(),
            news: tokio::sync::Mutex::new(news),
            shared: Arc::clone(&shared),
        });
        tokio::spawn(Poller::new(shared, Arc::downgrade(&watch), sender).run());
        watch
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Channel, Watched>> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    pub(super) fn get(&self, channel: &Channel) -> Option<Watched> {
        self.lock().get(channel).copied()
    }

    /// Gives the channels that `is_wanted`, with their cursors.
    pub(super) fn cursors(&self, is_wanted: impl Fn(&Channel, &Watched) -> bool) -> Vec<(Channel, EventId)> {
        let channels = self.lock();
        let wanted = channels.iter().filter(|(channel, watched)| is_wanted(channel, watched));
        wanted.map(|(channel, watched)| (channel.clone(), watched.after)).collect()
    }

    /// Gives those of `channels` that are watched, with their cursors.
    pub(super) fn cursors_of(&self, channels: &[Channel]) -> Vec<(Channel, EventId)> {
        let watched = self.lock();
        let cursor = |channel: &Channel| Some((channel.clone(), watched.get(channel)?.after));
        channels.iter().filter_map(cursor).collect()
    }

    /// Moves a cursor behind what was read, unless it was moved or removed meanwhile.
    pub(super) fn advance(&self, channel: &Channel, from: EventId, to: EventId) -> bool {
        match self.lock().get_mut(channel) {
            Some(watched) if watched.after == from => {
                watched.after = to;
                watched.stirred_at = Instant::now();
                true
            }
            _ => false,
        }
    }

    /// Notes which subscription tells of all that comes to these channels from now on.
    pub(super) fn hear(&self, channels: &[(Channel, EventId)], by: Option<u64>) {
        let mut watched = self.lock();
        for (channel, _) in channels {
            if let Some(watched) = watched.get_mut(channel) {
                watched.heard_by = by;
            }
        }
    }
}

#[async_trait]
impl Watch for WatchedChannels {
    fn add(&self, channel: &Channel, after: EventId) {
        // Under the lock: a wake-up that comes in between finds either the seam or the channel.
        let mut channels = self.lock();
        let heard_by = self.shared.seams.heard_by(channel, after);
        let watched = Watched { after, heard_by, is_resting: false, stirred_at: Instant::now() };
        channels.insert(channel.clone(), watched);
        drop(channels);
        self.changed.notify_one();
    }

    fn remove(&self, channel: &Channel) {
        self.lock().remove(channel);
    }

    fn rest(&self, channel: &Channel, is_resting: bool) {
        if let Some(watched) = self.lock().get_mut(channel) {
            watched.is_resting = is_resting;
        }
    }

    async fn next(&self) -> WatchNews {
        match self.news.lock().await.recv().await {
            Some(news) => news,
            None => std::future::pending().await,
        }
    }
}
