//! Medians, ratios and goals are what the figures make them, and the plot shows them.

use serde_json::json;

use super::program::{
    contestant::Contestant::{Baseline, Floor, Tidings},
    plot,
    report::{Results, goals_of, table::write},
};

/// Runs of `fan-out` with this p50 of the floor, the baseline and Tidings, and these losses of Tidings.
fn results(runs: &[(f64, f64, f64, f64)]) -> Results {
    let mut results = Results::of("fan-out".to_owned());
    for (floor, baseline, ours, lost) in runs {
        let p50 = |value: &f64| ("p50_ms".to_owned(), *value);
        let ours = vec![p50(ours), ("lost".to_owned(), *lost)];
        results.add_run(vec![(Floor, vec![p50(floor)]), (Baseline, vec![p50(baseline)]), (Tidings, ours)]);
    }
    results
}

fn is_met(results: &Results, figure: &str) -> Option<bool> {
    goals_of("fan-out").find(|goal| goal.figure == figure).unwrap().is_met(results)
}

#[test]
fn ratios_are_taken_within_a_run_and_the_middle_one_counts() {
    // The second run was a noisy one for all alike.
    let results = results(&[(1.0, 2.0, 1.2, 0.0), (10.0, 20.0, 13.0, 0.0), (1.0, 2.0, 1.5, 0.0)]);

    assert_eq!(results.median(Tidings, "p50_ms"), Some(1.5));
    assert_eq!(results.ratio(Floor, "p50_ms"), Some(1.3));
    assert_eq!(results.ratio(Baseline, "p50_ms"), Some(0.65));
    assert_eq!(results.ratio(Floor, "lost"), None);
    assert_eq!(is_met(&results, "p50_ms"), Some(true));
    assert_eq!(is_met(&results, "p99_ms"), None);
}

#[test]
fn one_lost_event_in_one_run_fails_the_whole() {
    let results = results(&[(1.0, 1.0, 1.0, 0.0), (1.0, 1.0, 1.0, 1.0), (1.0, 1.0, 1.0, 0.0)]);

    assert_eq!(results.median(Tidings, "lost"), Some(0.0));
    assert_eq!(is_met(&results, "lost"), Some(false));
}

#[test]
fn numbers_have_three_digits_and_all_before_the_point() {
    let written = [0.0, 0.0123, 1.234, 12.34, 123.4, 1_234.5, 1_234_567.0, -1_234.0].map(write);

    assert_eq!(written, ["0", "0.012", "1.23", "12.3", "123", "1,234", "1,234,567", "-1,234"]);
}

#[test]
fn the_plot_has_a_line_per_server_through_all_its_points() {
    let ours = json!({
        "resident_kib_per_viewer@1000": 9.0, "resident_kib_per_viewer@15000": 6.5,
        "cpu_us_per_viewer_second@1000": 40.0, "cpu_us_per_viewer_second@15000": 41.0, "lost@1000": 0,
    });
    let growth = json!({ "medians": { "tidings": ours, "floor": { "resident_kib_per_viewer@1000": 1.2 } } });

    let svg = plot::svg(&growth);

    assert_eq!(plot::line(&growth, Tidings, "resident_kib_per_viewer"), [(1_000.0, 9.0), (15_000.0, 6.5)]);
    assert_eq!(svg.matches("<polyline").count(), 3);
    assert!(svg.contains(">15000</text>") && !svg.contains("NaN"), "{svg}");
}
