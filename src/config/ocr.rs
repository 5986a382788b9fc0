//! Where documents without a text layer are read.

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::{
    access::Environment,
    variables::{ConfigError, Variables, missing, wrong},
};
use crate::upstash::{DEVELOPMENT_KEYS, DEVELOPMENT_TOKEN};

const QSTASH: &str = "https://qstash.upstash.io";

/// Where documents without a text layer are read, and over which queue.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OcrConfig {
    /// `OCR_URL`: the worker, as the queue reaches it.
    pub worker: Url,
    /// `PUBLIC_URL`: this server, as the queue and the worker reach it; without a slash at its end.
    pub public_url: String,
    /// `QSTASH_URL`: the queue. Default the vendor's European region.
    pub queue: Url,
    /// `QSTASH_TOKEN`: publishes.
    pub token: SecretString,
    /// `QSTASH_CURRENT_SIGNING_KEY`: signs what the queue delivers.
    pub current_key: SecretString,
    /// `QSTASH_NEXT_SIGNING_KEY`: will sign after the keys are rolled.
    pub next_key: SecretString,
}

impl OcrConfig {
    /// Reads the settings; nothing without `OCR_URL`.
    pub(super) fn read(variables: &Variables, environment: Environment) -> Result<Option<Self>, ConfigError> {
        let Some(worker) = url(variables, "OCR_URL")? else { return Ok(None) };
        let queue = url(variables, "QSTASH_URL")?;
        Ok(Some(Self {
            worker,
            public_url: public_url(variables)?,
            queue: queue.unwrap_or_else(|| Url::parse(QSTASH).expect("a constant")),
            token: secret(variables, environment, "QSTASH_TOKEN")?,
            current_key: secret(variables, environment, "QSTASH_CURRENT_SIGNING_KEY")?,
            next_key: secret(variables, environment, "QSTASH_NEXT_SIGNING_KEY")?,
        }))
    }
}

/// A refused URL is not shown: it may hold a password.
fn url(variables: &Variables, name: &'static str) -> Result<Option<Url>, ConfigError> {
    let Some(text) = variables.text(name) else { return Ok(None) };
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let url = url.filter(|url| url.username().is_empty() && url.password().is_none());
    url.map(Some).ok_or_else(|| {
        wrong(name, "no such URL", "a URL that starts with https:// or http://, without a password")
    })
}

fn public_url(variables: &Variables) -> Result<String, ConfigError> {
    let url = url(variables, "PUBLIC_URL")?.ok_or_else(|| {
        missing("PUBLIC_URL", "this server's URL as the queue reaches it, as OCR_URL is set")
    })?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("PUBLIC_URL", "a URL with a query", "a URL without query and fragment"));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

fn secret(
    variables: &Variables,
    environment: Environment,
    name: &'static str,
) -> Result<SecretString, ConfigError> {
    let of_the_account = "the one of your QStash account";
    let secret = variables
        .secret(name, 1)?
        .ok_or_else(|| missing(name, &format!("{of_the_account}, as OCR_URL is set")))?;
    if environment == Environment::Production && is_public(&secret) {
        return Err(wrong(
            name,
            "the vendor's public development one",
            &format!("{of_the_account} in production"),
        ));
    }
    Ok(secret)
}

/// Anybody may sign and publish with what the vendor's documentation prints.
fn is_public(secret: &SecretString) -> bool {
    let secret = secret.expose_secret();
    secret == DEVELOPMENT_TOKEN || DEVELOPMENT_KEYS.contains(&secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [(&str, &str); 5] = [
        ("OCR_URL", "https://ocr.example.org/read"),
        ("PUBLIC_URL", "https://app.example.org/"),
        ("QSTASH_TOKEN", "own-token"),
        ("QSTASH_CURRENT_SIGNING_KEY", "sig_own"),
        ("QSTASH_NEXT_SIGNING_KEY", "sig_own_next"),
    ];

    fn read(pairs: &[(&str, &str)], environment: Environment) -> Result<Option<OcrConfig>, String> {
        OcrConfig::read(&Variables::of(pairs), environment).map_err(|error| error.to_string())
    }

    fn with<'a>(name: &str, value: &'a str) -> Vec<(&'static str, &'a str)> {
        ALL.iter().map(|&(own, held)| (own, if own == name { value } else { held })).collect()
    }

    #[test]
    fn without_a_worker_nothing_of_it_is_read() {
        assert!(read(&[("QSTASH_TOKEN", "t")], Environment::Production).unwrap().is_none());
    }

    #[test]
    fn with_a_worker_each_part_is_asked_for_by_name() {
        let config = read(&ALL, Environment::Production).unwrap().unwrap();

        assert_eq!(config.queue.as_str(), "https://qstash.upstash.io/");
        assert_eq!(config.public_url, "https://app.example.org");
        for (name, _) in &ALL[1..] {
            let error = read(&with(name, ""), Environment::Development).unwrap_err();
            assert!(error.starts_with(name) && error.contains("OCR_URL"), "{error}");
        }
    }

    #[test]
    fn urls_that_cannot_be_used_are_not_shown() {
        for name in ["OCR_URL", "PUBLIC_URL"] {
            for bad in ["ocr.example.org", "ftp://x/hunter2", "https://user:hunter2@x.example/"] {
                let error = read(&with(name, bad), Environment::Development).unwrap_err();
                assert!(error.starts_with(name) && !error.contains("hunter2"), "{error}");
            }
        }
        assert!(read(&with("PUBLIC_URL", "https://x.example/?a=1"), Environment::Development).is_err());
    }

    #[test]
    fn what_the_vendor_publishes_is_for_development_only() {
        let public = [
            ("QSTASH_TOKEN", DEVELOPMENT_TOKEN),
            ("QSTASH_CURRENT_SIGNING_KEY", DEVELOPMENT_KEYS[0]),
            ("QSTASH_NEXT_SIGNING_KEY", DEVELOPMENT_KEYS[1]),
        ];
        for (name, value) in public {
            let error = read(&with(name, value), Environment::Production).unwrap_err();

            assert!(error.starts_with(name) && !error.contains(value), "{error}");
            assert!(read(&with(name, value), Environment::Development).is_ok());
        }
    }
}
