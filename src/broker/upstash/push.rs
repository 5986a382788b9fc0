//! Commands that push events to the lists producers know, and what their answers mean.

use std::time::Duration;

use super::{
    super::{BrokerError, Publication},
    keys, refusal, wake,
};
use crate::{
    event::Channel,
    upstash::{Command, RedisError, RedisRest, Reply},
};

/// Pushes events: per channel one RPUSH, which keeps them in order, one EXPIRE and, where
/// processes wait to be woken, one PUBLISH.
pub(super) async fn push(
    redis: &RedisRest,
    events: &[Publication],
    time_to_live: Duration,
    wakes: bool,
) -> Vec<Result<(), BrokerError>> {
    let pushes = pushes(events, time_to_live, wakes);
    let commands: Vec<_> = pushes.iter().flat_map(|push| push.commands.clone()).collect();
    match redis.pipeline(&commands).await {
        Ok(answers) => answers_of(events.len(), &pushes, answers),
        Err(error) => events.iter().map(|_| Err(refusal(&error))).collect(),
    }
}

/// The events of one channel in a call, and the commands that push them.
struct Push {
    channel: Channel,
    /// Their places among the events of the call.
    places: Vec<usize>,
    /// RPUSH of all of them, then what follows it.
    commands: Vec<Command>,
}

fn pushes(events: &[Publication], time_to_live: Duration, wakes: bool) -> Vec<Push> {
    let mut pushes: Vec<Push> = Vec::new();
    for (place, event) in events.iter().enumerate() {
        let known = pushes.iter().position(|push| push.channel == event.channel);
        let at = known.unwrap_or_else(|| {
            pushes.push(Push::new(&event.channel, time_to_live, wakes));
            pushes.len() - 1
        });
        pushes[at].add(place, event);
    }
    pushes
}

impl Push {
    fn new(channel: &Channel, time_to_live: Duration, wakes: bool) -> Self {
        let inbox = keys::inbox(channel);
        let mut commands = vec![
            Command::new("RPUSH").arg(inbox.clone()),
            Command::new("EXPIRE").arg(inbox).arg(time_to_live.as_secs()),
        ];
        if wakes {
            commands.push(wake::publish(channel.to_string()));
        }
        Self { channel: channel.clone(), places: Vec::new(), commands }
    }

    fn add(&mut self, place: usize, event: &Publication) {
        self.places.push(place);
        self.commands[0] = self.commands[0].clone().arg(event.payload.clone());
    }
}

/// Gives each event the answer of its RPUSH.
fn answers_of(
    count: usize,
    pushes: &[Push],
    replies: Vec<Result<Reply, RedisError>>,
) -> Vec<Result<(), BrokerError>> {
    let mut answers: Vec<Result<(), BrokerError>> = (0..count).map(|_| Ok(())).collect();
    let mut replies = replies.into_iter();
    for push in pushes {
        let pushed = replies.by_ref().take(push.commands.len()).collect::<Vec<_>>();
        if let Some(Err(error)) = pushed.first() {
            for place in &push.places {
                answers[*place] = Err(refusal(error));
            }
        }
    }
    answers
}
