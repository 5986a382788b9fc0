//! Scripts, and what has been learnt of the server that runs them.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::upstash::{Command, RedisError};

/// A Lua script that names all its keys, sent as text: the server's cache of scripts is volatile.
pub(super) struct Script {
    text: &'static str,
    /// Upstash locks the whole database without the flag on the first line; Redis refuses it.
    without_flag: AtomicBool,
}

impl Script {
    pub(super) const fn new(text: &'static str) -> Self {
        Self { text, without_flag: AtomicBool::new(false) }
    }

    /// Begins the command that runs it over `keys`; arguments follow.
    pub(super) fn over(&self, keys: impl IntoIterator<Item = String>) -> Command {
        let keys: Vec<_> = keys.into_iter().collect();
        Command::new("EVAL").arg(self.text()).arg(keys.len() as u64).args(keys)
    }

    /// Says whether the error is only that this server does not know the flag, and leaves it out
    /// from then on. Another run at the same time may have learnt it first.
    pub(super) fn learns_from(&self, error: &RedisError) -> bool {
        let words = error.to_string();
        let is_flag = words.contains("shebang") || words.contains("allow-key-locking");
        if is_flag {
            self.without_flag.store(true, Ordering::Relaxed);
        }
        is_flag
    }

    fn text(&self) -> &'static str {
        if self.without_flag.load(Ordering::Relaxed) {
            self.text.split_once('\n').map_or(self.text, |(_, rest)| rest)
        } else {
            self.text
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_is_left_out_once_a_server_has_refused_it() {
        let script = Script::new("#!lua flags=allow-key-locking\nreturn 1");
        let refusal = RedisError::Refused("ERR Unexpected flag in script shebang: allow-key-locking".into());
        assert!(script.text().starts_with("#!lua"));

        assert!(!script.learns_from(&RedisError::Refused("ERR something else".into())));
        assert!(script.text().starts_with("#!lua"));
        assert!(script.learns_from(&refusal));

        assert_eq!(script.text(), "return 1");
    }
}
