//! Reads where watched documents stand: one query for all viewers of this process.
//!
//! It reads every status interval, at once for a patient somebody begins to follow, and again
//! after a step that may have ended a document. A store that does not answer is asked again
//! once an interval, whatever is wanted meanwhile.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    status::DocumentRecord,
    store::{StatusQuery, StatusSource, StoreError},
};
use crate::{
    clock::Clock,
    event::Id,
    telemetry::{Metrics, Vital},
};

/// Longest wait for one status query.
const READ_WITHIN: Duration = Duration::from_secs(3);
/// When to read after a step that may have ended a document: its status is written a little later.
const AFTER_AN_END: [Duration; 3] = [Duration::ZERO, Duration::from_millis(250), Duration::from_secs(1)];

/// How a [`StatusReader`] works.
#[derive(Clone, Copy, Debug)]
pub struct StatusSettings {
    /// How often statuses are read. Default 5 s.
    pub interval: Duration,
    /// How long a document that does not move counts as active. Default 3,600 s.
    pub active_for: Duration,
}

impl Default for StatusSettings {
    fn default() -> Self {
        Self { interval: Duration::from_secs(5), active_for: Duration::from_secs(3_600) }
    }
}

/// What was last read of one patient's documents.
#[derive(Clone, Debug, Default)]
pub struct PatientStatuses {
    /// The documents, newest first.
    pub documents: Arc<[DocumentRecord]>,
    /// The read that showed them, 0 before the first. Counted, as two moments may look alike.
    pub read: u64,
    /// When that read began.
    pub read_at: Option<Instant>,
}

/// Reads statuses for all who follow a patient. Clones share it.
#[derive(Clone)]
pub struct StatusReader {
    shared: Arc<Shared>,
}

struct Shared {
    source: Arc<dyn StatusSource>,
    clock: Clock,
    metrics: Arc<Metrics>,
    settings: StatusSettings,
    wanted: Mutex<Wanted>,
    news: Notify,
    is_up: watch::Sender<bool>,
    vital: Vital,
    /// Counts the reads begun.
    begun: AtomicU64,
    /// Counts attempts to read, so that whoever waits for one sees it end.
    attempts: watch::Sender<u64>,
}

#[derive(Default)]
struct Wanted {
    patients: HashMap<Id, Followed>,
    /// Patients to read as soon as possible.
    now: HashSet<Id>,
    /// Patients to read at a later time.
    later: Vec<(Instant, Id)>,
}

struct Followed {
    followers: usize,
    named: HashMap<Id, usize>,
    statuses: watch::Sender<PatientStatuses>,
    /// The newest end that reads have been planned for.
    planned_for: Option<Instant>,
}

/// One read of the source.
#[derive(Clone, Copy)]
struct Read {
    number: u64,
    began: Instant,
}

/// Follows one patient's documents; the patient is read as long as one of these lives.
pub struct StatusFollow {
    shared: Arc<Shared>,
    patient: Id,
    named: Vec<Id>,
    statuses: watch::Receiver<PatientStatuses>,
}

impl StatusReader {
    /// Starts reading from `source`; ends with `stop`.
    #[must_use]
    pub fn start(
        source: Arc<dyn StatusSource>,
        clock: Clock,
        metrics: Arc<Metrics>,
        settings: StatusSettings,
        stop: CancellationToken,
    ) -> Self {
        metrics.source_is(source.name(), true);
        let shared = Arc::new(Shared {
            source,
            clock,
            metrics,
            settings,
            wanted: Mutex::default(),
            news: Notify::new(),
            is_up: watch::Sender::new(true),
            vital: Vital::new(clock),
            begun: AtomicU64::new(0),
            attempts: watch::Sender::new(0),
        });
        tokio::spawn({
            let shared = Arc::clone(&shared);
            async move { stop.run_until_cancelled(shared.run()).await }
        });
        Self { shared }
    }

    /// Follows `patient`, and in any case the documents `named`.
    #[must_use]
    pub fn follow(&self, patient: &Id, named: &[Id]) -> StatusFollow {
        let mut wanted = self.shared.lock();
        let followed = wanted.patients.entry(patient.clone()).or_insert_with(|| Followed {
            followers: 0,
            named: HashMap::new(),
            statuses: watch::Sender::default(),
            planned_for: None,
        });
        followed.followers += 1;
        for document in named {
            *followed.named.entry(document.clone()).or_default() += 1;
        }
        self.shared.news.notify_one();
        StatusFollow {
            statuses: followed.statuses.subscribe(),
            shared: Arc::clone(&self.shared),
            patient: patient.clone(),
            named: named.to_vec(),
        }
    }

    /// Names the source as viewers and operators read it.
    #[must_use]
    pub fn source_name(&self) -> &'static str {
        self.shared.source.name()
    }

    /// Tells how the source does.
    #[must_use]
    pub fn vital(&self) -> &Vital {
        &self.shared.vital
    }

    /// Follows whether the source answers.
    #[must_use]
    pub fn source_state(&self) -> watch::Receiver<bool> {
        self.shared.is_up.subscribe()
    }
}

impl StatusFollow {
    /// Gives what was last read, and counts it as seen.
    pub fn seen(&mut self) -> PatientStatuses {
        self.statuses.borrow_and_update().clone()
    }

    /// Gives what was last read.
    #[must_use]
    pub fn current(&self) -> PatientStatuses {
        self.statuses.borrow().clone()
    }

    /// Counts what was last read as not seen.
    pub fn unsee(&mut self) {
        self.statuses.mark_changed();
    }

    /// Says whether documents changed since [`StatusFollow::seen`].
    #[must_use]
    pub fn has_changed(&self) -> bool {
        self.statuses.has_changed().unwrap_or(false)
    }

    /// Waits until documents change that have not been seen.
    pub fn changed(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut statuses = self.statuses.clone();
        async move {
            if statuses.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Counts the reads begun: what a later one shows is newer than this moment.
    #[must_use]
    pub fn reads_begun(&self) -> u64 {
        self.shared.begun.load(Ordering::SeqCst)
    }

    /// Waits for a read behind the one numbered `read`; false when the source is down.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub fn read_behind(&self, read: u64) -> impl Future<Output = bool> + Send + use<> {
        let (shared, patient, statuses) =
            (Arc::clone(&self.shared), self.patient.clone(), self.statuses.clone());
        async move {
            let mut attempts = shared.attempts.subscribe();
            loop {
                if statuses.borrow().read > read {
                    return true;
                }
                if !*shared.is_up.borrow() {
                    return false;
                }
                shared.lock().now.insert(patient.clone());
                shared.news.notify_one();
                if attempts.changed().await.is_err() {
                    return false;
                }
            }
        }
    }

    /// Plans reads for a step, read at `ended_at`, that may have ended a document.
    pub fn expect_end(&self, ended_at: Instant) {
        let mut wanted = self.shared.lock();
        let Some(followed) = wanted.patients.get_mut(&self.patient) else { return };
        if followed.planned_for.is_some_and(|planned| planned >= ended_at) {
            return;
        }
        followed.planned_for = Some(ended_at);
        let now = Instant::now();
        wanted.later.extend(AFTER_AN_END.map(|pause| (now + pause, self.patient.clone())));
        self.shared.news.notify_one();
    }
}

impl Drop for StatusFollow {
    fn drop(&mut self) {
        let mut wanted = self.shared.lock();
        let Some(followed) = wanted.patients.get_mut(&self.patient) else { return };
        followed.followers -= 1;
        for document in &self.named {
            if let Some(count) = followed.named.get_mut(document) {
                *count -= 1;
            }
        }
        followed.named.retain(|_, count| *count > 0);
        if followed.followers == 0 {
            wanted.patients.remove(&self.patient);
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Wanted> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn run(&self) {
        let mut next_round = Instant::now() + self.settings.interval;
        loop {
            self.wait_for_work(next_round).await;
            let is_round = Instant::now() >= next_round;
            if is_round {
                next_round = Instant::now() + self.settings.interval;
            }
            // While the source is down it is asked once an interval, by the round.
            if is_round || *self.is_up.borrow() {
                self.read(is_round).await;
            } else {
                self.lock().now.clear();
                self.attempts.send_modify(|attempts| *attempts += 1);
            }
        }
    }

    async fn wait_for_work(&self, next_round: Instant) {
        loop {
            let (is_wanted, has_followers, planned) = {
                let mut wanted = self.lock();
                wanted.take_due(Instant::now());
                let planned = wanted.later.iter().map(|(at, _)| *at).min();
                (!wanted.now.is_empty(), !wanted.patients.is_empty(), planned)
            };
            // A source that is down is asked on without followers: it would stay down for ever.
            let has_rounds = has_followers || !*self.is_up.borrow();
            if is_wanted || (has_rounds && Instant::now() >= next_round) {
                return;
            }
            let wake_at = planned.map_or(next_round, |planned| planned.min(next_round));
            tokio::select! {
                () = self.news.notified() => {}
                () = sleep_until(wake_at), if has_rounds => {}
            }
        }
    }

    async fn read(&self, is_round: bool) {
        let query = self.lock().take_query(is_round, self.active_since());
        if !query.patients.is_empty() || !*self.is_up.borrow() {
            let read = Read { number: self.begun.fetch_add(1, Ordering::SeqCst) + 1, began: Instant::now() };
            let answer = timeout(READ_WITHIN, self.source.statuses(&query)).await;
            self.vital.took(read.began.elapsed());
            self.take_answer(&query, read, answer.unwrap_or(Err(StoreError::Timeout)));
        }
        self.attempts.send_modify(|attempts| *attempts += 1);
    }

    fn active_since(&self) -> u64 {
        let active_for = u64::try_from(self.settings.active_for.as_millis()).unwrap_or(u64::MAX);
        self.clock.milliseconds().saturating_sub(active_for)
    }

    fn take_answer(&self, query: &StatusQuery, read: Read, answer: Result<Vec<DocumentRecord>, StoreError>) {
        self.metrics.status_read(answer.is_ok());
        self.set_up(answer.is_ok());
        match answer {
            Ok(documents) => self.lock().tell(&query.patients, read, documents),
            Err(error) => tracing::debug!(%error, "the statuses could not be read"),
        }
    }

    fn set_up(&self, is_up: bool) {
        self.vital.set(is_up);
        let changed = self.is_up.send_if_modified(|state| std::mem::replace(state, is_up) != is_up);
        if changed {
            self.metrics.source_is(self.source.name(), is_up);
            tracing::warn!(source = self.source.name(), is_up, "the state of the status source changed");
        }
    }
}

impl Wanted {
    fn take_due(&mut self, now: Instant) {
        let due: Vec<_> = self.later.extract_if(.., |(at, _)| *at <= now).collect();
        self.now.extend(due.into_iter().map(|(_, patient)| patient));
        let followed = &self.patients;
        self.now.retain(|patient| followed.contains_key(patient));
    }

    fn take_query(&mut self, is_round: bool, active_since: u64) -> StatusQuery {
        let wanted = std::mem::take(&mut self.now);
        let mut query = StatusQuery { active_since, ..StatusQuery::default() };
        for (patient, followed) in &self.patients {
            if is_round || wanted.contains(patient) {
                query.patients.push(patient.clone());
                query.named.extend(followed.named.keys().cloned());
                query.named.extend(followed.under_way());
            }
        }
        query
    }

    fn tell(&mut self, patients: &[Id], read: Read, documents: Vec<DocumentRecord>) {
        let mut by_patient: HashMap<Id, Vec<DocumentRecord>> = HashMap::new();
        for document in documents {
            by_patient.entry(document.patient_id.clone()).or_default().push(document);
        }
        for patient in patients {
            if let Some(followed) = self.patients.get(patient) {
                followed.tell(read, by_patient.remove(patient).unwrap_or_default());
            }
        }
    }
}

impl Followed {
    /// Documents whose end somebody still waits for, wherever they rank among the newest.
    fn under_way(&self) -> Vec<Id> {
        let statuses = self.statuses.borrow();
        let under_way = statuses.documents.iter().filter(|document| !document.status.is_terminal());
        under_way.map(|document| document.document_id.clone()).collect()
    }

    fn tell(&self, read: Read, mut documents: Vec<DocumentRecord>) {
        self.statuses.send_if_modified(|statuses| {
            keep_what_is_further(&mut documents, &statuses.documents);
            statuses.read = read.number;
            statuses.read_at = Some(read.began);
            let changed = *statuses.documents != *documents;
            if changed {
                statuses.documents = documents.into();
            }
            changed
        });
    }
}

/// A stale replica may show less than was told before.
fn keep_what_is_further(documents: &mut [DocumentRecord], known: &[DocumentRecord]) {
    for document in documents {
        let known = known.iter().find(|known| known.document_id == document.document_id);
        if let Some(known) = known.filter(|known| !document.is_not_behind(known)) {
            *document = known.clone();
        }
    }
}
