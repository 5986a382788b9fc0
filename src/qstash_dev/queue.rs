//! Messages under way: each is tried until it is taken, and who asked is told.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use reqwest::{Client, redirect::Policy};
use secrecy::SecretString;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::sleep,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    attempt::{Answer, attempt},
    callback::callback_body,
    duplicates::Duplicates,
    message::{Message, Target},
    refusal::Refusal,
    schedule::pause_after,
    signer::Signer,
};
use crate::clock::Clock;

/// Most messages under way, callbacks among them.
const MOST_MESSAGES: usize = 1_000;
/// What the bodies of all messages may take, in KiB.
const MOST_KIB: usize = 256 * 1024;
/// Deliveries at once.
const AT_ONCE: usize = 32;

/// How a queue signs and how fast its time goes.
#[derive(Clone, Debug)]
pub struct QueueSettings {
    /// What publishers have to show.
    pub token: SecretString,
    /// Signs deliveries.
    pub current_key: SecretString,
    /// Told to those who ask for the keys; signs nothing.
    pub next_key: SecretString,
    /// What each delay and each pause between tries is multiplied with. 1 is real time.
    pub time_scale: f64,
    /// Tells the time in signatures.
    pub clock: Clock,
}

/// Takes messages and delivers them. Clones share the queue.
#[derive(Clone)]
pub(super) struct Queue {
    shared: Arc<Shared>,
}

struct Shared {
    client: Client,
    signer: Signer,
    time_scale: f64,
    clock: Clock,
    duplicates: Duplicates,
    places: Arc<Semaphore>,
    kibs: Arc<Semaphore>,
    turns: Semaphore,
    work: TaskTracker,
    stop: CancellationToken,
}

/// What a message takes of what all share, until it is dropped.
struct Place {
    _place: OwnedSemaphorePermit,
    _kibs: OwnedSemaphorePermit,
}

impl Queue {
    pub(super) fn new(settings: &QueueSettings, stop: CancellationToken) -> Self {
        let client = Client::builder().redirect(Policy::none()).build().expect("TLS is built in");
        Self {
            shared: Arc::new(Shared {
                client,
                signer: Signer::new(&settings.current_key, settings.clock),
                time_scale: settings.time_scale,
                clock: settings.clock,
                duplicates: Duplicates::default(),
                places: Arc::new(Semaphore::new(MOST_MESSAGES)),
                kibs: Arc::new(Semaphore::new(MOST_KIB)),
                turns: Semaphore::new(AT_ONCE),
                work: TaskTracker::new(),
                stop,
            }),
        }
    }

    /// Takes a message, or gives the id of the one it repeats.
    pub(super) fn accept(&self, message: Message, key: Option<String>) -> Result<Option<String>, Refusal> {
        if let Some(earlier) =
            key.as_ref().and_then(|key| self.shared.duplicates.note(key.clone(), &message.id))
        {
            return Ok(Some(earlier));
        }
        let taken = self.start(message);
        if let (Err(_), Some(key)) = (&taken, key) {
            self.shared.duplicates.forget(&key);
        }
        taken.map(|()| None)
    }

    fn start(&self, message: Message) -> Result<(), Refusal> {
        let place = self.shared.place(message.weight()).ok_or(Refusal::Full)?;
        let queue = self.clone();
        let delivering = async move {
            queue.deliver(&message).await;
            drop(place);
        };
        let stop = self.shared.stop.clone();
        self.shared.work.spawn(stop.run_until_cancelled_owned(delivering));
        Ok(())
    }

    async fn deliver(&self, message: &Message) {
        self.wait(message.target.delay).await;
        for retried in 0..=message.target.retries {
            let answer = self.shared.attempt(message, retried).await;
            tracing::info!(message.id, retried, status = answer.status, "delivered");
            self.tell(message.callback.as_ref(), callback_body(message, retried, &answer, None));
            if answer.is_success() {
                return;
            }
            if retried == message.target.retries || answer.is_final() {
                let dead_letter = format!("{}-0", self.shared.clock.milliseconds());
                tracing::warn!(message.id, retried, status = answer.status, "given up");
                let body = callback_body(message, retried, &answer, Some(&dead_letter));
                return self.tell(message.failure_callback.as_ref(), body);
            }
            self.wait(pause(message, retried, &answer)).await;
        }
    }

    fn tell(&self, target: Option<&Target>, body: Bytes) {
        let Some(target) = target else { return };
        let message = Message::about(target.clone(), body, self.shared.clock.milliseconds());
        if self.start(message).is_err() {
            tracing::error!("a callback was dropped: the queue is full");
        }
    }

    async fn wait(&self, real: Duration) {
        sleep(real.mul_f64(self.shared.time_scale)).await;
    }
}

impl Shared {
    async fn attempt(&self, message: &Message, retried: u32) -> Answer {
        let _turn = self.turns.acquire().await.expect("the semaphore is never closed");
        attempt(&self.client, &self.signer, message, retried).await
    }

    fn place(&self, bytes: usize) -> Option<Place> {
        let kibs = u32::try_from(bytes.div_ceil(1024)).ok()?;
        Some(Place {
            _place: Arc::clone(&self.places).try_acquire_owned().ok()?,
            _kibs: Arc::clone(&self.kibs).try_acquire_many_owned(kibs).ok()?,
        })
    }
}

fn pause(message: &Message, retried: u32, answer: &Answer) -> Duration {
    answer.asked_pause().or(message.target.retry_delay).unwrap_or_else(|| pause_after(retried))
}
