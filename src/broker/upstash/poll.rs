//! The one upstream of a process: a tick over all watched channels, or waiting to be woken.

mod attend;

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::{
    sync::mpsc,
    time::{Instant, sleep, sleep_until},
};

use super::{
    super::{Entry, LOG_ENTRIES, WatchNews},
    Emit, Shared,
    drain::CHANNELS_AT_ONCE,
    keys, log,
    probe::{has_lost, read_command},
    wake::Appended,
    watched::WatchedChannels,
};
use crate::{
    event::{Channel, EventId},
    upstash::{Command, RedisError},
};
use attend::{Ears, changed};

/// While nobody else drains, the logs are read at every so many idle ticks.
const QUIET_TICKS: u32 = 3;
/// How long another drainer is remembered.
const REMEMBER_OTHERS: Duration = Duration::from_secs(60);

/// A channel and the position up to which it has been read.
pub(super) type Cursors = [(Channel, EventId)];

/// The task behind [`WatchedChannels`].
pub(super) struct Poller {
    shared: Arc<Shared>,
    watch: Weak<WatchedChannels>,
    news: mpsc::Sender<WatchNews>,
    is_down: bool,
    tick: u32,
    probed_at: Instant,
    looked_at_all: Instant,
    others_seen_at: Option<Instant>,
    ears: Ears,
}

impl Poller {
    pub(super) fn new(
        shared: Arc<Shared>,
        watch: Weak<WatchedChannels>,
        news: mpsc::Sender<WatchNews>,
    ) -> Self {
        let ears = Ears {
            standing: shared.listener.as_ref().map(|listener| listener.standing()),
            wakes: shared.wakes.subscribe(),
            wanted: None,
        };
        let now = Instant::now();
        Self {
            shared,
            watch,
            news,
            is_down: false,
            tick: 0,
            probed_at: now,
            looked_at_all: now,
            others_seen_at: None,
            ears,
        }
    }

    /// Looks and listens until nobody holds the watch; without watched channels nothing is sent.
    pub(super) async fn run(mut self) {
        while let Some(watch) = self.watch.upgrade() {
            self.want(!watch.is_empty());
            if watch.is_empty() {
                self.looked_at_all = Instant::now();
                let changed = Arc::clone(&watch);
                drop(watch);
                tokio::select! {
                    () = changed.changed.notified() => {}
                    () = sleep(Duration::from_secs(1)) => {}
                }
                continue;
            }
            let looked = match self.generation() {
                Some(generation) => self.attend(&watch, generation).await,
                None => self.look_at_due(&watch).await,
            };
            drop(watch);
            if let Err(error) = looked {
                self.tell_down().await;
                self.rest_after(&error).await;
            }
        }
    }

    /// Asks for the wake-up subscription while channels are watched.
    fn want(&mut self, is_wanted: bool) {
        match &self.shared.listener {
            Some(listener) if is_wanted => drop(self.ears.wanted.get_or_insert_with(|| listener.want())),
            _ => self.ears.wanted = None,
        }
    }

    /// Waits until another look is worth it; a log that could be read meanwhile shows that it is.
    async fn rest_after(&self, error: &RedisError) {
        let pause = self.shared.redis.rests_for().or(error.back_off());
        let pause = sleep(pause.unwrap_or(self.shared.settings.probe_interval));
        match self.watch.upgrade() {
            Some(watch) => tokio::select! {
                () = pause => {}
                () = watch.changed.notified() => {}
            },
            None => pause.await,
        }
    }

    fn generation(&self) -> Option<u64> {
        self.ears.standing.as_ref().and_then(|standing| *standing.borrow())
    }

    /// A tick: looks at the channels whose time has come, then waits for the next.
    ///
    /// Ticks are counted from their beginning: a look over many channels, or at a Redis far away, takes time.
    async fn look_at_due(&mut self, watch: &WatchedChannels) -> Result<(), RedisError> {
        let settings = self.shared.settings;
        let begun = Instant::now();
        let looks_at_all = begun - self.looked_at_all >= settings.idle_poll_interval;
        if looks_at_all {
            self.looked_at_all = begun;
        }
        let due = watch.cursors(|_, watched| looks_at_all || !watched.is_quiet());
        self.look(watch, &due).await?;
        let Ears { standing, wakes, .. } = &mut self.ears;
        tokio::select! {
            () = sleep_until(begun + settings.poll_interval) => Ok(()),
            () = changed(standing) => Ok(()),
            heard = wakes.recv() => self.answer(watch, heard).await,
        }
    }

    async fn tell_down(&mut self) {
        self.shared.expiries.forget();
        if let Some(watch) = self.watch.upgrade() {
            watch.hear(&watch.cursors(|_, _| true), None);
        }
        if !std::mem::replace(&mut self.is_down, true) {
            let _ = self.news.send(WatchNews::Down).await;
        }
    }

    /// Tells that Redis answers again, before anything it answers.
    async fn tell_up(&mut self) {
        if std::mem::replace(&mut self.is_down, false) {
            let _ = self.news.send(WatchNews::Up).await;
        }
    }

    async fn look(&mut self, watch: &WatchedChannels, watched: &Cursors) -> Result<(), RedisError> {
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
        watch: &WatchedChannels,
        watched: &Cursors,
        is_probe: bool,
    ) -> Result<(), RedisError> {
        let inboxes = watched.iter().map(|(channel, _)| keys::inbox(channel));
        let mut commands = vec![Command::new("EXISTS").args(inboxes)];
        if is_probe || self.reads_each_tick() || self.tick.is_multiple_of(QUIET_TICKS) {
            commands.push(read_command(watched, is_probe));
        }
        let mut answers = self.shared.redis.pipeline(&commands).await?.into_iter();
        let waiting =
            answers.next().unwrap_or(Err(RedisError::Garbled("no answers")))?.as_integer().unwrap_or(0);
        self.tell_up().await;
        if let Some(reply) = answers.next() {
            if matches!(&reply, Err(RedisError::Refused(words)) if words.starts_with("WRONGTYPE")) {
                return self.shared.put_aside_what_is_no_log(watched).await;
            }
            let told = self.tell(watch, watched, log::logs(reply?)?, is_probe).await;
            if told > 0 {
                self.others_seen_at = Some(Instant::now());
            }
        }
        if waiting > 0 {
            self.drain(watch, watched).await?;
        }
        Ok(())
    }

    /// Says whether logs may grow without anything in the lists.
    fn reads_each_tick(&self) -> bool {
        let knows_others = self.others_seen_at.is_some_and(|seen_at| seen_at.elapsed() < REMEMBER_OTHERS);
        knows_others || self.ears.standing.is_some() || self.shared.settings.emit == Emit::Log
    }

    /// Drains what waits, run by run, and tells each run's events before the next.
    ///
    /// Nobody was woken for it: the other processes have to be.
    async fn drain(&mut self, watch: &WatchedChannels, watched: &Cursors) -> Result<(), RedisError> {
        while self.drain_once(watch, watched).await? {}
        let moved = |(channel, before): &(Channel, EventId)| {
            let newest = watch.get(channel)?.after;
            (newest > *before).then(|| Appended::unseen(channel.clone(), newest))
        };
        self.shared.wake(&watched.iter().filter_map(moved).collect::<Vec<_>>()).await;
        Ok(())
    }

    /// Runs the script over some channels; true when more may wait.
    async fn drain_once(&mut self, watch: &WatchedChannels, watched: &Cursors) -> Result<bool, RedisError> {
        let channels: Vec<_> = watched.iter().map(|(channel, _)| channel.clone()).collect();
        let watched = watch.cursors_of(&channels);
        let read = read_command(&watched, false);
        let (drained, reply) = self.shared.drain.run_then(&self.shared.redis, &channels, read).await?;
        self.shared.metrics.redis_drained(drained.met());
        if drained.dead + drained.quarantined + drained.refused > 0 {
            tracing::warn!(?drained, "producers pushed what could not be used");
        }
        let told = self.tell(watch, &watched, log::logs(reply)?, false).await;
        if told > drained.moved {
            self.others_seen_at = Some(Instant::now());
        }
        Ok(drained.has_more)
    }

    /// Tells the hub what is new, and counts it.
    async fn tell(
        &self,
        watch: &WatchedChannels,
        watched: &Cursors,
        logs: Vec<(String, Vec<Entry>)>,
        is_probe: bool,
    ) -> u64 {
        let mut logs: HashMap<_, _> = logs.into_iter().collect();
        let mut told = 0;
        for (channel, after) in watched {
            let entries = logs.remove(&keys::log(channel)).unwrap_or_default();
            let has_gap = if is_probe {
                let now = self.shared.clock.milliseconds();
                has_lost(*after, &entries, now, self.shared.settings.time_to_live)
            } else {
                entries.len() >= LOG_ENTRIES
            };
            let news: Vec<_> = entries.into_iter().filter(|entry| entry.id > *after).collect();
            let to = news.last().map_or(*after, |entry| entry.id);
            if has_gap && watch.advance(channel, *after, to) {
                self.shared.expiries.forget();
                let _ = self.news.send(WatchNews::Gap(channel.clone())).await;
            } else if !news.is_empty() && watch.advance(channel, *after, to) {
                told += news.len() as u64;
                let _ = self.news.send(WatchNews::Entries(channel.clone(), news)).await;
            }
        }
        told
    }
}
