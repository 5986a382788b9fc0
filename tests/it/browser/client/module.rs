//! The module as it is served, its parts and its types.

use std::{
    collections::BTreeSet,
    io::Write,
    path::{Path, PathBuf},
};

use flate2::{Compression, write::GzEncoder};
use regex::Regex;
use rstest::rstest;
use tokio::process::Command;

use crate::support::{Host, On};

const MOST_GZIPPED_BYTES: usize = 6_000;

#[rstest]
#[tokio::test]
async fn it_takes_less_than_six_kilobytes_of_a_connection(#[values(On::Binary, On::Function)] on: On) {
    let module = served(on, "/tidings.js").await;

    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(module.as_bytes()).unwrap();
    let size = gzip.finish().unwrap().len();

    assert!(size < MOST_GZIPPED_BYTES, "{size} bytes");
    assert!(size > 1_000, "{size} bytes");
}

#[rstest]
#[tokio::test]
async fn it_offers_just_what_its_types_declare(#[values(On::Binary, On::Function)] on: On) {
    let folder = tempfile::tempdir().unwrap();
    let module = folder.path().join("tidings.mjs");
    std::fs::write(&module, served(on, "/tidings.js").await).unwrap();
    let list =
        format!("import('{}').then((module) => console.log(Object.keys(module).join()))", module.display());

    let names = run("node", &["-e", &list]).await;

    let types = served(on, "/tidings.d.ts").await;
    let declared = Regex::new(r"(?m)^export (?:declare )?(?:function|const|class) (\w+)").unwrap();
    let declared: BTreeSet<_> = declared.captures_iter(&types).map(|found| found[1].to_owned()).collect();
    assert_eq!(names.trim().split(',').map(str::to_owned).collect::<BTreeSet<_>>(), declared);
    assert!(declared.contains("followDocuments"), "{declared:?}");
}

#[tokio::test]
async fn its_parts_hold_one_by_one() {
    let words = run("node", &["--test", "--test-reporter=spec", "unit/"]).await;

    let count =
        Regex::new(r"tests (\d+)").unwrap().captures(&words).expect("node counts tests")[1].to_owned();
    assert!(count.parse::<u32>().unwrap() > 30, "{words}");
}

#[tokio::test]
async fn its_types_fit_the_module_and_the_page_of_somebody_else() {
    let compiler = clients().join("node_modules/typescript/bin/tsc");
    assert!(compiler.is_file(), "TypeScript is missing: make setup");

    run("node", &[&compiler.display().to_string(), "--project", "."]).await;
}

async fn served(on: On, path: &str) -> String {
    let server = Host::start(on, &[]).await;
    let answer = server.get(path).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.text().await.unwrap()
}

fn clients() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients")
}

/// Runs a program among the clients to its end, which has to be a good one; gives what it said.
async fn run(program: &str, arguments: &[&str]) -> String {
    let output =
        Command::new(program).args(arguments).current_dir(clients()).kill_on_drop(true).output().await;
    let output = output.unwrap_or_else(|error| panic!("{program} cannot be started ({error}): make setup"));
    let words = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words}");
    words.into_owned()
}
