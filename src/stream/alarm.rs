//! What wakes a stream beside the events of its log: a beat, a source, its subject, its end.
//!
//! It is waited for once, however many events pass meanwhile: waiting for all of it anew behind each event
//! costs as much as telling the event.

use std::{
    future::{pending, poll_fn},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use futures::task::AtomicWaker;
use tokio_util::sync::ReusableBoxFuture;

/// Waits for the first of several things, and is only looked at once one of them has happened.
pub(super) struct Alarm<T> {
    waiting: ReusableBoxFuture<'static, T>,
    bell: Arc<Bell>,
    waker: Waker,
}

/// Says that the alarm is to be looked at, and wakes whoever waits for it.
struct Bell {
    has_rung: AtomicBool,
    listener: AtomicWaker,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.has_rung.store(true, Ordering::Release);
        self.listener.wake();
    }
}

impl<T> Alarm<T> {
    /// Makes an alarm that waits for nothing.
    pub(super) fn unset() -> Self
    where
        T: 'static,
    {
        let bell = Arc::new(Bell { has_rung: AtomicBool::new(false), listener: AtomicWaker::new() });
        Self { waiting: ReusableBoxFuture::new(pending()), waker: Arc::clone(&bell).into(), bell }
    }

    /// Waits for `happening` from here on, in the place of what was waited for.
    pub(super) fn set(&mut self, happening: impl Future<Output = T> + Send + 'static) {
        self.waiting.set(happening);
        // So that it is looked at once: only then does what it waits for know whom to wake.
        self.bell.has_rung.store(true, Ordering::Release);
    }

    /// Says whether it may have happened.
    pub(super) fn has_rung(&self) -> bool {
        self.bell.has_rung.load(Ordering::Acquire)
    }

    /// Waits until that has happened; then the alarm has to be set again.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub(super) async fn happened(&mut self) -> T {
        poll_fn(|context| self.poll_happened(context)).await
    }

    fn poll_happened(&mut self, context: &mut Context<'_>) -> Poll<T> {
        self.bell.listener.register(context.waker());
        if self.bell.has_rung.swap(false, Ordering::AcqRel) {
            self.waiting.poll(&mut Context::from_waker(&self.waker))
        } else {
            Poll::Pending
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use futures::FutureExt;
    use tokio::sync::oneshot;

    use super::*;

    /// Counts how often what is waited for is looked at.
    async fn counted(looks: Arc<AtomicUsize>, happening: oneshot::Receiver<u8>) -> u8 {
        let mut happening = Box::pin(happening);
        let look = poll_fn(|context| {
            looks.fetch_add(1, Ordering::Relaxed);
            happening.poll_unpin(context)
        });
        look.await.unwrap()
    }

    #[tokio::test]
    async fn what_is_waited_for_is_looked_at_only_when_it_calls() {
        let looks = Arc::new(AtomicUsize::new(0));
        let (happens, happening) = oneshot::channel();
        let mut alarm = Alarm::unset();
        alarm.set(counted(Arc::clone(&looks), happening));

        for _ in 0..1_000 {
            assert_eq!(alarm.happened().now_or_never(), None);
        }
        assert_eq!(looks.load(Ordering::Relaxed), 1);
        happens.send(7).unwrap();

        assert_eq!(alarm.happened().await, 7);
        assert_eq!(looks.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn whoever_waits_is_woken_from_another_task() {
        let (happens, happening) = oneshot::channel();
        let mut alarm = Alarm::unset();
        alarm.set(async { happening.await.unwrap() });
        let waiting = tokio::spawn(async move { alarm.happened().await });
        tokio::task::yield_now().await;

        happens.send(3).unwrap();

        assert_eq!(waiting.await.unwrap(), 3);
    }

    #[tokio::test]
    async fn an_alarm_set_again_forgets_what_it_waited_for() {
        let (happens, happening) = oneshot::channel();
        let mut alarm = Alarm::unset();
        alarm.set(async { happening.await.unwrap_or(1) });
        assert_eq!(alarm.happened().now_or_never(), None);

        alarm.set(async { 2 });

        assert_eq!(alarm.happened().await, 2);
        assert!(happens.send(1).is_err());
        alarm.set(pending());
        assert_eq!(alarm.happened().now_or_never(), None);
    }
}
