//! Owns reading the text layer of a PDF, bounded in time and memory.
//!
//! Uploaded files are hostile until proven otherwise, so the reading runs in a child
//! process that limits itself before it sees the first byte; whatever the file does,
//! only the child dies. [`TextLayerReader`] is the parent's side, [`answer_as_child`] the child's.

use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

mod child;

pub use child::answer_as_child;

/// Names the hidden subcommand under which the program calls itself.
const CHILD_COMMAND: &str = "read-text-layer";

const MAX_TEXT_BYTES: usize = 2 * 1024 * 1024;
// JSON may spell one byte of text as six.
const MAX_REPLY_BYTES: u64 = MAX_TEXT_BYTES as u64 * 6 + 1024;
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// Holds the text of a PDF, one line of the page to a line, pages parted by a blank line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextLayer {
    /// Counts the pages of the document, also those beyond the 2,000 that are read.
    pub pages: u32,
    /// Holds at most 2 MiB of text; empty when the pages are only pictures.
    pub text: String,
}

/// Says why a PDF gave no text layer.
#[derive(Debug, thiserror::Error)]
pub enum TextLayerError {
    /// Opening the document needs a password.
    #[error("the document is protected by a password")]
    Encrypted,
    /// The bytes are not a PDF, or a damaged one.
    #[error("the document cannot be read as a PDF")]
    Unreadable,
    /// The document is a PDF without a single page.
    #[error("the document has no pages")]
    NoPages,
    /// Reading went beyond 25 MiB of input, 768 MiB of memory, 20 s of processor or the timeout.
    #[error("the document takes too much time or memory to read")]
    TooComplex,
    /// The child process could not be started, or broke its protocol.
    #[error("the text layer reader could not be run")]
    Spawn(#[source] io::Error),
}

impl TextLayerError {
    /// Returns the reason code, which is safe to show to anyone.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Encrypted => "encrypted",
            Self::Unreadable => "unreadable",
            Self::NoPages => "no_pages",
            Self::TooComplex => "too_complex",
            Self::Spawn(_) => "internal",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Refusal {
    Encrypted,
    Unreadable,
    TooLarge,
    NoPages,
}

impl From<Refusal> for TextLayerError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Encrypted => Self::Encrypted,
            Refusal::Unreadable => Self::Unreadable,
            Refusal::TooLarge => Self::TooComplex,
            Refusal::NoPages => Self::NoPages,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Reply {
    Read(TextLayer),
    Refused { error: Refusal },
}

/// Reads text layers, each in a child process of its own.
#[derive(Debug, Clone)]
pub struct TextLayerReader {
    program: PathBuf,
    timeout: Duration,
}

impl TextLayerReader {
    /// Creates a reader that runs `program read-text-layer`, with a timeout of 30 s.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into(), timeout: DEFAULT_TIMEOUT }
    }

    /// Sets how long one document may take by the clock.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Reads the text layer of `pdf`.
    ///
    /// A document of pictures gives empty text, not an error. Dropping the future kills
    /// the child, and the runtime reaps it.
    ///
    /// # Errors
    /// [`TextLayerError`] says why there is no text.
    pub async fn read(&self, pdf: Bytes) -> Result<TextLayer, TextLayerError> {
        let mut child = self.spawn().map_err(TextLayerError::Spawn)?;
        match tokio::time::timeout(self.timeout, converse(&mut child, pdf)).await {
            Ok(heard) => {
                let (status, reply) = heard.map_err(TextLayerError::Spawn)?;
                judge(status, &reply)
            }
            Err(_) => {
                child.kill().await.map_err(TextLayerError::Spawn)?;
                Err(TextLayerError::TooComplex)
            }
        }
    }

    fn spawn(&self) -> io::Result<Child> {
        Command::new(&self.program)
            .arg(CHILD_COMMAND)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
    }
}

async fn converse(child: &mut Child, pdf: Bytes) -> io::Result<(ExitStatus, Vec<u8>)> {
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let ((), reply) = tokio::join!(feed(stdin, pdf), collect(stdout));
    Ok((child.wait().await?, reply?))
}

async fn feed(stdin: Option<ChildStdin>, pdf: Bytes) {
    if let Some(mut stdin) = stdin {
        // A child that stops listening says why in its reply or its exit status.
        let _ = stdin.write_all(&pdf).await;
    }
}

async fn collect(stdout: Option<ChildStdout>) -> io::Result<Vec<u8>> {
    let mut reply = Vec::new();
    if let Some(stdout) = stdout {
        stdout.take(MAX_REPLY_BYTES).read_to_end(&mut reply).await?;
    }
    Ok(reply)
}

fn judge(status: ExitStatus, reply: &[u8]) -> Result<TextLayer, TextLayerError> {
    match status.code() {
        Some(0) => match serde_json::from_slice(reply) {
            Ok(Reply::Read(layer)) => Ok(layer),
            Ok(Reply::Refused { error }) => Err(error.into()),
            Err(error) => Err(TextLayerError::Spawn(error.into())),
        },
        Some(_) => Err(TextLayerError::Spawn(io::Error::other(status.to_string()))),
        // Failed allocation, deep recursion, the CPU limit and the kernel's OOM killer
        // all end the child by a signal.
        None => Err(TextLayerError::TooComplex),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(program: &str, pdf: &'static [u8]) -> Result<TextLayer, TextLayerError> {
        let reader = TextLayerReader::new(program);
        reader.read(Bytes::from_static(pdf)).await
    }

    // `grep read-text-layer` echoes a line holding those words: a child that replies.
    #[tokio::test]
    async fn believes_the_reply_of_the_child() {
        let read = ask("grep", br#"{"pages":2,"text":"read-text-layer"}"#).await;
        assert_eq!(read.unwrap().pages, 2);
        let refused = ask("grep", br#"{"error":"too_large","by":"read-text-layer"}"#).await;
        assert_eq!(refused.unwrap_err().reason(), "too_complex");
    }

    #[tokio::test]
    async fn survives_a_child_that_fails() {
        let reason = async |program| ask(program, b"x").await.unwrap_err().reason();
        assert_eq!(reason("no-such-program").await, "internal");
        assert_eq!(reason("false").await, "internal");
        assert_eq!(reason("true").await, "internal");
        // `yes read-text-layer` never stops writing; the reply is cut and the pipe closed.
        assert_eq!(reason("yes").await, "too_complex");
    }

    #[tokio::test]
    async fn stops_a_child_at_the_timeout() {
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/endless_reader.sh");
        let reader = TextLayerReader::new(program).with_timeout(Duration::from_millis(100));

        assert_eq!(reader.read(Bytes::from_static(b"x")).await.unwrap_err().reason(), "too_complex");
    }
}
