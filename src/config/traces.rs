//! Where traces are sent, under the names that OpenTelemetry gives these settings.

use percent_encoding::percent_decode_str;
use reqwest::header::{HeaderName, HeaderValue};
use secrecy::SecretString;
use url::Url;

use super::variables::{ConfigError, Variables, wrong};

/// Where traces are sent.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TracesConfig {
    /// `OTEL_EXPORTER_OTLP_ENDPOINT` with `/v1/traces` behind it.
    pub endpoint: Url,
    /// `OTEL_EXPORTER_OTLP_HEADERS`: sent with each request.
    pub headers: Vec<(String, SecretString)>,
}

impl TracesConfig {
    /// Reads where traces are sent; nowhere, when no endpoint is set.
    pub(super) fn read(variables: &Variables) -> Result<Option<Self>, ConfigError> {
        let Some(text) = variables.text("OTEL_EXPORTER_OTLP_ENDPOINT") else { return Ok(None) };
        Ok(Some(Self { endpoint: endpoint(text)?, headers: headers(variables)? }))
    }
}

/// A refused URL is not shown: it may hold a password.
fn endpoint(text: &str) -> Result<Url, ConfigError> {
    let refused = || {
        let held = text.split_once("://").map_or("without a scheme", |(scheme, _)| scheme);
        let allowed = "the base URL of an OTLP/HTTP receiver, for example http://localhost:4318";
        wrong("OTEL_EXPORTER_OTLP_ENDPOINT", held, allowed)
    };
    let url = Url::parse(&format!("{}/v1/traces", text.trim_end_matches('/'))).map_err(|_| refused())?;
    let is_plain = url.has_host() && url.query().is_none() && url.fragment().is_none();
    if matches!(url.scheme(), "http" | "https") && is_plain { Ok(url) } else { Err(refused()) }
}

/// Neither a name nor a value of a refused list is shown: either may be the secret.
fn headers(variables: &Variables) -> Result<Vec<(String, SecretString)>, ConfigError> {
    let name = "OTEL_EXPORTER_OTLP_HEADERS";
    let pairs = variables.text(name).unwrap_or_default().split(',').map(str::trim);
    let read = |(place, pair): (usize, &str)| {
        let refused = || {
            wrong(
                name,
                &format!("pair {}", place + 1),
                "name=value pairs parted by commas, values with % codes",
            )
        };
        let (name, value) = pair.split_once('=').ok_or_else(refused)?;
        let value = percent_decode_str(value.trim()).decode_utf8().map_err(|_| refused())?;
        HeaderName::try_from(name.trim()).map_err(|_| refused())?;
        HeaderValue::from_str(&value).map_err(|_| refused())?;
        Ok((name.trim().to_owned(), SecretString::from(value.into_owned())))
    };
    pairs.enumerate().filter(|(_, pair)| !pair.is_empty()).map(read).collect()
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn read(endpoint: &str, headers: &str) -> Result<Option<TracesConfig>, ConfigError> {
        TracesConfig::read(&Variables::of(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
            ("OTEL_EXPORTER_OTLP_HEADERS", headers),
        ]))
    }

    #[test]
    fn the_endpoint_is_a_base_and_headers_are_decoded() {
        let config =
            read("https://x.example/api/otel/", "Authorization=Basic%20cGs6c2s=, x-a = 1").unwrap().unwrap();

        assert_eq!(config.endpoint.as_str(), "https://x.example/api/otel/v1/traces");
        let headers: Vec<_> =
            config.headers.iter().map(|(name, value)| (name.as_str(), value.expose_secret())).collect();
        assert_eq!(headers, [("Authorization", "Basic cGs6c2s="), ("x-a", "1")]);
        assert!(read("", "a=b").unwrap().is_none(), "without an endpoint nothing is sent");
    }

    #[test]
    fn a_refused_header_is_not_shown() {
        for headers in ["x-ok=1,hunter2", "x-ok=1,hunter2 hunter2=1", "x-ok=1,a=hunter2%0a"] {
            let error = read("http://localhost:4318", headers).unwrap_err().to_string();

            assert!(error.contains("OTEL_EXPORTER_OTLP_HEADERS") && error.contains("pair 2"), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
