//! Reads commands out of JSON and turns them into what Redis takes.

use redis::Cmd;
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::value::RawValue;

use super::{availability::why_unavailable, refusal::Refusal, scripts::Scripts};

/// A command: its name and what follows; at least the name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Command(Vec<Vec<u8>>);

/// One element of a command in JSON: a string, or a number or boolean as it is written.
struct Argument(Vec<u8>);

impl<'de> Deserialize<'de> for Argument {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?.get();
        match raw.as_bytes() {
            [b'"', ..] => serde_json::from_str(raw)
                .map(|text: String| Self(text.into_bytes()))
                .map_err(D::Error::custom),
            [b'n' | b'[' | b'{', ..] => Err(D::Error::custom("an argument is a string, number or boolean")),
            number_or_boolean => Ok(Self(number_or_boolean.to_vec())),
        }
    }
}

impl Command {
    /// Makes a command of its words.
    pub(super) fn new(words: Vec<Vec<u8>>) -> Result<Self, Refusal> {
        match words.first() {
            Some(name) if !name.is_empty() => Ok(Self(words)),
            _ => Err(Refusal::command("ERR empty command")),
        }
    }

    /// Reads one command: `["SET", "key", 1]`.
    pub(super) fn read(body: &[u8]) -> Result<Self, Refusal> {
        let words: Vec<Argument> = serde_json::from_slice(body)
            .map_err(|error| Refusal::command(format!("ERR failed to parse command: {error}")))?;
        Self::of(words)
    }

    /// Reads several: `[["SET", "key", 1], ["GET", "key"]]`; an empty one among them is told for itself.
    pub(super) fn read_several(body: &[u8]) -> Result<Vec<Result<Self, Refusal>>, Refusal> {
        let commands: Vec<Vec<Argument>> = serde_json::from_slice(body)
            .map_err(|error| Refusal::command(format!("ERR failed to parse pipeline request: {error}")))?;
        if commands.is_empty() {
            return Err(Refusal::command("ERR empty pipeline request"));
        }
        Ok(commands.into_iter().map(Self::of).collect())
    }

    fn of(words: Vec<Argument>) -> Result<Self, Refusal> {
        Self::new(words.into_iter().map(|argument| argument.0).collect())
    }

    /// Gives the command as Redis takes it, unless it is not available here.
    pub(super) fn prepare(mut self, scripts: &Scripts) -> Result<Cmd, Refusal> {
        if let Some(why) = why_unavailable(&self.0) {
            let name = String::from_utf8_lossy(&self.0[0]).to_uppercase();
            return Err(Refusal::command(format!("ERR Command is not available: '{name}': {why}")));
        }
        scripts.translate(&mut self.0);
        let mut prepared = Cmd::new();
        for word in &self.0 {
            prepared.arg(word);
        }
        Ok(prepared)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(json: &str) -> Vec<String> {
        let command = Command::read(json.as_bytes()).unwrap();
        command.0.into_iter().map(|word| String::from_utf8(word).unwrap()).collect()
    }

    #[test]
    fn numbers_and_booleans_are_taken_as_they_are_written() {
        assert_eq!(
            words(r#"["set", 10, -1.50, 1e3, 18446744073709551616, true, false, "", "\u00e4\n"]"#),
            ["set", "10", "-1.50", "1e3", "18446744073709551616", "true", "false", "", "ä\n"],
        );
    }

    #[test]
    fn what_is_no_list_of_plain_values_is_refused() {
        for json in ["", "{}", "\"PING\"", "[null]", "[\"GET\", [\"a\"]]", "[\"GET\", {}]", "[\"GET\"", "[]"]
        {
            assert!(matches!(Command::read(json.as_bytes()), Err(Refusal::Command(_))), "{json}");
        }
    }
}
