//! What the pages call a setting is one, and each setting is on the page for production.

use std::collections::BTreeSet;

use super::page::{Page, root};

/// Names that are not Tidings' own, and whose they are.
const OF_OTHERS: [&str; 9] = [
    // Vercel's integration of Upstash; read in place of UPSTASH_REDIS_REST_…
    "KV_REST_API_URL",
    "KV_REST_API_TOKEN",
    "RAILWAY_ENVIRONMENT",
    "RAILWAY_DEPLOYMENT_DRAINING_SECONDS",
    // Amazon's, read in place of AWS_REGION and AWS_ENDPOINT_URL.
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL_S3",
    // What the examples of producers read in an app of somebody else's.
    "TIDINGS_URL",
    "NEXT_PUBLIC_TIDINGS",
    // compose.yaml
    "POSTGRES_PASSWORD",
];

#[test]
fn what_the_pages_call_a_setting_is_one() {
    let settings = settings();
    let name = regex::Regex::new(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b").unwrap();
    let mut unknown = BTreeSet::new();

    for page in Page::all() {
        for found in name.find_iter(&page.text) {
            if !settings.contains(found.as_str()) && !OF_OTHERS.contains(&found.as_str()) {
                unknown.insert(format!("{}: {}", page.name(), found.as_str()));
            }
        }
    }

    assert!(unknown.is_empty(), "{unknown:#?}");
}

#[test]
fn every_setting_is_on_the_page_for_production() {
    let page = Page::open("docs/production.md").text;

    let missing: Vec<_> =
        settings().into_iter().filter(|setting| !page.contains(&format!("`{setting}`"))).collect();

    assert!(missing.is_empty(), "{missing:?}");
}

/// The names that `.env.example` explains.
fn settings() -> BTreeSet<String> {
    let text = std::fs::read_to_string(root().join(".env.example")).unwrap();
    let names = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='));
    let names: BTreeSet<_> = names.map(|(name, _)| name.to_owned()).collect();
    assert!(names.contains("AUTH_JWT_SECRET") && names.len() > 40, "{names:?}");
    names
}
