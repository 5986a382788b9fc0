//! When something happens: waits as headers write them, and the pauses between tries.

use std::time::Duration;

use super::refusal::Refusal;

const DAY: Duration = Duration::from_secs(86_400);
/// Longest wait that may be asked for: a year.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

/// Gives the pause after a try that failed, as documented: 12 s, 2 m 28 s, 30 m 8 s, 6 h 7 m, 24 h.
///
/// Source: <https://upstash.com/docs/qstash/features/retry>.
pub(super) fn pause_after(retried: u32) -> Duration {
    let seconds = (2.5 * f64::from(retried.saturating_add(1).min(10))).exp();
    Duration::from_secs_f64(seconds).min(DAY)
}

/// Keeps a pause that a destination asks for below a day.
pub(super) fn asked_pause(seconds: u64) -> Duration {
    Duration::from_secs(seconds).min(DAY)
}

/// Reads a wait such as `10s`, `1m30s`, `2h`, `7d` or bare seconds.
pub(super) fn parse_wait(text: &str) -> Result<Duration, Refusal> {
    let refused = || Refusal::bad(format!("{text:?} is no duration such as 10s, 1m30s, 2h or 7d"));
    let (mut total, mut digits, mut is_whole) = (0_u64, String::new(), false);
    for char in text.trim().chars() {
        if char.is_ascii_digit() {
            digits.push(char);
            is_whole = false;
            continue;
        }
        let unit = match char {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            _ => return Err(refused()),
        };
        let number: u64 = std::mem::take(&mut digits).parse().map_err(|_| refused())?;
        total = number.checked_mul(unit).and_then(|part| total.checked_add(part)).ok_or_else(refused)?;
        is_whole = true;
    }
    if !is_whole && total == 0 {
        total = digits.parse().map_err(|_| refused())?;
    } else if !is_whole {
        return Err(refused());
    }
    Some(Duration::from_secs(total)).filter(|wait| *wait <= LONGEST).ok_or_else(refused)
}

/// Reads the simple form of `Upstash-Retry-Delay`: milliseconds. Expressions are refused.
pub(super) fn parse_retry_delay(text: &str) -> Result<Duration, Refusal> {
    let milliseconds = text.trim().parse().map(Duration::from_millis);
    milliseconds.ok().filter(|delay| *delay <= DAY).ok_or_else(|| {
        Refusal::bad(
            "qstash-dev takes Upstash-Retry-Delay as milliseconds only, for example 5000; no expressions",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_those_of_the_documentation() {
        let pauses = [0, 1, 2, 3, 4, u32::MAX].map(|retried| pause_after(retried).as_secs());

        assert_eq!(pauses, [12, 148, 1_808, 22_026, 86_400, 86_400]);
    }

    #[test]
    fn waits_are_read_as_the_clients_write_them() {
        for (text, seconds) in
            [("10s", 10), ("1m30s", 90), ("2h", 7_200), ("7d", 604_800), ("5", 5), ("0s", 0)]
        {
            assert_eq!(parse_wait(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for bad in ["", "s", "10x", "1m5", "-1s", "1.5s", "99999999999999999999s", "9999d"] {
            assert!(parse_wait(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_retry_delay_is_a_number() {
        assert_eq!(parse_retry_delay("1500"), Ok(Duration::from_millis(1_500)));
        for bad in ["", "pow(2, retried)", "1000 * (1 + retried)", "-1"] {
            assert!(parse_retry_delay(bad).is_err(), "{bad}");
        }
    }
}
