//! Waiting to be woken, and what each wake-up asks for.

use std::collections::HashSet;

use tokio::{
    sync::{broadcast, watch},
    time::{Instant, sleep_until},
};

use super::{
    super::{
        super::WatchNews,
        drain::CHANNELS_AT_ONCE,
        listener::Wanted,
        log,
        probe::read_command,
        wake::{Appended, Wake},
        watched::WatchedChannels,
    },
    Poller,
};
use crate::{
    event::{Channel, EventId},
    upstash::RedisError,
};

/// Wake-up messages that are dealt with at once.
const WAKES_AT_ONCE: usize = 256;

/// What is heard on the wake-up channel.
pub(super) struct Ears {
    /// Which subscription stands; none where channels are only polled.
    pub(super) standing: Option<watch::Receiver<Option<u64>>>,
    pub(super) wakes: broadcast::Receiver<Wake>,
    /// Held while channels are watched.
    pub(super) wanted: Option<Wanted>,
}

/// What a batch of wake-up messages asks for.
#[derive(Default)]
struct Errands {
    drain: HashSet<Channel>,
    read: HashSet<Channel>,
}

impl Poller {
    /// Looks at what the subscription does not cover, then waits to be woken.
    pub(super) async fn attend(
        &mut self,
        watch: &WatchedChannels,
        generation: u64,
    ) -> Result<(), RedisError> {
        let unheard = watch.cursors(|_, watched| watched.heard_by != Some(generation));
        let next_look = self.looked_at_all + self.shared.settings.slow_interval;
        if !unheard.is_empty() {
            self.look(watch, &unheard).await?;
            watch.hear(&unheard, Some(generation));
            return Ok(());
        }
        if next_look <= Instant::now() {
            self.looked_at_all = Instant::now();
            return self.look(watch, &watch.cursors(|_, _| true)).await;
        }
        let Ears { standing, wakes, .. } = &mut self.ears;
        tokio::select! {
            heard = wakes.recv() => self.answer(watch, heard).await,
            () = changed(standing) => Ok(()),
            () = watch.changed.notified() => Ok(()),
            () = sleep_until(next_look) => Ok(()),
        }
    }

    /// Deals with a wake-up, and with those that have come with it.
    pub(super) async fn answer(
        &mut self,
        watch: &WatchedChannels,
        heard: Result<Wake, broadcast::error::RecvError>,
    ) -> Result<(), RedisError> {
        let mut errands = Errands::default();
        let mut next = heard;
        for _ in 0..WAKES_AT_ONCE {
            match next {
                Ok(wake) => self.hear(watch, wake, &mut errands).await,
                Err(_) => {
                    // Some were missed: nobody knows which channels they were about.
                    self.shared.seams.stir_all();
                    watch.hear(&watch.cursors(|_, _| true), None);
                    return Ok(());
                }
            }
            next = match self.ears.wakes.try_recv() {
                Ok(wake) => Ok(wake),
                Err(broadcast::error::TryRecvError::Lagged(missed)) => {
                    Err(broadcast::error::RecvError::Lagged(missed))
                }
                Err(_) => break,
            };
        }
        let ran = self.run_errands(watch, &errands).await;
        if ran.is_err() {
            watch.hear(&watch.cursors_of(&[errands.to_drain(), errands.to_read()].concat()), None);
        }
        ran
    }

    async fn hear(&self, watch: &WatchedChannels, wake: Wake, errands: &mut Errands) {
        let Some(channel) = wake.channel() else { return };
        self.shared.seams.stir(channel);
        let Some(watched) = watch.get(channel) else { return self.shared.metrics.woke("not_watched") };
        match wake {
            Wake::Pushed(channel) => {
                self.shared.metrics.woke("drained");
                errands.drain.insert(channel);
            }
            Wake::Appended(appended) => {
                if !self.take(watch, watched.after, &appended).await {
                    self.shared.metrics.woke("read");
                    errands.read.insert(appended.channel);
                }
            }
            Wake::Probe(_) => {}
        }
    }

    /// Takes entries that came right behind the cursor, or that are known; false: they have to be read.
    async fn take(&self, watch: &WatchedChannels, after: EventId, appended: &Appended) -> bool {
        if appended.newest <= after {
            self.shared.metrics.woke("known");
            return true;
        }
        let Some((before, entries)) = &appended.behind else { return false };
        if *before != after || !watch.advance(&appended.channel, after, appended.newest) {
            return false;
        }
        self.shared.metrics.woke("taken");
        let _ = self.news.send(WatchNews::Entries(appended.channel.clone(), entries.clone())).await;
        true
    }

    async fn run_errands(&mut self, watch: &WatchedChannels, errands: &Errands) -> Result<(), RedisError> {
        let to_drain = watch.cursors_of(&errands.to_drain());
        for some in to_drain.chunks(CHANNELS_AT_ONCE) {
            while self.drain_once(watch, some).await? {}
        }
        let to_read = watch.cursors_of(&errands.to_read());
        for some in to_read.chunks(CHANNELS_AT_ONCE) {
            let reply = self.shared.redis.command(&read_command(some, false)).await?;
            self.tell(watch, some, log::logs(reply)?, false).await;
        }
        Ok(())
    }
}

impl Errands {
    fn to_drain(&self) -> Vec<Channel> {
        self.drain.iter().cloned().collect()
    }

    /// A drain reads as well.
    fn to_read(&self) -> Vec<Channel> {
        self.read.difference(&self.drain).cloned().collect()
    }
}

/// Waits until another subscription stands, or none; for ever where there is never one.
pub(super) async fn changed(standing: &mut Option<watch::Receiver<Option<u64>>>) {
    let has_changed = match standing {
        Some(standing) => standing.changed().await.is_ok(),
        None => false,
    };
    if !has_changed {
        std::future::pending().await
    }
}
