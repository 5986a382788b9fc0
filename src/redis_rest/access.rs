//! Who is let in.

use std::net::IpAddr;

use axum::http::{HeaderMap, header};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use super::{path, refusal::Refusal};

/// Lets in who knows the token; without one, every program of this machine.
#[derive(Debug)]
pub(super) struct Access(Option<SecretString>);

impl Access {
    pub(super) const fn new(token: Option<SecretString>) -> Self {
        Self(token)
    }

    /// Checks a request's head.
    pub(super) fn check(&self, headers: &HeaderMap, query: &str) -> Result<(), Refusal> {
        let Some(token) = &self.0 else {
            return if is_from_a_web_page(headers) { Err(Refusal::WebPage) } else { Ok(()) };
        };
        let told = bearer(headers).map(str::to_owned).or_else(|| path::token(query)).unwrap_or_default();
        let is_right = told.as_bytes().ct_eq(token.expose_secret().as_bytes());
        if is_right.into() { Ok(()) } else { Err(Refusal::Token) }
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Any page a developer looks at can send requests to this machine, or have a name of its own
/// resolve to it; programs send none of these headers.
fn is_from_a_web_page(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").map(|site| site.as_bytes());
    let is_other_site = site.is_some_and(|site| site != b"none" && site != b"same-origin");
    headers.contains_key(header::ORIGIN) || is_other_site || !is_local(headers.get(header::HOST))
}

fn is_local(host: Option<&header::HeaderValue>) -> bool {
    let Some(host) = host else { return true };
    let host = host.to_str().unwrap_or_default();
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_matches(['[', ']']).parse();
    name == "localhost" || address.is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_let_in(access: &Access, pairs: &[(&'static str, &str)], query: &str) -> bool {
        let pairs = pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        access.check(&pairs.collect(), query).is_ok()
    }

    #[test]
    fn the_token_comes_in_the_header_or_the_query() {
        let access = Access::new(Some("T".into()));

        for (headers, query) in [(&[("authorization", "Bearer T")][..], ""), (&[], "_token=T")] {
            assert!(is_let_in(&access, headers, query), "{headers:?} {query}");
        }
        for (headers, query) in [
            (&[][..], ""),
            (&[("authorization", "Bearer t")][..], "_token=T"),
            (&[("authorization", "T")], ""),
            (&[], "_token="),
        ] {
            assert!(!is_let_in(&access, headers, query), "{headers:?} {query}");
        }
    }

    #[test]
    fn without_a_token_programs_are_let_in_and_web_pages_are_not() {
        let access = Access::new(None);

        for headers in [
            &[][..],
            &[("host", "127.0.0.1:8079"), ("authorization", "Bearer any")],
            &[("host", "localhost")],
            &[("host", "[::1]:8079"), ("sec-fetch-site", "none")],
        ] {
            assert!(is_let_in(&access, headers, ""), "{headers:?}");
        }
        for headers in [
            [("host", "localhost"), ("origin", "https://example.org")],
            [("host", "localhost"), ("sec-fetch-site", "cross-site")],
            [("host", "rebound.example.org:8079"), ("accept", "*/*")],
        ] {
            assert!(!is_let_in(&access, &headers, ""), "{headers:?}");
        }
    }
}
