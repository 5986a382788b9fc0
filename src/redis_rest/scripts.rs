//! Scripts as Upstash takes them, for a Redis that does not.
//!
//! Upstash knows a flag in a script's first line, `#!lua flags=allow-key-locking`, which Redis
//! refuses, so it is taken out. That changes the script's hash, and clients compute the hash of
//! what they sent: an alias leads from theirs to that of the script Redis has.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use redis::Script;

const FLAG: &str = "allow-key-locking";
/// How many aliases are kept. Beyond, all are forgotten: clients know `NOSCRIPT`.
const MOST_ALIASES: usize = 1_000;

/// Takes the flag out of scripts and remembers their hashes.
#[derive(Debug, Default)]
pub(super) struct Scripts {
    aliases: Mutex<HashMap<Vec<u8>, Vec<u8>>>,
}

impl Scripts {
    /// Changes a command, its name first, to what Redis takes.
    pub(super) fn translate(&self, words: &mut [Vec<u8>]) {
        let name = words[0].to_ascii_uppercase();
        let subcommand = words.get(1).map(|word| word.to_ascii_uppercase()).unwrap_or_default();
        match (&name[..], &subcommand[..]) {
            (b"EVAL" | b"EVAL_RO", _) => self.take_flag_out(words.get_mut(1)),
            (b"EVALSHA" | b"EVALSHA_RO", _) => {
                words.get_mut(1).into_iter().for_each(|hash| self.resolve(hash))
            }
            (b"SCRIPT", b"LOAD") => self.take_flag_out(words.get_mut(2)),
            (b"SCRIPT", b"EXISTS") => words.iter_mut().skip(2).for_each(|hash| self.resolve(hash)),
            _ => {}
        }
    }

    fn take_flag_out(&self, script: Option<&mut Vec<u8>>) {
        let Some(script) = script else { return };
        let Ok(text) = std::str::from_utf8(script) else { return };
        let Some(without) = without_flag(text) else { return };
        let mut aliases = self.aliases.lock().unwrap_or_else(PoisonError::into_inner);
        if aliases.len() >= MOST_ALIASES {
            aliases.clear();
        }
        aliases.insert(hash_of(text), hash_of(&without));
        *script = without.into_bytes();
    }

    fn resolve(&self, hash: &mut Vec<u8>) {
        let aliases = self.aliases.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(other) = aliases.get(&hash.to_ascii_lowercase()) {
            hash.clone_from(other);
        }
    }
}

fn hash_of(script: &str) -> Vec<u8> {
    Script::new(script).get_hash().as_bytes().to_vec()
}

/// Gives a script without the flag, if it has it; its lines keep their numbers.
fn without_flag(script: &str) -> Option<String> {
    let (first, rest) = script.split_at(script.find('\n').unwrap_or(script.len()));
    let flags = first.strip_prefix("#!lua ")?.trim().strip_prefix("flags=")?;
    let others: Vec<_> = flags.split(',').filter(|flag| *flag != FLAG).collect();
    if others.len() == flags.split(',').count() {
        return None;
    }
    let first = if others.is_empty() { String::new() } else { format!("#!lua flags={}", others.join(",")) };
    Some(first + rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn translated(scripts: &Scripts, words: &[&str]) -> Vec<String> {
        let mut words: Vec<_> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
        scripts.translate(&mut words);
        words.into_iter().map(|word| String::from_utf8(word).unwrap()).collect()
    }

    #[test]
    fn the_flag_goes_and_all_else_stays() {
        for (script, expected) in [
            ("#!lua flags=allow-key-locking\nreturn 1", Some("\nreturn 1")),
            ("#!lua flags=allow-key-locking\r\nreturn 1", Some("\nreturn 1")),
            ("#!lua flags=no-writes,allow-key-locking\nreturn 1", Some("#!lua flags=no-writes\nreturn 1")),
            ("#!lua flags=no-writes\nreturn 1", None),
            ("#!lua\nreturn 1", None),
            ("return 'flags=allow-key-locking'", None),
        ] {
            assert_eq!(without_flag(script).as_deref(), expected, "{script}");
        }
    }

    #[test]
    fn the_hash_of_what_a_client_sent_finds_what_redis_has() {
        let scripts = Scripts::default();
        let sent = "#!lua flags=allow-key-locking\nreturn 1";
        let (theirs, ours) = (hash_of(sent), hash_of("\nreturn 1"));
        let (theirs, ours) = (String::from_utf8(theirs).unwrap(), String::from_utf8(ours).unwrap());

        let loaded = translated(&scripts, &["script", "load", sent]);

        assert_eq!(loaded, ["script", "load", "\nreturn 1"]);
        assert_eq!(translated(&scripts, &["EVALSHA", &theirs, "0"]), ["EVALSHA", &ours, "0"]);
        assert_eq!(translated(&scripts, &["SCRIPT", "EXISTS", "f00", &theirs])[2..], ["f00", &ours]);
    }
}
