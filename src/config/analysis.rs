//! Who analyzes the texts of documents, where that is not this program.

use std::{net::IpAddr, time::Duration};

use secrecy::SecretString;
use url::{Host, Url};

use super::variables::{ConfigError, Variables, missing, wrong};

/// An analyzer that is asked over HTTP.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AnalyzerConfig {
    /// `ANALYZER_URL`: where texts are posted to.
    pub url: Url,
    /// `ANALYZER_TOKEN`: sent as `Authorization: Bearer`.
    pub token: Option<SecretString>,
    /// `ANALYZER_TIMEOUT_SECONDS`: how long one answer may take. Default 30. Too small: slow models never answer. Too
    /// large: a document whose analyzer hangs is held up for four times that.
    pub answer_within: Duration,
}

impl AnalyzerConfig {
    /// Reads the analyzer; none where `ANALYZER_URL` is not set.
    pub(super) fn read(variables: &Variables) -> Result<Option<Self>, ConfigError> {
        let answer_within = variables.seconds("ANALYZER_TIMEOUT_SECONDS", 30, (1, 300))?;
        let token = variables.secret("ANALYZER_TOKEN", 1)?;
        let Some(text) = variables.text("ANALYZER_URL") else {
            let allowed = "the URL of the analyzer, as ANALYZER_TOKEN is set";
            return if token.is_some() { Err(missing("ANALYZER_URL", allowed)) } else { Ok(None) };
        };
        let url = url(variables, text)?;
        Ok(Some(Self { url, token, answer_within }))
    }
}

/// A refused URL is not shown: it may hold a password.
fn url(variables: &Variables, text: &str) -> Result<Url, ConfigError> {
    let allowed = "a URL such as https://analyzer.example.org/analyze, without user or password";
    let Some(url) = Url::parse(text).ok().filter(is_plain) else {
        return Err(wrong("ANALYZER_URL", "no such URL", allowed));
    };
    if url.scheme() == "http" && !is_loopback(&url) && !variables.flag("ANALYZER_ALLOW_HTTP", false)? {
        let allowed =
            "https:// but on loopback, as texts would travel readable (or set ANALYZER_ALLOW_HTTP=true)";
        return Err(wrong("ANALYZER_URL", &url.origin().ascii_serialization(), allowed));
    }
    Ok(url)
}

fn is_plain(url: &Url) -> bool {
    let has_user = !url.username().is_empty() || url.password().is_some();
    matches!(url.scheme(), "http" | "https") && url.has_host() && !has_user && url.fragment().is_none()
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Option<AnalyzerConfig>, String> {
        AnalyzerConfig::read(&Variables::of(pairs)).map_err(|error| error.to_string())
    }

    #[test]
    fn without_a_url_the_rules_of_this_program_do_it() {
        assert!(read(&[]).unwrap().is_none());
        assert!(read(&[("ANALYZER_TOKEN", "hunter2")]).unwrap_err().starts_with("ANALYZER_URL is not set"));
    }

    #[test]
    fn plain_http_is_for_loopback_unless_it_is_asked_for() {
        let far = ("ANALYZER_URL", "http://analyzer.internal:9000/analyze");

        assert!(read(&[far]).unwrap_err().contains("ANALYZER_ALLOW_HTTP=true"));
        assert!(read(&[far, ("ANALYZER_ALLOW_HTTP", "true")]).unwrap().is_some());
        assert!(read(&[("ANALYZER_URL", "http://127.0.0.1:9000")]).unwrap().is_some());
        assert!(read(&[("ANALYZER_URL", "https://analyzer.example.org/v1?model=a")]).unwrap().is_some());
    }

    #[test]
    fn secrets_are_masked() {
        let error = read(&[("ANALYZER_URL", "https://user:hunter2@analyzer.example.org")]).unwrap_err();
        let config = read(&[("ANALYZER_URL", "https://analyzer.example.org"), ("ANALYZER_TOKEN", "hunter2")]);

        assert!(!format!("{error}{config:?}").contains("hunter2"), "{error}");
    }
}
