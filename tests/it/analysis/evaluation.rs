//! Precision and recall over the reports in `fixtures/reports/`; `docs/analysis.md` says how they count.

use std::{collections::BTreeSet, fs, path::Path};

use serde::Deserialize;
use tidings::documents::analysis::{DocumentType, Findings, Flag, analyze};

/// What a report says, as a person read it.
#[derive(Deserialize)]
struct Expected {
    document_type: DocumentType,
    diagnoses: Vec<String>,
    medications: Vec<ExpectedMedication>,
    lab_values: Vec<ExpectedValue>,
}

#[derive(Deserialize)]
struct ExpectedMedication {
    name: String,
    dose: Option<String>,
}

#[derive(Deserialize)]
struct ExpectedValue {
    analyte: String,
    value: f64,
    flag: Option<Flag>,
}

struct Report {
    name: String,
    expected: Expected,
    findings: Findings,
}

/// How often what was found is right, and what is there was found.
#[derive(Clone, Copy, Debug, Default)]
struct Score {
    right: usize,
    found: usize,
    there: usize,
}

impl Score {
    fn of(found: &BTreeSet<String>, there: &BTreeSet<String>) -> Self {
        Self { right: found.intersection(there).count(), found: found.len(), there: there.len() }
    }

    fn add(self, other: Self) -> Self {
        Self {
            right: self.right + other.right,
            found: self.found + other.found,
            there: self.there + other.there,
        }
    }

    fn precision(self) -> f64 {
        self.right as f64 / self.found as f64
    }

    fn recall(self) -> f64 {
        self.right as f64 / self.there as f64
    }
}

const MEASURES: [&str; 6] = [
    "diagnoses by category",
    "diagnoses by full code",
    "medications by name",
    "medications with dose",
    "lab values",
    "printed flags",
];
/// The least precision and recall: what was measured once, less a margin for rules that change.
const FLOORS: [(&str, f64, f64); 6] = [
    ("diagnoses by category", 0.90, 0.90),
    ("diagnoses by full code", 0.81, 0.82),
    ("medications by name", 0.94, 0.94),
    ("medications with dose", 0.95, 0.94),
    ("lab values", 0.95, 0.90),
    ("printed flags", 0.95, 0.78),
];
type Sets = (BTreeSet<String>, BTreeSet<String>);

fn reports(folder: &str) -> Vec<Report> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/reports").join(folder);
    let mut texts: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    texts.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    texts.sort();
    let read = |path: &Path| fs::read_to_string(path).unwrap();
    let report = |path: &std::path::PathBuf| Report {
        name: path.file_stem().unwrap().to_string_lossy().into_owned(),
        expected: serde_json::from_str(&read(&path.with_extension("json"))).unwrap(),
        findings: analyze(&read(path)),
    };
    texts.iter().map(report).collect()
}

fn compared(measure: &str, Report { expected, findings, .. }: &Report) -> Sets {
    let category = |code: &String| code.split('.').next().unwrap_or_default().to_owned();
    let codes = || findings.diagnoses.iter().map(|found| &found.code);
    let names = || findings.medications.iter();
    // A dose is compared where the report has one, without regard to capitals and spaces.
    let dosed = |name: &str, dose: &str| format!("{name} {}", dose.to_lowercase().replace([' ', '\n'], ""));
    let value = |analyte: &str, value: f64| format!("{analyte} {value}");
    let there_dosed = || {
        let dosed_ones =
            expected.medications.iter().filter_map(|there| Some((&there.name, there.dose.as_ref()?)));
        dosed_ones.collect::<Vec<_>>()
    };
    let known = || findings.lab_values.iter().filter_map(|found| Some((found.analyte.as_ref()?, found)));
    match measure {
        "diagnoses by category" => {
            (codes().map(category).collect(), expected.diagnoses.iter().map(category).collect())
        }
        "diagnoses by full code" => {
            (codes().cloned().collect(), expected.diagnoses.iter().cloned().collect())
        }
        "medications by name" => (
            names().map(|found| found.name.clone()).collect(),
            expected.medications.iter().map(|there| there.name.clone()).collect(),
        ),
        "medications with dose" => (
            names()
                .filter(|found| there_dosed().iter().any(|(name, _)| **name == found.name))
                .filter_map(|found| Some(dosed(&found.name, found.dose.as_ref()?)))
                .collect(),
            there_dosed().into_iter().map(|(name, dose)| dosed(name, dose)).collect(),
        ),
        "lab values" => (
            known().map(|(analyte, found)| value(analyte, found.value)).collect(),
            expected.lab_values.iter().map(|there| value(&there.analyte, there.value)).collect(),
        ),
        // Where the report prints neither flag nor range there is nothing to compare with.
        _ => {
            let flagged = |name: &str, flag: Flag| format!("{name} {flag:?}");
            let printed = expected.lab_values.iter().filter_map(|there| Some((&there.analyte, there.flag?)));
            let there: BTreeSet<_> = printed.map(|(analyte, flag)| flagged(analyte, flag)).collect();
            let asked = |name: &String| {
                expected.lab_values.iter().any(|there| there.analyte == *name && there.flag.is_some())
            };
            let found = known().filter(|(name, _)| asked(name));
            (found.filter_map(|(name, found)| Some(flagged(name, found.flag?))).collect(), there)
        }
    }
}

fn score(reports: &[Report], measure: &str) -> Score {
    let each = reports.iter().map(|report| {
        let (found, there) = compared(measure, report);
        Score::of(&found, &there)
    });
    each.fold(Score::default(), Score::add)
}

fn print_table(folder: &str, reports: &[Report]) {
    println!("{folder}: {} reports", reports.len());
    println!(
        "| measure | right | found | there | precision | recall |\n| --- | --- | --- | --- | --- | --- |"
    );
    for measure in MEASURES {
        let Score { right, found, there } = score(reports, measure);
        let (precision, recall) = (score(reports, measure).precision(), score(reports, measure).recall());
        println!("| {measure} | {right} | {found} | {there} | {precision:.3} | {recall:.3} |");
    }
    let typed =
        reports.iter().filter(|report| report.findings.document_type == report.expected.document_type);
    println!("document types right: {} of {}", typed.count(), reports.len());
}

/// What is wrong and what is missing, by report: for reports that may be looked at.
fn print_differences(reports: &[Report]) {
    for report in reports {
        for measure in MEASURES {
            let (found, there) = compared(measure, report);
            let wrong: Vec<_> = found.difference(&there).collect();
            let missing: Vec<_> = there.difference(&found).collect();
            if !wrong.is_empty() || !missing.is_empty() {
                println!("{}: {measure}: wrong {wrong:?}, missing {missing:?}", report.name);
            }
        }
        if report.findings.document_type != report.expected.document_type {
            println!("{}: taken for {:?}", report.name, report.findings.document_type);
        }
    }
}

#[test]
fn what_was_looked_at_is_found() {
    let reports = reports("development");

    print_table("development", &reports);
    print_differences(&reports);

    for measure in MEASURES {
        let score = score(&reports, measure);
        assert!(score.precision() >= 0.9 && score.recall() >= 0.9, "{measure}: {score:?}");
    }
}

/// No report of these is looked at: what is missed in one must not become a rule.
#[test]
fn what_was_never_looked_at_is_found_too() {
    let reports = reports("held_out");

    print_table("held out", &reports);

    assert!(reports.len() >= 20);
    for (measure, precision, recall) in FLOORS {
        let score = score(&reports, measure);
        assert!(score.precision() >= precision, "{measure}: precision {:.3}", score.precision());
        assert!(score.recall() >= recall, "{measure}: recall {:.3}", score.recall());
    }
}
