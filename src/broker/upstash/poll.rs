//! The one upstream of a process: a tick over all watched channels.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use async_trait::async_trait;
use tokio::{
    sync::{Notify, mpsc},
    time::{Instant, sleep},
};

use super::{
    super::{CLOCK_ALLOWANCE, Entry, LOG_ENTRIES, Watch, WatchNews},
    Shared,
    drain::CHANNELS_AT_ONCE,
    keys, log,
};
use crate::{
    event::{Channel, EventId},
    upstash::{Command, RedisError},
};

/// News that wait for the hub before the poller does.
const NEWS_WAITING: usize = 256;
/// While nobody else drains, the logs are read at every so many idle ticks.
const QUIET_TICKS: u32 = 3;
/// How long another drainer is remembered.
const REMEMBER_OTHERS: Duration = Duration::from_secs(60);

/// Reads the logs of the watched channels by polling.
pub(super) struct PollingWatch {
    cursors: Mutex<HashMap<Channel, EventId>>,
    changed: Notify,
    news: tokio::sync::Mutex<mpsc::Receiver<WatchNews>>,
}

/// How much earlier than said a log may end: it is told its time after its last entry.
const EXPIRY_ALLOWANCE: Duration = Duration::from_secs(5);

/// The task behind a [`PollingWatch`].
struct Poller {
    shared: Arc<Shared>,
    watch: Weak<PollingWatch>,
    news: mpsc::Sender<WatchNews>,
    is_down: bool,
    tick: u32,
    probed_at: Instant,
    others_seen_at: Option<Instant>,
}

impl PollingWatch {
    pub(super) fn start(shared: Arc<Shared>) -> Arc<Self> {
        let (sender, news) = mpsc::channel(NEWS_WAITING);
        let watch = Arc::new(Self {
            cursors: Mutex::default(),
            changed: Notify::new(),
            news: tokio::sync::Mutex::new(news),
        });
        let poller = Poller {
            shared,
            watch: Arc::downgrade(&watch),
            news: sender,
            is_down: false,
            tick: 0,
            probed_at: Instant::now(),
            others_seen_at: None,
        };
        tokio::spawn(poller.run());
        watch
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Channel, EventId>> {
        self.cursors.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watched(&self) -> Vec<(Channel, EventId)> {
        self.lock().iter().map(|(channel, after)| (channel.clone(), *after)).collect()
    }

    /// Moves a cursor behind what was read, unless it was moved or removed meanwhile.
    fn advance(&self, channel: &Channel, from: EventId, to: EventId) -> bool {
        match self.lock().get_mut(channel) {
            Some(after) if *after == from => {
                *after = to;
                true
            }
            _ => false,
        }
    }
}

#[async_trait]
impl Watch for PollingWatch {
    fn add(&self, channel: &Channel, after: EventId) {
        self.lock().insert(channel.clone(), after);
        self.changed.notify_one();
    }

    fn remove(&self, channel: &Channel) {
        self.lock().remove(channel);
    }

    async fn next(&self) -> WatchNews {
        match self.news.lock().await.recv().await {
            Some(news) => news,
            None => std::future::pending().await,
        }
    }
}

impl Poller {
    /// Polls until nobody holds the watch; without watched channels nothing is sent.
    async fn run(mut self) {
        while let Some(watch) = self.watch.upgrade() {
            let watched = watch.watched();
            if watched.is_empty() {
                let changed = Arc::clone(&watch);
                drop(watch);
                tokio::select! {
                    () = changed.changed.notified() => {}
                    () = sleep(Duration::from_secs(1)) => {}
                }
                continue;
            }
            let looked = self.look(&watch, &watched).await;
            drop(watch);
            let pause = match looked {
                Ok(()) => self.shared.settings.poll_interval,
                Err(error) => error.back_off().unwrap_or(self.shared.settings.probe_interval),
            };
            sleep(pause).await;
        }
    }

    async fn look(&mut self, watch: &PollingWatch, watched: &[(Channel, EventId)]) -> Result<(), RedisError> {
        let looked = self.tick(watch, watched).await;
        if looked.is_err() && !std::mem::replace(&mut self.is_down, true) {
            let _ = self.news.send(WatchNews::Down).await;
        }
        looked
    }

    /// Tells that Redis answers again, before anything it answers.
    async fn tell_up(&mut self) {
        if std::mem::replace(&mut self.is_down, false) {
            let _ = self.news.send(WatchNews::Up).await;
        }
    }

    async fn tick(&mut self, watch: &PollingWatch, watched: &[(Channel, EventId)]) -> Result<(), RedisError> {
        self.tick = self.tick.wrapping_add(1);
        let is_probe = self.probed_at.elapsed() >= self.shared.settings.probe_interval || self.is_down;
        if is_probe {
            self.probed_at = Instant::now();
        }
        for some in watched.chunks(CHANNELS_AT_ONCE) {
            self.look_at(watch, some, is_probe).await?;
        }
        Ok(())
    }

    /// Looks whether anything has arrived; drains it; reads what is new in the logs.
    async fn look_at(
        &mut self,
        watch: &PollingWatch,
        watched: &[(Channel, EventId)],
        is_probe: bool,
    ) -> Result<(), RedisError> {
        let read = read_command(watched, is_probe);
        let exists = watched
            .iter()
            .fold(Command::new("EXISTS"), |command, (channel, _)| command.arg(keys::inbox(channel)));
        let reads_now = is_probe || self.knows_others() || self.tick.is_multiple_of(QUIET_TICKS);
        let commands = if reads_now { vec![exists, read.clone()] } else { vec![exists] };
        let mut answers = self.shared.redis.pipeline(&commands).await?.into_iter();
        let waiting =
            answers.next().unwrap_or(Err(RedisError::Garbled("no answers")))?.as_integer().unwrap_or(0);
        self.tell_up().await;
        if let Some(reply) = answers.next() {
            let told = self.tell(watch, watched, log::logs(reply?)?, is_probe).await;
            if told > 0 {
                self.others_seen_at = Some(Instant::now());
            }
        }
        if waiting > 0 {
            self.drain(watch).await?;
        }
        Ok(())
    }

    /// Drains what waits, run by run, and tells each run's events before the next.
    async fn drain(&mut self, watch: &PollingWatch) -> Result<(), RedisError> {
        let watched = watch.watched();
        for some in watched.chunks(CHANNELS_AT_ONCE) {
            while self.drain_once(watch, some).await? {}
        }
        Ok(())
    }

    /// Runs the script over some channels; true when more may wait.
    async fn drain_once(
        &mut self,
        watch: &PollingWatch,
        watched: &[(Channel, EventId)],
    ) -> Result<bool, RedisError> {
        let channels: Vec<_> = watched.iter().map(|(channel, _)| channel.clone()).collect();
        let watched: Vec<_> =
            watch.watched().into_iter().filter(|(channel, _)| channels.contains(channel)).collect();
        let read = read_command(&watched, false);
        let (drained, reply) = self.shared.drain.run_then(&self.shared.redis, &channels, read).await?;
        if drained.dead + drained.quarantined + drained.refused > 0 {
            tracing::warn!(?drained, "producers pushed what could not be used");
        }
        let told = self.tell(watch, &watched, log::logs(reply)?, false).await;
        if told > drained.moved {
            self.others_seen_at = Some(Instant::now());
        }
        Ok(drained.has_more)
    }

    fn knows_others(&self) -> bool {
        self.others_seen_at.is_some_and(|seen_at| seen_at.elapsed() < REMEMBER_OTHERS)
    }

    /// Tells the hub what is new, and counts it.
    async fn tell(
        &self,
        watch: &PollingWatch,
        watched: &[(Channel, EventId)],
        logs: Vec<(String, Vec<Entry>)>,
        is_probe: bool,
    ) -> u64 {
        let mut logs: HashMap<_, _> = logs.into_iter().collect();
        let mut told = 0;
        for (channel, after) in watched {
            let entries = logs.remove(&keys::log(channel)).unwrap_or_default();
            let has_gap = if is_probe {
                has_lost(
                    *after,
                    &entries,
                    self.shared.clock.milliseconds(),
                    self.shared.settings.time_to_live,
                )
            } else {
                entries.len() >= LOG_ENTRIES
            };
            let news: Vec<_> = entries.into_iter().filter(|entry| entry.id > *after).collect();
            let to = news.last().map_or(*after, |entry| entry.id);
            if has_gap && watch.advance(channel, *after, to) {
                let _ = self.news.send(WatchNews::Gap(channel.clone())).await;
            } else if !news.is_empty() && watch.advance(channel, *after, to) {
                told += news.len() as u64;
                let _ = self.news.send(WatchNews::Entries(channel.clone(), news)).await;
            }
        }
        told
    }
}

/// Says whether something behind `after` left the log unread, as a probe shows it at `now`.
///
/// A probe reads from the cursor's own entry on. That one must be there for as long as the log
/// lives behind it; what began anew after that time is whole.
fn has_lost(after: EventId, entries: &[Entry], now: u64, time_to_live: Duration) -> bool {
    let milliseconds = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let is_full = entries.len() >= LOG_ENTRIES;
    match (after.seen_empty_at(), entries.first()) {
        (Some(_), _) => is_full,
        (None, Some(first)) if first.id == after => false,
        (None, Some(first)) => {
            let began_anew = after.milliseconds + milliseconds(time_to_live.saturating_sub(EXPIRY_ALLOWANCE));
            is_full || first.id.milliseconds < began_anew
        }
        (None, None) => {
            let lives = milliseconds(time_to_live.saturating_sub(CLOCK_ALLOWANCE));
            now.saturating_sub(after.milliseconds) < lives
        }
    }
}

/// Reads all logs behind their cursors; a probe from the cursors' own entries on.
fn read_command(watched: &[(Channel, EventId)], is_probe: bool) -> Command {
    let command = Command::new("XREAD").arg("STREAMS");
    let command = watched.iter().fold(command, |command, (channel, _)| command.arg(keys::log(channel)));
    let from = |after: EventId| if is_probe { before(after) } else { after };
    watched.iter().fold(command, |command, (_, after)| command.arg(from(*after).to_string()))
}

/// The id before `id`, so that an exclusive read includes it.
const fn before(id: EventId) -> EventId {
    match (id.milliseconds, id.sequence) {
        (0, _) => id,
        (milliseconds, 0) => EventId::new(milliseconds - 1, u64::MAX),
        (milliseconds, sequence) => EventId::new(milliseconds, sequence - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIVES: Duration = Duration::from_secs(600);

    fn lost(after: EventId, ids: &[u64], now: u64) -> bool {
        let entry = |&ms: &u64| Entry { id: EventId::new(ms, 0), payload: "{}".into() };
        has_lost(after, &ids.iter().map(entry).collect::<Vec<_>>(), now, LIVES)
    }

    #[test]
    fn a_probe_that_finds_the_cursors_entry_has_lost_nothing() {
        assert!(!lost(EventId::new(1_000, 0), &[1_000, 2_000], 3_000));
    }

    #[test]
    fn an_entry_that_is_gone_within_the_life_of_its_log_is_a_gap() {
        assert!(lost(EventId::new(1_000, 0), &[2_000], 3_000));
        assert!(lost(EventId::new(1_000, 0), &[], 3_000));
    }

    #[test]
    fn a_log_that_ended_in_its_time_and_began_anew_is_whole() {
        assert!(!lost(EventId::new(1_000, 0), &[], 700_000));
        assert!(!lost(EventId::new(1_000, 0), &[650_000, 650_001], 700_000));
    }

    #[test]
    fn a_log_that_filled_up_since_it_was_empty_may_have_lost_its_beginning() {
        let many: Vec<_> = (1_000..1_000 + LOG_ENTRIES as u64).collect();

        assert!(!lost(EventId::of_empty_log(1), &many[1..], 3_000));
        assert!(lost(EventId::of_empty_log(1), &many, 3_000));
    }

    #[test]
    fn the_id_before_includes_the_entry_itself() {
        assert_eq!(before(EventId::new(5, 3)), EventId::new(5, 2));
        assert_eq!(before(EventId::new(5, 0)), EventId::new(4, u64::MAX));
        assert_eq!(before(EventId::of_empty_log(9)), EventId::of_empty_log(9));
    }
}
