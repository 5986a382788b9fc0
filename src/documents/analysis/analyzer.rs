//! What finds something in a text: here by rules, or over HTTP somewhere else.

use async_trait::async_trait;
use tokio::{sync::Semaphore, task::spawn_blocking};

use super::{Findings, rules::analyze};

/// Texts read by rules at once: each keeps a core busy.
const READ_AT_ONCE: usize = 2;

/// Finds what a text says of a patient.
#[async_trait]
pub trait Analyzer: Send + Sync {
    /// Finds what `text` says. The same text may be asked for again after a restart.
    ///
    /// # Errors
    /// [`AnalyzerError`] when there are no findings; the document ends with its reason.
    async fn analyze(&self, text: String) -> Result<Findings, AnalyzerError>;
}

/// Tells why there are no findings. Holds no text, no URL and no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AnalyzerError {
    /// It could not be asked, or could not answer now.
    #[error("the analyzer is not available: {0}")]
    Unavailable(&'static str),
    /// It refused the text, or its answer is none.
    #[error("the analyzer failed: {0}")]
    Failed(&'static str),
    /// The rules broke on this text.
    #[error("the rules failed")]
    Broken,
}

/// What is said of an analyzer that refuses the token.
pub(super) const TOKEN_REFUSED: &str = "it does not accept the token";

impl AnalyzerError {
    /// Says whether the token is at fault.
    #[must_use]
    pub fn is_about_the_token(self) -> bool {
        self == Self::Failed(TOKEN_REFUSED)
    }

    /// Gives the reason code that a document ends with.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Unavailable(_) => "analyzer_unavailable",
            Self::Failed(_) => "analyzer_failed",
            Self::Broken => "internal",
        }
    }

    /// Gives the metric's label.
    #[must_use]
    pub const fn outcome(self) -> &'static str {
        match self {
            Self::Unavailable(_) => "unavailable",
            Self::Failed(_) | Self::Broken => "failed",
        }
    }

    /// Says whether the same text may be answered later.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

/// Finds by the rules and tables of this program.
#[derive(Debug)]
pub struct RuleAnalyzer {
    turns: Semaphore,
}

impl Default for RuleAnalyzer {
    fn default() -> Self {
        Self { turns: Semaphore::new(READ_AT_ONCE) }
    }
}

#[async_trait]
impl Analyzer for RuleAnalyzer {
    async fn analyze(&self, text: String) -> Result<Findings, AnalyzerError> {
        let _turn = self.turns.acquire().await.expect("the semaphore is never closed");
        spawn_blocking(move || analyze(&text)).await.map_err(|_| AnalyzerError::Broken)
    }
}
