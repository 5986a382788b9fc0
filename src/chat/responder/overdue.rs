//! Takes up questions whose answer does not come: whoever gave it has ended in the middle.
//!
//! It looks at cases that somebody watches, in what is read for them anyway, and asks the database only for
//! questions it has found. A case that nobody watches waits until somebody does.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use chrono::DateTime;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::{Asked, Shared};
use crate::chat::{reader::MessageReader, store::StoredMessage};

/// After this long an answer does not come any more. Telling it takes eight seconds, keeping it at worst ten.
const OVERDUE_AFTER: Duration = Duration::from_secs(20);

/// A question without an answer.
struct Waiting {
    since: Instant,
    /// It has been looked at, and there is nothing to say.
    is_settled: bool,
}

/// Looks `every` so often at questions of the last `window`: as long as pieces of an answer may be shown.
pub(super) async fn watch(shared: Arc<Shared>, reader: MessageReader, every: Duration, window: Duration) {
    let mut waiting = HashMap::new();
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let since = shared.clock.since_epoch().saturating_sub(window);
        let mut open = Vec::new();
        reader.look(|messages| open.extend(unanswered(messages, since)));
        note(&mut waiting, open);
        take_up_overdue(&shared, &mut waiting).await;
    }
}

fn note(waiting: &mut HashMap<Asked, Waiting>, open: Vec<Asked>) {
    let mut known = std::mem::take(waiting);
    for asked in open {
        let fresh = Waiting { since: Instant::now(), is_settled: false };
        let kept = known.remove(&asked).unwrap_or(fresh);
        waiting.insert(asked, kept);
    }
}

async fn take_up_overdue(shared: &Arc<Shared>, waiting: &mut HashMap<Asked, Waiting>) {
    let overdue = |wait: &Waiting| !wait.is_settled && wait.since.elapsed() >= OVERDUE_AFTER;
    for (asked, wait) in waiting.iter_mut().filter(|(_, wait)| overdue(wait)) {
        let Some(_entered) = shared.enter(asked) else { continue };
        match shared.take_up(asked).await {
            Ok(()) => wait.is_settled = true,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a question was not taken up");
                shared.metrics.answered("failed");
                return;
            }
        }
    }
}

/// The questions among a case's messages, oldest first, that were asked since and have no answer among them.
fn unanswered(messages: &VecDeque<Arc<StoredMessage>>, since: Duration) -> Vec<Asked> {
    let is_new = |stored: &Arc<StoredMessage>| {
        let sent = DateTime::parse_from_rfc3339(&stored.message.timestamp);
        sent.is_ok_and(|sent| {
            u128::try_from(sent.timestamp_millis()).is_ok_and(|sent| sent >= since.as_millis())
        })
    };
    let newest: Vec<_> = messages.iter().rev().take_while(|stored| is_new(stored)).collect();
    let questions = newest.iter().filter_map(|stored| Asked::of(&stored.case_id, &stored.message));
    let is_open = |asked: &Asked| newest.iter().all(|stored| stored.message.id != asked.answer);
    questions.filter(is_open).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::to_rfc3339,
        event::{ChatMessage, Id},
    };

    fn stored(id: &str, role: &str, at: u64) -> Arc<StoredMessage> {
        let message = ChatMessage {
            id: Id::parse(id).unwrap(),
            content: id.into(),
            role: role.into(),
            timestamp: to_rfc3339(at * 1_000),
            sender: serde_json::Map::new(),
        };
        Arc::new(StoredMessage { case_id: Id::parse("c1").unwrap(), sequence: at, message })
    }

    fn open(messages: Vec<Arc<StoredMessage>>, since: u64) -> Vec<String> {
        unanswered(&messages.into(), Duration::from_secs(since))
            .into_iter()
            .map(|asked| asked.words)
            .collect()
    }

    #[test]
    fn a_question_is_open_until_its_answer_is_kept() {
        let question = stored("m1", "patient", 10);
        let answer = Asked::of(&question.case_id, &question.message).unwrap().answer;
        let answer = stored(answer.as_str(), "assistant", 12);

        assert_eq!(open(vec![question.clone(), stored("m2", "agent", 11)], 0), ["m1"]);
        assert!(open(vec![question, stored("m2", "agent", 11), answer], 0).is_empty());
    }

    #[test]
    fn what_was_asked_long_ago_is_left_alone() {
        let messages = || vec![stored("m1", "patient", 10), stored("m2", "patient", 20)];

        assert_eq!(open(messages(), 15), ["m2"]);
        assert!(open(messages(), 21).is_empty());
    }

    #[test]
    fn a_question_keeps_its_time_while_it_is_open_and_is_forgotten_then() {
        let asked = Asked::of(&Id::parse("c1").unwrap(), &stored("m1", "patient", 1).message).unwrap();
        let mut waiting = HashMap::new();

        note(&mut waiting, vec![asked.clone()]);
        waiting.get_mut(&asked).unwrap().is_settled = true;
        note(&mut waiting, vec![asked.clone()]);
        assert!(waiting[&asked].is_settled);
        note(&mut waiting, Vec::new());

        assert!(waiting.is_empty());
    }
}
