//! Input from outside, spoiled at random: whatever comes, nothing breaks.
//!
//! Each target begins with what is kept in `fixtures/fuzz/<target>/`: good examples, and inputs that once broke
//! something. Then it spoils those, step by step; `FUZZ_CASES=100000 cargo test --test it fuzz::` tries for longer. An
//! input that breaks something is put beside the others, and so tried from then on.

mod answers;
mod callbacks;
mod cursors;
mod events;
mod spoiled;

use std::{cell::RefCell, fs, path::PathBuf};

use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};
use sha2::{Digest, Sha256};

/// Tries of each target: some seconds.
const CASES: u32 = 3_000;

fn folder(target: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "fixtures", "fuzz", target].iter().collect()
}

/// Tries a target with what is kept for it, and with what comes of that when it is spoiled.
///
/// `check` says what broke, if anything; a panic counts, too.
fn fuzz(target: &str, check: impl FnMut(&[u8]) -> Result<(), String>) {
    let files = fs::read_dir(folder(target)).unwrap().map(|file| file.unwrap().path());
    let mut kept: Vec<_> = files.map(|path| (fs::read(&path).unwrap(), path)).collect();
    kept.sort();
    let check = RefCell::new(check);
    for (input, path) in &kept {
        let held = check.borrow_mut()(input);
        held.unwrap_or_else(|broken| panic!("{}: {broken}", path.display()));
    }
    let seeds = kept.into_iter().map(|(input, _)| input).collect();
    let cases = std::env::var("FUZZ_CASES").map_or(CASES, |cases| cases.parse().unwrap());
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 2_000, ..Config::default() };
    let tried = TestRunner::new(config)
        .run(&spoiled::variants_of(seeds), |input| check.borrow_mut()(&input).map_err(TestCaseError::fail));
    if let Err(TestError::Fail(broken, input)) = tried {
        let path = keep(target, &input);
        let shown: String =
            format!("{broken}: {:?}", String::from_utf8_lossy(&input)).chars().take(1_000).collect();
        panic!("kept in {}: {shown}", path.display());
    }
    assert!(tried.is_ok(), "proptest gave up: {tried:?}");
}

/// Keeps what broke something, so that it is tried first from now on.
fn keep(target: &str, input: &[u8]) -> PathBuf {
    let name: String = Sha256::digest(input).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    let path = folder(target).join(format!("found-{name}"));
    fs::write(&path, input).unwrap();
    path
}
