//! Replies that show a log.

use super::super::Entry;
use crate::{
    event::EventId,
    upstash::{RedisError, Reply},
};

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
