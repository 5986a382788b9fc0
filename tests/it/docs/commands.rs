//! Each page's commands, run in order as a reader runs them.

use std::collections::BTreeSet;

use super::{
    page::{Duty, Page},
    session::Session,
};
use crate::support::Browser;

/// Runs a page from its beginning to its end.
fn run(path: &str) {
    let page = Page::open(path);
    let mut session = Session::of(&page);
    for block in page.blocks() {
        session.take(&block);
    }
}

macro_rules! pages {
    ($($test:ident: $path:literal,)+) => {
        $(#[test] fn $test() { run($path); })+
        const RUN: &[&str] = &["README.md", $($path),+];
    };
}

pages! {
    the_commands_about_the_wire_run: "docs/wire.md",
    the_commands_about_chats_run: "docs/chat.md",
    the_commands_about_other_work_run: "docs/work.md",
    the_commands_of_the_command_line_run: "docs/commands.md",
    the_commands_about_tokens_run: "docs/tokens.md",
    the_commands_about_redis_run: "docs/upstash.md",
}

#[test]
fn every_page_with_commands_is_run() {
    let pages = Page::all();
    let has_commands = |page: &&Page| page.blocks().iter().any(|block| block.duty != Duty::Read);

    let with_commands: BTreeSet<_> = pages.iter().filter(has_commands).map(Page::name).collect();

    assert_eq!(with_commands, RUN.iter().copied().collect());
}

/// Four commands and a look: the whole README, with a browser open from where it says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_of_the_readme_sees_their_own_pipeline_in_a_browser() {
    let page = Page::open("README.md");
    let mut session = Session::of(&page);
    let browser = Browser::start().await;
    let mut blocks = page.blocks().into_iter().filter(|block| block.duty != Duty::Read);

    let serve = blocks.next().unwrap();
    assert_eq!((serve.duty, serve.text.as_str()), (Duty::Stays, "make run\n"));
    session.take(&serve);
    browser.open(&session.server_url()).await;
    browser.wait_until("document.querySelector('[data-testid=connection-state][data-state=live]')").await;
    session.take(&blocks.next().unwrap());
    browser.wait_until("document.querySelector('.card')?.innerText.includes('page 2 of 5')").await;
    browser.wait_until("document.querySelector('.card')?.innerText.includes('20')").await;
    session.take(&blocks.next().unwrap());
    browser.wait_until("document.querySelector('.card[data-status=complete]')").await;
    for block in blocks {
        session.take(&block);
    }
    browser.wait_until("document.querySelectorAll('.card').length === 2").await;
}
