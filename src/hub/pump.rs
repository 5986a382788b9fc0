//! The one task that moves events from the upstream into the topics.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use futures::{StreamExt, TryStreamExt, stream};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::{LOADS_AT_ONCE, Shared, announcements::Announcements};
use crate::{
    broker::{BrokerError, Watch, WatchNews},
    event::Channel,
};

/// Runs until `stop` or until nobody holds the hub.
pub(super) async fn run(
    hub: Weak<Shared>,
    upstream: Arc<dyn Watch>,
    probe: Duration,
    stop: CancellationToken,
) {
    let mut announcements = Announcements::new();
    let mut probes = interval(probe);
    probes.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            news = upstream.next() => match hub.upgrade() {
                Some(hub) => take(&hub, news, &mut announcements).await,
                None => return,
            },
            () = announcements.announce_due() => {}
            _ = probes.tick() => match hub.upgrade() {
                Some(hub) => probe_source(&hub).await,
                None => return,
            },
        }
    }
}

async fn take(hub: &Arc<Shared>, news: WatchNews, announcements: &mut Announcements) {
    match news {
        WatchNews::Entries(channel, entries) => {
            if let Some(topic) = hub.topic(&channel)
                && let Some(at) = topic.append(&entries, hub)
            {
                announcements.plan(&topic, at);
            }
        }
        WatchNews::Gap(channel) => {
            hub.metrics.log_had_gap();
            read_anew(hub, &channel);
        }
        WatchNews::Down => hub.set_up(false),
        WatchNews::Up => {
            hub.set_up(true);
            load_unloaded(hub).await;
        }
    }
}

/// Reads a log anew beside the pump: after a flush every channel has a gap, and news of others go on.
fn read_anew(hub: &Arc<Shared>, channel: &Channel) {
    let Some(topic) = hub.topic(channel) else { return };
    topic.unload();
    let hub = Arc::clone(hub);
    tokio::spawn(async move {
        let _turn = hub.loads.acquire().await;
        if let Err(error) = hub.load(&topic).await {
            tracing::debug!(%error, "a log could not be read anew yet");
        }
    });
}

/// Reads what could not be read yet. Without viewers there is nothing to read: then a broker that
/// was down is only asked whether it answers.
async fn probe_source(hub: &Arc<Shared>) {
    if hub.is_up() || hub.has_topics() {
        load_unloaded(hub).await;
    } else if hub.broker.ping().await.is_ok() {
        hub.set_up(true);
    }
}

async fn load_unloaded(hub: &Arc<Shared>) {
    let topics = stream::iter(hub.unloaded_topics()).map(Ok::<_, BrokerError>);
    let loaded = topics.try_for_each_concurrent(LOADS_AT_ONCE, async |topic| hub.load(&topic).await);
    if let Err(error) = loaded.await {
        tracing::debug!(%error, "the logs cannot be read yet");
    }
}
