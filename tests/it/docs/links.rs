//! Every link within the repository leads somewhere.

use std::collections::{BTreeSet, HashMap};

use super::page::{Page, root};

#[test]
fn every_link_within_the_repository_leads_somewhere() {
    let link = regex::Regex::new(r"\]\(([^)\s]+)\)").unwrap();
    let mut anchors = HashMap::new();
    let mut broken = Vec::new();
    let mut count = 0;

    for page in Page::all() {
        for target in link.captures_iter(&page.prose()).map(|found| found[1].to_owned()) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            count += 1;
            let (path, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let file = if path.is_empty() { root().join(&page.path) } else { beside(&page, path) };
            let is_there = match anchor {
                "" => file.exists(),
                anchor => anchors.entry(file.clone()).or_insert_with(|| headings(&file)).contains(anchor),
            };
            if !is_there {
                broken.push(format!("{}: {target}", page.name()));
            }
        }
    }

    assert!(count > 100, "links are found: {count}");
    assert!(broken.is_empty(), "{broken:#?}");
}

fn beside(page: &Page, path: &str) -> std::path::PathBuf {
    root().join(page.path.parent().unwrap()).join(path)
}

/// The anchors that a page's headings make, as GitHub writes them.
fn headings(file: &std::path::Path) -> BTreeSet<String> {
    let Ok(text) = std::fs::read_to_string(file) else { return BTreeSet::new() };
    let page = Page { path: file.into(), text };
    let prose = page.prose();
    let headings = prose
        .lines()
        .filter_map(|line| line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#')));
    headings.map(anchor).collect()
}

fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}
