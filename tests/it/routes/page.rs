//! `GET /`, the scripts it loads, and `/tidings.js`.

use std::collections::BTreeSet;

use regex::Regex;
use reqwest::Response;
use url::Url;

use crate::support::{Server, tokens::KEYS};

/// What a module stands on.
const IMPORTED: &str = r#"(?m)^(?:import|export|\})[^;]*?(?:from |import )["']([^"']+)["']"#;

#[tokio::test]
async fn the_page_is_html_that_may_load_from_its_own_host_only() {
    let server = Server::start(&KEYS);

    let page = get(&server, "/").await;

    assert_eq!(header(&page, "content-type"), "text/html; charset=utf-8");
    assert_eq!(header(&page, "x-content-type-options"), "nosniff");
    let policy = header(&page, "content-security-policy").to_owned();
    for rule in ["default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"] {
        assert!(policy.split(';').any(|own| own.trim() == rule), "{rule} is not in {policy}");
    }
    let scripts = policy.split(';').find(|rule| rule.trim().starts_with("script-src")).unwrap();
    assert!(!scripts.contains("unsafe"), "{scripts}");
    assert!(!page.text().await.unwrap().contains("<script>"), "the policy would stop a script in the page");
}

#[tokio::test]
async fn every_script_that_the_page_needs_is_there() {
    let server = Server::start(&KEYS);
    let root = Url::parse(&server.url).unwrap();
    let page = get(&server, "/").await.text().await.unwrap();
    let mut open = named(r#"<script[^>]*\ssrc="([^"]+)""#, &page, &root);
    assert!(!open.is_empty(), "{page}");
    let mut seen = BTreeSet::new();

    while let Some(url) = open.pop_first() {
        let script = get(&server, url.path()).await;
        assert_eq!(header(&script, "content-type"), "text/javascript; charset=utf-8", "{url}");
        assert_eq!(header(&script, "x-content-type-options"), "nosniff", "{url}");
        let imported = named(IMPORTED, &script.text().await.unwrap(), &url);
        seen.insert(url);
        open.extend(imported.difference(&seen).cloned());
    }

    let client = root.join("/tidings.js").unwrap();
    assert!(seen.contains(&client), "the page stands on the client that it shows: {seen:?}");
}

#[tokio::test]
async fn its_style_comes_from_its_own_host_too() {
    let server = Server::start(&KEYS);
    let root = Url::parse(&server.url).unwrap();
    let page = get(&server, "/").await.text().await.unwrap();

    let sheets = named(r#"<link rel="stylesheet"[^>]*\shref="([^"]+)""#, &page, &root);

    assert!(!sheets.is_empty(), "{page}");
    for sheet in sheets {
        assert_eq!(header(&get(&server, sheet.path()).await, "content-type"), "text/css; charset=utf-8");
    }
    assert!(!page.contains("<style>") && !page.contains(" style="), "the policy would stop it");
}

#[tokio::test]
async fn the_client_is_one_module_that_needs_no_other() {
    let server = Server::start(&KEYS);

    let client = get(&server, "/tidings.js").await;

    assert_eq!(header(&client, "content-type"), "text/javascript; charset=utf-8");
    let text = client.text().await.unwrap();
    assert!(text.contains("export "), "a module");
    assert!(!Regex::new(IMPORTED).unwrap().is_match(&text));
}

async fn get(server: &Server, path: &str) -> Response {
    let answer = server.get(path).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{path}");
    answer
}

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer.headers().get(name).unwrap_or_else(|| panic!("no {name}")).to_str().unwrap()
}

/// The URLs that `pattern` finds in the text from `base`.
fn named(pattern: &str, text: &str, base: &Url) -> BTreeSet<Url> {
    let urls = Regex::new(pattern).unwrap();
    urls.captures_iter(text).map(|found| base.join(&found[1]).unwrap()).collect()
}
