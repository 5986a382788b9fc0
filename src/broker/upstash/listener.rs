//! This process's one subscription to the wake-up channel.
//!
//! It is held while somebody watches a channel. While it stands, nobody need ask; when it is lost,
//! its generation is over, and whoever relied on it looks for itself until the next one.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use backon::{BackoffBuilder, ExponentialBuilder};
use futures::StreamExt;
use tokio::{
    sync::{broadcast, watch},
    time::{Instant, sleep, sleep_until, timeout},
};
use uuid::Uuid;

use super::wake::{self, WAKE_CHANNEL, Wake};
use crate::{
    telemetry::Metrics,
    upstash::{RedisError, RedisRest, Subscription},
};

/// How long a subscription is kept when nobody watches anything: viewers come and go.
const LINGER: Duration = Duration::from_secs(20);
/// How long a message to oneself may take; one that is not heard means that nothing is.
const HEARD_WITHIN: Duration = Duration::from_secs(5);
/// Pauses between tries: the first, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// Listens for wake-up messages. The task behind it ends with it.
pub(super) struct Listener {
    redis: RedisRest,
    metrics: Arc<Metrics>,
    /// How often it asks itself whether it still hears: a connection may be dead on one side.
    probe_interval: Duration,
    wanted: watch::Sender<usize>,
    /// Counts subscriptions; which one stands, if any.
    standing: watch::Sender<Option<u64>>,
    wakes: broadcast::Sender<Wake>,
}

/// Wants the subscription until dropped.
pub(super) struct Wanted(Arc<Listener>);

/// Why a subscription is given up.
enum End {
    Lost,
    Unwanted,
}

impl Listener {
    pub(super) fn start(
        redis: RedisRest,
        metrics: Arc<Metrics>,
        probe_interval: Duration,
        wakes: broadcast::Sender<Wake>,
    ) -> Arc<Self> {
        metrics.wake_is(false);
        let listener = Arc::new(Self {
            redis,
            metrics,
            probe_interval,
            wanted: watch::Sender::new(0),
            standing: watch::Sender::new(None),
            wakes,
        });
        tokio::spawn(run(Arc::downgrade(&listener), listener.wanted.subscribe()));
        listener
    }

    /// Asks for the subscription.
    pub(super) fn want(self: &Arc<Self>) -> Wanted {
        self.wanted.send_modify(|count| *count += 1);
        Wanted(Arc::clone(self))
    }

    /// Follows which subscription stands.
    pub(super) fn standing(&self) -> watch::Receiver<Option<u64>> {
        self.standing.subscribe()
    }

    /// Waits for a subscription, at most `within`, and says which one stands.
    pub(super) async fn stands(&self, within: Duration) -> Option<u64> {
        let mut standing = self.standing();
        let stands = timeout(within, standing.wait_for(Option::is_some)).await;
        stands.ok()?.ok().and_then(|generation| *generation)
    }

    fn is_wanted(&self) -> bool {
        *self.wanted.borrow() > 0
    }

    /// Listens until the subscription is lost, or unwanted for a while.
    async fn listen(&self, mut subscription: Subscription) -> End {
        let mut probe_at = Instant::now() + self.probe_interval;
        let mut awaited: Option<(String, Instant)> = None;
        let mut unwanted_since: Option<Instant> = None;
        let mut wanted = self.wanted.subscribe();
        loop {
            unwanted_since = if self.is_wanted() { None } else { unwanted_since.or(Some(Instant::now())) };
            let gives_up_at = unwanted_since.map(|since| since + LINGER);
            let deaf_at = awaited.as_ref().map(|(_, sent_at)| *sent_at + HEARD_WITHIN);
            tokio::select! {
                heard = subscription.next() => match heard {
                    Some(Ok(message)) => self.take(&message, &mut awaited),
                    Some(Err(error)) => {
                        tracing::debug!(%error, "the wake-up subscription ended");
                        return End::Lost;
                    }
                    None => return End::Lost,
                },
                () = sleep_until(probe_at) => {
                    probe_at = Instant::now() + self.probe_interval;
                    awaited = Some((self.probe().await, Instant::now()));
                }
                () = until(deaf_at) => {
                    tracing::debug!("the wake-up subscription does not hear any more");
                    return End::Lost;
                }
                () = until(gives_up_at) => return End::Unwanted,
                _ = wanted.changed() => {}
            }
        }
    }

    fn take(&self, message: &str, awaited: &mut Option<(String, Instant)>) {
        match Wake::parse(message) {
            Some(Wake::Probe(nonce)) => {
                if awaited.as_ref().is_some_and(|(sent, _)| *sent == nonce) {
                    *awaited = None;
                }
            }
            // Nobody follows: nobody watches.
            Some(wake) => drop(self.wakes.send(wake)),
            None => self.metrics.woke("unreadable"),
        }
    }

    /// Publishes what must come back. That it could not be sent shows when it does not.
    async fn probe(&self) -> String {
        let nonce = Uuid::new_v4().to_string();
        if let Err(error) = self.redis.command(&wake::publish(wake::probe(&nonce))).await {
            tracing::debug!(%error, "the wake-up subscription could not be probed");
        }
        nonce
    }

    fn stand(&self, generation: Option<u64>) {
        self.metrics.wake_is(generation.is_some());
        self.standing.send_replace(generation);
    }
}

/// Tries out whether what is published on the wake-up channel is heard; costs two commands.
///
/// # Errors
/// [`RedisError`] when Redis refuses, or [`RedisError::Timeout`] when nothing is heard in five seconds.
pub async fn hears_itself(redis: &RedisRest) -> Result<(), RedisError> {
    let mut subscription = redis.subscribe(WAKE_CHANNEL, HEARD_WITHIN).await?;
    let message = wake::probe(&Uuid::new_v4().to_string());
    redis.command(&wake::publish(message.clone())).await?;
    let heard = async {
        while let Some(heard) = subscription.next().await.transpose()? {
            if heard == message {
                return Ok(());
            }
        }
        Err(RedisError::Garbled("the subscription ended"))
    };
    timeout(HEARD_WITHIN, heard).await.unwrap_or(Err(RedisError::Timeout))
}

/// Subscribes whenever it is wanted, until nobody holds the listener.
async fn run(listener: Weak<Listener>, mut wanted: watch::Receiver<usize>) {
    let pauses = ExponentialBuilder::default()
        .with_jitter()
        .with_min_delay(PAUSES.0)
        .with_max_delay(PAUSES.1)
        .without_max_times();
    let mut pause = pauses.build();
    let mut generation = 0;
    let mut has_said_why = false;
    loop {
        if wanted.wait_for(|count| *count > 0).await.is_err() {
            return;
        }
        let Some(listener) = listener.upgrade() else { return };
        let mut least = None;
        match listener.redis.subscribe(WAKE_CHANNEL, listener.probe_interval * 3).await {
            Ok(subscription) => {
                generation += 1;
                has_said_why = false;
                let begun = Instant::now();
                listener.stand(Some(generation));
                let end = listener.listen(subscription).await;
                listener.stand(None);
                if begun.elapsed() > PAUSES.1 {
                    pause = pauses.build();
                }
                if matches!(end, End::Unwanted) {
                    continue;
                }
            }
            Err(error) => {
                least = listener.redis.rests_for().or(error.back_off());
                if !std::mem::replace(&mut has_said_why, true) {
                    tracing::warn!(%error, "no wake-up subscription; the channels are polled until there is one");
                }
            }
        }
        drop(listener);
        let next = pause.next().unwrap_or(PAUSES.1);
        sleep(next.max(least.unwrap_or_default())).await;
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

impl Drop for Wanted {
    fn drop(&mut self) {
        self.0.wanted.send_modify(|count| *count -= 1);
    }
}
