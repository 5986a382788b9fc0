//! Where a log was read before its channel is watched, and whether anything was heard in between.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::event::{Channel, EventId};

/// How long after a read its channel may still come to be watched.
const KEPT_FOR: Duration = Duration::from_secs(30);
/// Seams kept before the old ones are cleared away.
const KEPT: usize = 1_024;

/// The reads of logs that a subscription covers from their beginning on.
#[derive(Default)]
pub(super) struct Seams {
    reads: Mutex<HashMap<Channel, Seam>>,
}

#[derive(Clone, Copy)]
struct Seam {
    begun: Instant,
    /// The subscription that stood when the read began.
    generation: u64,
    /// Up to where it read; none while it is under way.
    position: Option<EventId>,
    /// Whether the channel was woken since the read began.
    is_stirred: bool,
}

impl Seams {
    /// Notes that a read begins while subscription `generation` stands.
    ///
    /// Of reads that overlap, the first counts: what was heard since it began may be missing in it.
    pub(super) fn begin(&self, channel: &Channel, generation: u64) {
        let mut reads = self.lock();
        if reads.len() >= KEPT {
            reads.retain(|_, seam| seam.begun.elapsed() < KEPT_FOR);
        }
        let new = Seam { begun: Instant::now(), generation, position: None, is_stirred: false };
        let seam = reads.entry(channel.clone()).or_insert(new);
        if seam.begun.elapsed() >= KEPT_FOR {
            *seam = new;
        }
        seam.is_stirred |= seam.generation != generation;
    }

    /// Notes up to where it read.
    pub(super) fn end(&self, channel: &Channel, position: EventId) {
        if let Some(seam) = self.lock().get_mut(channel) {
            seam.position = Some(position);
        }
    }

    /// Notes that a channel was woken: whoever has read it or is reading it may have missed that.
    pub(super) fn stir(&self, channel: &Channel) {
        if let Some(seam) = self.lock().get_mut(channel) {
            seam.is_stirred = true;
        }
    }

    /// Notes that some channels were woken, nobody knows which.
    pub(super) fn stir_all(&self) {
        self.lock().values_mut().for_each(|seam| seam.is_stirred = true);
    }

    /// Gives the subscription that tells of all behind `after`, if one has since that was read.
    pub(super) fn heard_by(&self, channel: &Channel, after: EventId) -> Option<u64> {
        let seam = self.lock().remove(channel)?;
        let is_whole = seam.position == Some(after) && !seam.is_stirred && seam.begun.elapsed() < KEPT_FOR;
        is_whole.then_some(seam.generation)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Channel, Seam>> {
        self.reads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel() -> Channel {
        "doc_progress:p1".parse().unwrap()
    }

    fn read(seams: &Seams) -> EventId {
        let position = EventId::new(5, 0);
        seams.begin(&channel(), 3);
        seams.end(&channel(), position);
        position
    }

    #[tokio::test(start_paused = true)]
    async fn a_read_under_a_subscription_needs_no_other_look() {
        let seams = Seams::default();
        let position = read(&seams);

        assert_eq!(seams.heard_by(&channel(), position), Some(3));
        assert_eq!(seams.heard_by(&channel(), position), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_channel_that_was_woken_since_does() {
        let seams = Seams::default();
        let position = read(&seams);
        seams.stir(&channel());

        assert_eq!(seams.heard_by(&channel(), position), None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_heard_during_an_earlier_read_counts_for_a_later_one() {
        let seams = Seams::default();
        seams.begin(&channel(), 3);
        seams.stir(&channel());
        let position = read(&seams);

        assert_eq!(seams.heard_by(&channel(), position), None);
    }

    #[tokio::test(start_paused = true)]
    async fn another_position_or_a_late_one_does() {
        let seams = Seams::default();
        read(&seams);
        assert_eq!(seams.heard_by(&channel(), EventId::new(4, 0)), None);

        let position = read(&seams);
        tokio::time::advance(KEPT_FOR).await;
        assert_eq!(seams.heard_by(&channel(), position), None);
    }
}
