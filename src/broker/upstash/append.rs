//! Appends this process's own events straight to the logs, and wakes who watches them.
//!
//! A reader that holds the entry right before an event takes it from the wake-up message without
//! a read. That nothing lies between the two is proven by the log itself: the event is given the
//! id that follows the emitter's own last one, and Redis takes it only if nobody has written
//! since. Else the log gives the id, and readers read.

use std::{collections::HashMap, time::Duration};

use tokio::{sync::Mutex, time::Instant};

use super::{
    super::{BrokerError, Entry, LOG_ENTRIES, Publication},
    expiry::NOT_ANEW_WITHIN,
    keys, refusal,
    script::Script,
    wake::{self, Appended},
};
use crate::{
    event::{Channel, EventId},
    upstash::{Command, RedisError, RedisRest, Reply},
};

const NO_ID: RedisError = RedisError::Garbled("the id of an entry");

/// Appends events to logs.
pub(super) struct Append {
    script: Script,
    time_to_live: Duration,
    /// Whether processes wait to be woken.
    wakes: bool,
    /// Held while events are on their way: two calls must not give out one id.
    chains: Mutex<HashMap<Channel, Chain>>,
}

/// The emitter's own last entry of a log.
#[derive(Clone, Copy)]
struct Chain {
    last: EventId,
    /// When the log last gave an id, and was told how long to live. Ids of a chain keep the
    /// milliseconds of its first one, so a chain must not grow old.
    begun: Instant,
}

/// The events of one channel in a call.
struct Group {
    channel: Channel,
    /// Their places among the events of the call.
    places: Vec<usize>,
    events: Vec<Publication>,
    /// The chain they go on with.
    chain: Option<Chain>,
}

/// What a log answered.
struct Taken {
    is_chained: bool,
    ids: Vec<EventId>,
}

impl Append {
    pub(super) fn new(time_to_live: Duration, wakes: bool) -> Self {
        let script = Script::new(include_str!("append.lua"));
        Self { script, time_to_live, wakes, chains: Mutex::default() }
    }

    /// Appends events, in order per channel; one answer for each.
    pub(super) async fn append(
        &self,
        redis: &RedisRest,
        events: &[Publication],
    ) -> Vec<Result<(), BrokerError>> {
        let mut chains = self.chains.lock().await;
        let begun = Instant::now();
        chains.retain(|_, chain| chain.begun.elapsed() < NOT_ANEW_WITHIN);
        let groups = groups(events, &chains);
        // Until their ids are known, what comes next must not lean on these chains.
        chains.retain(|channel, _| groups.iter().all(|group| group.channel != *channel));
        let mut answers: Vec<_> = (0..events.len()).map(|_| Err(BrokerError::Unavailable(None))).collect();
        let mut told = Vec::new();
        for (group, taken) in groups.iter().zip(self.take(redis, &groups).await) {
            match taken {
                Ok(taken) => {
                    group.settle(&taken, &mut answers);
                    if let Some(chain) = group.chain_behind(&taken, begun) {
                        chains.insert(group.channel.clone(), chain);
                    }
                    told.extend(group.appended(taken));
                }
                Err(error) => group.places.iter().for_each(|place| answers[*place] = Err(refusal(&error))),
            }
        }
        if self.wakes && !told.is_empty() {
            let messages: Vec<_> = told.iter().map(|told| wake::publish(told.to_message())).collect();
            if let Err(error) = redis.pipeline(&messages).await {
                tracing::debug!(%error, "nobody was woken; the events are read later");
            }
        }
        answers
    }

    /// Hands each group to its log; once more where the server had something to teach.
    async fn take(&self, redis: &RedisRest, groups: &[Group]) -> Vec<Result<Taken, RedisError>> {
        let mut taken = self.try_take(redis, groups).await;
        let is_again = |result: &Result<Taken, RedisError>| {
            result.as_ref().err().is_some_and(|error| self.script.learns_from(error) || is_overtaken(error))
        };
        let again: Vec<_> = (0..groups.len()).filter(|place| is_again(&taken[*place])).collect();
        if !again.is_empty() {
            let unchained: Vec<_> = again.iter().map(|place| groups[*place].unchained()).collect();
            for (place, result) in again.into_iter().zip(self.try_take(redis, &unchained).await) {
                taken[place] = result;
            }
        }
        taken
    }

    async fn try_take(&self, redis: &RedisRest, groups: &[Group]) -> Vec<Result<Taken, RedisError>> {
        let calls: Vec<_> = groups.iter().map(|group| self.commands(group)).collect();
        let replies = match redis.pipeline(&calls.concat()).await {
            Ok(replies) => replies,
            Err(error) => return failed_for_each(groups.len(), error),
        };
        let mut replies = replies.into_iter();
        let mut taken = Vec::with_capacity(groups.len());
        for (group, call) in groups.iter().zip(&calls) {
            let reply = replies.next().unwrap_or(Err(NO_ID));
            (1..call.len()).for_each(|_| drop(replies.next()));
            taken.push(reply.and_then(|reply| group.read(reply, redis)));
        }
        taken
    }

    /// One event is one command; more are a script, which costs less than a command and a message each.
    fn commands(&self, group: &Group) -> Vec<Command> {
        let (log, cap) = (keys::log(&group.channel), LOG_ENTRIES as u64);
        let first = group.chain.map_or_else(|| "*".to_owned(), |chain| next(chain.last).to_string());
        let lives = if group.chain.is_none() { self.time_to_live.as_secs() } else { 0 };
        let payloads = group.events.iter().map(|event| event.payload.clone());
        if group.events.len() > 1 {
            return vec![self.script.over([log]).arg(first).arg(cap).arg(lives).args(payloads)];
        }
        let append = Command::new("XADD").arg(log.clone()).arg("MAXLEN").arg(cap).arg(first).arg("d");
        let mut commands = vec![append.args(payloads)];
        if lives > 0 {
            commands.push(Command::new("EXPIRE").arg(log).arg(lives));
        }
        commands
    }
}

impl Group {
    fn unchained(&self) -> Self {
        let Self { channel, places, events, .. } = self;
        Self { channel: channel.clone(), places: places.clone(), events: events.clone(), chain: None }
    }

    fn read(&self, reply: Reply, redis: &RedisRest) -> Result<Taken, RedisError> {
        let id = |reply: Reply| reply.as_text().and_then(|id| id.parse().ok()).ok_or(NO_ID);
        if self.events.len() == 1 {
            return Ok(Taken { is_chained: self.chain.is_some(), ids: vec![id(reply)?] });
        }
        let mut parts = reply.into_array()?.into_iter();
        let mut number = || parts.next().and_then(|part| part.as_integer()).ok_or(NO_ID);
        let (is_chained, calls) = (number()? == 1, number()?);
        redis.bill_more(u64::try_from(calls).unwrap_or(0));
        let ids = parts.next().unwrap_or(Reply::Nil).into_array()?;
        Ok(Taken { is_chained, ids: ids.into_iter().map(id).collect::<Result<_, _>>()? })
    }

    /// Gives each event its answer: those the log did not take are worth another try.
    fn settle(&self, taken: &Taken, answers: &mut [Result<(), BrokerError>]) {
        for place in self.places.iter().take(taken.ids.len()) {
            answers[*place] = Ok(());
        }
    }

    fn chain_behind(&self, taken: &Taken, begun: Instant) -> Option<Chain> {
        let begun = self.chain.map_or(begun, |chain| chain.begun);
        Some(Chain { last: *taken.ids.last()?, begun })
    }

    fn appended(&self, taken: Taken) -> Option<Appended> {
        let newest = *taken.ids.last()?;
        let before = self.chain.filter(|_| taken.is_chained).map(|chain| chain.last);
        let entry = |(id, event): (EventId, &Publication)| Entry { id, payload: event.payload.clone() };
        let entries = taken.ids.into_iter().zip(&self.events).map(entry).collect();
        let behind = before.map(|before| (before, entries));
        Some(Appended { channel: self.channel.clone(), newest, behind })
    }
}

fn groups(events: &[Publication], chains: &HashMap<Channel, Chain>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (place, event) in events.iter().enumerate() {
        let known = groups.iter().position(|group| group.channel == event.channel);
        let at = known.unwrap_or_else(|| {
            let (channel, chain) = (event.channel.clone(), chains.get(&event.channel).copied());
            groups.push(Group { channel, places: Vec::new(), events: Vec::new(), chain });
            groups.len() - 1
        });
        groups[at].places.push(place);
        groups[at].events.push(event.clone());
    }
    groups
}

/// Gives the id right behind `id`: no other lies between them.
const fn next(id: EventId) -> EventId {
    EventId::new(id.milliseconds, id.sequence + 1)
}

/// Says whether the id that was asked for is no longer free.
fn is_overtaken(error: &RedisError) -> bool {
    matches!(error, RedisError::Refused(words) if words.contains("equal or smaller"))
}

/// Gives each group the one error of a call; some of the call may have been done.
fn failed_for_each(count: usize, error: RedisError) -> Vec<Result<Taken, RedisError>> {
    let words = error.to_string();
    let is_transient = error.is_transient();
    let copy = || {
        if is_transient { RedisError::Unavailable(words.clone()) } else { RedisError::Refused(words.clone()) }
    };
    (0..count).map(|_| Err(copy())).collect()
}
