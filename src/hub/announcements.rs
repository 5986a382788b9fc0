//! When viewers are told that there is more to read: at once, or together with what comes in the same moment.
//!
//! To wake a viewer for each of many events costs more than the events do. So the first event of a channel
//! is told at once, and those that follow within [`HubSettings::gathered_for`] together.
//!
//! [`HubSettings::gathered_for`]: super::HubSettings::gathered_for

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, Weak},
};

use tokio::time::{Instant, Sleep, sleep_until};

use super::topic::Topic;

/// Topics whose viewers are to be told, the first due first.
pub(super) struct Announcements {
    due: VecDeque<(Instant, Weak<Topic>)>,
    timer: Pin<Box<Sleep>>,
}

impl Announcements {
    pub(super) fn new() -> Self {
        Self { due: VecDeque::new(), timer: Box::pin(sleep_until(Instant::now())) }
    }

    /// Announces `topic` later. All wait equally long, so the queue stays in order.
    pub(super) fn plan(&mut self, topic: &Arc<Topic>, at: Instant) {
        if self.due.is_empty() {
            self.timer.as_mut().reset(at);
        }
        self.due.push_back((at, Arc::downgrade(topic)));
    }

    /// Waits until a topic is due, and announces all that are.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub(super) async fn announce_due(&mut self) {
        if self.due.is_empty() {
            return std::future::pending().await;
        }
        self.timer.as_mut().await;
        let now = Instant::now();
        while let Some((_, topic)) = self.due.pop_front_if(|(at, _)| *at <= now) {
            topic.upgrade().inspect(|topic| topic.announce_now());
        }
        if let Some((at, _)) = self.due.front() {
            self.timer.as_mut().reset(*at);
        }
    }
}
