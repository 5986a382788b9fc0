//! Which bucket files are kept in, on any storage that speaks S3.

use std::net::IpAddr;

use secrecy::SecretString;
use url::{Host, Url};

use super::variables::{ConfigError, Variables, missing, wrong};

/// Where an endpoint other than Amazon's is named: the one for S3 beats the one for all services.
const ENDPOINTS: [&str; 2] = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"];
const REGIONS: [&str; 2] = ["AWS_REGION", "AWS_DEFAULT_REGION"];
/// What storages other than Amazon's take as their region (R2: <https://developers.cloudflare.com/r2/api/s3/api/>).
const USUAL_REGION: &str = "us-east-1";

/// A bucket and the way into it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BucketConfig {
    /// The bucket's name, from `STORAGE_URL=s3://bucket/prefix`.
    pub name: String,
    /// What every key begins with, without slashes at its ends; may be empty.
    pub prefix: String,
    /// `AWS_REGION`, or `AWS_DEFAULT_REGION`. Default us-east-1 where an endpoint is set.
    pub region: String,
    /// `AWS_ENDPOINT_URL_S3`, or `AWS_ENDPOINT_URL`. None: Amazon's of the region.
    pub endpoint: Option<Url>,
    /// `AWS_ACCESS_KEY_ID`.
    pub access_key: String,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub secret_key: SecretString,
    /// `AWS_SESSION_TOKEN`: signed URLs end with it.
    pub session_token: Option<SecretString>,
}

impl BucketConfig {
    /// Reads the bucket that `url` names and what leads into it.
    pub(super) fn read(variables: &Variables, url: &Url) -> Result<Self, ConfigError> {
        let (name, prefix) = name_and_prefix(url)
            .ok_or_else(|| wrong("STORAGE_URL", "no such bucket", "s3://bucket or s3://bucket/prefix: a name of 3 to 63 of a-z 0-9 . -, a prefix of A-Z a-z 0-9 . _ - /"))?;
        let endpoint = endpoint(variables)?;
        Ok(Self {
            name,
            prefix,
            region: region(variables, endpoint.is_some())?,
            endpoint,
            access_key: access_key(variables)?,
            secret_key: variables
                .secret("AWS_SECRET_ACCESS_KEY", 1)?
                .ok_or_else(|| missing("AWS_SECRET_ACCESS_KEY", "the secret of AWS_ACCESS_KEY_ID"))?,
            session_token: variables.secret("AWS_SESSION_TOKEN", 1)?,
        })
    }
}

fn name_and_prefix(url: &Url) -> Option<(String, String)> {
    let has_more = !url.username().is_empty() || url.password().is_some() || url.port().is_some();
    if has_more || url.query().is_some() || url.fragment().is_some() {
        return None;
    }
    let name = url.host_str().filter(|name| is_bucket_name(name))?;
    let prefix = url.path().trim_matches('/');
    let is_plain = prefix.is_empty() || prefix.split('/').all(is_prefix_part);
    is_plain.then(|| (name.to_owned(), prefix.to_owned()))
}

fn is_bucket_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-');
    (3..=63).contains(&name.len()) && name.chars().all(is_plain)
}

fn is_prefix_part(part: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    !matches!(part, "" | "." | "..") && part.chars().all(is_plain)
}

/// A refused URL is not shown: it may hold a password.
fn endpoint(variables: &Variables) -> Result<Option<Url>, ConfigError> {
    let Some((name, text)) = ENDPOINTS.into_iter().find_map(|name| Some((name, variables.text(name)?)))
    else {
        return Ok(None);
    };
    let allowed = "a URL such as https://storage.example.org, without user, path or query";
    let Some(url) = Url::parse(text).ok().filter(is_origin) else {
        return Err(wrong(name, "no such URL", allowed));
    };
    if url.scheme() == "http" && !is_loopback(&url) && !variables.flag("AWS_ALLOW_HTTP", false)? {
        let allowed = "https:// but on loopback, as files would travel readable (or set AWS_ALLOW_HTTP=true)";
        return Err(wrong(name, &url.origin().ascii_serialization(), allowed));
    }
    Ok(Some(url))
}

fn is_origin(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
        && url.username().is_empty()
        && url.password().is_none()
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
        None => false,
    }
}

fn region(variables: &Variables, has_endpoint: bool) -> Result<String, ConfigError> {
    let allowed = "the bucket's region, for example eu-central-1";
    match REGIONS.into_iter().find_map(|name| Some((name, variables.text(name)?))) {
        Some((_, region)) if region.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') => {
            Ok(region.to_owned())
        }
        Some((name, other)) => Err(wrong(name, other, allowed)),
        None if has_endpoint => Ok(USUAL_REGION.into()),
        None => Err(missing("AWS_REGION", &format!("{allowed}, as STORAGE_URL names a bucket"))),
    }
}

/// The id goes into every signed URL; it is no secret, but what stands there by mistake may be.
fn access_key(variables: &Variables) -> Result<String, ConfigError> {
    let name = "AWS_ACCESS_KEY_ID";
    match variables.text(name) {
        Some(key) if key.chars().all(|c| c.is_ascii_graphic() && c != '/') => Ok(key.to_owned()),
        Some(_) => Err(wrong(name, "no key's id", "an id in ASCII without spaces or /")),
        None => Err(missing(name, "the id of a key to the bucket, as STORAGE_URL names one")),
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    const KEY: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "key"), ("AWS_SECRET_ACCESS_KEY", "hunter2")];

    fn read(url: &str, more: &[(&str, &str)]) -> Result<BucketConfig, String> {
        let variables = Variables::of(&[&KEY[..], more].concat());
        BucketConfig::read(&variables, &Url::parse(url).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_bucket_has_a_name_and_may_have_a_prefix() {
        for (url, prefix) in
            [("s3://tidings-files", ""), ("s3://tidings-files/", ""), ("s3://tidings-files/a/b_1/", "a/b_1")]
        {
            let bucket = read(url, &[("AWS_REGION", "eu-central-1")]).unwrap();

            assert_eq!((bucket.name.as_str(), bucket.prefix.as_str()), ("tidings-files", prefix), "{url}");
            assert_eq!((bucket.region.as_str(), bucket.endpoint), ("eu-central-1", None));
            assert_eq!(bucket.secret_key.expose_secret(), "hunter2");
        }
        for url in
            ["s3://ab", "s3://Tidings", "s3://hunter2:x@bucket", "s3://bucket/a?b=hunter2", "s3://a_b_c"]
        {
            let error = read(url, &[("AWS_REGION", "eu-central-1")]).unwrap_err();

            assert!(error.starts_with("STORAGE_URL") && !error.contains("hunter2"), "{url}: {error}");
        }
    }

    #[test]
    fn an_endpoint_needs_no_region_and_amazon_does() {
        let endpoint = ("AWS_ENDPOINT_URL", "https://storage.example.org");
        let of_s3 = ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9000");

        let other = read("s3://bucket", &[endpoint]).unwrap();
        let for_s3 = read("s3://bucket", &[endpoint, of_s3, ("AWS_DEFAULT_REGION", "auto")]).unwrap();

        assert_eq!(other.region, "us-east-1");
        assert_eq!(
            (for_s3.endpoint.unwrap().as_str(), for_s3.region),
            ("http://127.0.0.1:9000/", "auto".into())
        );
        assert!(read("s3://bucket", &[]).unwrap_err().starts_with("AWS_REGION is not set"));
    }

    #[test]
    fn plain_http_is_for_loopback_unless_it_is_asked_for() {
        let far = ("AWS_ENDPOINT_URL", "http://minio.internal:9000");

        assert!(read("s3://bucket", &[far]).unwrap_err().contains("AWS_ALLOW_HTTP=true"));
        assert!(read("s3://bucket", &[far, ("AWS_ALLOW_HTTP", "true")]).is_ok());
        for near in ["http://127.0.0.1:9000", "http://localhost:9000", "http://[::1]:9000"] {
            assert!(read("s3://bucket", &[("AWS_ENDPOINT_URL", near)]).is_ok(), "{near}");
        }
    }

    #[test]
    fn secrets_are_masked() {
        let bucket = read("s3://bucket", &[("AWS_REGION", "eu-central-1"), ("AWS_SESSION_TOKEN", "hunter3")]);
        let error = read("s3://bucket", &[("AWS_ENDPOINT_URL", "https://u:hunter2@storage.example.org")])
            .unwrap_err();

        let shown = format!("{:?}{error}", bucket.unwrap());
        assert!(!shown.contains("hunter"), "{shown}");
    }
}
