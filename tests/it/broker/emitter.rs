//! Emitting never hurts the work: it returns at once, keeps order, retries within a budget.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use tidings::{
    broker::{
        Broker, BrokerError, EmitError, Emitter, EmitterLimits, History, MemoryBroker, MemoryLimits,
        Publication, Watch,
    },
    clock::Clock,
    event::{Channel, EventId, Id, ProgressEvent, Stage},
    telemetry::Metrics,
};
use tokio::time::Instant;

use super::suite::channel;

/// What a broker does with one call.
#[derive(Clone, Copy, Debug)]
enum Answer {
    Take,
    Fail,
    Refuse,
    Hang,
    TakeFirstOnly,
}

/// A memory broker that answers calls as it is told, then takes everything.
struct Moody {
    memory: MemoryBroker,
    answers: Mutex<VecDeque<Answer>>,
}

impl Moody {
    fn new(answers: &[Answer]) -> Arc<Self> {
        let memory =
            MemoryBroker::new(Clock::following_timers(Duration::from_secs(1_000)), MemoryLimits::default());
        Arc::new(Self { memory, answers: Mutex::new(answers.iter().copied().collect()) })
    }

    async fn event_ids(&self) -> Vec<String> {
        let entries = self.memory.history(&channel("p1")).await.unwrap().entries;
        entries
            .iter()
            .map(|entry| ProgressEvent::parse(&entry.payload).unwrap().event_id.unwrap().to_string())
            .collect()
    }
}

#[async_trait]
impl Broker for Moody {
    fn name(&self) -> &'static str {
        "moody"
    }

    async fn publish(&self, events: &[Publication]) -> Vec<Result<(), BrokerError>> {
        let answer = self.answers.lock().unwrap().pop_front().unwrap_or(Answer::Take);
        match answer {
            Answer::Take => self.memory.publish(events).await,
            Answer::Fail => events.iter().map(|_| Err(BrokerError::Unavailable(None))).collect(),
            Answer::Refuse => events.iter().map(|_| Err(BrokerError::Refused("no".into()))).collect(),
            Answer::Hang => std::future::pending().await,
            Answer::TakeFirstOnly => {
                let mut answers = self.memory.publish(&events[..1]).await;
                answers.extend(events[1..].iter().map(|_| Err(BrokerError::Unavailable(None))));
                answers
            }
        }
    }

    fn watch(&self) -> Arc<dyn Watch> {
        self.memory.watch()
    }

    async fn history(&self, channel: &Channel) -> Result<History, BrokerError> {
        self.memory.history(channel).await
    }

    async fn settle(&self, channel: &Channel) -> Result<EventId, BrokerError> {
        self.memory.settle(channel).await
    }

    async fn ping(&self) -> Result<(), BrokerError> {
        self.memory.ping().await
    }

    fn empty_as_of(&self) -> u64 {
        self.memory.empty_as_of()
    }
}

fn emitter(broker: &Arc<Moody>, metrics: &Arc<Metrics>) -> Emitter {
    let clock = Clock::following_timers(Duration::from_secs(1_000));
    Emitter::start(Arc::clone(broker) as _, clock, Arc::clone(metrics), EmitterLimits::default())
}

fn patient() -> Id {
    Id::parse("p1").unwrap()
}

fn event() -> ProgressEvent {
    ProgressEvent::new(Id::parse("d1").unwrap(), Stage::OcrStarted)
}

#[tokio::test(start_paused = true)]
async fn events_arrive_once_and_in_order_over_failures() {
    let broker = Moody::new(&[Answer::Fail, Answer::TakeFirstOnly, Answer::Fail, Answer::Hang]);
    let emitter = emitter(&broker, &Arc::default());

    let sent: Vec<_> = (0..300).map(|_| emitter.emit_progress(&patient(), event()).to_string()).collect();
    assert!(emitter.flush(Duration::from_secs(30)).await);

    assert_eq!(broker.event_ids().await, sent);
}

#[tokio::test(start_paused = true)]
async fn emitting_takes_no_time_while_the_broker_hangs() {
    let broker = Moody::new(&[Answer::Hang; 10]);
    let emitter = emitter(&broker, &Arc::default());
    let began = Instant::now();

    for _ in 0..100 {
        emitter.emit_progress(&patient(), event());
    }

    assert_eq!(began.elapsed(), Duration::ZERO);
    assert!(!emitter.flush(Duration::from_secs(2)).await);
}

#[tokio::test(start_paused = true)]
async fn an_event_is_given_up_after_a_minute_and_counted() {
    let broker = Moody::new(&[Answer::Fail; 1_000]);
    let metrics = Arc::default();
    let emitter = emitter(&broker, &metrics);

    let (_, stored) = emitter.submit_progress(&patient(), event()).unwrap();
    let began = Instant::now();

    assert!(!stored.within(Duration::from_secs(100)).await);
    assert!((60..70).contains(&began.elapsed().as_secs()));
    assert!(metrics.encode().contains("tidings_events_dropped_total{reason=\"out_of_time\"} 1"));
}

#[tokio::test(start_paused = true)]
async fn an_event_that_is_refused_does_not_hold_up_the_next() {
    let broker = Moody::new(&[Answer::Refuse]);
    let metrics = Arc::default();
    let emitter = emitter(&broker, &metrics);

    let (_, refused) = emitter.submit_progress(&patient(), event()).unwrap();
    assert!(!refused.within(Duration::from_secs(1)).await);
    let kept = emitter.emit_progress(&patient(), event());
    assert!(emitter.flush(Duration::from_secs(1)).await);

    assert_eq!(broker.event_ids().await, [kept.to_string()]);
    assert!(metrics.encode().contains("tidings_events_dropped_total{reason=\"refused\"} 1"));
}

#[tokio::test(start_paused = true)]
async fn no_more_than_a_thousand_events_wait() {
    let broker = Moody::new(&[Answer::Hang; 100]);
    let metrics = Arc::default();
    let emitter = emitter(&broker, &metrics);

    let taken = (0..1_500).filter(|_| emitter.submit_progress(&patient(), event()).is_ok()).count();

    assert_eq!(taken, 1_000);
    assert!(matches!(emitter.submit_progress(&patient(), event()), Err(EmitError::Full)));
    assert!(metrics.encode().contains("tidings_events_dropped_total{reason=\"queue_full\"} 501"));
}

#[tokio::test(start_paused = true)]
async fn an_event_that_is_too_large_is_refused_at_once() {
    let broker = Moody::new(&[]);
    let emitter = emitter(&broker, &Arc::default());
    let mut large = event();
    large.extra.insert("pad".into(), "x".repeat(16 * 1_024).into());

    assert!(matches!(emitter.submit_progress(&patient(), large), Err(EmitError::Invalid(_))));
}
