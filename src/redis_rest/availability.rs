//! Which commands are not taken, and why: they would block, change or end what all requests share.

/// Wait for other clients; Upstash refuses them over REST too.
const BLOCKING: [&str; 10] =
    ["BLMOVE", "BLMPOP", "BLPOP", "BRPOP", "BRPOPLPUSH", "BZMPOP", "BZPOPMAX", "BZPOPMIN", "WAIT", "WAITAOF"];
/// Change what their connection is, and this one belongs to everybody.
const OF_THE_CONNECTION: [&str; 15] = [
    "ASKING",
    "AUTH",
    "CLIENT",
    "DISCARD",
    "EXEC",
    "HELLO",
    "MULTI",
    "QUIT",
    "READONLY",
    "READWRITE",
    "RESET",
    "SELECT",
    "SYNC",
    "UNWATCH",
    "WATCH",
];
/// Answer without end; `/subscribe` and `/psubscribe` stand for two of them.
const STREAMING: [&str; 8] = [
    "MONITOR",
    "PSUBSCRIBE",
    "PSYNC",
    "PUNSUBSCRIBE",
    "SSUBSCRIBE",
    "SUBSCRIBE",
    "SUNSUBSCRIBE",
    "UNSUBSCRIBE",
];
/// Are for who runs the Redis; a service Upstash runs does not have them.
const OF_THE_OPERATOR: [&str; 10] = [
    "ACL",
    "CONFIG",
    "DEBUG",
    "FAILOVER",
    "MIGRATE",
    "MODULE",
    "REPLCONF",
    "REPLICAOF",
    "SHUTDOWN",
    "SLAVEOF",
];

/// Says why a command, its name first, is not available; nothing if it is.
pub(super) fn why_unavailable(words: &[Vec<u8>]) -> Option<&'static str> {
    let name = words.first()?;
    let is_among = |names: &[&str]| names.iter().any(|other| is(name, other));
    if is_among(&BLOCKING) {
        Some("it blocks, ask again instead")
    } else if is_among(&OF_THE_CONNECTION) {
        Some("it is about a connection, and requests have none of their own")
    } else if is_among(&STREAMING) {
        Some("its answer has no end, use /subscribe/<channel> or /psubscribe/<pattern>")
    } else if is_among(&OF_THE_OPERATOR) {
        Some("it is for the operator of the Redis")
    } else if blocks_on_streams(words) {
        Some("BLOCK is not possible, ask again instead")
    } else {
        None
    }
}

/// Finds the option BLOCK of XREAD and XREADGROUP, whose groups, consumers and keys may bear any name.
fn blocks_on_streams(words: &[Vec<u8>]) -> bool {
    let options = match &words[0] {
        name if is(name, "XREAD") => words.get(1..),
        name if is(name, "XREADGROUP") => words.get(4..),
        _ => None,
    };
    let mut options = options.unwrap_or_default().iter().take_while(|word| !is(word, "STREAMS"));
    options.any(|word| is(word, "BLOCK"))
}

fn is(word: &[u8], name: &str) -> bool {
    word.eq_ignore_ascii_case(name.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_available(command: &str) -> bool {
        let words: Vec<_> = command.split(' ').map(|word| word.as_bytes().to_vec()).collect();
        why_unavailable(&words).is_none()
    }

    #[test]
    fn names_are_known_in_any_case() {
        for command in ["BLPOP a 0", "blpop a 0", "Select 1", "monitor", "SUBSCRIBE a", "shutdown"] {
            assert!(!is_available(command), "{command}");
        }
        for command in ["LPOP a", "PING", "INFO", "PUBLISH a b", "PUBSUB NUMSUB a", "FLUSHALL"] {
            assert!(is_available(command), "{command}");
        }
    }

    #[test]
    fn reading_streams_is_refused_only_when_it_blocks() {
        for command in [
            "XREAD BLOCK 0 STREAMS a $",
            "xread count 1 block 5 streams a $",
            "XREADGROUP GROUP g c COUNT 1 BLOCK 0 STREAMS a >",
        ] {
            assert!(!is_available(command), "{command}");
        }
        for command in [
            "XREAD STREAMS block 0",
            "XREAD COUNT 2 STREAMS a block 0 0",
            "XREADGROUP GROUP block block STREAMS a >",
            "XREADGROUP",
        ] {
            assert!(is_available(command), "{command}");
        }
    }
}
