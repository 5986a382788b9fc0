//! How long a document will take still.
//!
//! Who knows tells it with an event; from then on time alone makes it less. It is kept as two moments of the
//! log's clock, so that every process counts the same, whenever it reads.

use serde_json::{Map, Value};

use super::position::EventId;

/// The field of a progress event that holds it.
pub const ETA_FIELD: &str = "eta_seconds";

/// Longest time that is taken for an estimate, in seconds: 30 days.
const LONGEST: f64 = 30.0 * 24.0 * 3_600.0;

/// Between which moments a document will be over, in milliseconds since the Unix epoch by the log's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Eta {
    earliest: u64,
    latest: u64,
}

impl Eta {
    /// Takes what an event at `id` says; what was told `before` holds where it says nothing, and no longer
    /// where it says `null`: that nobody knows any more.
    #[must_use]
    pub fn told(extra: &Map<String, Value>, id: EventId, before: Option<Self>) -> Option<Self> {
        let Some(told) = extra.get(ETA_FIELD) else { return before };
        let (least, most) = read(told)?;
        let at = |seconds: f64| id.milliseconds.saturating_add(milliseconds(seconds));
        Some(Self { earliest: at(least), latest: at(most) })
    }

    /// Gives at least and at most how many seconds it takes from `now` on; nothing once it has taken longer.
    #[must_use]
    pub fn left(self, now: u64) -> Option<[u64; 2]> {
        let least = self.earliest.saturating_sub(now) / 1_000;
        let most = self.latest.saturating_sub(now).div_ceil(1_000);
        (most > 0).then_some([least, most])
    }
}

/// Drops what is neither a pair of seconds, the lesser first, nor `null`.
pub(super) fn drop_unreadable(extra: &mut Map<String, Value>) {
    if extra.get(ETA_FIELD).is_some_and(|told| !told.is_null() && read(told).is_none()) {
        extra.remove(ETA_FIELD);
    }
}

fn read(told: &Value) -> Option<(f64, f64)> {
    let [least, most] = told.as_array()?.as_slice() else { return None };
    let (least, most) = (least.as_f64()?, most.as_f64()?);
    (0.0 <= least && least <= most && most <= LONGEST).then_some((least, most))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 30 days")]
fn milliseconds(seconds: f64) -> u64 {
    (seconds * 1_000.0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(value: Value) -> Option<Eta> {
        Eta::told(&Map::from_iter([(ETA_FIELD.to_owned(), value)]), EventId::new(10_000, 0), None)
    }

    #[test]
    fn it_becomes_less_with_time_and_then_nothing() {
        let eta = told(json!([20, 40.5])).unwrap();

        assert_eq!(eta.left(10_000), Some([20, 41]));
        assert_eq!(eta.left(25_100), Some([4, 26]));
        assert_eq!(eta.left(35_000), Some([0, 16]));
        assert_eq!(eta.left(50_500), None);
    }

    #[test]
    fn what_is_no_pair_of_seconds_is_dropped_and_anything_else_stays() {
        for bad in [
            json!(30),
            json!("soon"),
            json!([]),
            json!([1]),
            json!([1, 2, 3]),
            json!(["1", "2"]),
            json!([-1, 2]),
            json!([2, 1]),
            json!([1, 1e300]),
        ] {
            let mut extra = Map::from_iter([(ETA_FIELD.to_owned(), bad.clone()), ("page".into(), 2.into())]);
            drop_unreadable(&mut extra);

            assert_eq!(Value::Object(extra), json!({ "page": 2 }), "{bad}");
            assert_eq!(told(bad), None);
        }
        for good in [json!([0, 12.25]), json!(null)] {
            let mut extra = Map::from_iter([(ETA_FIELD.to_owned(), good.clone())]);
            drop_unreadable(&mut extra);
            assert_eq!(Value::Object(extra), json!({ "eta_seconds": good }));
        }
    }
}
