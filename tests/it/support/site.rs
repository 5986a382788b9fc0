//! What answers at a URL, whatever runs there.

use reqwest::{
    Client, RequestBuilder,
    header::{AUTHORIZATION, HeaderMap, HeaderValue},
};
use serde_json::Value;
use tokio::net::TcpStream;

/// A place that requests are sent to.
#[derive(Clone)]
pub struct Site {
    /// For example `http://127.0.0.1:40123`.
    pub url: String,
    pub http: Client,
}

impl Site {
    pub fn at(url: &str) -> Self {
        Self { url: url.to_owned(), http: Client::new() }
    }

    /// The same place for who shows this token or key with every request.
    pub fn shown(&self, token: &str) -> Self {
        let bearer = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
        let headers = HeaderMap::from_iter([(AUTHORIZATION, bearer)]);
        Self { url: self.url.clone(), http: Client::builder().default_headers(headers).build().unwrap() }
    }

    pub fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(self.find(path))
    }

    pub fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        self.http.post(self.find(path)).json(body)
    }

    pub fn put(&self, path: &str, body: Vec<u8>) -> RequestBuilder {
        self.http.put(self.find(path)).body(body)
    }

    /// A bare connection to it, for what no client of HTTP would send.
    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.url.trim_start_matches("http://")).await.unwrap()
    }

    /// Reads one of its numbers, over all labels.
    pub async fn metric(&self, name: &str) -> u64 {
        let text = self.get("/metrics").send().await.unwrap().text().await.unwrap();
        let values = text.lines().filter_map(|line| {
            let rest = line.strip_prefix(name).filter(|rest| rest.starts_with(['{', ' ']))?;
            rest.rsplit_once(' ')?.1.parse::<u64>().ok()
        });
        values.reduce(|sum, value| sum + value).unwrap_or_else(|| panic!("no {name} in {text}"))
    }

    /// Files go elsewhere, by whole URLs, where a bucket keeps them.
    fn find(&self, path: &str) -> String {
        if path.starts_with('/') { format!("{}{path}", self.url) } else { path.to_owned() }
    }
}
