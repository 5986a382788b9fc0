//! Commands that push events, and replies that show a log.

use std::time::Duration;

use super::{
    super::{BrokerError, Entry, Publication},
    keys, refusal,
};
use crate::{
    event::{Channel, EventId},
    upstash::{Command, RedisError, Reply},
};

/// The events of one channel in a call, and the commands that push them.
pub(super) struct Push {
    pub(super) channel: Channel,
    /// Their places among the events of the call.
    places: Vec<usize>,
    /// RPUSH of all of them, then EXPIRE.
    pub(super) commands: [Command; 2],
}

/// Groups events by channel: one RPUSH each keeps them in order.
pub(super) fn pushes(events: &[Publication], time_to_live: Duration) -> Vec<Push> {
    let mut pushes: Vec<Push> = Vec::new();
    for (place, event) in events.iter().enumerate() {
        let known = pushes.iter().position(|push| push.channel == event.channel);
        let at = known.unwrap_or_else(|| {
            pushes.push(Push::new(&event.channel, time_to_live));
            pushes.len() - 1
        });
        pushes[at].add(place, event);
    }
    pushes
}

impl Push {
    fn new(channel: &Channel, time_to_live: Duration) -> Self {
        let inbox = keys::inbox(channel);
        let expire = Command::new("EXPIRE").arg(inbox.clone()).arg(time_to_live.as_secs().to_string());
        Self {
            channel: channel.clone(),
            places: Vec::new(),
            commands: [Command::new("RPUSH").arg(inbox), expire],
        }
    }

    fn add(&mut self, place: usize, event: &Publication) {
        self.places.push(place);
        let [push, _] = &mut self.commands;
        *push = push.clone().arg(event.payload.clone());
    }
}

/// Gives each event the answer of its RPUSH.
pub(super) fn answers_of(
    count: usize,
    pushes: &[Push],
    replies: Vec<Result<Reply, RedisError>>,
) -> Vec<Result<(), BrokerError>> {
    let mut answers: Vec<Result<(), BrokerError>> = (0..count).map(|_| Ok(())).collect();
    for (push, reply) in pushes.iter().zip(replies.chunks(2)) {
        if let Some(Err(error)) = reply.first() {
            for place in &push.places {
                answers[*place] = Err(refusal(error));
            }
        }
    }
    answers
}

/// Reads entries as XRANGE shows them, and puts them in order.
pub(super) fn entries(reply: Reply) -> Result<Vec<Entry>, RedisError> {
    let mut entries: Vec<_> = reply.into_array()?.into_iter().map(entry).collect::<Result<_, _>>()?;
    entries.sort_by_key(|entry| entry.id);
    Ok(entries)
}

/// Reads the logs as XREAD shows them: pairs of key and entries.
pub(super) fn logs(reply: Reply) -> Result<Vec<(String, Vec<Entry>)>, RedisError> {
    let log = |pair: Reply| {
        let mut pair = pair.into_array()?.into_iter();
        let key = pair
            .next()
            .and_then(|key| key.as_text().map(str::to_owned))
            .ok_or(RedisError::Garbled("an entry of a log"))?;
        Ok((key, entries(pair.next().unwrap_or(Reply::Nil))?))
    };
    reply.into_array()?.into_iter().map(log).collect()
}

/// An entry without our field is kept as an empty one: its place still counts.
fn entry(reply: Reply) -> Result<Entry, RedisError> {
    let mut parts = reply.into_array()?.into_iter();
    let id: Option<EventId> = parts.next().and_then(|id| id.as_text()?.parse().ok());
    let fields = parts.next().unwrap_or(Reply::Nil).into_array()?;
    let payload = fields.chunks(2).find(|field| field[0].as_text() == Some("d"));
    let payload = payload.and_then(|field| field.get(1)?.as_text().map(str::to_owned)).unwrap_or_default();
    Ok(Entry { id: id.ok_or(RedisError::Garbled("an entry of a log"))?, payload: payload.into() })
}
