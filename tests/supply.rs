//! Holds what is in `Cargo.lock` to `deny.toml`: licences, sources, and crates that are kept out; and what is handed on,
//! the package, to what whoever builds or reads it needs.
//!
//! cargo-deny reads the same file and knows more, advisories above all; but it takes four minutes to build,
//! so where it is not installed this has to do. `make check` says aloud what was not looked at.

use std::{collections::BTreeSet, path::Path, process::Command};

use serde::Deserialize;
use spdx::{Expression, Licensee, ParseMode};

#[derive(Deserialize)]
struct Rules {
    licenses: Licenses,
    bans: Bans,
}

#[derive(Deserialize)]
struct Licenses {
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Banned>,
}

#[derive(Deserialize)]
struct Banned {
    #[serde(rename = "crate")]
    name: String,
    reason: String,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    license: Option<String>,
    source: Option<String>,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    req: String,
}

fn rules() -> Rules {
    toml::from_str(include_str!("../deny.toml")).unwrap()
}

fn cargo(arguments: &[&str]) -> String {
    let told = Command::new(env!("CARGO"))
        .args(arguments)
        .arg("--locked")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    String::from_utf8(told.stdout).unwrap()
}

/// Every package that is built on some platform with some feature; the lock file names some that never are.
fn packages() -> Vec<Package> {
    let tree = cargo(&[
        "tree",
        "--all-features",
        "--target",
        "all",
        "--edges",
        "normal,build,dev",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ]);
    let built = |package: &Package| {
        let line = format!("{} v{}", package.name, package.version);
        tree.lines().any(|built| built == line || built.starts_with(&format!("{line} ")))
    };
    let told: Metadata =
        serde_json::from_str(&cargo(&["metadata", "--all-features", "--format-version", "1"])).unwrap();
    told.packages.into_iter().filter(built).collect()
}

impl Licenses {
    /// Says whether one of the expression's alternatives is allowed as a whole.
    fn allow(&self, expression: &str) -> bool {
        let allowed: Vec<_> = self.allow.iter().map(|license| Licensee::parse(license).unwrap()).collect();
        let parsed = Expression::parse_mode(expression, ParseMode::LAX);
        parsed.is_ok_and(|parsed| {
            parsed.evaluate(|required| allowed.iter().any(|license| license.satisfies(required)))
        })
    }
}

/// Gives what is wrong with packages, a line each.
fn faults(packages: &[Package], rules: &Rules) -> Vec<String> {
    let mut faults = Vec::new();
    for Package { name, version, license, source, dependencies } in packages {
        match license.as_deref() {
            Some(license) if rules.licenses.allow(license) => {}
            license => faults.push(format!("{name} {version} has the licence {license:?}")),
        }
        if let Some(banned) = rules.bans.deny.iter().find(|banned| banned.name == *name) {
            faults.push(format!("{name} {version} is kept out: {}", banned.reason));
        }
        match source.as_deref() {
            Some(source) if source.starts_with("registry+") => {}
            None if name == "tidings" => {
                let any = dependencies.iter().filter(|dependency| dependency.req == "*");
                faults.extend(any.map(|dependency| format!("{} may be of any version", dependency.name)));
            }
            source => faults.push(format!("{name} {version} comes from {source:?}")),
        }
    }
    let registries: BTreeSet<_> = packages.iter().filter_map(|package| package.source.as_deref()).collect();
    if registries.len() > 1 {
        faults.push(format!("packages come from {} registries", registries.len()));
    }
    faults
}

#[test]
fn every_package_is_of_an_allowed_licence_from_the_registry_and_not_kept_out() {
    let (packages, rules) = (packages(), rules());

    assert_eq!(faults(&packages, &rules), [""; 0]);
    assert!(packages.len() > 100 && rules.bans.deny.len() > 3);
    println!("{} packages: licences, sources and bans are as in deny.toml", packages.len());
}

/// Without these nobody could build the package, use it or know what they may do with it.
const NEEDED: [&str; 10] = [
    "Cargo.lock",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    ".env.example",
    "api/tidings.rs",
    "examples/embed.rs",
    "migrations/postgres/0001_documents.sql",
    "migrations/sqlite/0001_documents.sql",
    "src/documents/analysis/rules/diagnoses.tsv",
];
/// What only this repository works with.
const OUTSIDE: [&str; 5] = ["fixtures/", "tests/", "benches/", "target/", "data/"];
/// Endings of what has no place beside code and words.
const PICTURES: [&str; 4] = [".png", ".pdf", ".svg", ".pyc"];
const MOST_BYTES: u64 = 3 * 1024 * 1024;

#[test]
fn the_package_holds_what_it_needs_and_nothing_large() {
    // What is not committed yet is packed as well.
    let list = cargo(&["package", "--list", "--allow-dirty"]);
    let files: BTreeSet<_> = list.lines().collect();

    let missing: Vec<_> = NEEDED.iter().filter(|needed| !files.contains(**needed)).collect();
    let is_odd = |file: &&&str| {
        OUTSIDE.iter().any(|folder| file.starts_with(folder))
            || PICTURES.iter().any(|end| file.ends_with(end))
    };
    let odd: Vec<_> = files.iter().filter(is_odd).collect();
    let size = |file: &&str| std::fs::metadata(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).ok();
    let bytes: u64 = files.iter().filter_map(size).map(|file| file.len()).sum();

    assert!(missing.is_empty() && odd.is_empty(), "missing: {missing:?}, odd: {odd:?}");
    assert!((500_000..MOST_BYTES).contains(&bytes), "{} files of {bytes} bytes", files.len());
}

#[test]
fn what_is_not_allowed_is_found() {
    let package = |name: &str, license: Option<&str>, source: Option<&str>| Package {
        name: name.into(),
        version: "1.0.0".into(),
        license: license.map(str::to_owned),
        source: source.map(str::to_owned),
        dependencies: vec![Dependency { name: "x".into(), req: "*".into() }],
    };
    let registry = Some("registry+https://registry.example/index");
    let rules = rules();

    for (package, found) in [
        (package("a", Some("MIT OR GPL-3.0-only"), registry), None),
        (package("a", Some("MIT/Apache-2.0"), registry), None),
        (package("a", Some("Apache-2.0 WITH LLVM-exception"), registry), None),
        (package("a", Some("MIT AND GPL-3.0-only"), registry), Some("licence")),
        (package("a", Some("AGPL-3.0-only"), registry), Some("licence")),
        (package("a", Some("non-standard"), registry), Some("licence")),
        (package("a", None, registry), Some("licence None")),
        (package("ring", Some("ISC"), registry), Some("kept out")),
        (package("a", Some("MIT"), Some("git+https://git.example/a")), Some("comes from")),
        (package("a", Some("MIT"), None), Some("comes from")),
        (package("tidings", Some("MIT"), None), Some("any version")),
    ] {
        let faults = faults(&[package], &rules);

        assert_eq!(faults.len(), usize::from(found.is_some()), "{faults:?}");
        assert!(found.is_none_or(|found| faults[0].contains(found)), "{faults:?}");
    }
}
