//! One command and what Upstash bills for it.

use std::{borrow::Cow, fmt};

use bytes::Bytes;
use serde::{Serialize, Serializer, ser::SerializeSeq};

/// Commands that cost nothing.
const FREE: [&str; 9] = ["AUTH", "HELLO", "SELECT", "COMMAND", "CONFIG", "INFO", "PING", "RESET", "QUIT"];

/// A command and its arguments. Its `Debug` form hides the arguments: they may hold health data.
#[derive(Clone, PartialEq, Eq)]
pub struct Command {
    name: &'static str,
    arguments: Vec<Argument>,
    inner: u64,
}

/// An argument, sent as a string; bytes that are not UTF-8 become U+FFFD.
#[derive(Clone, PartialEq, Eq)]
pub struct Argument(Bytes);

impl Command {
    /// Begins a command without arguments, for example `XREAD`.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { name, arguments: Vec::new(), inner: 0 }
    }

    /// Appends an argument.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<Argument>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Appends arguments, in order.
    #[must_use]
    pub fn args<A: Into<Argument>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Counts `commands` more, for a script whose inner calls are known before it runs.
    ///
    /// For what is known only from its reply there is [`RedisRest::bill_more`](super::RedisRest::bill_more).
    #[must_use]
    pub const fn bill_more(mut self, commands: u64) -> Self {
        self.inner += commands;
        self
    }

    /// Tells how many commands Upstash bills, without copies of the write in other regions.
    #[must_use]
    pub fn billed(&self) -> u64 {
        let is_free = FREE.iter().any(|free| free.eq_ignore_ascii_case(self.name));
        u64::from(!is_free) + self.inner
    }
}

impl Argument {
    fn as_text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }
}

impl From<&str> for Argument {
    fn from(text: &str) -> Self {
        Self(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl From<String> for Argument {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<Bytes> for Argument {
    fn from(bytes: Bytes) -> Self {
        Self(bytes)
    }
}

impl From<u64> for Argument {
    fn from(number: u64) -> Self {
        Self(number.to_string().into())
    }
}

impl Serialize for Command {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut parts = serializer.serialize_seq(Some(1 + self.arguments.len()))?;
        parts.serialize_element(self.name)?;
        for argument in &self.arguments {
            parts.serialize_element(&argument.as_text())?;
        }
        parts.end()
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}({} arguments)", self.name, self.arguments.len())
    }
}

impl fmt::Debug for Argument {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Argument({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_sent_as_a_string() {
        let command = Command::new("XADD")
            .arg("log:ä")
            .args(["MAXLEN", "~"])
            .arg(512)
            .arg(String::from("*"))
            .arg(Bytes::from_static(br#"{"a":"b"}"#));

        let sent = serde_json::to_string(&command).unwrap();

        assert_eq!(sent, r#"["XADD","log:ä","MAXLEN","~","512","*","{\"a\":\"b\"}"]"#);
    }

    #[test]
    fn what_is_not_utf_8_is_replaced() {
        let command = Command::new("SET").arg("k").arg(Bytes::from_static(&[b'a', 0xff]));

        assert_eq!(serde_json::to_string(&command).unwrap(), "[\"SET\",\"k\",\"a\u{fffd}\"]");
    }

    #[test]
    fn a_command_is_billed_once_a_script_with_its_calls_and_a_ping_not() {
        assert_eq!(Command::new("LPOP").arg("k").arg(100).billed(), 1);
        assert_eq!(Command::new("EVAL").bill_more(2).bill_more(3).billed(), 6);
        assert_eq!(Command::new("PING").billed(), 0);
        assert_eq!(Command::new("ping").billed(), 0);
    }

    #[test]
    fn arguments_are_hidden_where_commands_are_shown() {
        let command = Command::new("RPUSH").arg("key").arg("diagnosis");

        assert_eq!(format!("{command:?}"), "RPUSH(2 arguments)");
        assert_eq!(format!("{:?}", Argument::from("diagnosis")), "Argument(9 bytes)");
    }
}
