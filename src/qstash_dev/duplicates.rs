//! Which messages came lately, so that a repeat is known.

use std::{collections::HashMap, sync::Mutex, time::Duration};

use tokio::time::Instant;

/// How long a message is known.
const WINDOW: Duration = Duration::from_secs(10 * 60);
/// Most messages that are known; beyond it the oldest are forgotten early.
const MOST: usize = 10_000;

/// Remembers message ids by deduplication key for ten minutes.
#[derive(Default)]
pub(super) struct Duplicates {
    seen: Mutex<HashMap<String, (String, Instant)>>,
}

impl Duplicates {
    /// Notes that `id` came under `key`, or gives the id that came before.
    pub(super) fn note(&self, key: String, id: &str) -> Option<String> {
        let now = Instant::now();
        let mut seen = self.seen.lock().expect("no one panics in here");
        if let Some((earlier, at)) = seen.get(&key)
            && now.duration_since(*at) < WINDOW
        {
            return Some(earlier.clone());
        }
        if seen.len() >= MOST {
            forget_oldest(&mut seen);
        }
        seen.insert(key, (id.to_owned(), now));
        None
    }

    /// Forgets a message that was refused after all.
    pub(super) fn forget(&self, key: &str) {
        self.seen.lock().expect("no one panics in here").remove(key);
    }
}

fn forget_oldest(seen: &mut HashMap<String, (String, Instant)>) {
    seen.retain(|_, (_, at)| at.elapsed() < WINDOW);
    if seen.len() >= MOST {
        let oldest = seen.iter().min_by_key(|(_, (_, at))| *at).map(|(key, _)| key.clone());
        oldest.and_then(|key| seen.remove(&key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_repeat_is_known_for_ten_minutes() {
        let duplicates = Duplicates::default();

        assert_eq!(duplicates.note("a".into(), "msg_1"), None);
        assert_eq!(duplicates.note("b".into(), "msg_2"), None);
        tokio::time::advance(Duration::from_secs(599)).await;
        assert_eq!(duplicates.note("a".into(), "msg_3").as_deref(), Some("msg_1"));
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(duplicates.note("a".into(), "msg_4"), None);
        assert_eq!(duplicates.note("a".into(), "msg_5").as_deref(), Some("msg_4"));
    }

    #[tokio::test(start_paused = true)]
    async fn memory_is_bounded() {
        let duplicates = Duplicates::default();
        for n in 0..MOST + 10 {
            duplicates.note(n.to_string(), "msg");
            tokio::time::advance(Duration::from_millis(1)).await;
        }

        assert_eq!(duplicates.seen.lock().unwrap().len(), MOST);
        assert_eq!(duplicates.note("0".into(), "again"), None);
    }
}
